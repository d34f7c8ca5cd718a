//! The Durable Object around a lane: its storage, its alarm, and what it can be asked for.

mod operations;
mod shift;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use js_sys::{Date, Promise};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use web_sys::{Request, Response, ResponseInit};

use super::isolate::Isolate;
use super::runtime::{Env, State};
use super::settled::settled;
use super::sql::{Sql, Storage};
use super::{log, now};
use crate::delivery::database::StorageError;
use crate::delivery::lane;
use crate::delivery::wire;
use crate::json::Json;
use crate::receipt::Timestamp;

/// When a lane that cannot work looks again.
const LATER: Duration = Duration::from_secs(60);

/// When a lane without an account does.
const MUCH_LATER: Duration = Duration::from_secs(3600);

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(method, catch, js_name = setAlarm)]
    fn set_alarm(this: &Storage, at: &Date) -> Result<Promise, JsValue>;

    #[wasm_bindgen(catch, js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(buffer: &mut [u8]) -> Result<(), JsValue>;
}

/// One account's lane, or a shard of it.
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

impl Lane {
    /// The lane is opened when it is first needed.
    pub fn new(state: State, env: Env) -> Self {
        Self { state, env, lane: RefCell::default(), armed: Cell::default() }
    }

    /// Answers the Worker.
    ///
    /// # Errors
    /// Where the runtime refuses to build a response.
    pub async fn fetch(&self, request: &Request) -> Result<Response, JsValue> {
        match self.answer(request).await {
            Ok(text) => Response::new_with_opt_str(Some(&text)),
            Err(fault) => {
                log::internal(fault.place());
                let init = ResponseInit::new();
                init.set_status(500);
                Response::new_with_opt_str_and_init(None, &init)
            }
        }
    }

    /// Never fails as long as an alarm can be set: one that does is tried six times more, and then
    /// forgotten.
    ///
    /// # Errors
    /// Where no alarm can be set.
    pub async fn alarm(&self) -> Result<(), JsValue> {
        self.armed.set(None);
        let next = match self.ring().await {
            Ok(next) => next,
            Err(fault) => {
                log::internal(fault.place());
                let without = matches!(fault, Fault::NoSuchAccount);
                Some(now().after(if without { MUCH_LATER } else { LATER }))
            }
        };
        if let Some(next) = next {
            self.set_alarm(next).await?;
        }
        Ok(())
    }

    async fn answer(&self, request: &Request) -> Result<String, Fault> {
        let url = request.url();
        let mut path = url.rsplit('/');
        let (operation, account) = (path.next().unwrap_or_default(), path.next());
        let account = account.unwrap_or_default();
        let text = request.text().map_err(|_| Fault::Runtime)?;
        let text = settled(&text).await.map_err(|_| Fault::Runtime)?.as_string();
        let text = text.unwrap_or_default();
        let message = Json::parse(text.as_bytes()).map_err(|_| Fault::Garbled)?;
        let (isolate, _) = self.open(account).await?;
        let (done, due) = match self.perform(operation, &message, (&isolate, account)) {
            Ok((done, due)) => (Ok(done), due),
            // A part may have been stored: it must not wait for ever.
            Err(fault) => (Err(fault), Some(now().after(LATER))),
        };
        if let Some(due) = due {
            self.wake_by(due).await?;
        }
        done
    }

    /// Cleans up and sends what is due; tells when there is something to do next.
    async fn ring(&self) -> Result<Option<Timestamp>, Fault> {
        let account = lane::account(&self.sql()?)?;
        let (isolate, index) = self.open(&account).await?;
        let channel = isolate.channels.get(index).ok_or(Fault::NoSuchAccount)?;
        self.with(|lane| lane.sweep(now()))?;
        self.work(channel, &isolate).await?;
        self.with(|lane| lane.wake())
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
            let random = Box::new(operations::random);
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
        let set = self.state.storage().set_alarm(&date)?;
        self.armed.set(Some(at));
        settled(&set).await.map(drop)
    }

    fn sql(&self) -> Result<Sql, Fault> {
        Ok(Sql::of(&self.state.storage())?)
    }
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
