//! Senders that hang up: whatever the Worker holds for them alone is freed, and what others wait for
//! goes on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use send::{Message, PrivateKey};
use serde_json::json;
use standin::{Answer, InstacartAccount, KeyServer, Resource, StandIn};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use xtask::demo::{SECRET, Vendors};
use xtask::runtime::Runtime;
use xtask::webhook::{now, send};
use xtask::workerd::Deployment;

use crate::durable::{ADMIN_TOKEN, authorized};
use crate::namespace::behind;
use crate::world::{CLIENT, Handle, Person, World, outcome_at};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("hang-ups: unsigned bodies leave nothing in memory", strangers),
        world.trial("hang-ups: senders that give up on a slow vendor leave nothing", impatient),
        world.trial("hang-ups: a lane's call goes on", durable),
        world.trial("hang-ups: strangers do not hold up those who wait for keys", keys_that_hang),
        world.trial("hang-ups: keys that are fetched for strangers are everybody's", slow_keys),
        world.trial("hang-ups: those who wait for a token are not held up", token),
    ]
}

/// The bundle behind a script that tells, at `/state`, how many webhooks have begun and have been
/// aborted, and how long the memory of the Wasm instance is.
const OBSERVED: &str = r#"
import { WorkerEntrypoint } from "cloudflare:workers";
import { instances } from "./spy.js";
import Relay from "./relay.js";
export { Lane } from "./relay.js";
let begun = 0, aborted = 0;
export default class extends WorkerEntrypoint {
  fetch(request) {
    if (request.url.endsWith("/state")) {
      const memory = instances[0].exports.memory.buffer.byteLength;
      return Response.json({ begun, aborted, memory });
    }
    begun++;
    request.signal.addEventListener("abort", () => aborted++);
    return new Relay(this.ctx, this.env).fetch(request);
  }
}
"#;

/// Keeps the Wasm instances that are made after it was imported.
pub const SPY: &str = r#"
export const instances = [];
WebAssembly.Instance = new Proxy(WebAssembly.Instance, {
  construct(target, args) {
    const instance = new target(...args);
    instances.push(instance);
    return instance;
  },
});
"#;

/// How many senders are connected at once.
const AT_ONCE: usize = 50;

/// As long as a body that Wasm held would be, in bytes.
const LENGTH: usize = 192 * 1024;

/// What the memory of Wasm may grow by, in bytes: less than the bodies of those who are connected at once,
/// which may all be whole at the same time.
const GROWTH: u64 = 16 * 1024 * 1024;

/// What the process may grow by, in bytes; its garbage is not collected at once.
const RESIDENT_GROWTH: u64 = 128 * 1024 * 1024;

/// A Worker whose memory is watched.
struct Observed {
    vendors: Vendors,
    worker: Runtime,
}

