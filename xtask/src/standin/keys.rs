//! A stand-in for the places where senders publish their keys.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What is at a path.
#[derive(Debug, Clone)]
pub enum Page {
    /// A document, for everybody.
    Open(String),
    /// A document, for those who send this token.
    Guarded(String, String),
    /// Nothing but a status; a redirect points to `/elsewhere`.
    Status(u16),
    /// More than anybody should read.
    Huge,
    /// No answer, ever.
    Hang,
}

/// A running server. It stops when it is dropped.
pub struct KeyServer {
    address: SocketAddr,
    pages: Arc<Mutex<Pages>>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Pages {
    pages: BTreeMap<String, Page>,
    /// The path of each request, in order.
    asked: Vec<String>,
}

impl KeyServer {
    /// Starts a server without a page.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("no port for a key server")?;
        let address = listener.local_addr()?;
        let pages = Arc::<Mutex<Pages>>::default();
        let server = tokio::spawn(serve(listener, pages.clone()));
        Ok(Self { address, pages, server })
    }

    /// The URL of `path`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Puts a page at `path`.
    pub fn put(&self, path: &str, page: Page) {
        lock(&self.pages).pages.insert(path.to_owned(), page);
    }

    /// How often `path` was asked for.
    #[must_use]
    pub fn asked(&self, path: &str) -> usize {
        lock(&self.pages).asked.iter().filter(|asked| *asked == path).count()
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(pages: &Mutex<Pages>) -> MutexGuard<'_, Pages> {
    pages.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, pages: Arc<Mutex<Pages>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let pages = pages.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, pages.clone()));
            // A client that leaves is no concern of the server's.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    pages: Arc<Mutex<Pages>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let page = {
        let mut pages = lock(&pages);
        pages.asked.push(path.clone());
        pages.pages.get(&path).cloned().unwrap_or(Page::Status(404))
    };
    let (status, body) = match page {
        Page::Open(document) => (200, document),
        Page::Guarded(document, token) => {
            let authorization = request.headers().get("authorization");
            let right = authorization.is_some_and(|value| *value == format!("Bearer {token}"));
            if right { (200, document) } else { (401, String::new()) }
        }
        Page::Status(status) => (status, String::new()),
        Page::Huge => (200, " ".repeat(1024 * 1024)),
        Page::Hang => pending().await,
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    if (300..400).contains(&status) {
        let elsewhere = hyper::header::HeaderValue::from_static("/elsewhere");
        response.headers_mut().insert("location", elsewhere);
    }
    Ok(response)
}
