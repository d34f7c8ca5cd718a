//! The load: signed webhooks over a number of connections that are kept open, each of which sends
//! the next as soon as it is answered. hyper does the HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};

use crate::demo::SECRET;
use crate::webhook::Webhook;

/// Whom requests are for.
const HOST: &str = "relay.example";

/// A signed webhook, ready to be sent.
pub struct Message {
    headers: Vec<(String, String)>,
    body: Bytes,
}

/// What is sent in one run.
pub type Messages = Arc<Vec<Message>>;

/// What sending came to.
pub struct Answered {
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Of each request.
    pub latencies: Vec<Duration>,
}

/// So many webhooks, each about a person of its own, whose bodies have exactly `bytes` bytes: the
/// canonical event, and beside it what platforms add and the relay ignores.
///
/// # Errors
/// Where they cannot be signed.
pub fn messages(name: &str, count: usize, bytes: usize) -> Result<Messages> {
    let one = |index: usize| {
        // A UUID's shape: an id that may be logged.
        let id = format!("{:08x}-{:04x}-4000-8000-{index:012x}", name.len(), bytes >> 8);
        let subject = json!({ "email": format!("{name}-{index}@example.com"),
                              "user_id": format!("u-{name}-{index}") });
        let body = padded(&id, &subject, bytes)?;
        let webhook = Webhook::new(&id, body);
        Ok(Message { headers: webhook.headers(SECRET)?, body: webhook.body.into() })
    };
    Ok(Arc::new((0..count).map(one).collect::<Result<_>>()?))
}

/// The canonical event with a history of as many entries as fit, and spaces up to `bytes`.
fn padded(id: &str, subject: &serde_json::Value, bytes: usize) -> Result<String> {
    let mut body = format!(
        r#"{{"type":"privacy.erasure.requested","timestamp":"2026-11-22T05:30:00Z","data":{{"request_id":"{id}","subject":{subject}}},"history":["#
    );
    let end = "]}";
    for number in 1.. {
        let comma = if number == 1 { "" } else { "," };
        let entry = format!(
            r#"{comma}{{"step":{number},"at":"2026-11-21T17:04:05Z","by":"privacy-desk","verified":true,"note":"identity confirmed by e-mail"}}"#
        );
        if body.len() + entry.len() + end.len() > bytes {
            break;
        }
        body += &entry;
    }
    body += end;
    ensure!(body.len() <= bytes, "the event alone is longer than {bytes} bytes");
    body.extend(std::iter::repeat_n(' ', bytes - body.len()));
    Ok(body)
}

/// Sends every message once, over so many connections.
///
/// # Errors
/// Where one is not answered as a vendor's success is.
pub async fn send(to: SocketAddr, connections: usize, messages: &Messages) -> Result<Answered> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut ready = Vec::new();
    for _ in 0..connections {
        ready.push(Connection::open(to).await?);
    }
    let started = Instant::now();
    let mut senders = JoinSet::new();
    for mut connection in ready {
        let (messages, next) = (messages.clone(), next.clone());
        senders.spawn(async move {
            let mut latencies = Vec::new();
            while let Some(message) = messages.get(next.fetch_add(1, Ordering::Relaxed)) {
                let began = Instant::now();
                let (status, body) = connection.ask(message).await?;
                latencies.push(began.elapsed());
                let text = || String::from_utf8_lossy(&body);
                ensure!(status == StatusCode::OK, "answered {status}: {}", text());
            }
            Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(sent) = senders.join_next().await {
        latencies.extend(sent??);
    }
    Ok(Answered { elapsed: started.elapsed(), latencies })
}

/// One connection to a Worker.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Connection {
    /// # Errors
    /// Where nobody listens.
    pub async fn open(to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(to).await.context("the Worker cannot be reached")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(async {
            // What goes wrong is told to whoever waits for an answer.
            let _ = connection.await;
        });
        Ok(Self { sender, driver })
    }

    /// Sends one webhook; returns the answer's status and body.
    ///
    /// # Errors
    /// Where no whole answer comes.
    pub async fn ask(&mut self, message: &Message) -> Result<(StatusCode, Bytes)> {
        let mut request = Request::post("/webhooks/consent").header("host", HOST);
        for (name, value) in &message.headers {
            request = request.header(name, value);
        }
        self.exchange(request.body(Full::new(message.body.clone()))?).await
    }

    /// Gets what is at `path`.
    ///
    /// # Errors
    /// Where no whole answer comes.
    pub async fn get(&mut self, path: &str) -> Result<(StatusCode, Bytes)> {
        let request = Request::get(path).header("host", HOST);
        self.exchange(request.body(Full::default())?).await
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes)> {
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await.context("no answer")?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Message {
    /// The same message, its body changed on the way.
    pub fn tampered(&self) -> Self {
        let mut body = self.body.to_vec();
        body.push(b' ');
        Self { headers: self.headers.clone(), body: body.into() }
    }
}
