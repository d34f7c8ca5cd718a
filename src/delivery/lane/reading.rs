//! What an operator reads of a lane beside its lists: who is looked for, what came in a period, and how
//! much of it. It costs a delivery nothing: there is no index for it beyond those that lists need, so what
//! they do not lead to is looked for row by row, a bounded number at a time.

use serde::{Deserialize, Serialize};

use super::operate::Key;
use super::record::Record;
use super::schema::{ATTENTION, FINAL};
use super::{Lane, Result};
use crate::activity::{HOUR, Hour};
use crate::delivery::database::{Database, Value};
use crate::delivery::wire::{Search, Slice, Term};
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

/// What a search has found.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The erasures, newest first.
    pub keys: Vec<Key>,
    /// After which erasure the search goes on; `None` where it is at its end.
    pub next: Option<Key>,
}

/// Some of what came in a slice.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slip {
    /// The records of whole erasures, in the order in which these came first.
    pub records: Vec<Record>,
    /// After which erasure the next slip begins; `None` where this is the last one.
    pub next: Option<Key>,
}

/// What the parameters of a statement are bound to.
#[derive(Default)]
pub(super) struct Bindings(pub Vec<Value>);

impl Bindings {
    /// Adds one, and names it.
    pub fn add(&mut self, value: impl Into<Value>) -> String {
        self.0.push(value.into());
        format!("?{}", self.0.len())
    }

    /// The condition that a row is in `slice`, and stands before the position `before` of a list that is
    /// newest first.
    pub fn newest_first(&mut self, slice: &Slice, before: Option<&Key>) -> String {
        self.bounds(slice, before.map(|key| ("<", key)))
    }

    /// The same for what stands after a position of a list that is oldest first.
    fn oldest_first(&mut self, slice: &Slice, after: Option<&Key>) -> String {
        let from = slice.from.filter(|_| after.is_none()); // every position is in the slice
        self.bounds(&Slice { from, ..slice.clone() }, after.map(|key| (">", key)))
    }

    fn bounds(&mut self, slice: &Slice, position: Option<(&str, &Key)>) -> String {
        let mut condition = "TRUE".to_owned();
        if let Some(from) = slice.from {
            condition.push_str(&format!(" AND received_at >= {}", self.add(from.0)));
        }
        if let Some(until) = slice.until {
            condition.push_str(&format!(" AND received_at < {}", self.add(until.0)));
        }
        if let Some(source) = &slice.source {
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
    /// Looks for erasures, newest first, among at most [`SCAN`] rows. What is looked for by its id is found
    /// at once, whatever the lane holds.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn search(&self, search: &Search, names: &Pseudonyms) -> Result<Found> {
        let mut bindings = Bindings::default();
        match &search.term {
            Term::Request(shown) if Pseudonyms::is_form(shown) => {
                let is_it = |id: &str| id == shown || names.is_of_request(shown, id);
                self.scan(search, "TRUE", bindings, u32::MAX, |key| is_it(&key.request_id))
            }
            Term::Request(id) => self.find_everywhere(id, search),
            Term::Trace(trace) => {
                let hit = format!("trace IS {}", bindings.add(trace.as_str()));
                self.scan(search, &hit, bindings, search.limit, |_| true)
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
                self.scan(search, &hit, bindings, search.limit, |_| true)
            }
        }
    }

    /// Looks at the next [`SCAN`] rows for those of which `hit` holds, which takes `bindings`, and `is_it`.
    /// `most` is how many of the former are read.
    fn scan(
        &self,
        search: &Search,
        hit: &str,
        mut bindings: Bindings,
        most: u32,
        is_it: impl Fn(&Key) -> bool,
    ) -> Result<Found> {
        let bounds = bindings.newest_first(&search.slice, search.before.as_ref());
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
        let limit = usize::try_from(search.limit).unwrap_or(usize::MAX);
        if keys.len() > limit {
            keys.truncate(limit);
            next = keys.last().cloned();
        }
        Ok(Found { keys, next })
    }

    /// The erasures of this id, whichever source sent them.
    fn find_everywhere(&self, request_id: &str, search: &Search) -> Result<Found> {
        const NEXT: &str = "SELECT MIN(source) FROM delivery WHERE source > ?";
        const FIND: &str = "SELECT DISTINCT received_at, source, request_id FROM delivery
            WHERE source = ? AND request_id = ?";
        let Search { slice, before, .. } = search;
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
            let is_of_source = slice.source.as_ref().is_none_or(|source| *source == key.source);
            let is_next = before.as_ref().is_none_or(|before| key < before);
            let is_late = slice.from.is_none_or(|from| from <= key.received_at);
            is_of_source && is_next && is_late && slice.until.is_none_or(|it| key.received_at < it)
        });
        keys.sort_unstable_by(|one, other| other.cmp(one));
        Ok(Found { keys, next: None })
    }

    /// How many deliveries came in `slice`: for each, one entry of an index is read, and its row.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn count(&self, slice: &Slice) -> Result<i64> {
        let mut bindings = Bindings::default();
        let bounds = bindings.bounds(slice, None);
        let parts = EVERY_ROW.map(|(index, is_in)| {
            format!("(SELECT COUNT(*) FROM delivery INDEXED BY {index} WHERE {is_in} AND {bounds})")
        });
        let rows = self.database.query(&format!("SELECT {}", parts.join(" + ")), &bindings.0)?;
        rows.first().map_or(Ok(0), |row| row.integer(0))
    }

    /// The records of the erasures that came in `slice`, oldest first, after the position `after`: whole
    /// erasures, until there are `most` records or more.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn read(&self, slice: &Slice, after: Option<&Key>, most: u32) -> Result<Slip> {
        let mut bindings = Bindings::default();
        let bounds = bindings.oldest_first(slice, after);
        let (order, limit) = ("ORDER BY received_at, source, request_id", bindings.add(most));
        let parts = EVERY_ROW.map(|(index, is_in)| {
            format!(
                "SELECT * FROM (SELECT DISTINCT received_at, source, request_id
                 FROM delivery INDEXED BY {index} WHERE {is_in} AND {bounds} {order} LIMIT {limit})"
            )
        });
        let statement = format!("{} {order} LIMIT {limit}", parts.join(" UNION "));
        let rows = self.database.query(&statement, &bindings.0)?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let mut slip = Slip::default();
        for row in &rows {
            let key = Key::read(row)?;
            if slip.records.len() >= most {
                return Ok(slip);
            }
            let records = self.find(&key.source, &key.request_id)?;
            // Rows of another lane may have been moved here, with the time of an earlier webhook: then
            // the erasure has been read at that time.
            if records.iter().all(|record| key.received_at <= record.received_at) {
                slip.records.extend(records);
            }
            slip.next = Some(key);
        }
        if rows.len() < most {
            slip.next = None;
        }
        Ok(slip)
    }

    /// What came in each hour from `since` to `now`, and what became of it: looked up in the indexes of what
    /// has ended, needs attention and waits, as [`count`](Self::count) does.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn activity(&self, since: Timestamp, now: Timestamp) -> Result<Vec<Hour>> {
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
        let hour = |row: &crate::delivery::database::Row| {
            let (failed, discarded) = (row.integer(2)?, row.integer(3)?);
            let not_applicable = row.integer(4)?;
            let others = failed.saturating_add(discarded).saturating_add(not_applicable);
            Ok(Hour {
                at: Timestamp(row.integer(0)?),
                confirmed: row.integer(1)?.saturating_sub(others),
                failed,
                discarded,
                not_applicable,
                waiting: row.integer(5)?,
            })
        };
        rows.iter().map(hour).collect()
    }
}
