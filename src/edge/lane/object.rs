//! The Durable Object of one account's lane, or of a shard of it: its events, storage and alarm.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use js_sys::Date;
use serde::Deserialize;
use wasm_bindgen::JsValue;
use worker::{DurableObject, Env, Error, Response, ScheduledTime, State, durable_object};

use super::client::{Lanes, TICKETS};
use super::fault::Fault;
use super::operations::json;
use super::sql::Sql;
use super::waiters::Waiters;
use crate::callback;
use crate::delivery::alert::ACCOUNT;
use crate::delivery::audit::{self, Audit};
use crate::delivery::directory::{self, Directory, Orphaned, Place};
use crate::delivery::dispatcher::Dispatcher;
use crate::delivery::lane::{self, Raises};
use crate::delivery::wire::Request;
use crate::edge::crypto::webcrypto;
use crate::edge::environment::{self, CallbackClient, Environment};
use crate::edge::vendor::VendorClient;
use crate::edge::{log, now, startup};
use crate::receipt::Timestamp;

/// When a lane that failed looks again.
const LATER: Duration = Duration::from_secs(60);

/// One account's lane, or a shard of it.
#[durable_object(alarm)]
pub struct Lane(Rc<Object>);

/// What its events and its calls share.
pub(super) struct Object {
    pub(super) state: State,
    env: Env,
    open: RefCell<Option<Open>>,
    /// What the alarm is set to; `None` where it is not set.
    pub(super) alarm_at: Cell<Option<Timestamp>>,
    /// When calls that are due soon are started; `None` where no timer runs.
    pub(super) timer_at: Cell<Option<Timestamp>>,
    /// Whether outcomes will be recorded in a moment.
    pub(super) flushing: Cell<bool>,
    /// Who waits for an answer.
    pub(super) waiters: Waiters,
    /// Whether the lanes of platforms are being told of what has changed.
    pub(super) telling: Cell<bool>,
    /// Whether the lane of the alerts is being handed one.
    pub(super) raising: Cell<bool>,
    /// Whether nothing is to be done about the directory: it knows the lane, or is being told.
    pub(super) registered: Cell<bool>,
}

/// A lane that has been opened.
pub(super) struct Open {
    pub(super) dispatcher: Dispatcher<Sql>,
    pub(super) environment: Rc<Environment>,
    /// Which lane it is.
    pub(super) place: Place,
    /// Why the configuration does not name the lane; then it makes no call.
    pub(super) orphaned: Option<Orphaned>,
    /// The way to its vendor; `None` where the lane is orphaned.
    pub(super) vendor: Option<Rc<VendorClient>>,
    /// What the platform is told, where the lane is that of a platform.
    pub(super) callback: Option<Rc<CallbackClient>>,
}

impl DurableObject for Lane {
    /// The lane is opened when it is first needed.
    fn new(state: State, env: Env) -> Self {
        startup::prepare();
        Self(Rc::new(Object {
            state,
            env,
            open: RefCell::default(),
            alarm_at: Cell::default(),
            timer_at: Cell::default(),
            flushing: Cell::default(),
            waiters: Waiters::default(),
            telling: Cell::default(),
            raising: Cell::default(),
            registered: Cell::default(),
        }))
    }

    /// Answers the Worker.
    async fn fetch(&self, request: worker::Request) -> worker::Result<Response> {
        match self.0.answer(request).await {
            Ok(json) => Response::from_bytes(json),
            Err(fault) => {
                log::internal(fault.place());
                Ok(Response::empty()?.with_status(500))
            }
        }
    }

    /// Never fails as long as an alarm can be set: one that does is tried six times more, and then
    /// forgotten.
    async fn alarm(&self) -> worker::Result<Response> {
        let object = &self.0;
        object.alarm_at.set(None);
        if let Err(fault) = object.work().await {
            log::internal(fault.place());
            let again = now().after(LATER);
            object.wake_by(Some(again)).await.map_err(|_| Error::from("no alarm can be set"))?;
        }
        Response::empty()
    }
}

impl Object {
    /// Does what the Worker asks.
    async fn answer(self: &Rc<Self>, mut request: worker::Request) -> Result<Vec<u8>, Fault> {
        let url = request.inner().url();
        let account = url.rsplit('/').next().unwrap_or_default();
        let body = request.bytes().await?;
        if account == directory::NAME {
            return self.direct(read(&body)?);
        }
        self.open(account).await?;
        let done = if url.starts_with(TICKETS) {
            self.handle_ticket(read(&body)?).await
        } else {
            self.handle(read(&body)?).await
        };
        self.after_event();
        self.register();
        if matches!(done, Err(Fault::Storage(_))) {
            // A part may have been stored: it must not wait for ever.
            self.wake_by(Some(now().after(LATER))).await?;
        }
        done
    }

    /// Tells others what they must know of what has been done, while nobody waits for that.
    pub(super) fn after_event(self: &Rc<Self>) {
        self.tell_platforms();
        self.raise_alerts();
    }

