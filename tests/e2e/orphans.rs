//! After a change of the configuration: what the lanes hold is found, named, and moved or ended.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use standin::Answer;
use tokio::time::{sleep, timeout};
use xtask::bundle::Bundle;
use xtask::demo::Vendors;
use xtask::webhook::{Reply, send};
use xtask::workerd::{Deployment, Storage, Workerd};

use crate::durable::{ADMIN_TOKEN, authorized};
use crate::namespace::behind;
use crate::storage::{post, until};
use crate::world::{Handle, Person, World, outcomes};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("orphans: a renamed account's backlog is moved", renamed),
        world.trial("orphans: a removed account's backlog is discarded", removed),
        world.trial("orphans: what a changed api cannot send is moved or discarded", changed_api),
        world.trial("orphans: fewer shards do not send faster, and are moved", shrunk),
        world.trial("orphans: a changed jurisdiction is followed", relocated),
        world.trial("orphans: a lane from before the directory is found", found_later),
    ]
}

/// The cron trigger at `/cron`, and jurisdictions, which the local runtime does not have: they are
/// prefixes of names.
const SCRIPT: &str = r#"
import { WorkerEntrypoint } from "cloudflare:workers";
import Relay, { Lane as RelayLane } from "./relay.js";
class DurableObjectNamespace {
  constructor(lanes, within = "") {
    this.lanes = lanes;
    this.within = within;
  }
  jurisdiction(name) {
    return new DurableObjectNamespace(this.lanes, `${name}/`);
  }
  getByName(name) {
    return this.lanes.getByName(this.within + name);
  }
  idFromName(name) {
    return this.lanes.idFromName(this.within + name);
  }
}
const inside = (env) => ({ ...env, LANES: new DurableObjectNamespace(env.LANES) });
export class Lane extends RelayLane {
  constructor(ctx, env) {
    super(ctx, inside(env));
  }
}
export default class extends WorkerEntrypoint {
  async fetch(request) {
    const relay = new Relay(this.ctx, inside(this.env));
    if (!request.url.endsWith("/cron")) return relay.fetch(request);
    await relay.scheduled({ cron: "", type: "scheduled", scheduledTime: Date.now() });
    return new Response("done");
  }
}
"#;

/// A Worker that is deployed again and again on the same storage.
struct Relay {
    world: Arc<World>,
    bundle: Bundle,
    vendors: Vendors,
    storage: Storage,
    deployment: Deployment,
}

impl Relay {
    /// Insider alone, which is blocked for long once it refuses a call.
    async fn new(world: Arc<World>, name: &str) -> Result<Self> {
        let bundle = behind(&world, name, SCRIPT)?;
        let (vendors, storage) = (Vendors::start().await?, Storage::fresh()?);
        let mut deployment = vendors.deployment()?.secret("ADMIN_TOKEN", ADMIN_TOKEN);
        deployment.vars["VENDORS"]["insider"]["breaker"] = json!({ "probe_seconds": 3600 });
        let mut relay = Self { world, bundle, vendors, storage, deployment };
        relay.asks("insider");
        Ok(relay)
    }

    async fn start(&self) -> Result<Workerd> {
        let toolchain = &self.world.toolchain;
        Workerd::start_on(toolchain, &self.bundle, &self.deployment, &self.storage).await
    }

    fn account(&mut self, name: &str) -> &mut Value {
        &mut self.deployment.vars["VENDORS"][name]
    }

    /// The source asks this account.
    fn asks(&mut self, vendor: &str) {
        self.deployment.vars["SOURCES"]["consent"]["vendors"] = json!([vendor]);
    }

    /// Another name for the account.
    fn rename(&mut self, from: &str, to: &str) {
        let account = self.account(from).take();
        self.deployment.vars["VENDORS"].as_object_mut().map(|all| all.remove(from));
        *self.account(to) = account;
        self.asks(to);
    }

