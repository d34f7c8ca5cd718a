//! Every erasure that came in a period, oldest first, a bounded number at a time: what exports and statistics
//! read.
//!
//! Each lane reads its own, and they are merged: an erasure's parts have the time of its webhook in every lane.
//! Where a source's account has none at that time, as after a lane was out of reach, its lanes are asked:
//! an erasure is that of its first webhook, and comes once.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use futures_util::future::join_all;

use super::list::{receipt_of, vendor_lanes};
use super::{Asked, ask_all, unreachable};
use crate::callback::wire::{self as tickets, Ask};
use crate::callback::{self, Closure};
use crate::config::leaves_profile;
use crate::delivery::directory::Place;
use crate::delivery::lane::{Record, Slip};
use crate::delivery::merge::{Merge, Merged};
use crate::delivery::shards::may_be_in;
use crate::delivery::wire::{Request, Slice};
use crate::edge::environment::Environment;
use crate::edge::lane::client::{Lane, Lanes};
use crate::edge::now;
use crate::period::Period;
use crate::problem::Problem;
use crate::receipt::{Receipt, State};

/// How many requests to lanes one request of the operator makes. Cloudflare allowed 1,000 of every plan that
/// is paid for, and allows no fewer now.
const REQUESTS: u32 = 950;

/// How many records are in memory of all lanes together, about.
const RECORDS: u32 = 16_000;

/// How many records one lane reads at once, at most.
const SLIP: u32 = 1000;

/// How many erasures are handed out at once, at most.
const BATCH: u32 = 1000;

/// The erasures of a period.
pub struct Walk {
    environment: Rc<Environment>,
    lanes: Vec<Asked>,
    /// The lanes of platforms, by source.
    callbacks: Vec<(String, Lane)>,
    merge: Merge,
    slice: Slice,
    /// How many records a lane reads at once.
    slip: u32,
    /// How many requests to lanes may still be made.
    requests: u32,
    /// Erasures that have come, and come again with what a lane has of a later time.
    come: BTreeSet<(String, String)>,
}

/// One erasure.
pub struct Erasure {
    /// What is known of it.
    pub receipt: Receipt,
    /// Whether what was accepted leaves a profile, which its source does not count as fulfilled.
    pub is_partial: bool,
}

impl Walk {
    /// Begins with the first erasure of the period.
    ///
    /// # Errors
    /// 404 where nothing is known of the source, 422 where the period holds more than one request can read,
    /// 503 where a lane does not answer.
    pub async fn begin(
        environment: &Rc<Environment>,
        lanes: &Lanes,
        source: Option<String>,
        period: Period,
    ) -> Result<Self, Problem> {
        // What comes meanwhile is not waited for.
        let until = Some(period.until.map_or(now(), |until| until.min(now())));
        let is_configured =
            |name: &String| environment.senders.iter().any(|one| one.source.name == *name);
        let is_known = source.as_ref().is_none_or(is_configured);
        let slice = Slice { source, from: period.from, until };
        let all = vendor_lanes(environment, lanes).await?;
        let callbacks = environment.callbacks.iter().filter_map(|callback| {
            let account = &callback.client.account;
            let source = callback::source_of(&account.name)?.to_owned();
            Some(lanes.first(account).map(|lane| (source, lane)).map_err(unreachable))
        });
        let callbacks = callbacks.collect::<Result<Vec<_>, Problem>>()?;

        let counts: Vec<u32> = ask_all(all.iter(), &Request::Count(slice.clone())).await?;
        let deliveries = counts.iter().fold(0_u32, |sum, count| sum.saturating_add(*count));
        if deliveries == 0 && !is_known {
            return Err(Problem::UnknownSource);
        }
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let slip = RECORDS.checked_div(number(all.len())).unwrap_or(SLIP).clamp(50, SLIP);
        let slips = counts.iter().map(|count| count.div_euclid(slip).saturating_add(1));
        let slips = slips.fold(0, u32::saturating_add);
        // For each batch one for each platform, and one for what came at another time.
        let batches = deliveries.div_euclid(BATCH).saturating_add(1);
        let others = batches.saturating_mul(number(callbacks.len()).saturating_add(1));
        let requests = REQUESTS.saturating_sub(number(all.len())).saturating_sub(1);
        if slips.saturating_add(others) > requests {
            return Err(Problem::PeriodTooLong(deliveries));
        }
        Ok(Self {
            environment: environment.clone(),
            merge: Merge::new(all.len()),
            lanes: all,
            callbacks,
            slice,
            slip,
            requests,
            come: BTreeSet::new(),
        })
    }