    /// What the directory's object does.
    fn direct(&self, message: Request<'_>) -> Result<Vec<u8>, Fault> {
        let directory = Directory::open(self.sql())?;
        match message {
            Request::Audit(ask) => return self.audit(ask),
            Request::Register(lane) => directory.add(lane)?,
            Request::Unregister(lane) => directory.remove(lane)?,
            Request::Directory => return json(&directory.all()?),
            _ => return Err(Fault::UnknownMessage),
        }
        json(&())
    }

    /// What the audit trail, which is stored beside the directory, does.
    fn audit(&self, ask: audit::Ask) -> Result<Vec<u8>, Fault> {
        let audit = Audit::open(self.sql())?;
        match ask {
            audit::Ask::Begin(at, entry) => return json(&audit.begin(at, &entry)?),
            audit::Ask::List(before, most) => return json(&audit.list(before, most)?),
            audit::Ask::End(id, result) => audit.end(id, &result)?,
            audit::Ask::Clean => audit.clean(now())?,
        }
        json(&())
    }

    /// Cleans up, and sends what is due.
    async fn work(self: &Rc<Self>) -> Result<(), Fault> {
        let account = lane::account(&self.sql())?;
        self.open(&account).await?;
        self.clean()?;
        self.register();
        self.after_event();
        self.go_on().await?;
        self.wake_for_tickets().await
    }

    /// Removes what has come to its end.
    pub(super) fn clean(&self) -> Result<(), Fault> {
        let exhausted = self.with(|open| Ok(open.dispatcher.lane(now())?.clean(now())?))?;
        exhausted.iter().for_each(|record| self.report(record));
        self.look_at_tickets()
    }

    /// Opens the lane, where that has not been done.
    async fn open(&self, account: &str) -> Result<(), Fault> {
        if self.open.borrow().is_some() {
            return Ok(());
        }
        let environment = Environment::get(&self.env).await.map_err(|_| Fault::NotConfigured)?;
        if self.open.borrow().is_some() {
            return Ok(()); // another event opened it meanwhile
        }
        let vendor = environment.client(account);
        let callback = environment.callbacks.iter();
        let callback = callback.clone().find(|known| known.client.account.name == account).cloned();
        let policy = vendor.map(|vendor| &vendor.account.policy);
        let place = self.lanes()?.locate(account, policy, &self.state.id());
        let orphaned = place.orphaned(policy);
        let policy = policy.cloned().unwrap_or_default();
        let vendor = vendor.filter(|_| orphaned.is_none()).cloned();
        let calls = vendor.as_ref().map(|vendor| vendor.account.vendor.calls());
        let seal = environment.keys.seal.clone().ok_or(Fault::NotConfigured)?;
        let random = Box::new(webcrypto::random);
        let calls = calls.unwrap_or_default();
        let mut lane = lane::Lane::open(self.sql(), account, policy, calls, seal, random, now())?;
        lane.raise(match (&environment.alerts, callback::source_of(account)) {
            (None, _) => Raises::Nothing,
            _ if account == ACCOUNT => Raises::Nothing,
            (_, Some(_)) => Raises::OfPlatform,
            (_, None) => Raises::OfVendor,
        })?;
        if callback.is_none() {
            lane.watch(&environment.sources_with_callbacks())?;
        }
        let dispatcher = Dispatcher::new(lane);
        let wake = dispatcher.wake(now())?;
        self.open.replace(Some(Open {
            dispatcher,
            environment,
            place,
            orphaned,
            vendor,
            callback,
        }));
        // The alarm may be lost, or of a configuration that let less go.
        self.wake_by(wake).await
    }

    /// The way to the lanes.
    pub(super) fn lanes(&self) -> Result<Lanes, Fault> {
        Lanes::bound(&self.env, environment::LANES).ok_or(Fault::NotConfigured)
    }

    pub(super) fn sql(&self) -> Sql {
        Sql::new(self.state.storage().sql())
    }

    /// Closes an orphaned lane and removes its storage, where it holds nothing. Returns whether it did.
    pub(super) async fn dispose(&self) -> Result<bool, Fault> {
        let is_over = self
            .with(|open| Ok(open.orphaned.is_some() && open.dispatcher.lane(now())?.is_empty()?))?;
        if !is_over {
            return Ok(false);
        }
        self.open.take();
        self.registered.set(false);
        self.state.storage().delete_all().await?;
        self.alarm_at.set(None);
        Ok(true)
    }

    /// Works with the open lane.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&mut Open) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        work(self.open.borrow_mut().as_mut().ok_or(Fault::Runtime)?)
    }

    /// Makes sure that the alarm comes by `due`.
    pub(super) async fn wake_by(&self, due: Option<Timestamp>) -> Result<(), Fault> {
        let Some(due) = due else { return Ok(()) };
        if self.alarm_at.get().is_some_and(|alarm_at| alarm_at <= due) {
            return Ok(());
        }
        self.alarm_at.set(Some(due));
        let date = Date::new(&JsValue::from_f64(due.max(now()).0 as f64));
        let set = self.state.storage().set_alarm(ScheduledTime::new(date)).await;
        if set.is_err() {
            self.alarm_at.set(None);
        }
        Ok(set?)
    }
}

/// Reads what the Worker asks.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|_| Fault::UnknownMessage)
}