    /// Posts webhooks that stay, since Insider refuses the first call of each lane; waits until the
    /// directory knows these lanes, and stops the Worker. From then on, Insider takes every call.
    async fn hold(&self, people: &[Person], lanes: &[&str]) -> Result<()> {
        let worker = self.start().await?;
        for person in people {
            self.vendors.insider.script(&person.email, [Answer::status(401)]);
            let reply = post(&worker, person).await?;
            ensure!(reply.status == 202 && reply.json()["state"] == "attention", "{reply:?}");
        }
        let known = async {
            while self.directory()? != lanes {
                sleep(Duration::from_millis(30)).await;
            }
            Ok(())
        };
        let known: Result<Result<()>, _> = timeout(Duration::from_secs(20), known).await;
        known.with_context(|| format!("registered: {:?}", self.directory()))??;
        worker.stop().await?;
        people.iter().for_each(|person| self.vendors.insider.script(&person.email, []));
        Ok(())
    }

    /// The lanes that the directory knows, as its file says.
    fn directory(&self) -> Result<Vec<String>> {
        for file in self.storage.files()? {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
            let Ok(database) = Connection::open_with_flags(file, flags) else { continue };
            let Ok(mut statement) = database.prepare("SELECT lane FROM directory") else {
                continue;
            };
            let lanes = statement.query_map([], |row| row.get(0))?;
            return Ok(lanes.collect::<Result<_, _>>()?);
        }
        Ok(Vec::new())
    }

    fn calls(&self, person: &Person) -> usize {
        self.vendors.insider.requests_for(&person.email).len()
    }
}

async fn operate(worker: &Workerd, method: &str, path: &str, body: &str) -> Result<Reply> {
    send(method, &worker.url(path), &authorized(), body.to_owned()).await
}

/// The lanes that `GET /lanes` shows: account, shard, why orphaned, waiting, unsendable.
async fn lanes(worker: &Workerd) -> Result<Vec<Value>> {
    let reply = operate(worker, "GET", "/lanes", "").await?;
    ensure!(reply.status == 200, "{reply:?}");
    let lanes = reply.json()["lanes"].as_array().cloned().unwrap_or_default();
    let brief = |lane: Value| {
        let unsendable = lane["unsendable"][0]["waiting"].as_i64();
        json!([lane["vendor"], lane["shard"], lane["orphaned"], lane["waiting"], unsendable])
    };
    Ok(lanes.into_iter().map(brief).collect())
}

async fn cron(worker: &Workerd) -> Result<()> {
    ensure!(send("GET", &worker.url("/cron"), &[], "").await?.status == 200);
    Ok(())
}

async fn receipt(worker: &Workerd, person: &Person) -> Result<Value> {
    let path = format!("/erasures/consent/{}", person.request_id);
    let reply = operate(worker, "GET", &path, "").await?;
    ensure!(reply.status == 200, "{reply:?}");
    Ok(reply.json())
}

/// The receipt and every list that must show it say that a person must act.
async fn needs_attention(worker: &Workerd, person: &Person, why: &str) -> Result<()> {
    let receipt = receipt(worker, person).await?;
    let delivery = &receipt["deliveries"][0];
    ensure!(receipt["state"] == "attention" && delivery["vendor"] == "insider", "{receipt}");
    ensure!(delivery["outcome"] == "blocked", "{receipt}");
    ensure!(delivery["detail"].as_str().is_some_and(|detail| detail.contains(why)), "{receipt}");
    for path in ["/erasures", "/erasures?state=attention", "/erasures?vendor=insider"] {
        let listed = operate(worker, "GET", path, "").await?;
        ensure!(listed.text.contains(&person.request_id), "{path} does not list it: {listed:?}");
    }
    Ok(())
}