impl Observed {
    /// Direct delivery, or what `prepare` makes of it.
    async fn start(
        world: &World,
        name: &str,
        prepare: impl FnOnce(&mut Deployment),
    ) -> Result<Self> {
        let bundle = behind(world, &format!("observed-{name}"), OBSERVED)?;
        std::fs::write(bundle.dir.join("spy.js"), SPY)?;
        let vendors = Vendors::start().await?;
        let mut deployment = vendors.deployment()?.direct();
        prepare(&mut deployment);
        let worker = Runtime::start(&world.toolchain, &bundle, &deployment).await?;
        Ok(Self { vendors, worker })
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.worker.address)
    }

    async fn state(&self, name: &str) -> Result<u64> {
        let state = send("GET", &self.url("/state"), &[], "").await?.json();
        state[name].as_u64().with_context(|| format!("no {name} in {state}"))
    }

    /// Waits until `name` has come to `count`.
    async fn until(&self, name: &str, count: u64) -> Result<()> {
        until(async || Ok(self.state(name).await? >= count), name).await
    }

    /// `count` senders, [`AT_ONCE`] at a time, each with a request of its own; each resets its
    /// connection once `ready` says so.
    async fn hang_up(
        &self,
        count: usize,
        request: impl Fn(usize) -> Result<Vec<u8>>,
        ready: impl AsyncFn(usize) -> Result<()>,
    ) -> Result<()> {
        let address = self.worker.address;
        for first in (0..count).step_by(AT_ONCE) {
            let before = [self.state("begun").await?, self.state("aborted").await?];
            let mut senders = Vec::new();
            for number in first..first + AT_ONCE {
                let mut stream = TcpStream::connect(address).await?;
                stream.write_all(&request(number)?).await?;
                senders.push(stream);
            }
            self.until("begun", before[0] + AT_ONCE as u64).await?;
            for number in first..first + AT_ONCE {
                ready(number).await?;
            }
            for stream in senders {
                // With no time to linger, closing resets the connection.
                stream.set_zero_linger()?;
            }
            self.until("aborted", before[1] + AT_ONCE as u64).await?;
        }
        Ok(())
    }

    /// Both memories, in bytes.
    async fn memory(&self) -> Result<(u64, u64)> {
        Ok((self.state("memory").await?, self.worker.resident()?))
    }

    /// What `work` adds to both memories is bounded; `warm_up` may fill caches before.
    async fn is_flat(
        &self,
        warm_up: impl Future<Output = Result<()>>,
        work: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        warm_up.await?;
        let before = self.memory().await?;
        work.await?;
        let after = self.memory().await?;
        ensure!(after.0 <= before.0 + GROWTH, "Wasm: {before:?}, then {after:?}");
        ensure!(after.1 <= before.1 + RESIDENT_GROWTH, "resident: {before:?}, then {after:?}");
        Ok(())
    }
}

/// Many bytes of a chunked body that does not end, without a signature.
fn unsigned(_: usize) -> Result<Vec<u8>> {
    let mut bytes = b"POST /webhooks/consent HTTP/1.1\r\nhost: relay\r\ntransfer-encoding: chunked\
                      \r\n\r\n"
        .to_vec();
    for _ in 0..LENGTH / 4096 {
        bytes.extend(b"1000\r\n");
        bytes.extend([b'x'; 4096]);
        bytes.extend(b"\r\n");
    }
    Ok(bytes)
}

async fn strangers(world: Arc<World>) -> Result<()> {
    let observed = Observed::start(&world, "strangers", |_| ()).await?;
    let ready = async |_| Ok(());
    observed
        .is_flat(observed.hang_up(1000, unsigned, ready), observed.hang_up(5000, unsigned, ready))
        .await?;
    let after = Person::new("after-the-strangers").webhook();
    let url = observed.url("/webhooks/consent");
    let reply = send("POST", &url, &after.headers(SECRET)?, after.body).await?;
    ensure!(reply.status == 200, "{reply:?}");
    observed.worker.stop().await?;
    Ok(())
}

/// A person's whole webhook, with much that nobody reads.
fn genuine(person: &Person) -> Result<Vec<u8>> {
    let mut webhook = person.asks(&json!({ "user_id": person.user_id }));
    webhook.body.extend(vec![b' '; LENGTH - webhook.body.len()]);
    let mut bytes = String::from("POST /webhooks/consent HTTP/1.1\r\nhost: relay\r\n");
    for (name, value) in webhook.headers(SECRET)? {
        bytes.push_str(&format!("{name}: {value}\r\n"));
    }
    bytes.push_str(&format!("content-length: {LENGTH}\r\n\r\n"));
    let mut bytes = bytes.into_bytes();
    bytes.extend(webhook.body);
    Ok(bytes)
}

