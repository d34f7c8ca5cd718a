//! The outbox: what waits, what may be sent now, and what came of that.

use super::record::{self, COLUMNS, Record};
use super::schema::ATTENTION;
use super::{Claim, Claimed, Lane, Lease, Result, Settled, Settlement, place};
use crate::delivery::breaker::{Breaker, Leave};
use crate::delivery::database::{Database, Row, StorageError, Value};
use crate::delivery::scope::{Scope, scope};
use crate::receipt::{Outcome, Timestamp};
use crate::seal::Broken;
use crate::vendor::{Call, Verdict};

/// How many columns [`COLUMNS`] has.
const RECORD: usize = 15;

impl<D: Database> Lane<D> {
    /// Claims at most `most` of what is due and may be sent now: of each call in turns what has
    /// waited longest and what came due last, so that neither starves the other. The call that was
    /// claimed last comes last the next time, for the same reason.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn claim(&mut self, most: usize, now: Timestamp) -> Result<Claimed> {
        self.correct_clock(now);
        let mut claimed = Claimed::default();
        let first = self.first_call;
        for offset in 0..self.calls.len() {
            let place = first.saturating_add(offset).checked_rem(self.calls.len());
            let Some(index) = place else { break };
            let mut leased = false;
            while claimed.claims.len() < self.allowed(most, now) {
                let Some(paced) = self.calls.get(index) else { break };
                if !paced.has_due(now) || !paced.is_ready(now) {
                    break;
                }
                let name = paced.name;
                let Some(row) = self.next_due(name, now)? else {
                    leased = true;
                    break;
                };
                leased = true;
                self.lease(&row, name, now, &mut claimed)?;
            }
            if leased {
                self.first_call = index.saturating_add(1);
                self.find_due_of(index)?;
            }
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
        let Some(paced) = self.paced(call) else { return Ok(None) };
        let order = if paced.newest_next { "DESC" } else { "ASC" };
        paced.newest_next = !paced.newest_next;
        let statement = format!(
            "SELECT {COLUMNS}, person, lease, failures, deadline_at FROM delivery
             WHERE call = ? AND due_at <= ? ORDER BY due_at {order} LIMIT 1"
        );
        Ok(self.database.query(&statement, &[call.into(), now.0.into()])?.into_iter().next())
    }

    /// Leases a row that is due. One whose identifiers cannot be opened is settled at once: the key
    /// is another.
    fn lease(
        &mut self,
        row: &Row,
        name: &'static str,
        now: Timestamp,
        claimed: &mut Claimed,
    ) -> Result<()> {
        let rest = RECORD.saturating_add(1);
        let number = row.integer(rest)?.saturating_add(1);
        let until = now.after(self.policy.lease);
        // First of all, so that a row that is not as it must be holds up the others for a lease at
        // most. It is no longer blocked: resuming or replaying must not touch what is under way.
        self.database.query(
            "UPDATE delivery SET lease = ?, lease_until = ?, due_at = NULL, outcome = 'scheduled'
             WHERE source = ? AND request_id = ? AND slot = ?",
            &[
                number.into(),
                until.0.into(),
                row.text(0)?.into(),
                row.text(1)?.into(),
                row.text(2)?.into(),
            ],
        )?;
        self.count_call(name, now)?;
        if self.breaker.open {
            self.breaker.probe_sent(until);
            self.store_breaker()?;
        }
        let record = record::read(row)?;
        let failures = row.integer(rest.saturating_add(1))?;
        let lease = Lease {
            number,
            until,
            failures: u32::try_from(failures).map_err(|_| StorageError::Corrupt)?,
            deadline_at: Timestamp(row.integer(rest.saturating_add(2))?),
        };
        let place = place(&record.source, &record.request_id, &record.slot);
        match self.seal.open(row.text(RECORD)?, &place) {
            Ok((identifier, alternatives)) => {
                let call = Call { name, identifier, alternatives };
                claimed.claims.push(Claim { call, record, claimed_at: now, lease });
            }
            Err(Broken) => {
                let detail = "the stored identifiers do not open with this PSEUDONYM_KEY";
                let verdict = Verdict::without_answer(Outcome::Blocked, detail);
                self.note(&verdict, now)?;
                claimed.unreadable.extend(self.conclude(&record, lease, &verdict, 0, now)?);
            }
        }
        Ok(())
    }

