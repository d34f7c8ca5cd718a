//! What came of a call.

use super::{Claim, Lane, Lease, Record, Result, Settled, Settlement, place};
use crate::delivery::database::{Database, Value};
use crate::receipt::{Outcome, Timestamp};
use crate::vendor::{Call, NO_SUCH_USER, Scope, Verdict};

impl<D: Database> Lane<D> {
    /// Records what came of a claim, once. Where the claim has become void, the row keeps what came
    /// of the next one, unless the vendor has confirmed this one.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError); then the lease runs out, and the
    /// call is made again.
    pub fn settle(&mut self, settlement: &Settlement, now: Timestamp) -> Result<Settled> {
        let Settlement { claim, verdict, attempts, follow_up, at } = settlement;
        self.correct_clock(now);
        self.note(&claim.record, &claim.lease, claim.claimed_at, verdict, now)?;
        for _ in 1..*attempts {
            self.count_call(claim.call.name, now)?;
        }
        if let Some((call, subject)) = follow_up {
            return self.follow(settlement, call, subject, now);
        }
        if verdict.outcome == Outcome::Accepted && self.reaches_person(claim.call.name) {
            self.resolve_others(&claim.record, *at)?;
        }
        let resolved = self.resolve(claim, verdict)?;
        let verdict = resolved.as_ref().unwrap_or(verdict);
        let record = match self.conclude(&claim.record, &claim.lease, verdict, *attempts, *at)? {
            Some(record) => Some(record),
            None => self.conclude_late(settlement)?,
        };
        Ok(Settled { record, next: None })
    }

    /// Once a person was erased by one identifier, "no such user" for another says that it is gone.
    fn resolve(&self, claim: &Claim, verdict: &Verdict) -> Result<Option<Verdict>> {
        const ERASED: &str = "SELECT 1 FROM delivery
            WHERE source = ? AND request_id = ? AND call = ? AND outcome = 'accepted' LIMIT 1";
        let is_unknown = verdict.outcome == Outcome::Rejected && verdict.is_no_such_user();
        if !is_unknown || !self.reaches_person(claim.call.name) {
            return Ok(None);
        }
        let Record { source, request_id, .. } = &claim.record;
        let bindings = [source.as_str().into(), request_id.as_str().into(), claim.call.name.into()];
        let is_erased = !self.database.query(ERASED, &bindings)?.is_empty();
        Ok(is_erased.then(|| Verdict { outcome: Outcome::AlreadyAbsent, ..verdict.clone() }))
    }

    /// The same for identifiers that were tried before.
    fn resolve_others(&self, record: &Record, at: Timestamp) -> Result<()> {
        const STATEMENT: &str = "UPDATE delivery
            SET outcome = 'already_absent', updated_at = ?, person = NULL
            WHERE source = ? AND request_id = ? AND call = ?
            AND outcome = 'rejected' AND detail = ?";
        let bindings = [
            at.0.into(),
            record.source.as_str().into(),
            record.request_id.as_str().into(),
            record.call.as_deref().into(),
            NO_SUCH_USER.into(),
        ];
        self.database.query(STATEMENT, &bindings).map(drop)
    }