/// Senders whose vendor does not answer: `first` to `first + count`.
async fn give_up(observed: &Observed, first: usize, count: usize) -> Result<()> {
    let person = |number: usize| Person::new(&format!("gives-up-{}", first + number));
    let vendor = &observed.vendors.instacart;
    for number in 0..count {
        vendor.script(&person(number).user_id, [Answer::Hang]);
    }
    let asked = async |number| {
        let user = person(number).user_id;
        until(async || Ok(!vendor.requests_for(&user).is_empty()), "the vendor is asked").await
    };
    observed.hang_up(count, |number| genuine(&person(number)), asked).await
}

async fn impatient(world: Arc<World>) -> Result<()> {
    let observed = Observed::start(&world, "impatient", |_| ()).await?;
    observed.is_flat(give_up(&observed, 0, 200), give_up(&observed, 200, 800)).await?;
    observed.worker.stop().await
}

/// The lane's call goes on, and its outcome is recorded.
async fn durable(world: Arc<World>) -> Result<()> {
    let observed = Observed::start(&world, "lane", |deployment| {
        deployment.durable = true;
        deployment.secrets.insert("ADMIN_TOKEN".to_owned(), ADMIN_TOKEN.to_owned());
    })
    .await?;
    let person = Person::new("hangs-up-on-a-lane");
    let vendor = &observed.vendors.instacart;
    let slow = Answer::Success.after(Duration::from_millis(1500));
    vendor.script(&person.user_id, [slow]);
    let mut stream = TcpStream::connect(observed.worker.address).await?;
    stream.write_all(&genuine(&person)?).await?;
    let asked = async || Ok(!vendor.requests_for(&person.user_id).is_empty());
    until(asked, "the vendor is asked").await?;
    stream.set_zero_linger()?;
    drop(stream);
    observed.until("aborted", 1).await?;
    let url = observed.url(&format!("/erasures/consent/{}", person.request_id));
    let done = async || {
        let reply = send("GET", &url, &authorized(), "").await?;
        let delivery = &reply.json()["deliveries"][0];
        Ok(delivery["outcome"] == "accepted" && delivery["attempts"] == 1)
    };
    until(done, "the call is made and recorded").await?;
    ensure!(vendor.requests_for(&person.user_id).len() == 1, "it is called again");
    observed.worker.stop().await
}

/// What a genuine sender waits at most while others hang up, in these tests.
const PROMPT: Duration = Duration::from_secs(4);

/// A Worker with a source whose keys are at `server`.
async fn with_keys(world: &World, name: &str, server: &KeyServer) -> Result<Observed> {
    let keys = json!({ "platform": "standard-webhooks", "unsigned_body": "accept",
        "signature": { "jwt": "authorization", "prefix": "Bearer ", "audience": "relay" },
        "keys": { "url": server.url("/keys") } });
    Observed::start(world, name, |deployment| deployment.vars["SOURCES"]["published"] = keys).await
}

/// A webhook whose token is signed with `key`.
fn signed(key: &PrivateKey, person: &Person) -> Result<Message> {
    let token = key.jwt(&json!({ "aud": "relay", "iat": now() }))?;
    let headers = vec![("authorization".to_owned(), format!("Bearer {token}"))];
    Ok(Message { headers, body: person.webhook().body })
}

/// Strangers whose messages need keys, and who hang up once the keys are asked for.
async fn strangers_hang_up(observed: &Observed, server: &KeyServer, name: &str) -> Result<()> {
    let request = |number| {
        let stranger = PrivateKey::generate("ES256")?.named("key");
        let Message { headers, body } =
            signed(&stranger, &Person::new(&format!("{name}-{number}")))?;
        let mut bytes = String::from("POST /webhooks/published HTTP/1.1\r\nhost: relay\r\n");
        for (name, value) in headers {
            bytes.push_str(&format!("{name}: {value}\r\n"));
        }
        bytes.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        Ok([bytes.into_bytes(), body].concat())
    };
    let asked = async |_| {
        until(async || Ok(server.request_count("/keys") > 0), "the keys are asked for").await
    };
    observed.hang_up(AT_ONCE, request, asked).await
}

