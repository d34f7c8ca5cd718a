//! What an operator reads of a lane beside its lists: who is looked for, what came in a period, and how
//! much of it. It costs a delivery nothing: there is no index for it beyond those that lists need, so what
//! they do not lead to is looked for row by row, a bounded number at a time.

use super::operate::Key;
use super::record::Record;
use super::schema::{ATTENTION, FINAL};
use super::{Lane, Result};
use crate::activity::{Counts, HOUR};
use crate::delivery::database::{Database, Value};
use crate::delivery::wire::{List, Term};
use crate::pseudonym::Pseudonyms;
use crate::receipt::Timestamp;

/// How many rows one search looks at. Nothing else happens in the lane meanwhile.
pub const SCAN: u32 = 10_000;

/// How many digits a pseudonym has.
const DIGITS: usize = 12;

/// Every row is in one of these indexes; the first two are in the order of lists, and the last one has few
/// rows.
const EVERY_ROW: [(&str, &str); 3] =
    [("ended", FINAL), ("waiting", "due_at IS NOT NULL"), ("leased", "lease_until IS NOT NULL")];

/// The erasures that a search has found, newest first, and after which one it goes on; `None` where it is at
/// its end.
pub type Found = (Vec<Key>, Option<Key>);

/// The records of whole erasures, in the order in which these came first, and after which erasure the next ones
/// begin; `None` where these are the last ones.
pub type Slip = (Vec<Record>, Option<Key>);

/// What the parameters of a statement are bound to.
#[derive(Default)]
pub(super) struct Bindings(pub Vec<Value>);

impl Bindings {
    /// Adds one, and names it.
    pub fn add(&mut self, value: impl Into<Value>) -> String {
        self.0.push(value.into());
        format!("?{}", self.0.len())
    }

    /// The condition that a row is in `list`, which is newest first, whatever its state.
    pub fn newest_first(&mut self, list: &List) -> String {
        self.bounds(list, Some("<"))
    }

    /// The condition that a row is in `list`; `order` is how those compare with its position that stand after
    /// it. `None` where the position does not matter.
    fn bounds(&mut self, list: &List, order: Option<&str>) -> String {
        let mut condition = "TRUE".to_owned();
        let position = order.zip(list.after.as_ref());
        // Of a list that is oldest first, every position is in the period.
        if let Some(from) = list.from.filter(|_| !matches!(position, Some((">", _)))) {
            condition.push_str(&format!(" AND received_at >= {}", self.add(from.0)));
        }
        if let Some(until) = list.until {
            condition.push_str(&format!(" AND received_at < {}", self.add(until.0)));
        }
        if let Some(source) = &list.source {
            // With a plus it is a condition alone, so that the index is read in its order.
            condition.push_str(&format!(" AND +source = {}", self.add(source.as_str())));
        }
        if let Some((order, Key { received_at, source, request_id })) = position {
            let received_at = self.add(received_at.0);
            let source = self.add(source.as_str());
            let request_id = self.add(request_id.as_str());
            condition.push_str(&format!(
                " AND (received_at, source, request_id) {order} \
                 ({received_at}, {source}, {request_id})"
            ));
        }
        condition
    }
}

