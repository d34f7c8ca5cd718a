//! What may be sent now.

use super::record::{self, COLUMN_COUNT, COLUMNS};
use super::{Claim, Claimed, Lane, Lease, Record, Result, place};
use crate::delivery::breaker::Leave;
use crate::delivery::database::{Database, Row, StorageError, Value};
use crate::receipt::{Outcome, Timestamp};
use crate::vendor::{Call, Scope, Verdict};

impl<D: Database> Lane<D> {
    /// Claims at most `most` of what is due and may be sent now, up to the first row that cannot be
    /// read: of each call in turns what has waited longest and what came due last, so that neither
    /// starves the other. The call that was claimed last comes last the next time, for the same
    /// reason.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn claim(&mut self, most: usize, now: Timestamp) -> Result<Claimed> {
        self.correct_clock(now);
        let mut claimed = Claimed::default();
        if now < self.no_candidate_until {
            return Ok(claimed);
        }
        let first = self.first_call;
        let mut is_due = false;
        for offset in 0..self.calls.len() {
            let place = first.saturating_add(offset).checked_rem(self.calls.len());
            let Some(index) = place else { break };
            let mut leased = false;
            while claimed.unreadable.is_none() && claimed.claims.len() < self.allowed(most, now) {
                let Some(paced) = self.calls.get(index) else { break };
                if !paced.has_due(now) || !paced.is_ready(now) {
                    break;
                }
                is_due = true;
                let name = paced.name;
                let Some(row) = self.next_due(name, now)? else {
                    leased = true;
                    break;
                };
                leased = true;
                self.take(&row, name, now, &mut claimed)?;
            }
            if leased {
                self.first_call = index.saturating_add(1);
                self.find_due_of(index)?;
            }
        }
        if is_due && claimed.claims.is_empty() && claimed.unreadable.is_none() {
            self.no_candidate_until = self.next_candidate(now)?;
        }
        Ok(claimed)
    }

    /// Whether a row that is due will be claimed by `deadline`, as far as can be told: the breaker is
    /// closed, at most `most` rows are due, and the pace lets so many go until then.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn will_claim(
        &self,
        record: &Record,
        most: usize,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        const DUE: &str = "SELECT COUNT(*) FROM
            (SELECT 1 FROM delivery WHERE call = ? AND due_at <= ? LIMIT ?)";
        let is_due = record.due_at.is_some_and(|due| due <= now);
        let mut calls = self.calls.iter();
        let paced = calls.find(|paced| record.call.as_deref() == Some(paced.name));
        let Some(paced) = paced.filter(|_| is_due && self.is_free(now)) else { return Ok(false) };
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let bindings = [paced.name.into(), now.0.into(), most.saturating_add(1).into()];
        let rows = self.database.query(DUE, &bindings)?;
        let due = rows.first().map_or(Ok(0), |row| row.integer(0))?;
        Ok(due <= most && paced.ready_after(due) <= deadline)
    }

    /// How many calls the breaker lets go at once, at most `most`.
    fn allowed(&self, most: usize, now: Timestamp) -> usize {
        match self.breaker.leave(now) {
            Leave::RestUntil(_) => 0,
            Leave::Probe => most.min(1),
            Leave::Free => most,
        }
    }

    /// The row of `call` whose turn it is.
    fn next_due(&mut self, call: &str, now: Timestamp) -> Result<Option<Row>> {
        if self.breaker.is_open() {
            return self.next_probe(call, now);
        }
        let Some(paced) = self.paced(call) else { return Ok(None) };
        let order = if paced.newest_next { "DESC" } else { "ASC" };
        paced.newest_next = !paced.newest_next;
        self.first_due("", order, &[call.into(), now.0.into()])
    }

    /// The first row that is due, with what a claim needs of it beside the record.
    pub(super) fn first_due(
        &self,
        condition: &str,
        order: &str,
        bindings: &[Value],
    ) -> Result<Option<Row>> {
        let statement = format!(
            "SELECT {COLUMNS}, person, lease, failures, deadline_at FROM delivery
             WHERE call = ?1 AND due_at <= ?2 {condition} ORDER BY due_at {order} LIMIT 1"
        );
        Ok(self.database.query(&statement, bindings)?.into_iter().next())
    }

    /// Leases a row that is due. One that cannot be sent is set aside, and holds up no other: its
    /// identifiers cannot be opened, or it is not as this version writes it.
    fn take(
        &mut self,
        row: &Row,
        name: &'static str,
        now: Timestamp,
        claimed: &mut Claimed,
    ) -> Result<()> {
        let Ok((record, mut lease)) = self.read_due(row, now) else {
            return self.set_aside(row, now);
        };
        let place = place(&record.source, &record.request_id, &record.slot);
        let opened =
            row.optional_text(COLUMN_COUNT).ok().flatten().map(|it| self.seal.open(it, &place));
        let Some(Ok((identifier, alternatives))) = opened else {
            let detail = "the stored identifiers do not open with the configured PSEUDONYM_KEY";
            let verdict = Verdict::without_answer(Outcome::Blocked, detail).about(Scope::Call);
            claimed.unreadable = self.conclude(&record, &lease, &verdict, 0, now)?;
            return Ok(());
        };
        lease.number = lease.number.saturating_add(1);
        self.database.query(
            "UPDATE delivery SET lease = ?, lease_until = ?, due_at = NULL
             WHERE source = ? AND request_id = ? AND slot = ?",
            &[
                lease.number.into(),
                lease.until.0.into(),
                record.source.as_str().into(),
                record.request_id.as_str().into(),
                record.slot.as_str().into(),
            ],
        )?;
        self.count_call(name, now)?;
        if self.breaker.is_open() {
            self.breaker.probe_sent(lease.until, now);
            self.store_breaker()?;
        }
        let call = Call { name, identifier, alternatives };
        claimed.claims.push(Claim { call, record, claimed_at: now, lease });
        Ok(())
    }

    /// A row of [`Self::first_due`], with the lease that it has now.
    fn read_due(&self, row: &Row, now: Timestamp) -> Result<(Record, Lease)> {
        let record = record::read(row)?;
        let [number, failures, deadline_at] = [1, 2, 3].map(|at| COLUMN_COUNT.saturating_add(at));
        let failures = u32::try_from(row.integer(failures)?).map_err(|_| StorageError::Corrupt)?;
        let lease = Lease {
            number: row.integer(number)?,
            until: now.after(self.policy.lease),
            failures,
            deadline_at: Timestamp(row.integer(deadline_at)?),
            is_alone: record.outcome == Outcome::Blocked && self.breaker.blocked.is_none(),
        };
        Ok((record, lease))
    }

    /// Another version may be able to read this row.
    fn set_aside(&mut self, row: &Row, now: Timestamp) -> Result<()> {
        let statement =
            "UPDATE delivery SET due_at = ? WHERE source = ? AND request_id = ? AND slot = ?";
        let later = now.after(self.policy.retry.longest);
        let [source, request_id, slot] = [row.text(0)?, row.text(1)?, row.text(2)?];
        let bindings = [later.0.into(), source.into(), request_id.into(), slot.into()];
        self.database.query(statement, &bindings).map(drop)
    }

    /// Gives a claim back: its call was not made, and waits for its next turn.
    ///
    /// # Errors
    /// [`StorageError`]; then the lease runs out.
    pub fn give_back(&mut self, claim: &Claim, now: Timestamp) -> Result<()> {
        let statement = "UPDATE delivery SET due_at = ?, lease_until = NULL, lease = lease + 1
             WHERE source = ? AND request_id = ? AND slot = ? AND lease = ?";
        let Claim { call, record, lease, .. } = claim;
        let bindings = [
            now.0.into(),
            record.source.as_str().into(),
            record.request_id.as_str().into(),
            record.slot.as_str().into(),
            lease.number.into(),
        ];
        self.database.query(statement, &bindings)?;
        self.add_due(call.name, now);
        Ok(())
    }
}