    /// Another call takes the place of the one that was made.
    fn follow(
        &mut self,
        settlement: &Settlement,
        call: &Call,
        subject: &str,
        now: Timestamp,
    ) -> Result<Settled> {
        const STATEMENT: &str = "UPDATE delivery SET outcome = 'scheduled', call = ?,
            identifier = ?, subject = ?, person = ?, status = ?, attempts = attempts + ?,
            detail = ?, trace = ?, updated_at = ?, failures = 0, lease = ?, lease_until = ?, due_at = ?
            WHERE source = ? AND request_id = ? AND slot = ? AND lease = ? RETURNING lease";
        let Settlement { claim, verdict, attempts, at, .. } = settlement;
        let mut record = claim.record.judged(verdict, *attempts, *at);
        let place = place(&record.source, &record.request_id, &record.slot);
        let sealed = self.seal(call, &place)?;
        let ready = self.paced(call.name).is_some_and(|paced| paced.is_ready(now));
        let at_once = self.is_free(now) && ready;
        record.call = Some(call.name.into());
        record.identifier = Some(call.identifier.kind().to_string());
        record.subject = Some(subject.to_owned());
        record.outcome = Outcome::Scheduled;
        let due = if at_once { now.after(self.policy.lease) } else { now };
        record.due_at = Some(due);
        let number = claim.lease.number.saturating_add(1);
        let bindings: [Value; 16] = [
            call.name.into(),
            record.identifier.as_deref().into(),
            subject.into(),
            sealed.into(),
            record.status.map(u32::from).into(),
            (*attempts).into(),
            record.detail.as_deref().into(),
            record.trace.as_deref().into(),
            at.0.into(),
            number.into(),
            at_once.then_some(due.0).into(),
            (!at_once).then_some(due.0).into(),
            record.source.as_str().into(),
            record.request_id.as_str().into(),
            record.slot.as_str().into(),
            claim.lease.number.into(),
        ];
        if self.database.query(STATEMENT, &bindings)?.is_empty() {
            self.add_attempts(&claim.record, *attempts)?;
            return Ok(Settled { record: None, next: None });
        }
        let mut next = None;
        if at_once {
            self.count_call(call.name, now)?;
            let lease = Lease { number, until: due, failures: 0, ..claim.lease };
            let (call, record) = (call.clone(), record.clone());
            next = Some(Claim { call, record, claimed_at: now, lease });
        } else {
            self.add_due(call.name, now);
        }
        Ok(Settled { record: Some(record.behind(&self.breaker)), next })
    }

    /// The outcome stands, or the call waits for its next turn. `None` where the lease was void.
    pub(super) fn conclude(
        &mut self,
        record: &Record,
        lease: &Lease,
        verdict: &Verdict,
        attempts: u32,
        at: Timestamp,
    ) -> Result<Option<Record>> {
        const STATEMENT: &str = "UPDATE delivery SET outcome = ?, status = ?,
            attempts = attempts + ?, detail = ?, trace = ?, updated_at = ?, failures = ?,
            due_at = ?, lease_until = NULL, person = CASE ? WHEN 1 THEN person END,
            lease = lease + 1
            WHERE source = ? AND request_id = ? AND slot = ? AND lease = ? RETURNING attempts";
        let failures = lease.failures.saturating_add(1);
        let mut record = record.judged(verdict, attempts, at);
        if !record.outcome.is_final() {
            let next = self.next_attempt(lease, verdict, failures, at);
            // A blocked account holds its rows up, and not they themselves.
            let waits_alone = record.outcome == Outcome::Scheduled
                || verdict.scope == Scope::Call
                || lease.is_alone;
            if waits_alone && self.is_last(&record, lease, next, at)? {
                record.outcome = Outcome::Exhausted;
            } else {
                record.due_at = Some(next);
            }
        }
        let keep = record.due_at.is_some() || record.outcome.can_be_replayed();
        let bindings: [Value; 13] = [
            record.outcome.name().into(),
            record.status.map(u32::from).into(),
            attempts.into(),
            record.detail.as_deref().into(),
            record.trace.as_deref().into(),
            at.0.into(),
            failures.into(),
            record.due_at.map(|due| due.0).into(),
            i64::from(keep).into(),
            record.source.as_str().into(),
            record.request_id.as_str().into(),
            record.slot.as_str().into(),
            lease.number.into(),
        ];
        let rows = self.database.query(STATEMENT, &bindings)?;
        let Some(row) = rows.first() else { return Ok(None) };
        record.attempts = row.integer(0)?.try_into().unwrap_or(record.attempts);
        if let (Some(call), Some(due)) = (&record.call, record.due_at) {
            self.add_due(call, due);
        }
        Ok(Some(record.behind(&self.breaker)))
    }

