//! What several lanes read, each oldest first and some at a time, in one order: what is in memory is bounded by
//! what each lane hands out at once.

use std::collections::VecDeque;

use super::lane::{Key, Record, Slip};

/// One erasure, as far as lanes know it that have it at this time.
#[derive(Debug, PartialEq, Eq)]
pub struct Merged {
    /// When it came, and which it is.
    pub key: Key,
    /// The records of each lane that has it, by the lane's number.
    pub parts: Vec<(usize, Vec<Record>)>,
}

/// What is in memory of one lane.
#[derive(Default)]
struct Stream {
    erasures: VecDeque<(Key, Vec<Record>)>,
    after: Option<Key>,
    is_over: bool,
}

/// The lanes.
pub struct Merge(Vec<Stream>);

impl Merge {
    /// So many lanes, of which nothing is read yet.
    pub fn new(lanes: usize) -> Self {
        Self((0..lanes).map(|_| Stream::default()).collect())
    }

    /// Which lanes must be read before anything can be taken, each with the position to read on from.
    pub fn wanting(&self) -> Vec<(usize, Option<Key>)> {
        let wants = |(_, lane): &(usize, &Stream)| lane.erasures.is_empty() && !lane.is_over;
        let lanes = self.0.iter().enumerate().filter(wants);
        lanes.map(|(number, lane)| (number, lane.after.clone())).collect()
    }

    /// Takes in what a lane has read.
    pub fn fill(&mut self, number: usize, (records, next): Slip) {
        let Some(lane) = self.0.get_mut(number) else { return };
        for record in records {
            let Record { received_at, source, request_id, .. } = &record;
            match lane.erasures.back_mut() {
                Some((key, records)) if record.is_of(&key.source, &key.request_id) => {
                    key.received_at = key.received_at.min(*received_at);
                    records.push(record);
                }
                _ => {
                    let (received_at, source) = (*received_at, source.clone());
                    let key = Key { received_at, source, request_id: request_id.clone() };
                    lane.erasures.push_back((key, vec![record]));
                }
            }
        }
        lane.is_over = next.is_none();
        lane.after = next;
    }

    /// The next erasure; `None` where lanes must be read first, or all is taken.
    pub fn take(&mut self) -> Option<Merged> {
        let is_short = |lane: &Stream| lane.erasures.is_empty() && !lane.is_over;
        if self.0.iter().any(is_short) {
            return None;
        }
        let first = self.0.iter().filter_map(|lane| lane.erasures.front());
        let key = first.map(|(key, _)| key).min()?.clone();
        let mut parts = Vec::new();
        for (number, lane) in self.0.iter_mut().enumerate() {
            if lane.erasures.front().is_some_and(|(known, _)| *known == key) {
                parts.extend(lane.erasures.pop_front().map(|(_, records)| (number, records)));
            }
        }
        Some(Merged { key, parts })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::receipt::{Outcome, Timestamp};

    fn record(received_at: i64, id: u32, position: i64) -> Record {
        Record {
            source: "consent".to_owned(),
            request_id: format!("{id}"),
            slot: format!("{position}"),
            position,
            received_at: Timestamp(received_at),
            call: None,
            identifier: None,
            subject: None,
            outcome: Outcome::Accepted,
            status: None,
            attempts: 1,
            detail: None,
            trace: None,
            updated_at: Timestamp(received_at),
            due_at: None,
            acknowledged: None,
            history: Vec::new(),
        }
    }

    fn key(received_at: i64, id: u32) -> Key {
        Key { received_at: Timestamp(received_at), ..Key::of("consent", &format!("{id}")) }
    }

    #[test]
    fn an_erasure_is_taken_once_every_lane_has_been_read_so_far() {
        let mut merge = Merge::new(2);
        assert_eq!(merge.wanting(), [(0, None), (1, None)]);
        assert_eq!(merge.take(), None);
        let records = vec![record(1, 1, 0), record(1, 1, 1), record(3, 3, 0)];
        merge.fill(0, (records, Some(key(3, 3))));
        assert_eq!((merge.wanting(), merge.take()), (vec![(1, None)], None));
        merge.fill(1, (vec![record(1, 1, 0), record(2, 2, 0)], None));
        let first = merge.take().unwrap();
        assert_eq!(first.key, key(1, 1));
        let parts: Vec<_> = first.parts.iter().map(|(lane, all)| (*lane, all.len())).collect();
        assert_eq!(parts, [(0, 2), (1, 1)]);
        assert_eq!(merge.take().unwrap().key, key(2, 2));
        assert_eq!(merge.take().unwrap().key, key(3, 3));
        assert_eq!(merge.take(), None, "the first lane has more");
        assert_eq!(merge.wanting(), [(0, Some(key(3, 3)))]);
        merge.fill(0, Slip::default());
        assert_eq!((merge.take(), merge.wanting()), (None, vec![]));
    }

    #[test]
    fn a_slip_of_nothing_that_goes_on_is_read_on() {
        let mut merge = Merge::new(1);
        merge.fill(0, (vec![], Some(key(1, 1))));
        assert_eq!((merge.take(), merge.wanting()), (None, vec![(0, Some(key(1, 1)))]));
    }

    proptest! {
        /// However lanes are read, the erasures come in order, each once, with the parts of all lanes.
        #[test]
        fn lanes_are_merged_in_order(
            erasures in prop::collection::btree_set((0_i64..20, 0_u32..1000), 0..30),
            holds in prop::collection::vec(any::<[bool; 3]>(), 30),
            most in 1_usize..5,
        ) {
            // A lane reads an erasure once, whatever its records' times.
            let mut ids = std::collections::BTreeSet::new();
            let erasures = erasures.into_iter().filter(|(_, id)| ids.insert(*id));
            let erasures: Vec<(i64, u32)> = erasures.collect();
            let mut lanes: Vec<Vec<(i64, u32)>> = vec![Vec::new(); 3];
            let mut expected = Vec::new();
            for ((at, id), holds) in erasures.iter().zip(&holds) {
                for (lane, holds) in lanes.iter_mut().zip(holds) {
                    if *holds {
                        lane.push((*at, *id));
                    }
                }
                let parts: Vec<usize> = (0..3).filter(|number| holds[*number]).collect();
                if !parts.is_empty() {
                    expected.push((key(*at, *id), parts));
                }
            }
            for lane in &mut lanes {
                lane.sort_by_key(|(at, id)| key(*at, *id));
            }
            expected.sort();
            let mut merge = Merge::new(3);
            let mut merged = Vec::new();
            loop {
                while let Some(one) = merge.take() {
                    merged.push((one.key, one.parts.iter().map(|(lane, _)| *lane).collect::<Vec<_>>()));
                }
                let wanting = merge.wanting();
                if wanting.is_empty() {
                    break;
                }
                for (number, after) in wanting {
                    let rest = lanes[number].iter();
                    let rest = rest.filter(|(at, id)| after.as_ref().is_none_or(|after| key(*at, *id) > *after));
                    let page: Vec<_> = rest.take(most).collect();
                    let next = page.last().filter(|_| page.len() == most).map(|(at, id)| key(*at, *id));
                    let records = page.into_iter().map(|(at, id)| record(*at, *id, 0)).collect();
                    merge.fill(number, (records, next));
                }
            }
            prop_assert_eq!(merged, expected);
        }
    }
}
