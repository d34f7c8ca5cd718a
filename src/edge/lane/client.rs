//! The Worker's way to the lanes.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use js_sys::{Promise, Uint8Array};
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use web_sys::{RequestInit, Response};
use worker::{Delay, Env, ObjectId, ObjectNamespace};

use crate::callback;
use crate::config::Account;
use crate::delivery::directory::{self, Place};
use crate::delivery::jurisdiction::Jurisdiction;
use crate::delivery::policy::Policy;
use crate::delivery::shards::{MAX_SHARDS, former_shards, shard_of};
use crate::delivery::wire;
use crate::edge::net::promise::settled;

/// How long a lane may take to answer. It answers a delivery after 3.5 seconds at the latest.
const TIME_LIMIT: Duration = Duration::from_secs(10);

#[wasm_bindgen]
extern "C" {
    /// A namespace of Durable Objects. `ObjectNamespace` has no way to a jurisdiction's objects by
    /// their names.
    type Namespace;
    #[wasm_bindgen(method, catch)]
    fn jurisdiction(this: &Namespace, name: &str) -> Result<Namespace, JsValue>;
    #[wasm_bindgen(method, catch, js_name = getByName)]
    fn get_by_name(this: &Namespace, name: &str) -> Result<LaneStub, JsValue>;

    /// The way to an object. The future of `Stub` keeps what it waits with until the object has
    /// answered, even if the request is cancelled.
    type LaneStub;
    #[wasm_bindgen(method, catch)]
    fn fetch(this: &LaneStub, url: &str, init: &RequestInit) -> Result<Promise, JsValue>;
}

/// What begins the URLs of what is asked about tickets.
pub const TICKETS: &str = "https://tickets/";

/// What begins those of everything else.
const LANE: &str = "https://lane/";

/// The lanes of all accounts.
pub struct Lanes(ObjectNamespace);

/// The way to one lane, for one request of the Worker.
pub struct Lane {
    stub: LaneStub,
    account: String,
    name: String,
}

/// A lane did not answer, or not with a success. What it was asked may have been done or not.
#[derive(Debug)]
pub struct Unreachable;

impl Lanes {
    /// The lanes of the binding `name`; `None` where it is not bound.
    pub fn bound(env: &Env, name: &str) -> Option<Self> {
        env.durable_object(name).ok().map(Self)
    }

    /// The lane that an erasure's deliveries to `account` are in.
    ///
    /// # Errors
    /// [`Unreachable`]
    pub fn of(
        &self,
        account: &Account,
        source: &str,
        request_id: &str,
    ) -> Result<Lane, Unreachable> {
        self.get(account, shard_of(source, request_id, account.policy.shards))
    }

    /// The lanes that the erasure may have been stored in while the account had fewer shards.
    ///
    /// # Errors
    /// [`Unreachable`]
    pub fn former(
        &self,
        account: &Account,
        source: &str,
        request_id: &str,
    ) -> Result<Vec<Lane>, Unreachable> {
        let shards = former_shards(source, request_id, account.policy.shards);
        shards.into_iter().map(|shard| self.get(account, shard)).collect()
    }

    /// Every lane of `account`.
    ///
    /// # Errors
    /// [`Unreachable`]
    pub fn all(&self, account: &Account) -> Result<Vec<Lane>, Unreachable> {
        (0..account.policy.shards).map(|shard| self.get(account, shard)).collect()
    }

    /// The first lane of `account`.
    ///
    /// # Errors
    /// [`Unreachable`]
    pub fn first(&self, account: &Account) -> Result<Lane, Unreachable> {
        self.get(account, 0)
    }

    fn get(&self, account: &Account, shard: u32) -> Result<Lane, Unreachable> {
        let (vendor, jurisdiction) = (account.name.clone(), account.policy.jurisdiction);
        self.at(Place { vendor, shard, jurisdiction })
    }

    /// The lane at `place`, whether it is configured or not.
    ///
    /// # Errors
    /// [`Unreachable`]
    pub fn at(&self, place: Place) -> Result<Lane, Unreachable> {
        let name = place.object_name();
        let stub = match place.jurisdiction {
            None => namespace(&self.0).get_by_name(&name),
            Some(jurisdiction) => namespace(&self.within(jurisdiction)?).get_by_name(&name),
        };
        Ok(Lane { stub: stub.map_err(|_| Unreachable)?, account: place.vendor, name })
    }

    /// The directory of the lanes.
    ///
    /// # Errors
    /// [`Unreachable`]
    pub fn directory(&self) -> Result<Lane, Unreachable> {
        let (vendor, shard, jurisdiction) = (directory::NAME.to_owned(), 0, None);
        self.at(Place { vendor, shard, jurisdiction })
    }

    /// Every lane that the directory knows.
    ///
    /// # Errors
    /// [`Unreachable`]
    pub async fn registered(&self) -> Result<Vec<Place>, Unreachable> {
        let lanes: Vec<String> = self.directory()?.ask(&wire::Request::Directory).await?;
        Ok(lanes.iter().filter_map(|lane| Place::parse(lane)).collect())
    }

