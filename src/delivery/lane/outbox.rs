//! The outbox: what waits, who may send it now, and what came of that.

use super::schema::ATTENTION;
use super::{Claim, Lane, Lease, Result, Settled, Settlement, place};
use crate::delivery::breaker::{Breaker, Leave};
use crate::delivery::database::{Database, Row, StorageError, Value};
use crate::delivery::patience::{About, about};
use crate::receipt::{Outcome, Timestamp};
use crate::seal::Broken;
use crate::vendor::{Call, Verdict};

impl<D: Database> Lane<D> {
    /// Leases at most `most` of what is due and may go now, the longest waiting first.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn claim(&mut self, most: usize, now: Timestamp) -> Result<Vec<Claim>> {
        self.heed(now);
        let most = match self.breaker.leave(now) {
            Leave::RestUntil(_) => 0,
            Leave::Probe => most.min(1),
            Leave::Free => most,
        };
        let mut claims = Vec::new();
        for index in 0..self.calls.len() {
            let Some(call) = self.calls.get(index) else { continue };
            let name = call.name;
            if call.pacer.take(call.flow, now).is_none() {
                continue;
            }
            for row in self.due(name, most.saturating_sub(claims.len()), now)? {
                if !self.take_pace(name, now)? {
                    break;
                }
                match self.lease(&row, name, now)? {
                    Some(claim) => claims.push(claim),
                    None => return Ok(claims),
                }
            }
        }
        Ok(claims)
    }

    /// Takes in what came of a lease, once: a lease that is settled is over.
    ///
    /// # Errors
    /// [`StorageError`]; then the lease runs out, and the call is made again.
    pub fn settle(&mut self, settlement: &Settlement, now: Timestamp) -> Result<Settled> {
        const STATEMENT: &str = "SELECT source, request_id, slot, call, failures, deadline_at
            FROM deliveries WHERE id = ? AND lease = ? AND due_at IS NOT NULL";
        let Settlement { lease, verdict, attempts, follow_up } = settlement;
        self.heed(now);
        self.note(verdict, now)?;
        let rows = self.database.query(STATEMENT, &[lease.id.into(), lease.number.into()])?;
        let Some(row) = rows.first() else {
            return Ok(Settled { outcome: None, lease: None });
        };
        for _ in 1..*attempts {
            self.charge_pace(row.text(3)?, now)?;
        }
        match follow_up {
            Some((call, subject)) => {
                let lease = self.follow(settlement, row, call, subject, now)?;
                Ok(Settled { outcome: Some(Outcome::Scheduled), lease })
            }
            None => {
                let outcome = self.record(settlement, row, now)?;
                Ok(Settled { outcome: Some(outcome), lease: None })
            }
        }
    }

    /// Gives a lease back: the call was not made, and waits for its next turn.
    ///
    /// # Errors
    /// [`StorageError`]; then the lease runs out.
    pub fn give_back(&mut self, lease: Lease, now: Timestamp) -> Result<()> {
        let statement =
            "UPDATE deliveries SET due_at = ?, lease = lease + 1 WHERE id = ? AND lease = ?";
        let bindings = [now.0.into(), lease.id.into(), lease.number.into()];
        self.database.query(statement, &bindings).map(drop)
    }

    fn due(&self, call: &str, most: usize, now: Timestamp) -> Result<Vec<Row>> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.database.query(
            "SELECT id, lease, source, request_id, slot, person FROM deliveries
             WHERE call = ? AND due_at <= ? ORDER BY due_at LIMIT ?",
            &[call.into(), now.0.into(), most.into()],
        )
    }

    /// Leases a row that is due. One whose seal does not open blocks the lane: the key is another.
    fn lease(&mut self, row: &Row, name: &'static str, now: Timestamp) -> Result<Option<Claim>> {
        let (id, number) = (row.integer(0)?, row.integer(1)?.saturating_add(1));
        let until = now.after(self.policy.lease);
        // No longer blocked: releasing or replaying what is must not touch what is under way.
        self.database.query(
            "UPDATE deliveries SET lease = ?, due_at = ?, outcome = 'scheduled' WHERE id = ?",
            &[number.into(), until.0.into(), id.into()],
        )?;
        if self.breaker.open {
            self.breaker.probe_sent(until);
            self.store_breaker()?;
        }
        let place = place(row.text(2)?, row.text(3)?, row.text(4)?);
        let lease = Lease { id, number };
        match self.seal.open(row.text(5)?, &place) {
            Ok((identifier, alternatives)) => {
                let call = Call { name, identifier, alternatives };
                let (source, request_id) = (row.text(2)?.to_owned(), row.text(3)?.to_owned());
                Ok(Some(Claim { lease, call, source, request_id }))
            }
            Err(Broken) => {
                let detail = "the stored identifiers do not open with this PSEUDONYM_KEY";
                let verdict = Verdict::without_answer(Outcome::Blocked, detail);
                self.settle(&Settlement { lease, verdict, attempts: 0, follow_up: None }, now)?;
                Ok(None)
            }
        }
    }

    /// The breaker takes a verdict in. What was blocked flows again once the account is not.
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

    /// Closes the breaker: a person has mended what was refused.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn resume(&mut self, now: Timestamp) -> Result<()> {
        self.breaker = Breaker::default();
        self.store_breaker()?;
        self.release(now)
    }

    fn release(&self, now: Timestamp) -> Result<()> {
        let statement = format!(
            "UPDATE deliveries SET outcome = 'scheduled', due_at = ?
             WHERE outcome = 'blocked' AND {ATTENTION}"
        );
        self.database.query(&statement, &[now.0.into()]).map(drop)
    }

    /// Another call takes the place of the one that was made.
    fn follow(
        &mut self,
        settlement: &Settlement,
        row: &Row,
        call: &Call,
        subject: &str,
        now: Timestamp,
    ) -> Result<Option<Lease>> {
        let person = self.seal(call, &place(row.text(0)?, row.text(1)?, row.text(2)?))?;
        let at_once = self.breaker.leave(now) == Leave::Free && self.take_pace(call.name, now)?;
        let number = settlement.lease.number.saturating_add(1);
        let due_at = if at_once { now.after(self.policy.lease) } else { now };
        let verdict = &settlement.verdict;
        self.database.query(
            "UPDATE deliveries SET call = ?, identifier = ?, subject = ?, person = ?, status = ?,
             attempts = attempts + ?, detail = ?, trace = ?, updated_at = ?, failures = 0,
             lease = ?, due_at = ? WHERE id = ?",
            &[
                call.name.into(),
                call.identifier.kind().to_string().into(),
                subject.into(),
                person.into(),
                verdict.status.map(u32::from).into(),
                settlement.attempts.into(),
                verdict.detail.as_deref().into(),
                verdict.trace.as_deref().into(),
                now.0.into(),
                number.into(),
                due_at.0.into(),
                settlement.lease.id.into(),
            ],
        )?;
        Ok(at_once.then_some(Lease { id: settlement.lease.id, number }))
    }

    /// The outcome stands, or the call waits for its next turn.
    fn record(&mut self, settlement: &Settlement, row: &Row, now: Timestamp) -> Result<Outcome> {
        let verdict = &settlement.verdict;
        let failures = u32::try_from(row.integer(4)?).map_err(|_| StorageError::Corrupt)?;
        let failures = failures.saturating_add(1);
        let mut outcome = verdict.outcome;
        let mut due_at = None;
        if !outcome.is_final() {
            let next = self.next_attempt(verdict, failures, now);
            if outcome == Outcome::Scheduled && next.0 > row.integer(5)? {
                outcome = Outcome::Exhausted;
            } else {
                due_at = Some(next);
            }
        }
        let keep = due_at.is_some() || outcome.can_be_replayed();
        let bindings: [Value; 11] = [
            outcome.name().into(),
            verdict.status.map(u32::from).into(),
            settlement.attempts.into(),
            verdict.detail.as_deref().into(),
            verdict.trace.as_deref().into(),
            now.0.into(),
            failures.into(),
            due_at.map(|due| due.0).into(),
            i64::from(keep).into(),
            settlement.lease.id.into(),
            settlement.lease.number.into(),
        ];
        let statement = "UPDATE deliveries SET outcome = ?, status = ?, attempts = attempts + ?,
            detail = ?, trace = ?, updated_at = ?, failures = ?, due_at = ?,
            person = CASE ? WHEN 1 THEN person END, lease = lease + 1 WHERE id = ? AND lease = ?";
        self.database.query(statement, &bindings)?;
        Ok(outcome)
    }

    fn next_attempt(&mut self, verdict: &Verdict, failures: u32, now: Timestamp) -> Timestamp {
        if verdict.outcome == Outcome::Blocked {
            return match about(verdict) {
                // The breaker holds it.
                About::Account => now,
                About::Call | About::Unclear => now.after(self.policy.retry.longest),
            };
        }
        let random = self.random_number();
        let pause = Timestamp(now.0.saturating_add(self.policy.retry.pause(failures, random)));
        pause.max(now.after(verdict.retry_after.unwrap_or_default()))
    }
}
