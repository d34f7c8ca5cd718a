//! Messages whose framing is wrong, on the wire: lengths that are no lengths, bodies that break off,
//! and answers that are longer than they say. Nothing stands between these tests and the runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use send::PrivateKey;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use xtask::demo::{SECRET, Vendors};
use xtask::runtime::Runtime;
use xtask::webhook::{Webhook, now, send};
use xtask::workerd::Deployment;

use crate::world::{Handle, Person, World, outcome_at};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("wire: announced lengths", lengths),
        world.trial("wire: a body that breaks off is no body", broken_off),
        world.trial("wire: answers that are longer than they say", longer),
        world.trial("wire: a length beside chunks is not believed", both),
    ]
}

async fn start(world: &World, deployment: Deployment) -> Result<Runtime> {
    Runtime::start(&world.toolchain, &world.bundle, &deployment.direct()).await
}

/// The head of a webhook, with these headers.
fn head(webhook: &Webhook, framing: &str) -> Result<Vec<u8>> {
    let mut head = format!("POST /webhooks/consent HTTP/1.1\r\nhost: relay\r\n{framing}");
    for (name, value) in webhook.headers(SECRET)? {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    Ok(head.into_bytes())
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// Sends `bytes`, and returns the status of the answer.
async fn status(worker: &Runtime, bytes: &[u8]) -> Result<u16> {
    let mut stream = TcpStream::connect(worker.address).await?;
    // The Worker may answer, and close, before it has read all.
    let _ = stream.write_all(bytes).await;
    let mut answer = [0; 12];
    let read = timeout(Duration::from_secs(20), stream.read_exact(&mut answer));
    read.await.context("no answer")??;
    let text = String::from_utf8_lossy(&answer).into_owned();
    text.get(9..12).context("no status")?.parse().context("no status")
}

async fn lengths(world: Arc<World>) -> Result<()> {
    let vendors = Vendors::start().await?;
    let worker = start(&world, vendors.deployment()?).await?;
    let webhook = Person::new("announced").webhook();
    let length = webhook.body.len();
    for (announced, expected) in [
        (length.to_string(), 200),
        (format!("00{length}"), 200),
        ((256 * 1024 + 1).to_string(), 413),
        (u32::MAX.to_string(), 413),
        ((1_u64 << 32).to_string(), 413),
        (((1_u64 << 32) + length as u64).to_string(), 413),
        ((1_u64 << 62).to_string(), 413),
    ] {
        let mut bytes = head(&webhook, &format!("content-length: {announced}\r\n"))?;
        bytes.extend(&webhook.body);
        let status = status(&worker, &bytes).await?;
        ensure!(status == expected, "{announced}: {status}");
    }
    // The runtime, or else the Worker, rejects what is no length.
    let other = Person::new("no-length");
    let webhook = other.webhook();
    for announced in [
        u64::MAX.to_string(),
        "18446744073709551616".to_owned(),
        format!("{length}, 1"),
        "many".to_owned(),
        "-1".to_owned(),
    ] {
        let mut bytes = head(&webhook, &format!("content-length: {announced}\r\n"))?;
        bytes.extend(&webhook.body);
        let status = status(&worker, &bytes).await?;
        ensure!([400, 413, 431].contains(&status), "{announced}: {status}");
    }
    ensure!(vendors.instacart.requests_for(&other.user_id).is_empty(), "a vendor was asked");
    worker.stop().await
}

/// Whole, signed, and yet not what the sender meant to send: each ends before its end.
async fn broken_off(world: Arc<World>) -> Result<()> {
    let vendors = Vendors::start().await?;
    let worker = start(&world, vendors.deployment()?).await?;
    for is_reset in [false, true] {
        for framing in ["length", "long-length", "chunks"] {
            let person = Person::new(&format!("broken-off-{framing}-{is_reset}"));
            let webhook = person.webhook();
            let length = webhook.body.len();
            let mut bytes = match framing {
                "length" => head(&webhook, &format!("content-length: {}\r\n", length + 1))?,
                "long-length" => {
                    head(&webhook, &format!("content-length: {}\r\n", length + 99_999))?
                }
                _ => head(&webhook, "transfer-encoding: chunked\r\n")?,
            };
            bytes.extend(if framing == "chunks" { chunk(&webhook.body) } else { webhook.body });
            let mut stream = TcpStream::connect(worker.address).await?;
            stream.write_all(&bytes).await?;
            // Whatever comes after this one has been read by then.
            let after = Person::new(&format!("while-{framing}-{is_reset}")).webhook();
            let url = format!("http://{}/webhooks/consent", worker.address);
            let reply = send("POST", &url, &after.headers(SECRET)?, after.body.clone()).await?;
            ensure!(reply.status == 200, "{reply:?}");
            if is_reset {
                stream.set_zero_linger()?;
                drop(stream);
            } else {
                stream.shutdown().await?;
                let mut answer = Vec::new();
                let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer));
                read.await.context("it is not closed")??;
                let answer = String::from_utf8_lossy(&answer);
                ensure!(!answer.starts_with("HTTP/1.1 2"), "{framing}: {answer}");
            }
            let reply = send("POST", &url, &after.headers(SECRET)?, after.body).await?;
            ensure!(reply.status == 200, "{reply:?}");
            let asked = vendors.instacart.requests_for(&person.user_id);
            ensure!(asked.is_empty(), "{framing}: a part was taken for the whole");
        }
    }
    worker.stop().await
}