    /// Records what came of a claim, once: a claim that is settled is void.
    ///
    /// # Errors
    /// [`StorageError`]; then the lease runs out, and the call is made again.
    pub fn settle(&mut self, settlement: &Settlement, now: Timestamp) -> Result<Settled> {
        let Settlement { claim, verdict, attempts, follow_up, at } = settlement;
        self.correct_clock(now);
        self.note(verdict, now)?;
        for _ in 1..*attempts {
            self.count_call(claim.call.name, now)?;
        }
        match follow_up {
            Some((call, subject)) => self.follow(settlement, call, subject, now),
            None => {
                let record = self.conclude(&claim.record, claim.lease, verdict, *attempts, *at)?;
                Ok(Settled { record, next: None })
            }
        }
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

    /// The breaker records a verdict. What was blocked is due again once the account is not.
    fn note(&mut self, verdict: &Verdict, now: Timestamp) -> Result<()> {
        let before = self.breaker.clone();
        let random = self.random_number();
        self.breaker.note(verdict, &self.policy.breaker, &self.policy.retry, now, random);
        if self.breaker == before {
            return Ok(());
        }
        self.store_breaker()?;
        if before.blocked.is_some() && self.breaker.blocked.is_none() {
            self.release(now)?;
        }
        Ok(())
    }

    /// Closes the breaker: a person has fixed what was refused.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn resume(&mut self, now: Timestamp) -> Result<()> {
        self.breaker = Breaker::default();
        self.store_breaker()?;
        self.release(now)
    }

    fn release(&mut self, now: Timestamp) -> Result<()> {
        let statement = format!(
            "UPDATE delivery SET outcome = 'scheduled', due_at = ?
             WHERE outcome = 'blocked' AND {ATTENTION}"
        );
        self.database.query(&statement, &[now.0.into()])?;
        self.find_due()
    }

    /// Another call takes the place of the one that was made.
    fn follow(
        &mut self,
        settlement: &Settlement,
        call: &Call,
        subject: &str,
        now: Timestamp,
    ) -> Result<Settled> {
        const STATEMENT: &str = "UPDATE delivery SET call = ?, identifier = ?, subject = ?,
            person = ?, status = ?, attempts = ?, detail = ?, trace = ?, updated_at = ?,
            failures = 0, lease = ?, lease_until = ?, due_at = ?
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
            record.attempts.into(),
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
    fn conclude(
        &mut self,
        record: &Record,
        lease: Lease,
        verdict: &Verdict,
        attempts: u32,
        at: Timestamp,
    ) -> Result<Option<Record>> {
        const STATEMENT: &str = "UPDATE delivery SET outcome = ?, status = ?, attempts = ?,
            detail = ?, trace = ?, updated_at = ?, failures = ?, due_at = ?, lease_until = NULL,
            person = CASE ? WHEN 1 THEN person END, lease = lease + 1
            WHERE source = ? AND request_id = ? AND slot = ? AND lease = ? RETURNING lease";
        let failures = lease.failures.saturating_add(1);
        let mut record = record.judged(verdict, attempts, at);
        if !record.outcome.is_final() {
            let next = self.next_attempt(verdict, failures, at);
            if record.outcome == Outcome::Scheduled && next > lease.deadline_at {
                record.outcome = Outcome::Exhausted;
            } else {
                record.due_at = Some(next);
            }
        }
        let keep = record.due_at.is_some() || record.outcome.can_be_replayed();
        let bindings: [Value; 13] = [
            record.outcome.name().into(),
            record.status.map(u32::from).into(),
            record.attempts.into(),
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
        if self.database.query(STATEMENT, &bindings)?.is_empty() {
            return Ok(None);
        }
        if let (Some(call), Some(due)) = (&record.call, record.due_at) {
            self.add_due(call, due);
        }
        Ok(Some(record.behind(&self.breaker)))
    }

    fn next_attempt(&mut self, verdict: &Verdict, failures: u32, now: Timestamp) -> Timestamp {
        if verdict.outcome == Outcome::Blocked {
            return match scope(verdict) {
                // The breaker holds it.
                Scope::Account => now,
                Scope::Call | Scope::Unclear => now.after(self.policy.retry.longest),
            };
        }
        let random = self.random_number();
        let pause = Timestamp(now.0.saturating_add(self.policy.retry.pause(failures, random)));
        pause.max(now.after(verdict.retry_after.unwrap_or_default()))
    }
}