    /// Whether `id` is that of the lane at `place`; `None` where this runtime does not have the
    /// jurisdiction.
    fn is_at(&self, place: &Place, id: &ObjectId<'_>) -> Option<bool> {
        let within = match place.jurisdiction {
            None => None,
            Some(jurisdiction) => Some(self.within(jurisdiction).ok()?),
        };
        let namespace = within.as_ref().unwrap_or(&self.0);
        Some(namespace.id_from_name(&place.object_name()).ok()? == *id)
    }

    /// Which lane of the account `vendor` the object of this id is. An id is made from the lane's name
    /// in its jurisdiction, so this needs nothing that a message could get wrong or that is stored.
    /// Where the runtime does not have the configured jurisdiction, which only the local one does not,
    /// the first lane is assumed.
    pub fn locate(&self, vendor: &str, policy: Option<&Policy>, id: &ObjectId<'_>) -> Place {
        let place = |shard, jurisdiction| Place { vendor: vendor.to_owned(), shard, jurisdiction };
        let configured = policy.and_then(|policy| policy.jurisdiction);
        let shards = policy.map_or(0, |policy| policy.shards);
        let former = [None].into_iter().chain(Jurisdiction::ALL.map(Some));
        let former = former.flat_map(|within| (0..MAX_SHARDS).map(move |shard| (shard, within)));
        let mut places = (0..shards).map(|shard| (shard, configured)).chain(former);
        let found = places.find(|(shard, within)| {
            let is_at = self.is_at(&place(*shard, *within), id);
            is_at.unwrap_or(*within == configured)
        });
        let (shard, jurisdiction) = found.unwrap_or((0, configured));
        place(shard, jurisdiction)
    }

    fn within(&self, jurisdiction: Jurisdiction) -> Result<ObjectNamespace, Unreachable> {
        let within = namespace(&self.0).jurisdiction(jurisdiction.name());
        let within = within.map_err(|_| Unreachable)?;
        Ok(within.unchecked_into())
    }
}

fn namespace(namespace: &ObjectNamespace) -> &Namespace {
    JsCast::unchecked_ref(AsRef::<JsValue>::as_ref(namespace))
}

/// A message to a lane, as it is written.
#[derive(Clone)]
pub struct Message {
    base: &'static str,
    body: Vec<u8>,
}

impl Message {
    /// What a lane is asked.
    ///
    /// # Errors
    /// [`Unreachable`] where it cannot be written.
    pub fn of(message: &wire::Request<'_>) -> Result<Self, Unreachable> {
        let body = serde_json::to_vec(message).map_err(|_| Unreachable)?;
        Ok(Self { base: LANE, body })
    }

    /// What the lane of a platform is asked about a ticket.
    ///
    /// # Errors
    /// [`Unreachable`] where it cannot be written.
    pub fn about_ticket(message: &callback::wire::Request) -> Result<Self, Unreachable> {
        let body = serde_json::to_vec(message).map_err(|_| Unreachable)?;
        Ok(Self { base: TICKETS, body })
    }
}

impl Lane {
    /// The account, with the shard where it is not the first.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks the lane, and waits for its answer.
    ///
    /// # Errors
    /// [`Unreachable`], also where the answer does not come in time.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        message: &wire::Request<'_>,
    ) -> Result<T, Unreachable> {
        serde_json::from_slice(&self.exchange(message).await?).map_err(|_| Unreachable)
    }

    /// Asks the lane of a platform about a ticket, and waits for its answer.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn ask_callback<T: DeserializeOwned>(
        &self,
        message: &callback::wire::Request,
    ) -> Result<T, Unreachable> {
        let answer = self.send(&Message::about_ticket(message)?).await?;
        serde_json::from_slice(&answer).map_err(|_| Unreachable)
    }

    /// Asks the lane, and waits for its answer as JSON.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn exchange(&self, message: &wire::Request<'_>) -> Result<Vec<u8>, Unreachable> {
        self.send(&Message::of(message)?).await
    }

    /// The same with a message that is written already.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn send(&self, message: &Message) -> Result<Vec<u8>, Unreachable> {
        self.exchange_in_time(message.base, &message.body).await
    }

    async fn exchange_in_time(&self, base: &str, body: &[u8]) -> Result<Vec<u8>, Unreachable> {
        match select(pin!(self.call(base, body)), pin!(Delay::from(TIME_LIMIT))).await {
            Either::Left((answer, _)) => answer.ok().flatten().ok_or(Unreachable),
            Either::Right(_) => Err(Unreachable),
        }
    }

    /// Sends `body`, and reads the answer where it is a success.
    async fn call(&self, base: &str, body: &[u8]) -> Result<Option<Vec<u8>>, JsValue> {
        let init = RequestInit::new();
        init.set_method("POST");
        init.set_body_opt_u8_array(Some(&Uint8Array::from(body)));
        let url = format!("{base}{}", self.account);
        let response: Response = settled(&self.stub.fetch(&url, &init)?).await?;
        if response.status() != 200 {
            return Ok(None);
        }
        let buffer: JsValue = settled(&response.array_buffer()?).await?;
        Ok(Some(Uint8Array::new(&buffer).to_vec()))
    }
}
