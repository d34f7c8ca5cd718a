//! Durable delivery: the lanes store what is to be sent before anything is acknowledged. What may
//! go at once is sent from here, under leases; the rest is the lanes' own work.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::iter;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_util::future::select;
use js_sys::Promise;
use wasm_bindgen::JsValue;

use super::channel::Channel;
use super::isolate::Isolate;
use super::lanes::{Lane, Lanes, Unreachable};
use super::reply::Reply;
use super::runtime::Context;
use super::settled::pause;
use super::{CONNECTIONS, join, log, now, task};
use crate::config::Source;
use crate::delivery::direct::Sent;
use crate::delivery::lane::{Arrival, Lease, Part, Record, Settlement};
use crate::delivery::wire;
use crate::erasure::ErasureRequest;
use crate::json::Json;
use crate::problem::Problem;
use crate::pseudonym::Pseudonyms;
use crate::receipt::{Delivery, Outcome, Receipt, Timestamp};
use crate::vendor::{Call, Step};

/// Platforms give up after 5 seconds and more. What is not known by then is told as waiting.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);

/// What the work of one request is about.
struct Work {
    isolate: Rc<Isolate>,
    source: String,
    request_id: String,
    received_at: Timestamp,
}

/// One account's part of an erasure, stored.
struct Stored {
    /// Its place among the isolate's channels.
    channel: usize,
    lane: Lane,
    records: RefCell<Vec<Record>>,
    leased: RefCell<Vec<(Lease, Call)>>,
    leased_at: Cell<Timestamp>,
}

/// Stores an erasure in the lanes of its vendors, sends what may go at once, and tells what is
/// known then.
///
/// # Errors
/// What the platform is told where nothing can be acknowledged, or no vendor can use the request.
pub async fn deliver(
    erasure: &ErasureRequest,
    source: &Source,
    isolate: &Rc<Isolate>,
    lanes: &Lanes,
    context: &Context,
    received_at: Timestamp,
) -> Result<Reply, Problem> {
    let work = Rc::new(Work {
        isolate: isolate.clone(),
        source: source.name.clone(),
        request_id: erasure.id.as_str().to_owned(),
        received_at,
    });
    let asked = isolate.channels.iter().enumerate();
    let asked = asked.filter(|(_, channel)| source.vendors.contains(&channel.account.name));
    let inline = CONNECTIONS.checked_div(source.vendors.len()).unwrap_or_default().max(1);
    let stored = asked.map(|asked| work.store(erasure, lanes, inline, asked));
    let stored = join::all(stored).await;
    let all_stored = stored.iter().all(Result::is_ok);
    let stored: Rc<Vec<Stored>> = Rc::new(stored.into_iter().flatten().collect());
    if stored.iter().any(|part| !part.leased.borrow().is_empty()) {
        let known = work.clone().send_all(stored.clone(), context);
        if all_stored {
            select(pin!(known.all()), pin!(pause(ANSWER_WITHIN))).await;
        }
    }
    if !all_stored {
        log::internal("a lane could not store its part; the webhook must come again");
        return Err(Problem::NotStored);
    }
    let parts = source.vendors.iter().filter_map(|vendor| {
        let part = |part: &&Stored| isolate.name(part.channel) == Some(vendor);
        Some((vendor.as_str(), stored.iter().find(part)?.records.borrow().clone()))
    });
    let receipt = receipt(&work.source, &work.request_id, received_at, parts);
    log::erasure(&erasure.id, &receipt, isolate.keys.pseudonyms.as_ref());
    let mut outcomes = receipt.deliveries.iter().map(|delivery| delivery.outcome);
    if outcomes.clone().all(|outcome| outcome == Outcome::InsufficientIdentification) {
        Err(Problem::InsufficientIdentification(receipt))
    } else if outcomes.all(Outcome::is_final) {
        Ok(Reply::Receipt(receipt))
    } else {
        Ok(Reply::Accepted(receipt))
    }
}

/// The receipt that the records of each vendor add up to.
pub fn receipt<'a>(
    source: &str,
    request_id: &str,
    received_at: Timestamp,
    parts: impl IntoIterator<Item = (&'a str, Vec<Record>)>,
) -> Receipt {
    let mut first = received_at;
    let mut deliveries: Vec<Delivery> = Vec::new();
    for (vendor, records) in parts {
        for record in records {
            first = first.min(record.received_at);
            deliveries.push(record.into_delivery(vendor));
        }
    }
    Receipt::new(request_id, source, first, deliveries)
}

