//! A stand-in for the endpoints at which consent platforms are told what became of an erasure.
//!
//! Each contract is one platform's documentation. A message that departs from it is answered with 418,
//! and kept in [`Platform::mismatches`].

mod alert;
mod event;
mod fides;
mod iab;
mod ketch;
mod onetrust;
mod opendsr;
mod osano;
mod transcend;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::server::Server;

pub use alert::ALERT;
pub use event::{EVENT, SECRET_HEADERS};
pub use fides::FIDES;
pub use iab::Acknowledged;
pub use ketch::KETCH;
pub use onetrust::{CLIENT as ONETRUST_CLIENT, ONETRUST, TOKEN as ONETRUST_TOKEN, onetrust_body};
pub use opendsr::{OPENDSR, OPENDSR_CERTIFICATE, OPENDSR_DOMAIN, opendsr_signature};
pub use osano::{KEY as OSANO_KEY, OSANO};
pub use transcend::{SOMBRA_KEY, TRANSCEND, TRANSCEND_KEY};

/// What a platform's documentation demands of a message: the mismatches.
pub type Contract = fn(&Message) -> Vec<String>;

/// The body of the answer to a message that matches.
pub type Body = fn(&Message) -> &'static str;

/// The status of the answer to a message that departs from the documentation.
const MISMATCH: u16 = 418;

/// A message, as it arrived.
#[derive(Debug, Clone)]
pub struct Message {
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The raw bytes.
    pub body: Vec<u8>,
    /// The status of the answer.
    pub status: u16,
}

impl Message {
    /// The only value of the header `name`, which is in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        let (_, value) = values.next()?;
        values.next().is_none().then_some(value)
    }

    /// The body as JSON; `null` where it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// How an endpoint answers a message that matches.
#[derive(Debug, Clone, Copy)]
pub enum Reaction {
    /// This status, without a body.
    Status(u16),
    /// The same after a while.
    After(Duration, u16),
    /// No answer.
    Silence,
}

/// A running endpoint. It stops when it is dropped.
pub struct Platform {
    server: Server,
    state: Arc<State>,
}

struct State {
    contract: Contract,
    success: u16,
    body: Body,
    script: Mutex<VecDeque<Reaction>>,
    messages: Mutex<Vec<Message>>,
    mismatches: Mutex<Vec<String>>,
}

impl Platform {
    /// Starts an endpoint that answers what matches with `success`.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn start(contract: Contract, success: u16) -> Result<Self> {
        Self::start_with(contract, success, |_| "").await
    }

    /// The same, with a body in the answers that have `success`.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn start_with(contract: Contract, success: u16, body: Body) -> Result<Self> {
        let (script, messages, mismatches) = Default::default();
        let state = Arc::new(State { contract, success, body, script, messages, mismatches });
        let shared = state.clone();
        let server = Server::start(move |stream| serve(stream, shared.clone())).await?;
        Ok(Self { server, state })
    }

    /// The URL of `path`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.base_url())
    }

    /// Answers the next messages like this, one each.
    pub fn script(&self, reactions: impl IntoIterator<Item = Reaction>) {
        lock(&self.state.script).extend(reactions);
    }

    /// Every message that came.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        lock(&self.state.messages).clone()
    }

    /// Where messages depart from the documentation.
    #[must_use]
    pub fn mismatches(&self) -> Vec<String> {
        lock(&self.state.mismatches).clone()
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    let service = service_fn(|request| answer(request, state.clone()));
    // A client may close the connection whenever it likes.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<State>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    let value =
        |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = head.headers.iter().map(|(name, it)| (name.to_string(), value(it))).collect();
    let target = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let mut message =
        Message { method: head.method.to_string(), target, headers, body, status: MISMATCH };
    let mismatches = (state.contract)(&message);
    let reaction = if mismatches.is_empty() {
        lock(&state.script).pop_front().unwrap_or(Reaction::Status(state.success))
    } else {
        Reaction::Status(MISMATCH)
    };
    lock(&state.mismatches).extend(mismatches);
    message.status = match reaction {
        Reaction::Status(status) | Reaction::After(_, status) => status,
        Reaction::Silence => 0,
    };
    let status = message.status;
    let body = if status == state.success { (state.body)(&message) } else { "" };
    lock(&state.messages).push(message);
    match reaction {
        Reaction::Status(_) => {}
        Reaction::After(pause, _) => sleep(pause).await,
        Reaction::Silence => std::future::pending().await,
    }
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status.try_into().unwrap_or_default();
    Ok(response)
}
