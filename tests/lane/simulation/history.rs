//! History grows only, belongs to a row, and has every attempt whose result was recorded.

use std::collections::{BTreeSet, HashMap};

use crate::database::Store;

/// How many former results of a row are kept.
const MOST: usize = 100;

/// When a result was recorded, and after how many attempts.
type Result = (i64, i64);

/// What was seen of each row: by its request, its slot, and when it came.
#[derive(Default)]
pub struct History {
    known: HashMap<(String, String, i64), BTreeSet<Result>>,
    /// How many results were looked at.
    pub looked_at: u64,
}

impl History {
    /// Looks at all history. `unrecorded` tells of how many attempts of a slot the result may be missing:
    /// they came too late, or their object was lost.
    pub fn look(&mut self, store: &Store, unrecorded: impl Fn(&str) -> i64) {
        let all = "SELECT delivery.request_id, delivery.slot, received_at, attempts, updated_at,
                attempt.at, attempt.number
            FROM delivery LEFT JOIN attempt USING (source, request_id, slot)
            WHERE call IS NOT NULL";
        let mut seen: HashMap<_, (BTreeSet<Result>, i64)> = HashMap::new();
        for row in store.look(all, &[]) {
            let text = |at| row.text(at).unwrap().to_owned();
            let [received_at, attempts, updated_at] = [2, 3, 4].map(|at| row.integer(at).unwrap());
            let key = (text(0), text(1), received_at);
            let (results, _) = seen.entry(key).or_insert_with(|| (BTreeSet::new(), attempts));
            let Some(at) = row.optional_integer(5).unwrap() else { continue };
            let number = row.integer(6).unwrap();
            assert!((1..=attempts).contains(&number), "an attempt that was not made");
            assert!(at <= updated_at, "later than the present result");
            results.insert((at, number));
            self.looked_at += 1;
        }
        let stored = store.number("SELECT COUNT(*) FROM attempt");
        let of_rows: usize = seen.values().map(|(results, _)| results.len()).sum();
        assert_eq!(stored, i64::try_from(of_rows).unwrap(), "history without its row");
        for (key, (results, attempts)) in &seen {
            assert!(results.len() <= MOST);
            let is_full = results.len() == MOST;
            if let Some(known) = self.known.get(key) {
                let mut lost = known.difference(results);
                let first = results.first();
                assert!(lost.all(|one| is_full && Some(one) < first), "lost: {key:?}");
            }
            let mut numbers: BTreeSet<i64> = results.iter().map(|(_, number)| *number).collect();
            numbers.insert(*attempts);
            let missing = attempts - i64::try_from(numbers.len()).unwrap();
            let is_known = missing <= unrecorded(&key.1) || is_full || *attempts == 0;
            assert!(is_known, "{missing} of {attempts} attempts have no result: {key:?}");
        }
        self.known = seen.into_iter().map(|(key, (results, _))| (key, results)).collect();
    }
}