async fn renamed(world: Arc<World>) -> Result<()> {
    let mut relay = Relay::new(world, "renamed").await?;
    let people: Vec<Person> = (0..3).map(|n| Person::new(&format!("renamed-{n}"))).collect();
    relay.hold(&people, &["insider"]).await?;
    relay.rename("insider", "crm");
    let worker = relay.start().await?;
    let shown = lanes(&worker).await?;
    let orphan = json!(["insider", 0, "account_unknown", 3, 3]);
    ensure!(shown.contains(&orphan) && shown.len() == 3, "{shown:?}");
    needs_attention(&worker, &people[0], "move or discard").await?;
    let health = send("GET", &worker.url("/healthz"), &authorized(), "").await?;
    ensure!(health.status == 503 && health.text.contains("cannot be sent"), "{health:?}");
    cron(&worker).await?;
    let line = worker.logged(r#""orphaned":"account_unknown""#).await?;
    ensure!(line.contains(r#""event":"lane""#), "{line}");
    // The same webhook is sent by the new account, and is not done while the old one waits.
    let reply = post(&worker, &people[0]).await?;
    ensure!(reply.status == 202 && reply.json()["state"] == "attention", "{reply:?}");
    let outcomes: Vec<_> = outcomes(&reply).into_iter().map(|(at, _, what)| (at, what)).collect();
    let known = [("crm", "accepted"), ("insider", "blocked")];
    ensure!(outcomes == known.map(|(at, what)| (at.to_owned(), what.to_owned())), "{reply:?}");
    let new = Person::new("renamed-new");
    ensure!(post(&worker, &new).await?.status == 200, "nothing of it waits anywhere");

    for wrong in ["/lanes/insider/move", "/lanes/insider/move?to=nobody", "/lanes/x/move?to=crm"] {
        let reply = operate(&worker, "POST", wrong, "").await?;
        ensure!(reply.status == 404 && reply.json()["type"] == "unknown-vendor", "{reply:?}");
    }
    let reply = operate(&worker, "POST", "/lanes/insider/move?from=crm", "").await?;
    ensure!(reply.status == 400, "{reply:?}");
    // Instacart cannot make Insider's calls.
    let reply = operate(&worker, "POST", "/lanes/insider/move?to=instacart", "").await?;
    ensure!(reply.status == 200 && reply.json()["moved"] == 0, "{reply:?}");
    let reply = operate(&worker, "POST", "/lanes/insider/move?to=crm", "").await?;
    ensure!(reply.status == 200 && reply.json()["moved"] == 3, "{reply:?}");
    ensure!(reply.json()["more"] == false && reply.json()["lanes"][0]["waiting"] == 0, "{reply:?}");
    for person in &people {
        let receipt = until(&worker, person, "done").await?;
        ensure!(receipt["deliveries"].as_array().map(Vec::len) == Some(1), "{receipt}");
        ensure!(receipt["deliveries"][0]["vendor"] == "crm", "{receipt}");
        // The first two were asked about before: the second was the probe.
        let calls = usize::from(people.iter().take(2).any(|one| one.email == person.email)) + 1;
        ensure!(relay.calls(person) == calls, "{} calls", relay.calls(person));
        ensure!(post(&worker, person).await?.status == 200);
        ensure!(relay.calls(person) == calls, "sent again");
    }
    // What holds nothing any more is forgotten.
    cron(&worker).await?;
    ensure!(relay.directory()? == ["crm"], "{:?}", relay.directory());
    ensure!(lanes(&worker).await?.len() == 2);
    worker.stop().await?;
    Ok(())
}

async fn removed(world: Arc<World>) -> Result<()> {
    let mut relay = Relay::new(world, "removed").await?;
    let person = Person::new("removed");
    relay.hold(std::slice::from_ref(&person), &["insider"]).await?;
    relay.deployment.vars["VENDORS"].as_object_mut().map(|all| all.remove("insider"));
    relay.asks("instacart");
    let worker = relay.start().await?;
    needs_attention(&worker, &person, "move or discard").await?;
    let note = r#"{"note":"the contract has ended"}"#;
    let reply = operate(&worker, "POST", "/lanes/insider/discard", "{}").await?;
    ensure!(reply.status == 400, "{reply:?}");
    let reply = operate(&worker, "POST", "/lanes/insider/discard", note).await?;
    ensure!(reply.status == 200 && reply.json()["discarded"] == 1, "{reply:?}");
    let receipt = receipt(&worker, &person).await?;
    ensure!(receipt["state"] == "discarded", "{receipt}");
    ensure!(receipt["deliveries"][0]["detail"] == "the contract has ended", "{receipt}");
    // The receipt is kept, so the lane is.
    cron(&worker).await?;
    ensure!(relay.directory()? == ["insider"]);
    ensure!(relay.calls(&person) == 1);
    worker.stop().await?;
    Ok(())
}

async fn changed_api(world: Arc<World>) -> Result<()> {
    let mut relay = Relay::new(world, "changed-api").await?;
    let people = [Person::new("changed-api-1"), Person::new("changed-api-2")];
    relay.hold(&people, &["insider"]).await?;
    let former = relay.account("insider").clone();
    let instacart = relay.account("instacart").clone();
    *relay.account("insider") = instacart;
    *relay.account("crm") = former;
    let worker = relay.start().await?;
    let shown = lanes(&worker).await?;
    ensure!(shown.contains(&json!(["insider", 0, null, 2, 2])), "{shown:?}");
    needs_attention(&worker, &people[0], "cannot make this call").await?;
    cron(&worker).await?;
    worker.logged(r#""unsendable":[{"call":"identity","waiting":2}]"#).await?;
    // One is ended, the other one goes to an account that can make the call.
    let path = format!("/erasures/consent/{}/discard", people[0].request_id);
    let reply = operate(&worker, "POST", &path, r#"{"note":"by hand"}"#).await?;
    ensure!(reply.json()["state"] == "discarded", "{reply:?}");
    let note = r#"{"note":"unknown call"}"#;
    let reply = operate(&worker, "POST", "/lanes/insider/discard?call=profile", note).await?;
    ensure!(reply.status == 200 && reply.json()["discarded"] == 0, "{reply:?}");
    let reply = operate(&worker, "POST", "/lanes/insider/move?to=crm", "").await?;
    ensure!(reply.status == 200 && reply.json()["moved"] == 1, "{reply:?}");
    let receipt = until(&worker, &people[1], "done").await?;
    ensure!(receipt["deliveries"][0]["vendor"] == "crm", "{receipt}");
    let shown = lanes(&worker).await?;
    ensure!(shown.contains(&json!(["insider", 0, null, 0, null])), "{shown:?}");
    worker.stop().await?;
    Ok(())
}

async fn shrunk(world: Arc<World>) -> Result<()> {
    let mut relay = Relay::new(world, "shrunk").await?;
    relay.account("insider")["shards"] = json!(4);
    let people: Vec<Person> = (0..16).map(|n| Person::new(&format!("shrunk-{n}"))).collect();
    let all = ["insider", "insider.1", "insider.2", "insider.3"];
    relay.hold(&people, &all).await?;
    relay.account("insider")["shards"] = json!(1);
    let worker = relay.start().await?;
    let before: usize = people.iter().map(|person| relay.calls(person)).sum();
    let shown = lanes(&worker).await?;
    let mut orphaned = shown.iter().filter(|lane| lane[2] == "shard_unknown");
    let waiting: i64 = orphaned.clone().filter_map(|lane| lane[3].as_i64()).sum();
    ensure!(orphaned.clone().count() == 3 && waiting > 0, "{shown:?}");
    ensure!(orphaned.all(|lane| lane[3] == lane[4]), "{shown:?}");
    for person in &people {
        receipt(&worker, person).await?;
    }
    // Whatever wakes them, they do not send: the account's pace is the configured lane's.
    let reply = operate(&worker, "POST", "/lanes/insider/resume", "").await?;
    ensure!(reply.status == 202 && reply.json()["lanes"].as_array().map(Vec::len) == Some(1));
    cron(&worker).await?;
    let here = i64::try_from(people.len())? - waiting;
    let sent = async {
        while lanes(&worker).await?.iter().any(|lane| lane[2].is_null() && lane[3] != 0) {
            sleep(Duration::from_millis(30)).await;
        }
        Ok(())
    };
    let sent: Result<Result<()>, _> = timeout(Duration::from_secs(20), sent).await;
    sent.context("the configured lane does not send")??;
    let after: usize = people.iter().map(|person| relay.calls(person)).sum();
    ensure!(i64::try_from(after - before)? == here, "{before} calls, then {after}");

    let reply = operate(&worker, "POST", "/lanes/insider/move", "").await?;
    ensure!(reply.status == 200 && reply.json()["moved"] == waiting, "{reply:?}");
    for person in &people {
        let receipt = until(&worker, person, "done").await?;
        ensure!(receipt["deliveries"].as_array().map(Vec::len) == Some(1), "{receipt}");
        let calls = relay.calls(person);
        ensure!(post(&worker, person).await?.status == 200 && relay.calls(person) == calls);
    }
    cron(&worker).await?;
    ensure!(relay.directory()? == ["insider"], "{:?}", relay.directory());
    worker.stop().await?;

    // A lane that was forgotten registers again.
    relay.account("insider")["shards"] = json!(4);
    let people: Vec<Person> = (0..16).map(|n| Person::new(&format!("grown-again-{n}"))).collect();
    relay.hold(&people, &all).await
}

async fn relocated(world: Arc<World>) -> Result<()> {
    let mut relay = Relay::new(world, "relocated").await?;
    let people = [Person::new("relocated-1"), Person::new("relocated-2")];
    relay.hold(&people, &["insider"]).await?;
    relay.account("insider")["jurisdiction"] = json!("eu");
    let worker = relay.start().await?;
    let shown = lanes(&worker).await?;
    ensure!(shown.contains(&json!(["insider", 0, "jurisdiction_changed", 2, 2])), "{shown:?}");
    needs_attention(&worker, &people[0], "move or discard").await?;
    let reply = operate(&worker, "POST", "/lanes/insider/move", "").await?;
    ensure!(reply.status == 200 && reply.json()["moved"] == 2, "{reply:?}");
    for person in &people {
        until(&worker, person, "done").await?;
        // The first two were asked about before: the second was the probe.
        let calls = usize::from(people.iter().take(2).any(|one| one.email == person.email)) + 1;
        ensure!(relay.calls(person) == calls);
    }
    cron(&worker).await?;
    ensure!(relay.directory()? == ["eu:insider"], "{:?}", relay.directory());
    worker.stop().await?;
    Ok(())
}

/// Lanes that hold something since before there was a directory, as an earlier version left them.
async fn found_later(world: Arc<World>) -> Result<()> {
    let mut relay = Relay::new(world, "found-later").await?;
    let person = Person::new("found-later");
    relay.hold(std::slice::from_ref(&person), &["insider"]).await?;
    for file in relay.storage.files()? {
        let Ok(database) = Connection::open(&file) else { continue };
        let _ = database.execute_batch("DELETE FROM directory");
        let _ = database.execute_batch("DROP TABLE registration");
    }
    ensure!(relay.directory()?.is_empty());
    let worker = relay.start().await?;
    cron(&worker).await?;
    let known = async {
        while relay.directory()? != ["insider"] {
            sleep(Duration::from_millis(30)).await;
        }
        Ok(())
    };
    let known: Result<Result<()>, _> = timeout(Duration::from_secs(20), known).await;
    known.context("it was not found")??;
    worker.stop().await?;
    relay.rename("insider", "crm");
    let worker = relay.start().await?;
    needs_attention(&worker, &person, "move or discard").await?;
    worker.stop().await?;
    Ok(())
}