    /// The next erasures; `None` after the last one.
    ///
    /// # Errors
    /// 503 where a lane does not answer: then the erasures that came are not all.
    pub async fn next(&mut self) -> Result<Option<Vec<Erasure>>, Problem> {
        let batch = usize::try_from(BATCH).unwrap_or(usize::MAX);
        loop {
            let mut merged = Vec::new();
            while merged.len() < batch {
                match self.merge.take() {
                    Some(one) => merged.push(one),
                    None if self.read().await? => {}
                    None => break,
                }
            }
            if merged.is_empty() {
                return Ok(None);
            }
            self.complete(&mut merged).await?;
            let mut erasures = self.erasures(merged);
            self.close(&mut erasures).await?;
            if !erasures.is_empty() {
                return Ok(Some(erasures));
            }
        }
    }

    /// Has the lanes read on of which nothing is left; `false` where all are at their end.
    async fn read(&mut self) -> Result<bool, Problem> {
        let wanting = self.merge.wanting();
        self.spend(wanting.len())?;
        let slips = join_all(wanting.iter().map(async |(number, after)| {
            let (_, lane) = self.lanes.get(*number).ok_or(Problem::Internal)?;
            let message = Request::Read(self.slice.clone(), after.clone(), self.slip);
            let slip: Slip = lane.ask(&message).await.map_err(unreachable)?;
            Ok((*number, slip))
        }));
        let slips = slips.await.into_iter().collect::<Result<Vec<_>, Problem>>()?;
        for (number, slip) in slips {
            self.merge.fill(number, slip);
        }
        Ok(!wanting.is_empty())
    }