impl Work {
    /// Hands one account's part over to its lane.
    async fn store(
        &self,
        erasure: &ErasureRequest,
        lanes: &Lanes,
        inline: usize,
        (index, channel): (usize, &Channel),
    ) -> Result<Stored, Unreachable> {
        let names = self.names()?;
        let mut parts = Vec::new();
        for step in channel.account.vendor.plan(&erasure.subject) {
            parts.push(match step {
                Step::Call(call) => {
                    let subject = names.of(&call.identifier);
                    let others = call.alternatives.iter().map(|other| names.of(other));
                    let all: Vec<String> = iter::once(subject.clone()).chain(others).collect();
                    Part::Call { subject, names: all.join(" "), call }
                }
                Step::Unusable { kind, detail } => Part::Unusable {
                    identifier: kind.map(|kind| kind.to_string()),
                    detail: detail.to_owned(),
                },
            });
        }
        let Self { source, request_id, received_at, .. } = self;
        let arrival = Arrival { source, request_id, received_at: *received_at, inline, parts };
        let lane = lanes.of(&channel.account, &self.source, &self.request_id)?;
        let answer = lane.ask("accept", &wire::write_arrival(&arrival)).await?;
        let answer = Json::parse(answer.as_bytes()).map_err(|_| Unreachable)?;
        let accepted = wire::read_accepted(&answer).map_err(|_| Unreachable)?;
        let mut leased = Vec::new();
        for (part, lease) in accepted.leases {
            if let Some(Part::Call { call, .. }) = arrival.parts.get(part) {
                leased.push((lease, call.clone()));
            }
        }
        let (records, leased) = (RefCell::new(accepted.records), RefCell::new(leased));
        Ok(Stored { channel: index, lane, records, leased, leased_at: Cell::new(now()) })
    }

    /// Sends all that is leased. The work goes on whether the platform waits for it or not; what is
    /// returned tells when every outcome is known.
    fn send_all(self: Rc<Self>, stored: Rc<Vec<Stored>>, context: &Context) -> Rc<Known> {
        let known = Rc::new(Known { unknown: Cell::new(stored.len()), waker: Cell::default() });
        let told = known.clone();
        let sending = task::promise(async move {
            join::all(stored.iter().map(async |part| {
                let settling = self.send(part).await;
                told.one();
                if let Some(begun) = settling
                    && Lane::finish(begun).await.is_err()
                {
                    log::internal(NOT_SETTLED);
                }
            }))
            .await;
            Ok(JsValue::UNDEFINED)
        });
        // It throws only once the request is over, which it is not.
        let _ = context.wait_until(&sending);
        known
    }

    /// Sends what one lane has leased, all at the same time, so that the pace that was taken is
    /// the pace that the vendor sees. Returns once every outcome is known; the platform need not
    /// wait for a settlement that only the ledger must know, and which is returned under way.
    async fn send(&self, part: &Stored) -> Option<Promise> {
        let channel = self.isolate.channels.get(part.channel)?;
        loop {
            let leased = part.leased.take();
            if leased.is_empty() {
                return None;
            }
            let ready = channel.prepare().await;
            let late = now().since(part.leased_at.get());
            if leased.iter().any(|(_, call)| late > channel.account.slack(call.name)) {
                // The pace has moved on meanwhile; the lane will see to these.
                let leases: Vec<Lease> = leased.into_iter().map(|(lease, _)| lease).collect();
                return part.lane.begin("give_back", &wire::write_leases(&leases)).ok();
            }
            let settlements = join::all(leased.into_iter().map(async |(lease, call)| {
                let sent = match &ready {
                    Ok(()) => channel.send(&call).await,
                    Err(verdict) => Sent { verdict: verdict.clone(), attempts: 0, at: now() },
                };
                let follow_up = channel.follow_up(&call, &sent.verdict, &self.isolate);
                let (verdict, attempts) = (sent.verdict, sent.attempts);
                (Settlement { lease, verdict, attempts, follow_up }, sent.at)
            }));
            let settlements = settlements.await;
            let known = settlements.iter().all(|(settlement, _)| {
                settlement.follow_up.is_none() && settlement.verdict.outcome.is_final()
            });
            for (settlement, at) in settlements.iter().filter(|_| known) {
                let mut records = part.records.borrow_mut();
                let mut records = records.iter_mut();
                if let Some(record) = records.find(|record| record.id == settlement.lease.id) {
                    record.conclude(settlement, *at);
                }
            }
            let settlements: Vec<_> = settlements.into_iter().map(|(one, _)| one).collect();
            let message = wire::write_settlements(&self.source, &self.request_id, &settlements);
            let begun = part.lane.begin("settle", &message);
            let begun = begun.inspect_err(|_| log::internal(NOT_SETTLED)).ok()?;
            if known {
                return Some(begun);
            }
            let answer = Lane::finish(begun).await;
            let answer = answer.inspect_err(|_| log::internal(NOT_SETTLED)).ok()?;
            let answer = Json::parse(answer.as_bytes()).ok()?;
            let accepted = wire::read_accepted(&answer).ok()?;
            part.records.replace(accepted.records);
            part.leased_at.set(now());
            for (index, lease) in accepted.leases {
                let next = settlements.get(index).and_then(|one| one.follow_up.as_ref());
                part.leased.borrow_mut().extend(next.map(|(call, _)| (lease, call.clone())));
            }
        }
    }

    fn names(&self) -> Result<&Pseudonyms, Unreachable> {
        self.isolate.keys.pseudonyms.as_ref().ok_or(Unreachable)
    }
}

/// How many lanes' outcomes are not known yet.
struct Known {
    unknown: Cell<usize>,
    waker: Cell<Option<Waker>>,
}

impl Known {
    /// One more is known.
    fn one(&self) {
        self.unknown.set(self.unknown.get().saturating_sub(1));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Waits until all are.
    async fn all(&self) {
        poll_fn(|context| {
            if self.unknown.get() == 0 {
                return Poll::Ready(());
            }
            self.waker.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await
    }
}

const NOT_SETTLED: &str = "an outcome could not be stored; the call will be made again";