/// A server that answers whatever it is asked.
struct Server {
    url: String,
    /// How many bytes it has sent.
    sent: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    /// Answers with `head`, and then with this chunk, again and again where it is `endless`.
    async fn start(head: String, body: Vec<u8>, endless: bool) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (sent, body) = (Arc::<AtomicUsize>::default(), chunk(&body));
        let counter = sent.clone();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (head, body, counter) = (head.clone(), body.clone(), counter.clone());
                tokio::spawn(async move {
                    let (mut request, mut part) = (Vec::<u8>::new(), [0; 4096]);
                    while !request.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
                        let length = stream.read(&mut part).await?;
                        if length == 0 {
                            return Ok(());
                        }
                        request.extend(&part[..length]);
                    }
                    stream.write_all(head.as_bytes()).await?;
                    loop {
                        stream.write_all(&body).await?;
                        counter.fetch_add(body.len(), Ordering::Relaxed);
                        if !endless {
                            return stream.write_all(b"0\r\n\r\n").await;
                        }
                    }
                });
            }
        });
        Ok(Self { url, sent, task })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Announces three bytes, and sends chunks.
const SHORT: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 3\r\n\
                     transfer-encoding: chunked\r\n\r\n";

/// Asks `server` for everything that the relay asks for.
fn asking(vendors: &Vendors, server: &Server) -> Result<Deployment> {
    let mut deployment = vendors.deployment()?;
    let mut minting = deployment.vars["VENDORS"]["instacart"].clone();
    minting["base_url"] = json!(server.url);
    deployment.vars["VENDORS"]["answering"] = minting.clone();
    minting["auth"] = json!({ "client_id": "INSTACART_TOKEN", "client_secret": "INSTACART_TOKEN" });
    deployment.vars["VENDORS"]["minting"] = minting;
    deployment.vars["SOURCES"]["consent"]["shared_secrets"] = json!("accept");
    for name in ["answering", "minting"] {
        let mut source = deployment.vars["SOURCES"]["consent"].clone();
        source["vendors"] = json!([name]);
        deployment.vars["SOURCES"][name] = source;
    }
    deployment.vars["SOURCES"]["published"] = json!({ "platform": "standard-webhooks",
        "unsigned_body": "accept",
        "signature": { "jwt": "authorization", "prefix": "Bearer ", "audience": "relay" },
        "vendors": ["instacart"], "keys": { "url": format!("{}/keys", server.url) } });
    Ok(deployment)
}

/// What the runtime, and the kernel, may have taken before the Worker hung up, in bytes.
const TAKEN: usize = 32 * 1024 * 1024;

async fn longer(world: Arc<World>) -> Result<()> {
    let vendors = Vendors::start().await?;
    let server = Server::start(SHORT.to_owned(), vec![b' '; 64 * 1024], true).await?;
    let worker = start(&world, asking(&vendors, &server)?).await?;
    let url = |source: &str| format!("http://{}/webhooks/{source}", worker.address);
    for (source, expected, outcome) in
        [("answering", 200, "uncertain"), ("minting", 503, "blocked"), ("published", 503, "")]
    {
        let before = server.sent.load(Ordering::Relaxed);
        let person = Person::new(&format!("longer-{source}"));
        let webhook = person.asks(&json!({ "user_id": person.user_id }));
        let mut headers = webhook.headers(SECRET)?;
        let token = PrivateKey::generate("ES256")?;
        let token = token.jwt(&json!({ "aud": "relay", "iat": now() }))?;
        headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        let reply = send("POST", &url(source), &headers, webhook.body).await?;
        ensure!(reply.status == expected && outcome_at(&reply, source) == outcome, "{reply:?}");
        let taken = server.sent.load(Ordering::Relaxed) - before;
        ensure!(taken < TAKEN, "{source}: {taken} bytes");
    }
    worker.stop().await
}

/// A message with both is as long as its chunks (RFC 9112, 6.3).
async fn both(world: Arc<World>) -> Result<()> {
    let vendors = Vendors::start().await?;
    let key = PrivateKey::generate("ES256")?;
    let set = json!({ "keys": [key.jwk()] }).to_string().into_bytes();
    let server = Server::start(SHORT.to_owned(), set, false).await?;
    let worker = start(&world, asking(&vendors, &server)?).await?;
    let person = Person::new("short-answer");
    let webhook = person.webhook();
    let token = key.jwt(&json!({ "aud": "relay", "iat": now() }))?;
    let headers = [("authorization".to_owned(), format!("Bearer {token}"))];
    let url = format!("http://{}/webhooks/published", worker.address);
    let reply = send("POST", &url, &headers, webhook.body).await?;
    ensure!(reply.status == 200, "{reply:?}");

    let whole = Person::new("short-request").webhook();
    let framing = "content-length: 3\r\ntransfer-encoding: chunked\r\n";
    let mut bytes = head(&whole, framing)?;
    bytes.extend(chunk(&whole.body));
    bytes.extend(b"0\r\n\r\n");
    ensure!(status(&worker, &bytes).await? == 200, "a whole webhook");
    let mut bytes = head(&whole, framing)?;
    for _ in 0..100 {
        bytes.extend(chunk(&[b' '; 64 * 1024]));
    }
    ensure!(status(&worker, &bytes).await? == 413, "a webhook over the limit");
    worker.stop().await
}
