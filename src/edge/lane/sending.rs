//! The calls that a lane makes, and those who wait for what becomes of them.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::select;
use worker::Delay;

use super::fault::Fault;
use super::object::{Object, Open};
use crate::delivery::alert::ACCOUNT;
use crate::delivery::direct::Sent;
use crate::delivery::dispatcher::Next;
use crate::delivery::lane::{Arrival, Claim, Part, Record, Settlement};
use crate::delivery::wire::Deliver;
use crate::edge::net::background::Background;
use crate::edge::{log, now};
use crate::receipt::Outcome;

/// Platforms give up after 5 seconds and more. What is not known by then is answered as scheduled.
const ANSWER_WITHIN: Duration = Duration::from_millis(3500);

/// Outcomes that become known within this are recorded in one transaction.
const FLUSH_AFTER: Duration = Duration::from_millis(10);

impl Object {
    /// Stores an erasure and makes its calls. Returns what is known once they have ended, or after
    /// [`ANSWER_WITHIN`].
    pub(super) async fn deliver(
        self: &Rc<Self>,
        deliver: &Deliver<'_>,
    ) -> Result<Vec<Record>, Fault> {
        let Deliver { source, request_id, received_at, .. } = deliver;
        let subject = deliver.subject().ok_or(Fault::UnknownMessage)?;
        let accepted = self.with(|open| {
            let pseudonyms = open.environment.keys.pseudonyms.as_ref();
            let pseudonyms = pseudonyms.ok_or(Fault::NotConfigured)?;
            let client = open.vendor.as_ref().ok_or(Fault::Orphaned)?;
            let vendor = client.account.vendor.as_ref();
            let without = match deliver.not_applicable {
                true => Outcome::NotApplicable,
                false => Outcome::InsufficientIdentification,
            };
            let parts = Part::plan(vendor, &subject, pseudonyms, without);
            let repeat_after = deliver.repeat_after();
            let received_at = *received_at;
            let arrival = Arrival { source, request_id, received_at, repeat_after, parts };
            Ok(open.dispatcher.deliver(arrival, now())?)
        })?;
        self.send_due();
        let deadline = now().after(ANSWER_WITHIN);
        let records = self.with(|open| {
            let records = accepted
                .records
                .into_iter()
                .map(|record| Ok((open.dispatcher.is_expected(&record, deadline, now())?, record)));
            records.collect()
        })?;
        let (waiter, done) = self.waiters.add(records, deadline);
        self.wake_by(accepted.wake_by).await?;
        if waiter.expects_more() {
            select(done, pin!(Delay::from(ANSWER_WITHIN))).await;
        }
        let records = self.waiters.remove(&waiter);
        if !records.iter().any(Record::may_be_resolved) {
            return Ok(records);
        }
        // What came of another row may have changed this one.
        self.with(|open| Ok(open.dispatcher.lane(now())?.find(source, request_id)?))
    }

    /// Starts every call that may be made now.
    pub(super) fn send_due(self: &Rc<Self>) {
        loop {
            match self.with(|open| Ok(open.dispatcher.next(now())?)) {
                Ok(Next::Send(claim)) => self.spawn(claim),
                Ok(Next::Unreadable(record)) => self.report(&record),
                Ok(Next::Nothing) => return self.start_timer(),
                Err(fault) => return log::internal(fault.place()),
            }
        }
    }

    /// Makes a call whether or not anybody waits for it.
    fn spawn(self: &Rc<Self>, claim: Claim) {
        let object = self.clone();
        self.state.wait_until(async move {
            let lease_until = claim.lease_until();
            if let Err(fault) = object.wake_by(Some(lease_until)).await {
                log::internal(fault.place());
            }
            if let Err(fault) = object.send(claim).await {
                log::internal(fault.place());
            }
            object.send_due();
            object.wake_for_waiting().await;
        });
    }

