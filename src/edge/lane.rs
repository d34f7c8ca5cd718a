//! The Durable Object around a lane: its storage, its alarm, and the calls that its alarm makes.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use worker::js_sys::{Date, Promise};
use worker::wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::wasm_bindgen_futures::JsFuture;
use worker::{Delay, DurableObject, Env, Request, Response, State, durable_object, web_sys};

use super::channel::Channel;
use super::isolate::Isolate;
use super::join::Join;
use super::sql::{Sql, Storage};
use super::{log, now};
use crate::delivery::database::StorageError;
use crate::delivery::lane::{self, Claim, Record, Settlement};
use crate::delivery::wire;
use crate::erasure::RequestId;
use crate::json::Json;
use crate::receipt::Timestamp;

/// Calls that the runtime lets one object have under way at once.
const CONNECTIONS: usize = 6;

/// How long one alarm starts new calls; the next one goes on.
const SHIFT: Duration = Duration::from_secs(20);

/// A pause shorter than this is awaited; a longer one is the alarm's.
const SHORT: Duration = Duration::from_secs(2);

/// When a lane that cannot work looks again.
const LATER: Duration = Duration::from_secs(60);

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(method, catch, js_name = setAlarm)]
    fn set_alarm(this: &Storage, at: &Date) -> Result<Promise, JsValue>;

    #[wasm_bindgen(catch, js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(buffer: &mut [u8]) -> Result<(), JsValue>;
}

/// One account's lane, or a shard of it.
#[durable_object(alarm)]
pub struct Lane {
    state: State,
    env: Env,
    lane: RefCell<Option<lane::Lane<Sql>>>,
    /// What the alarm is set to, as far as this instance knows.
    armed: Cell<Option<Timestamp>>,
}

/// Why the lane does not do what it is asked. Nothing may be acknowledged then.
enum Fault {
    NotConfigured,
    NoSuchAccount,
    NoSuchOperation,
    Garbled,
    Runtime,
    Storage(StorageError),
}

impl DurableObject for Lane {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, lane: RefCell::default(), armed: Cell::default() }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        match self.answer(request).await {
            Ok(text) => Response::ok(text),
            Err(fault) => {
                log::internal(fault.place());
                Response::error("", 500)
            }
        }
    }

    /// Never fails: an alarm that does is tried six times more, and then forgotten.
    async fn alarm(&self) -> worker::Result<Response> {
        self.armed.set(None);
        if let Err(fault) = self.work().await {
            log::internal(fault.place());
        }
        let next = match self.tidy() {
            Ok(next) => next,
            Err(_) => Some(now().after(LATER)),
        };
        if let Some(next) = next {
            self.set_alarm(next).await.map_err(|_| worker::Error::from("no alarm"))?;
        }
        Response::empty()
    }
}

impl Lane {
    async fn answer(&self, request: Request) -> Result<String, Fault> {
        let request: &web_sys::Request = request.inner();
        let url = request.url();
        let mut path = url.rsplit('/');
        let (operation, account) = (path.next().unwrap_or_default(), path.next());
        let account = account.unwrap_or_default();
        let text = request.text().map_err(|_| Fault::Runtime)?;
        let text = JsFuture::from(text).await.map_err(|_| Fault::Runtime)?.as_string();
        let text = text.unwrap_or_default();
        let message = Json::parse(text.as_bytes()).map_err(|_| Fault::Garbled)?;
        self.open(account).await?;
        let (answer, due) = self.perform(operation, &message)?;
        if let Some(due) = due {
            self.wake_by(due).await?;
        }
        Ok(answer)
    }