    /// Whether an attempt at `next` would come after the deadline, which may have been moved since the
    /// row was claimed.
    fn is_last(
        &self,
        record: &Record,
        lease: &Lease,
        next: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        const DEADLINE: &str = "SELECT deadline_at FROM delivery
            WHERE source = ? AND request_id = ? AND slot = ?";
        if next <= self.deadline(lease.deadline_at, now) {
            return Ok(false);
        }
        let key = [&record.source, &record.request_id, &record.slot];
        let stored = self.time(DEADLINE, &key.map(|text| text.as_str().into()))?;
        Ok(stored.is_none_or(|stored| next > self.deadline(stored, now)))
    }

    /// The claim was void: the row waits, is claimed again, or has ended otherwise. What the vendor
    /// has confirmed about the same identifier stands all the same, and about the same person where
    /// the row asks about the next name.
    fn conclude_late(&mut self, settlement: &Settlement) -> Result<Option<Record>> {
        const STATEMENT: &str = "UPDATE delivery SET outcome = ?, status = ?,
            attempts = attempts + ?, detail = ?, trace = ?, updated_at = ?, due_at = NULL,
            lease_until = NULL, person = NULL, lease = lease + 1, identifier = ?, subject = ?
            WHERE source = ? AND request_id = ? AND slot = ? AND call = ? AND (subject IS ? OR ?)
            AND outcome NOT IN ('accepted', 'already_absent') RETURNING attempts";
        let Settlement { claim, verdict, attempts, at, .. } = settlement;
        if !verdict.outcome.is_good() {
            self.add_attempts(&claim.record, *attempts)?;
            return Ok(None);
        }
        let mut record = claim.record.judged(verdict, *attempts, *at);
        let is_of_person =
            verdict.outcome == Outcome::Accepted && self.reaches_person(claim.call.name);
        let bindings: [Value; 14] = [
            record.outcome.name().into(),
            record.status.map(u32::from).into(),
            (*attempts).into(),
            record.detail.as_deref().into(),
            record.trace.as_deref().into(),
            at.0.into(),
            record.identifier.as_deref().into(),
            record.subject.as_deref().into(),
            record.source.as_str().into(),
            record.request_id.as_str().into(),
            record.slot.as_str().into(),
            record.call.as_deref().into(),
            record.subject.as_deref().into(),
            i64::from(is_of_person).into(),
        ];
        let rows = self.database.query(STATEMENT, &bindings)?;
        let Some(row) = rows.first() else {
            self.add_attempts(&claim.record, *attempts)?;
            return Ok(None);
        };
        record.attempts = row.integer(0)?.try_into().unwrap_or(record.attempts);
        self.find_due()?;
        Ok(Some(record))
    }

    /// The vendor was asked, whatever has become of the row since.
    fn add_attempts(&self, record: &Record, attempts: u32) -> Result<()> {
        let statement = "UPDATE delivery SET attempts = attempts + ?
            WHERE source = ? AND request_id = ? AND slot = ?";
        let bindings = [
            attempts.into(),
            record.source.as_str().into(),
            record.request_id.as_str().into(),
            record.slot.as_str().into(),
        ];
        self.database.query(statement, &bindings).map(drop)
    }

    /// When a row whose call did not succeed is tried again.
    fn next_attempt(
        &mut self,
        lease: &Lease,
        verdict: &Verdict,
        failures: u32,
        now: Timestamp,
    ) -> Timestamp {
        if verdict.outcome == Outcome::Blocked {
            let is_alone = lease.is_alone || verdict.scope == Scope::Call;
            let pause =
                if is_alone { self.policy.retry.longest } else { self.policy.breaker.probe };
            return now.after(pause);
        }
        let random = self.random_number();
        let pause = Timestamp(now.0.saturating_add(self.policy.retry.pause(failures, random)));
        pause.max(now.after(verdict.retry_after.unwrap_or_default()))
    }
}
