//! Every erasure that came in a period, oldest first, a bounded number at a time: what exports and statistics
//! read.
//!
//! Each lane reads its own, and they are merged: an erasure's parts have the time of its webhook in every lane.
//! Where a source's account has none at that time, as after a lane was out of reach, its lanes are asked:
//! an erasure is that of its first webhook, and comes once.

use std::rc::Rc;

use super::list::{receipt_of, vendor_lanes};
use super::{Asked, ask_all, ask_each, unreachable};
use crate::callback::wire::{self as tickets, Ask};
use crate::callback::{self, Closure};
use crate::config::leaves_profile;
use crate::delivery::directory::Place;
use crate::delivery::lane::{Record, Slip};
use crate::delivery::merge::{Merge, Merged};
use crate::delivery::shards::may_be_in;
use crate::delivery::wire::{List, Request};
use crate::edge::environment::Environment;
use crate::edge::lane::client::{Lane, Lanes, Message};
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
    /// What lanes read, and how much at once.
    list: List,
    /// How many requests to lanes may still be made.
    requests: u32,
    /// Erasures that have come, and come again with what a lane has of a later time.
    come: Vec<(String, String)>,
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
        let mut list = List { source, from: period.from, until, ..List::default() };
        let all = vendor_lanes(environment, lanes).await?;
        let mut callbacks = Vec::new();
        for callback in &environment.callbacks {
            let account = &callback.client.account;
            if let Some(source) = callback::source_of(&account.name) {
                callbacks.push((source.to_owned(), lanes.first(account).map_err(unreachable)?));
            }
        }

        let counts: Vec<u32> = ask_all(all.iter(), &Request::Count(list.clone())).await?;
        let deliveries = counts.iter().fold(0_u32, |sum, count| sum.saturating_add(*count));
        if deliveries == 0 && !is_known {
            return Err(Problem::UnknownSource);
        }
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let slip = RECORDS.checked_div(number(all.len())).unwrap_or(SLIP).clamp(50, SLIP);
        let slips = counts
            .iter()
            .fold(0_u32, |sum, count| sum.saturating_add(count.div_euclid(slip)).saturating_add(1));
        list.limit = slip;
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
            list,
            requests,
            come: Vec::new(),
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
        let mut asks = Vec::new();
        for (number, after) in &wanting {
            let list = List { after: after.clone(), ..self.list.clone() };
            asks.push(self.ask(*number, &Request::Read(list))?);
        }
        let slips: Vec<Slip> = ask_each(asks).await?;
        self.spend(wanting.len())?;
        let is_any = !wanting.is_empty();
        for ((number, _), slip) in wanting.into_iter().zip(slips) {
            self.merge.fill(number, slip);
        }
        Ok(is_any)
    }

    /// A message to the lane of this number.
    fn ask(&self, number: usize, message: &Request<'_>) -> Result<(&Lane, Message), Problem> {
        let (_, lane) = self.lanes.get(number).ok_or(Problem::Internal)?;
        Ok((lane, Message::of(message).map_err(unreachable)?))
    }

    /// Adds what lanes of the source's accounts know that have nothing of an erasure at its time.
    async fn complete(&mut self, merged: &mut [Merged]) -> Result<(), Problem> {
        let mut numbers = Vec::new();
        let mut asks = Vec::new();
        for (number, (vendor, lane)) in self.lanes.iter().enumerate() {
            let Some(place) = Place::parse(lane.name()) else { continue };
            let mut keys = Vec::new();
            for Merged { key, parts } in &*merged {
                let mut senders = self.environment.senders.iter();
                let sender = senders.find(|sender| sender.source.name == key.source);
                let is_asked = sender.is_some_and(|one| one.source.vendors.contains(vendor));
                let is_of_vendor = |number: usize| {
                    self.lanes.get(number).is_some_and(|(other, _)| other == vendor)
                };
                let is_there = parts.iter().any(|(number, _)| is_of_vendor(*number));
                if is_asked && !is_there && may_be_in(&key.source, &key.request_id, place.shard) {
                    keys.push(key.clone());
                }
            }
            if !keys.is_empty() {
                asks.push(self.ask(number, &Request::Find(keys))?);
                numbers.push(number);
            }
        }
        let found: Vec<Vec<Record>> = ask_each(asks).await?;
        self.spend(numbers.len())?;
        for (number, records) in numbers.into_iter().zip(found) {
            // Both are in the order of the keys.
            let mut records = records.into_iter().peekable();
            for Merged { key, parts } in &mut *merged {
                let mut own = Vec::new();
                let is_own = |record: &Record| record.is_of(&key.source, &key.request_id);
                while let Some(record) = records.next_if(is_own) {
                    own.push(record);
                }
                if !own.is_empty() {
                    parts.push((number, own));
                }
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
            if times.clone().any(|time| time < key.received_at) || self.come.contains(&id) {
                continue;
            }
            if times.any(|time| time > key.received_at) {
                self.come.push(id);
            }
            let mut named = Vec::new();
            for (number, records) in parts {
                if let Some((vendor, _)) = self.lanes.get(number) {
                    named.push((vendor.as_str(), records));
                }
            }
            let receipt = receipt_of(&self.environment, &key, &named);
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
        let mut sources = Vec::new();
        let mut asks = Vec::new();
        for (source, lane) in &self.callbacks {
            let mut ids = Vec::new();
            for Erasure { receipt, is_partial } in &*erasures {
                if receipt.source == *source && (receipt.state != State::Done || *is_partial) {
                    ids.push(receipt.request_id.clone());
                }
            }
            if !ids.is_empty() {
                let ask = tickets::Request::new(source, "", Ask::Closed(ids));
                asks.push((lane, Message::about_ticket(&ask).map_err(unreachable)?));
                sources.push(source.clone());
            }
        }
        let closed: Vec<Vec<(String, Closure)>> = ask_each(asks).await?;
        self.spend(sources.len())?;
        for (source, closed) in sources.into_iter().zip(closed) {
            for (id, closure) in closed {
                let is_it = |one: &&mut Erasure| {
                    one.receipt.source == source && one.receipt.request_id == id
                };
                if let Some(one) = erasures.iter_mut().find(is_it) {
                    one.receipt.closed = Some(closure.into());
                }
            }
        }
        Ok(())
    }

    /// Takes so many requests from what may be made.
    fn spend(&mut self, requests: usize) -> Result<(), Problem> {
        let requests = u32::try_from(requests).unwrap_or(u32::MAX);
        self.requests = self.requests.checked_sub(requests).ok_or(Problem::Internal)?;
        Ok(())
    }
}