    /// Makes the call of a claim, and takes its outcome in.
    async fn send(self: &Rc<Self>, claim: Claim) -> Result<(), Fault> {
        let (environment, vendor) =
            self.with(|open| Ok((open.environment.clone(), open.vendor.clone())))?;
        let vendor = vendor.ok_or(Fault::Orphaned)?;
        let ready = vendor.prepare(&Background::Object).await;
        let is_late = self.with(|open| Ok(open.dispatcher.is_late(&claim, now())))?;
        let sent = match ready {
            Ok(()) if is_late => {
                return self.with(|open| Ok(open.dispatcher.give_back(&claim, now())?));
            }
            Ok(()) => vendor.send(&claim.call, &Background::Object).await,
            Err(verdict) => Sent { verdict, attempts: 0, at: now() },
        };
        let Sent { verdict, attempts, at } = sent;
        let next = vendor.account.vendor.follow_up(&claim.call, &verdict);
        let pseudonyms = environment.keys.pseudonyms.as_ref();
        let follow_up = next.zip(pseudonyms).map(|(call, names)| {
            let subject = names.of(&call.identifier).shown;
            (call, subject)
        });
        let settlement = Settlement { claim, verdict, attempts, follow_up, at };
        let finished = self.with(|open| Ok(open.dispatcher.finish(settlement, now())?))?;
        if let Some(record) = finished.record {
            self.report(&record);
        }
        if finished.unrecorded {
            self.flush_soon();
        } else {
            self.after_event();
        }
        Ok(())
    }

    /// Records outcomes in a moment, together with those that come until then.
    fn flush_soon(self: &Rc<Self>) {
        if self.flushing.replace(true) {
            return;
        }
        let object = self.clone();
        self.state.wait_until(async move {
            Delay::from(FLUSH_AFTER).await;
            object.flushing.set(false);
            if let Err(fault) = object.with(|open| Ok(open.dispatcher.flush(now())?)) {
                log::internal(fault.place());
                log::internal("an outcome could not be stored; the call will be made again");
            }
            object.after_event();
            // An outcome may have closed the breaker.
            object.send_due();
            object.wake_for_waiting().await;
        });
    }

    /// Sets the alarm for the rows that wait.
    async fn wake_for_waiting(&self) {
        let woken = match self.with(|open| Ok(open.dispatcher.wake_by(now()))) {
            Ok(wake) => self.wake_by(wake).await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = woken {
            log::internal(fault.place());
        }
    }

    /// Where a call is due in a moment, starts it then. A longer pause is the alarm's.
    fn start_timer(self: &Rc<Self>) {
        let pause = self.with(|open| Ok(open.dispatcher.pause(now())));
        let Ok(Some(pause)) = pause else { return };
        let at = now().after(pause);
        if self.timer_at.get().is_some_and(|timer_at| timer_at <= at) {
            return;
        }
        self.timer_at.set(Some(at));
        let object = self.clone();
        self.state.wait_until(async move {
            Delay::from(pause).await;
            if object.timer_at.get() == Some(at) {
                object.timer_at.set(None);
            }
            object.send_due();
            object.wake_for_waiting().await;
        });
    }

    /// Logs what became of a row, and tells those who wait for it.
    pub(super) fn report(&self, record: &Record) {
        // It fails only where the lane is not open, and then nothing was sent.
        let _ = self.with(|open| {
            let Open { dispatcher, environment, place, .. } = open;
            let expected =
                |deadline| dispatcher.is_expected(record, deadline, now()).unwrap_or_default();
            self.waiters.update(record, expected);
            let names = environment.keys.pseudonyms.as_ref();
            let is_alert = place.vendor == ACCOUNT;
            let name = if is_alert {
                record.request_id.clone()
            } else {
                log::name_of(&record.request_id, names)
            };
            let delivery = record.clone().into_delivery(&place.vendor);
            environment.analytics.delivery(&record.source, &delivery, record.received_at);
            log::delivery(&record.source, name, &delivery);
            Ok(())
        });
    }
}