    /// What is asked: the answer, and when there will be something to do.
    fn perform(
        &self,
        operation: &str,
        message: &Json<'_>,
    ) -> Result<(String, Option<Timestamp>), Fault> {
        let mut lane = self.lane.borrow_mut();
        let lane = lane.as_mut().ok_or(Fault::Runtime)?;
        let now = now();
        match operation {
            "accept" => {
                let named = |name: &str| lane.call_named(name);
                let arrival = wire::read_arrival(message, &named)?;
                let accepted = lane.accept(&arrival, now)?;
                let due = first_due(&accepted.records);
                Ok((wire::write_accepted(&accepted), due))
            }
            "settle" => {
                let named = |name: &str| lane.call_named(name);
                let (source, request_id, settlements) = wire::read_settlements(message, &named)?;
                let mut leases = Vec::new();
                for (index, settlement) in settlements.iter().enumerate() {
                    let settled = lane.settle(settlement, now)?;
                    leases.extend(settled.lease.map(|lease| (index, lease)));
                }
                let records = lane.find(source, request_id)?;
                let due = first_due(&records);
                Ok((wire::write_accepted(&lane::Accepted { records, leases }), due))
            }
            "find" => {
                let mut records = Vec::new();
                for key in wire::read_keys(message)? {
                    records.extend(lane.find(&key.source, &key.request_id)?);
                }
                Ok((wire::write_records(&records), None))
            }
            "list" => {
                let (state, before, most) = wire::read_query(message)?;
                Ok((wire::write_keys(&lane.list(state, before.as_ref(), most)?), None))
            }
            "replay" => {
                let mut records = Vec::new();
                for key in wire::read_keys(message)? {
                    lane.replay(&key.source, &key.request_id, now)?;
                    records.extend(lane.find(&key.source, &key.request_id)?);
                }
                let due = first_due(&records);
                Ok((wire::write_records(&records), due))
            }
            "resume" => {
                lane.resume(now)?;
                Ok((status(lane, now)?, Some(now)))
            }
            "status" => Ok((status(lane, now)?, None)),
            // A lost alarm is set again.
            "wake" => {
                lane.sweep(now)?;
                Ok((status(lane, now)?, lane.wake()?))
            }
            _ => Err(Fault::NoSuchOperation),
        }
    }

    /// Makes the lane ready, and finds the way to its account.
    async fn open(&self, account: &str) -> Result<(Rc<Isolate>, usize), Fault> {
        let isolate = Isolate::get(&self.env).await.map_err(|_| Fault::NotConfigured)?;
        let mut channels = isolate.channels.iter();
        let index = channels.position(|channel| channel.account.name == account);
        let index = index.ok_or(Fault::NoSuchAccount)?;
        if self.lane.borrow().is_none() {
            let channel = isolate.channels.get(index).ok_or(Fault::NoSuchAccount)?;
            let calls = channel.account.vendor.calls();
            let policy = channel.account.policy.clone();
            let seal = isolate.keys.seal.clone().ok_or(Fault::NotConfigured)?;
            // The runtime's randomness does not fail.
            let random = Box::new(|buffer: &mut [u8]| drop(get_random_values(buffer)));
            let lane = lane::Lane::open(self.sql()?, account, policy, calls, seal, random, now())?;
            let due = lane.wake()?;
            self.lane.replace(Some(lane));
            // The alarm may be lost, or of a configuration that let less go.
            if let Some(due) = due {
                self.set_alarm(due).await.map_err(|_| Fault::Runtime)?;
            }
        }
        Ok((isolate, index))
    }

    /// Sends what is due, as fast as the pace allows, for one shift.
    async fn work(&self) -> Result<(), Fault> {
        let account = lane::account(&self.sql()?)?;
        let (isolate, index) = self.open(&account).await?;
        let channel = isolate.channels.get(index).ok_or(Fault::NoSuchAccount)?;
        let ends_at = now().after(SHIFT);
        let mut under_way = Join::new();
        loop {
            let room =
                if now() < ends_at { CONNECTIONS.saturating_sub(under_way.len()) } else { 0 };
            for claim in self.with(|lane| lane.claim(room, now()))? {
                under_way.push(self.deliver(claim, channel, &isolate));
            }
            let next = self.with(|lane| lane.wake())?;
            let pause = next.map(|next| next.since(now())).filter(|pause| *pause < SHORT);
            let pause = pause.filter(|_| under_way.len() < CONNECTIONS && now() < ends_at);
            match (under_way.len() == 0, pause) {
                (true, None) => return Ok(()),
                (true, Some(pause)) => Delay::from(pause).await,
                (false, None) => under_way.next().await?,
                (false, Some(pause)) => {
                    let next = pin!(under_way.next());
                    if let Either::Left((done, _)) = select(next, pin!(Delay::from(pause))).await {
                        done?;
                    }
                }
            }
        }
    }