/// Sends a genuine message, and returns how long it took.
async fn genuine_message(observed: &Observed, key: &PrivateKey, name: &str) -> Result<Duration> {
    let Message { headers, body } = signed(key, &Person::new(name))?;
    let sent = Instant::now();
    let reply = send("POST", &observed.url("/webhooks/published"), &headers, body).await?;
    ensure!(reply.status == 200, "{reply:?}");
    Ok(sent.elapsed())
}

async fn keys_that_hang(world: Arc<World>) -> Result<()> {
    let (server, key) = (KeyServer::start().await?, PrivateKey::generate("ES256")?.named("key"));
    let observed = with_keys(&world, "hanging-keys", &server).await?;
    server.put("/keys", Resource::Hang);
    strangers_hang_up(&observed, &server, "hanging-keys").await?;
    server.put("/keys", Resource::Public(json!({ "keys": [key.jwk()] }).to_string()));
    let took = genuine_message(&observed, &key, "after-hanging-keys").await?;
    ensure!(took < PROMPT, "{took:?}");
    observed.worker.stop().await
}

async fn slow_keys(world: Arc<World>) -> Result<()> {
    let (server, key) = (KeyServer::start().await?, PrivateKey::generate("ES256")?.named("key"));
    let observed = with_keys(&world, "slow-keys", &server).await?;
    let document = json!({ "keys": [key.jwk()] }).to_string();
    server.put("/keys", Resource::Delayed { document, delay: Duration::from_millis(1500) });
    strangers_hang_up(&observed, &server, "slow-keys").await?;
    let took = genuine_message(&observed, &key, "after-slow-keys").await?;
    ensure!(took < PROMPT, "{took:?}");
    // At most one fetch was begun in each second.
    let count = server.request_count("/keys");
    ensure!(count <= 4, "{count} requests");
    observed.worker.stop().await
}

async fn token(world: Arc<World>) -> Result<()> {
    let account = InstacartAccount::with_clients(&[CLIENT], Some("connect:fulfillment"));
    let vendor = StandIn::instacart(account).await?;
    let url = vendor.base_url();
    let observed = Observed::start(&world, "token", |deployment| {
        let auth = json!({ "client_id": "CLIENT_ID", "client_secret": "CLIENT_SECRET" });
        deployment.vars["VENDORS"]["instacart"]["auth"] = auth;
        deployment.vars["VENDORS"]["instacart"]["base_url"] = json!(url);
        for (name, value) in [("CLIENT_ID", CLIENT.0), ("CLIENT_SECRET", CLIENT.1)] {
            deployment.secrets.insert(name.to_owned(), value.to_owned());
        }
    })
    .await?;
    vendor.script_token_requests([Answer::Hang]);
    let request = |number| genuine(&Person::new(&format!("before-the-token-{number}")));
    let asked = async |_| {
        until(
            async || Ok(!vendor.requests_to("/v2/oauth/token").is_empty()),
            "a token is asked for",
        )
        .await
    };
    observed.hang_up(AT_ONCE, request, asked).await?;
    vendor.script_token_requests([]);
    let person = Person::new("after-the-token");
    let webhook = person.asks(&json!({ "user_id": person.user_id }));
    let sent = Instant::now();
    let url = observed.url("/webhooks/consent");
    let reply = send("POST", &url, &webhook.headers(SECRET)?, webhook.body).await?;
    ensure!(reply.status == 200 && outcome_at(&reply, "instacart") == "accepted", "{reply:?}");
    ensure!(sent.elapsed() < PROMPT, "{:?}", sent.elapsed());
    observed.worker.stop().await
}

/// Waits until `is_so`.
async fn until(is_so: impl AsyncFn() -> Result<bool>, what: &str) -> Result<()> {
    let waiting = async {
        while !is_so().await? {
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    };
    timeout(Duration::from_secs(60), waiting).await.with_context(|| format!("not: {what}"))?
}