impl<D: Database> Lane<D> {
    /// Looks for erasures, newest first, among at most `SCAN` rows. What is looked for by its id is found
    /// at once, whatever the lane holds.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn search(&self, term: &Term, list: &List, names: &Pseudonyms) -> Result<Found> {
        let mut bindings = Bindings::default();
        match term {
            Term::Request(shown) if Pseudonyms::is_form(shown) => {
                let is_it = |id: &str| id == shown || names.is_of_request(shown, id);
                self.scan(list, "TRUE", bindings, u32::MAX, |key| is_it(&key.request_id))
            }
            Term::Request(id) => self.find_everywhere(id, list),
            Term::Trace(trace) => {
                let trace = bindings.add(trace.as_str());
                let hit = format!(
                    "trace IS {trace} OR EXISTS (SELECT 1 FROM attempt
                     WHERE attempt.source = delivery.source
                     AND attempt.request_id = delivery.request_id
                     AND attempt.slot = delivery.slot AND attempt.trace = {trace})"
                );
                self.scan(list, &hit, bindings, list.limit, |_| true)
            }
            Term::Person(stored) => {
                let mut hit = "FALSE".to_owned();
                for name in stored {
                    // A row holds the pseudonym as it is shown, and those of all names as they are
                    // stored: both end in the same digits.
                    let digits = name.len().checked_sub(DIGITS).and_then(|at| name.get(at..));
                    let Some(digits) = digits else { continue };
                    let (name, digits) = (bindings.add(name.as_str()), bindings.add(digits));
                    hit.push_str(&format!(
                        " OR instr(COALESCE(names, ''), {name}) OR substr(subject, -{DIGITS}) IS {digits}"
                    ));
                }
                self.scan(list, &hit, bindings, list.limit, |_| true)
            }
        }
    }

    /// Looks at the next [`SCAN`] rows for those of which `hit` holds, which takes `bindings`, and `is_it`.
    /// `most` is how many of the former are read.
    fn scan(
        &self,
        list: &List,
        hit: &str,
        mut bindings: Bindings,
        most: u32,
        is_it: impl Fn(&Key) -> bool,
    ) -> Result<Found> {
        let bounds = bindings.newest_first(list);
        let most = bindings.add(most.saturating_add(1));
        let order = "ORDER BY received_at DESC, source DESC, request_id DESC";
        let parts = EVERY_ROW.map(|(index, is_in)| {
            format!(
                "SELECT * FROM (SELECT received_at, source, request_id, ({hit}) AS hit
                 FROM delivery INDEXED BY {index} WHERE {is_in} AND {bounds} {order} LIMIT {SCAN})"
            )
        });
        let parts = parts.join(" UNION ALL ");
        // The erasures that are found, then the two that were looked at last, the very last one first,
        // and at the end how many rows were looked at.
        let statement = format!(
            "WITH scanned AS MATERIALIZED (SELECT * FROM ({parts}) {order} LIMIT {SCAN})
             SELECT * FROM (SELECT DISTINCT received_at, source, request_id, 0 FROM scanned
                WHERE hit {order} LIMIT {most})
             UNION ALL SELECT * FROM (SELECT DISTINCT received_at, source, request_id, 1 FROM scanned
                ORDER BY received_at, source, request_id LIMIT 2)
             UNION ALL SELECT COUNT(*), '', '', 2 FROM scanned"
        );
        let rows = self.database.query(&statement, &bindings.0)?;
        let (mut keys, mut ends, mut count) = (Vec::new(), Vec::new(), 0);
        for row in &rows {
            match row.integer(3)? {
                0 => keys.push(Key::read(row)?),
                1 => ends.push(Key::read(row)?),
                _ => count = row.integer(0)?,
            }
        }
        let mut next = None;
        if count >= SCAN.into() {
            // Of the last erasure there may be more rows: the next search begins with it.
            let mut ends = ends.into_iter();
            let last = ends.next();
            next = ends.next();
            keys.retain(|key| last.as_ref().is_none_or(|last| last < key));
        }
        keys.retain(is_it);
        let limit = usize::try_from(list.limit).unwrap_or(usize::MAX);
        if keys.len() > limit {
            keys.truncate(limit);
            next = keys.last().cloned();
        }
        Ok((keys, next))
    }

    /// The erasures of this id, whichever source sent them.
    fn find_everywhere(&self, request_id: &str, list: &List) -> Result<Found> {
        const NEXT: &str = "SELECT MIN(source) FROM delivery WHERE source > ?";
        const FIND: &str = "SELECT DISTINCT received_at, source, request_id FROM delivery
            WHERE source = ? AND request_id = ?";
        let List { source: of, from, until, after, .. } = list;
        let mut keys = Vec::new();
        let mut source = String::new();
        loop {
            let rows = self.database.query(NEXT, &[source.as_str().into()])?;
            let next = rows.first().map(|row| row.optional_text(0)).transpose()?.flatten();
            let Some(next) = next else { break };
            next.clone_into(&mut source);
            let rows = self.database.query(FIND, &[next.into(), request_id.into()])?;
            for row in &rows {
                keys.push(Key::read(row)?);
            }
        }
        keys.retain(|key| {
            let is_of_source = of.as_ref().is_none_or(|of| *of == key.source);
            let is_late = from.is_none_or(|from| from <= key.received_at);
            let is_early = until.is_none_or(|until| key.received_at < until);
            is_of_source && is_late && is_early && after.as_ref().is_none_or(|after| key < after)
        });
        keys.sort_unstable();
        keys.reverse();
        Ok((keys, None))
    }

    /// How many deliveries are in `list`, whatever their state: for each, one entry of an index is read, and its row.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn count(&self, list: &List) -> Result<i64> {
        let mut bindings = Bindings::default();
        let bounds = bindings.bounds(list, None);
        let parts = EVERY_ROW.map(|(index, is_in)| {
            format!("(SELECT COUNT(*) FROM delivery INDEXED BY {index} WHERE {is_in} AND {bounds})")
        });
        let rows = self.database.query(&format!("SELECT {}", parts.join(" + ")), &bindings.0)?;
        rows.first().map_or(Ok(0), |row| row.integer(0))
    }

    /// The records of the erasures in `list`, whatever their state, oldest first: whole erasures, until there
    /// are as many records as its limit, or more.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn read(&self, list: &List) -> Result<Slip> {
        let mut bindings = Bindings::default();
        let bounds = bindings.bounds(list, Some(">"));
        let (order, limit) = ("ORDER BY received_at, source, request_id", bindings.add(list.limit));
        let parts = EVERY_ROW.map(|(index, is_in)| {
            format!(
                "SELECT * FROM (SELECT DISTINCT received_at, source, request_id
                 FROM delivery INDEXED BY {index} WHERE {is_in} AND {bounds} {order} LIMIT {limit})"
            )
        });
        let statement = format!("{} {order} LIMIT {limit}", parts.join(" UNION "));
        let rows = self.database.query(&statement, &bindings.0)?;
        let most = usize::try_from(list.limit).unwrap_or(usize::MAX);
        let (mut all, mut next) = (Vec::new(), None);
        for row in &rows {
            let key = Key::read(row)?;
            if all.len() >= most {
                return Ok((all, next));
            }
            let records = self.find(&key.source, &key.request_id)?;
            // Rows of another lane may have been moved here, with the time of an earlier webhook: then
            // the erasure has been read at that time.
            if records.iter().all(|record| key.received_at <= record.received_at) {
                all.extend(records);
            }
            next = Some(key);
        }
        Ok((all, next.filter(|_| rows.len() >= most)))
    }

    /// What came in each hour from `since` to `now`, and what became of it: looked up in the indexes of what
    /// has ended, needs attention and waits, as [`count`](Self::count) does.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn activity(&self, since: Timestamp, now: Timestamp) -> Result<Vec<Counts>> {
        let count = |index: &str, is_in: &str| {
            format!(
                "(SELECT COUNT(*) FROM delivery INDEXED BY {index} WHERE {is_in}
                  AND received_at >= at AND received_at < at + {HOUR})"
            )
        };
        let ended = |outcome: &str| {
            count("attention", &format!("{ATTENTION} AND {FINAL} AND outcome {outcome}"))
        };
        let [finals, waiting, leased] = EVERY_ROW.map(|(index, is_in)| count(index, is_in));
        let failed = ended("NOT IN ('discarded', 'not_applicable')");
        let (discarded, not_applicable) = (ended("= 'discarded'"), ended("= 'not_applicable'"));
        let statement = format!(
            "WITH RECURSIVE hour(at) AS
                (SELECT ?1 UNION ALL SELECT at + {HOUR} FROM hour WHERE at + {HOUR} <= ?2)
             SELECT at, {finals}, {failed}, {discarded}, {not_applicable}, {waiting} + {leased}
             FROM hour"
        );
        let rows = self.database.query(&statement, &[since.0.into(), now.0.into()])?;
        let mut hours = Vec::new();
        for row in &rows {
            let mut counts = Counts::default();
            for (column, count) in counts.iter_mut().enumerate() {
                *count = row.integer(column)?;
            }
            hours.push(counts);
        }
        Ok(hours)
    }
}
