//! An export as it is streamed, in the runtime alone: wrangler's proxy keeps from readers that a response
//! broke off. The lanes are played: one holds more than fits into memory, another fails in the middle.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;
use xtask::demo::Vendors;
use xtask::runtime::Runtime;
use xtask::webhook::send;

use crate::durable::{ADMIN_TOKEN, authorized};
use crate::hangups::SPY;
use crate::namespace::behind;
use crate::world::{Handle, World};

/// How many erasures a lane reads at once.
const SLIP: usize = 1000;
/// How many slips the long lane holds.
const SLIPS: usize = 150;
/// How long the memory of Wasm may become, in bytes: the file has more than 70 MB.
const MEMORY: u64 = 24 * 1024 * 1024;

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("records: export: a lane that fails breaks the response off", broken),
        world.trial("records: export: a period that is too long is told so", too_long),
        world.trial("records: export: a slow reader slows the lanes down", slow),
        world.trial("records: export: a reader that hangs up ends the reading", hung_up),
    ]
}

/// Every lane holds the same. The source that is asked for says how it behaves.
const PLAYED: &str = r#"
import { WorkerEntrypoint } from "cloudflare:workers";
import { instances } from "./spy.js";
import Relay from "./relay.js";
export { Lane } from "./relay.js";
const SLIP = 1000;
const SLIPS = { broken: 4, long: 150, endless: 500 };
let reads = 0;
function record(source, number) {
  return {
    source, request_id: number.toString(16).padStart(32, "a"), slot: "identity:k1:0123456789ab",
    position: 0, received_at: 1700000000000 + number, call: "identity", identifier: "email",
    subject: "k0000:0123456789ab", outcome: "accepted", status: 200, attempts: 1, detail: null,
    trace: null, updated_at: 1700000000500 + number, due_at: null,
  };
}
function answer(message) {
  if (message === "directory") return [];
  if (message.count) return SLIP * SLIPS[message.count.source];
  const { source, after } = message.read;
  reads += 1;
  const first = after ? after.received_at - 1700000000000 + 1 : 0;
  if (source === "broken" && first >= 2 * SLIP) return undefined;
  const records = Array.from({ length: SLIP }, (_, at) => record(source, first + at));
  const { received_at, request_id } = records[SLIP - 1];
  const is_last = first + SLIP >= SLIP * SLIPS[source];
  return [records, is_last ? null : { received_at, source, request_id }];
}
class DurableObjectNamespace {
  getByName() {
    return {
      fetch: async (url, { body }) => {
        const json = answer(JSON.parse(new TextDecoder().decode(body)));
        return json === undefined ? new Response(null, { status: 500 }) : Response.json(json);
      },
    };
  }
}
export default class extends WorkerEntrypoint {
  fetch(request) {
    if (request.url.endsWith("/state")) {
      return Response.json({ reads, memory: instances[0].exports.memory.buffer.byteLength });
    }
    const LANES = new DurableObjectNamespace();
    return new Relay(this.ctx, { ...this.env, LANES }).fetch(request);
  }
}
"#;

async fn start(world: &World, name: &str) -> Result<Runtime> {
    let bundle = behind(world, &format!("played-{name}"), PLAYED)?;
    std::fs::write(bundle.dir.join("spy.js"), SPY)?;
    let vendors = Vendors::start().await?;
    let deployment = vendors.deployment()?.secret("ADMIN_TOKEN", ADMIN_TOKEN);
    Runtime::start(&world.toolchain, &bundle, &deployment).await
}

async fn state(worker: &Runtime, name: &str) -> Result<u64> {
    let url = format!("http://{}/state", worker.address);
    let state = send("GET", &url, &[], "").await?.json();
    state[name].as_u64().with_context(|| format!("no {name} in {state}"))
}

/// How often lanes have read, once that does not change any more.
async fn reads(worker: &Runtime) -> Result<usize> {
    let (mut last, mut same) = (0, 0);
    while same < 5 {
        sleep(Duration::from_millis(100)).await;
        let reads = state(worker, "reads").await?;
        same = if reads == last { same + 1 } else { 0 };
        last = reads;
    }
    Ok(usize::try_from(last)?)
}

