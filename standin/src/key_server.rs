//! A stand-in for the servers on which senders publish their public keys.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, HeaderValue, LOCATION};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::server::Server;

/// What is at a path.
#[derive(Debug, Clone)]
pub enum Resource {
    /// A document that everyone may read.
    Public(String),
    /// A document that everyone may read, after a delay.
    Delayed {
        /// The text of the document.
        document: String,
        /// How long the client waits.
        delay: Duration,
    },
    /// A document for those who send a bearer token.
    Protected {
        /// The text of the document.
        document: String,
        /// The token.
        token: String,
    },
    /// A status without a body; a redirect points to `/elsewhere`.
    Status(u16),
    /// A document of 1 MiB, larger than any key set.
    Oversized,
    /// No response.
    Hang,
}

/// A running server. It stops when it is dropped.
pub struct KeyServer {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    resources: BTreeMap<String, Resource>,
    /// The path of each request, in order.
    requests: Vec<String>,
}

impl KeyServer {
    /// Starts a server without any resource.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn start() -> Result<Self> {
        let state = Arc::<Mutex<State>>::default();
        let shared = state.clone();
        let server = Server::start(move |stream| serve(stream, shared.clone())).await?;
        Ok(Self { server, state })
    }

    /// The URL of `path`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.base_url())
    }

    /// Puts a resource at `path`.
    pub fn put(&self, path: &str, resource: Resource) {
        lock(&self.state).resources.insert(path.to_owned(), resource);
    }

    /// How many requests there were for `path`.
    #[must_use]
    pub fn request_count(&self, path: &str) -> usize {
        lock(&self.state).requests.iter().filter(|requested| *requested == path).count()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let service = service_fn(|request| answer(request, state.clone()));
    // A client may close the connection whenever it likes.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let resource = {
        let mut state = lock(&state);
        state.requests.push(path.clone());
        state.resources.get(&path).cloned().unwrap_or(Resource::Status(404))
    };
    let (status, body) = match resource {
        Resource::Public(document) => (200, document),
        Resource::Delayed { document, delay } => {
            sleep(delay).await;
            (200, document)
        }
        Resource::Protected { document, token } => {
            let authorization = request.headers().get(AUTHORIZATION);
            let authorized = authorization.is_some_and(|value| *value == format!("Bearer {token}"));
            if authorized { (200, document) } else { (401, String::new()) }
        }
        Resource::Status(status) => (status, String::new()),
        Resource::Oversized => (200, " ".repeat(1024 * 1024)),
        Resource::Hang => pending().await,
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    if response.status().is_redirection() {
        response.headers_mut().insert(LOCATION, HeaderValue::from_static("/elsewhere"));
    }
    Ok(response)
}