    /// Adds what lanes of the source's accounts know that have nothing of an erasure at its time.
    async fn complete(&mut self, merged: &mut [Merged]) -> Result<(), Problem> {
        let places = self.lanes.iter().map(|(_, lane)| Place::parse(lane.name()));
        let places: Vec<Option<Place>> = places.collect();
        let mut wanted: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, Merged { key, parts }) in merged.iter().enumerate() {
            let senders = self.environment.senders.iter();
            let Some(sender) = senders.clone().find(|one| one.source.name == key.source) else {
                continue;
            };
            for (number, place) in places.iter().enumerate() {
                let Some(place) = place else { continue };
                let vendor_of = |number: usize| self.lanes.get(number).map(|(vendor, _)| vendor);
                let is_there =
                    parts.iter().any(|(other, _)| vendor_of(*other) == Some(&place.vendor));
                let is_asked = sender.source.vendors.contains(&place.vendor);
                if is_asked && !is_there && may_be_in(&key.source, &key.request_id, place.shard) {
                    wanted.entry(number).or_default().push(index);
                }
            }
        }
        self.spend(wanted.len())?;
        let found = join_all(wanted.iter().map(async |(number, indexes)| {
            let (_, lane) = self.lanes.get(*number).ok_or(Problem::Internal)?;
            let keys = indexes.iter().filter_map(|index| merged.get(*index));
            let message = Request::Find(keys.map(|one| one.key.clone()).collect());
            let records: Vec<Record> = lane.ask(&message).await.map_err(unreachable)?;
            Ok((*number, records))
        }));
        let found = found.await.into_iter().collect::<Result<Vec<_>, Problem>>()?;
        for ((number, records), indexes) in found.into_iter().zip(wanted.into_values()) {
            let mut by_id: BTreeMap<(String, String), Vec<Record>> = BTreeMap::new();
            for record in records {
                let id = (record.source.clone(), record.request_id.clone());
                by_id.entry(id).or_default().push(record);
            }
            for index in indexes {
                let Some(Merged { key, parts }) = merged.get_mut(index) else { continue };
                let id = (key.source.clone(), key.request_id.clone());
                parts.extend(by_id.get(&id).map(|records| (number, records.clone())));
            }
        }
        Ok(())
    }

    /// The receipts, without those of erasures that came before.
    fn erasures(&mut self, merged: Vec<Merged>) -> Vec<Erasure> {
        let mut erasures = Vec::new();
        for Merged { key, parts } in merged {
            let mut times = parts.iter().flat_map(|(_, records)| records).map(|it| it.received_at);
            let id = (key.source.clone(), key.request_id.clone());
            if times.clone().any(|time| time < key.received_at) || self.come.remove(&id) {
                continue;
            }
            if times.any(|time| time > key.received_at) {
                self.come.insert(id);
            }
            let vendor = |number: usize| Some(self.lanes.get(number)?.0.as_str());
            let parts = parts.into_iter().filter_map(|(at, records)| Some((vendor(at)?, records)));
            let receipt = receipt_of(&self.environment, &key, parts.collect());
            let is_partial = self.is_partial(&receipt);
            erasures.push(Erasure { receipt, is_partial });
        }
        erasures
    }

    fn is_partial(&self, receipt: &Receipt) -> bool {
        let environment = &self.environment;
        let mut senders = environment.senders.iter();
        let sender = senders.find(|sender| sender.source.name == receipt.source);
        let accounts = environment.vendors.iter().map(|client| client.account.as_ref());
        sender.is_some_and(|sender| !sender.source.accepts_partial_erasure)
            && leaves_profile(accounts, &receipt.deliveries)
    }

    /// Adds how an operator has closed them.
    async fn close(&mut self, erasures: &mut [Erasure]) -> Result<(), Problem> {
        let may_be_closed = |one: &&Erasure| one.receipt.state != State::Done || one.is_partial;
        let asks = self.callbacks.iter().filter_map(|(source, lane)| {
            let of_source = erasures.iter().filter(|one| one.receipt.source == *source);
            let ids = of_source.filter(may_be_closed).map(|one| one.receipt.request_id.clone());
            let ids: Vec<String> = ids.collect();
            let ask = tickets::Request::new(source, "", Ask::Closed(ids.clone()));
            (!ids.is_empty()).then_some((lane, ask))
        });
        let asks: Vec<_> = asks.collect();
        let mut left = self.requests;
        spend(&mut left, asks.len())?;
        let closed = join_all(asks.iter().map(async |(lane, ask)| {
            let closed: Vec<(String, Closure)> =
                lane.ask_callback(ask).await.map_err(unreachable)?;
            Ok(closed.into_iter().map(|(id, closure)| ((ask.source.clone(), id), closure)))
        }));
        let closed = closed.await.into_iter().collect::<Result<Vec<_>, Problem>>()?;
        let mut closed: BTreeMap<(String, String), Closure> =
            closed.into_iter().flatten().collect();
        for Erasure { receipt, .. } in erasures {
            if !closed.is_empty() {
                let id = (receipt.source.clone(), receipt.request_id.clone());
                receipt.closed = closed.remove(&id).map(Into::into);
            }
        }
        self.requests = left;
        Ok(())
    }

    /// Takes so many requests from what may be made.
    fn spend(&mut self, requests: usize) -> Result<(), Problem> {
        spend(&mut self.requests, requests)
    }
}

fn spend(left: &mut u32, requests: usize) -> Result<(), Problem> {
    let requests = u32::try_from(requests).unwrap_or(u32::MAX);
    *left = left.checked_sub(requests).ok_or(Problem::Internal)?;
    Ok(())
}