async fn ask(worker: &Runtime, query: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(worker.address).await?;
    let request = format!(
        "GET /export?{query} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\
         Authorization: Bearer {ADMIN_TOKEN}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

/// Waits for the first bytes.
async fn begin(stream: &mut TcpStream) -> Result<()> {
    let mut begin = [0; 1000];
    stream.read_exact(&mut begin).await?;
    ensure!(begin.starts_with(b"HTTP/1.1 200"), "nothing comes");
    Ok(())
}

async fn broken(world: Arc<World>) -> Result<()> {
    let worker = start(&world, "broken").await?;
    for query in ["source=broken", "source=broken&format=csv"] {
        let url = format!("http://{}/export?{query}", worker.address);
        ensure!(send("GET", &url, &authorized(), "").await.is_err(), "{query} looks complete");
        let mut answer = Vec::new();
        let _ = ask(&worker, query).await?.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        ensure!(answer.starts_with("HTTP/1.1 200"), "{query}");
        let came = answer.matches("broken").count();
        ensure!((SLIP..=2 * SLIP).contains(&came), "{query}: {came} erasures came before");
        ensure!(!answer.contains("complete") && !answer.ends_with("0\r\n\r\n"), "{query}");
    }
    worker.stop().await
}

async fn too_long(world: Arc<World>) -> Result<()> {
    let worker = start(&world, "too-long").await?;
    for path in ["export", "statistics"] {
        let url = format!("http://{}/{path}?source=endless", worker.address);
        let reply = send("GET", &url, &authorized(), "").await?;
        ensure!(reply.status == 422 && reply.json()["type"] == "period-too-long", "{reply:?}");
        let detail = reply.json()["detail"].as_str().map(str::to_owned).unwrap_or_default();
        // Of both lanes.
        ensure!(detail.starts_with("it holds 1000000 deliveries"), "{detail}");
    }
    ensure!(state(&worker, "reads").await? == 0, "it is told before anything is read");
    worker.stop().await
}

async fn slow(world: Arc<World>) -> Result<()> {
    let worker = start(&world, "slow").await?;
    let mut stream = ask(&worker, "source=long").await?;
    begin(&mut stream).await?;
    let before = reads(&worker).await?;
    // Of both lanes, and some of it in the buffers of the connection.
    ensure!(before < SLIPS, "{before} slips were read for a reader that waits");
    let (mut length, mut end) = (0, Vec::new());
    let mut part = vec![0; 256 * 1024];
    loop {
        let read = stream.read(&mut part).await?;
        if read == 0 {
            break;
        }
        length += read;
        end.extend_from_slice(&part[..read]);
        end.drain(..end.len().saturating_sub(200));
    }
    let end = String::from_utf8_lossy(&end);
    let last = format!("{{\"complete\":true,\"erasures\":{}}}\n", SLIP * SLIPS);
    ensure!(end.contains(&last) && end.ends_with("0\r\n\r\n"), "{end}");
    ensure!(length > 70_000_000, "{length} bytes");
    // The memory of Wasm never shrinks.
    let memory = state(&worker, "memory").await?;
    ensure!(memory < MEMORY, "the memory of Wasm is {memory} bytes for {length}");
    ensure!(reads(&worker).await? == 2 * SLIPS);
    worker.stop().await
}

async fn hung_up(world: Arc<World>) -> Result<()> {
    let worker = start(&world, "hung-up").await?;
    for _ in 0..10 {
        begin(&mut ask(&worker, "source=long").await?).await?;
    }
    let before = reads(&worker).await?;
    ensure!(before < 10 * SLIPS, "{before} slips were read for readers that are gone");
    for _ in 0..30 {
        begin(&mut ask(&worker, "source=long").await?).await?;
    }
    reads(&worker).await?;
    let memory = state(&worker, "memory").await?;
    ensure!(memory < MEMORY, "the memory of Wasm is {memory} bytes");
    let mut whole = Vec::new();
    ask(&worker, "source=long&from=2999-01-01").await?.read_to_end(&mut whole).await?;
    ensure!(whole.starts_with(b"HTTP/1.1 200"), "it does not serve any more");
    worker.stop().await
}