    /// Sends what a claim names, and what follows it as long as that may go at once.
    async fn deliver(
        &self,
        claim: Claim,
        channel: &Channel,
        isolate: &Isolate,
    ) -> Result<(), Fault> {
        let Claim { mut lease, mut call, source, request_id } = claim;
        loop {
            let sent = channel.send(&call).await;
            let next = channel.follow_up(&call, &sent.verdict, isolate);
            let settlement = Settlement {
                lease,
                verdict: sent.verdict,
                attempts: sent.attempts,
                follow_up: next.clone(),
            };
            let settled = self.with(|lane| lane.settle(&settlement, now()))?;
            let id = RequestId::parse(&request_id);
            log::delivered(&log::Delivered {
                vendor: &channel.account.name,
                source: &source,
                request_id: id
                    .map(|id| log::name(&id, isolate.keys.pseudonyms.as_ref()))
                    .unwrap_or_default(),
                call: call.name,
                identifier: call.identifier.kind().to_string(),
                outcome: settled.outcome.unwrap_or(settlement.verdict.outcome),
                status: settlement.verdict.status,
                attempts: settlement.attempts,
                detail: settlement.verdict.detail.as_deref(),
            });
            match (settled.lease, next) {
                (Some(further), Some((following, _))) => (lease, call) = (further, following),
                _ => return Ok(()),
            }
        }
    }

    /// Cleans up, and tells when there is something to do next.
    fn tidy(&self) -> Result<Option<Timestamp>, Fault> {
        self.with(|lane| {
            lane.sweep(now())?;
            lane.wake()
        })
    }

    fn with<T>(
        &self,
        act: impl FnOnce(&mut lane::Lane<Sql>) -> lane::Result<T>,
    ) -> Result<T, Fault> {
        let mut lane = self.lane.borrow_mut();
        Ok(act(lane.as_mut().ok_or(Fault::Runtime)?)?)
    }

    /// Makes sure that the alarm rings by `due`. An instance that has just begun does not know
    /// what the alarm is set to.
    async fn wake_by(&self, due: Timestamp) -> Result<(), Fault> {
        let at = match self.armed.get() {
            Some(armed) if armed <= due => return Ok(()),
            Some(_) => due,
            None => self.with(|lane| lane.wake())?.unwrap_or(due).min(due),
        };
        self.set_alarm(at).await.map_err(|_| Fault::Runtime)
    }

    async fn set_alarm(&self, at: Timestamp) -> Result<(), JsValue> {
        let date = Date::new(&JsValue::from_f64(at.max(now()).0 as f64));
        let set = self.storage().set_alarm(&date)?;
        self.armed.set(Some(at));
        JsFuture::from(set).await.map(drop)
    }

    fn storage(&self) -> Storage {
        let storage = self.state.storage();
        let storage: &JsValue = storage.as_raw().as_ref();
        storage.clone().unchecked_into()
    }

    fn sql(&self) -> Result<Sql, Fault> {
        Ok(Sql::of(&self.storage())?)
    }
}

fn first_due(records: &[Record]) -> Option<Timestamp> {
    records.iter().filter_map(|record| record.due_at).min()
}

fn status(lane: &lane::Lane<Sql>, now: Timestamp) -> Result<String, Fault> {
    serde_json::to_string(&lane.status(now)?).map_err(|_| Fault::Runtime)
}

impl Fault {
    /// For the operator's log.
    fn place(&self) -> &'static str {
        match self {
            Fault::NotConfigured => "lane: the configuration is not complete",
            Fault::NoSuchAccount => "lane: its account is not configured any more",
            Fault::NoSuchOperation | Fault::Garbled => "lane: the Worker is of another version",
            Fault::Runtime => "lane: the runtime failed",
            Fault::Storage(StorageError::Failed) => "lane: the storage failed",
            Fault::Storage(StorageError::Corrupt) => "lane: the storage is corrupt",
            Fault::Storage(StorageError::UnknownSchema(_)) => {
                "lane: the storage is of a later version, and is left as it is"
            }
        }
    }
}

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Self {
        Fault::Storage(error)
    }
}

impl From<wire::Garbled> for Fault {
    fn from(_: wire::Garbled) -> Self {
        Fault::Garbled
    }
}
