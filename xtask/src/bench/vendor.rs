//! The vendor under load: it takes everything at once, and counts. Whether requests are as they must
//! be is checked beforehand, at the strict stand-ins.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// What both vendors say when all is well.
const SUCCESS: &[u8] = br#"{"success":true}"#;

/// A running vendor. It stops when dropped.
pub struct Vendor {
    /// `http://127.0.0.1:PORT`
    pub base_url: String,
    taken: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Vendor {
    /// # Errors
    /// Where no port is free.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("no port for the vendor")?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let taken = Arc::new(AtomicUsize::new(0));
        let server = tokio::spawn(serve(listener, taken.clone()));
        Ok(Self { base_url, taken, server })
    }

    /// How many requests it has taken since it was last asked.
    pub fn take(&self) -> usize {
        self.taken.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        self.server.abort(); // its connections are its own tasks and end with it
    }
}

async fn serve(listener: TcpListener, taken: Arc<AtomicUsize>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {} // forget those that have ended
        connections.spawn(converse(stream, taken.clone()));
    }
}

async fn converse(stream: TcpStream, taken: Arc<AtomicUsize>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let taken = taken.clone();
        async move {
            request.into_body().collect().await?;
            taken.fetch_add(1, Ordering::Relaxed);
            let mut response = Response::new(Full::new(Bytes::from_static(SUCCESS)));
            let headers = response.headers_mut();
            headers.insert("content-type", HeaderValue::from_static("application/json"));
            // Insider is served through Cloudflare.
            headers.insert("cf-ray", HeaderValue::from_static("8d1f0c9b7a6e5d4c-SIN"));
            Ok::<_, hyper::Error>(response)
        }
    });
    // The Worker may close it whenever it likes.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
