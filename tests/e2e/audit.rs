//! What operators did can be read afterwards, and nothing is done that cannot be written down.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use standin::Answer;
use xtask::demo::Vendors;
use xtask::webhook::{Reply, send};
use xtask::workerd::Workerd;

use crate::durable::{ADMIN_TOKEN, authorized, operate, post, settled, until};
use crate::namespace::behind;
use crate::storage;
use crate::world::{Handle, Person, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("audit: each action has a row and a line in the log", rows),
        world.trial("audit: a request's id is as logs show it", shown),
        world.trial("audit: the trail is read by pages", paged),
        world.trial("audit: nothing is done that cannot be written down", unwritten),
        world.trial("audit: an account's erasures are acknowledged and replayed together", bulk),
    ]
}

async fn act(world: &World, path: &str, body: &str) -> Result<Reply> {
    world.request("POST", path, &authorized(), body.into()).await
}

/// The rows of a source or a lane, newest first.
async fn of(world: &World, name: &str) -> Result<Vec<Value>> {
    let audit = operate(world, "GET", "/audit?limit=200").await?.json();
    let rows = audit["actions"].as_array().cloned().context("no rows")?;
    Ok(rows.into_iter().filter(|row| row["source"] == name || row["lane"] == name).collect())
}

const NOTE: &str = r#"{"note":"TICKET-9"}"#;

async fn rows(world: Arc<World>) -> Result<()> {
    let (vendor, person) = (&world.accounts["audited"], Person::new("audited"));
    vendor.script(&person.email, [Answer::status(400), Answer::status(400)]);
    ensure!(post(&world, "audited", &person).await?.status == 200);
    settled(&world, "audited", &person).await?;
    let id = &person.request_id;
    // What cannot be read is no action.
    let path = format!("/erasures/audited/{id}/acknowledge");
    ensure!(act(&world, &path, "{}").await?.status == 400);
    ensure!(act(&world, "/lanes/audited/replay?outcome=accepted", "").await?.status == 400);
    let closing = r#"{"outcome":"completed","note":"TICKET-9"}"#;
    for (path, body, status) in [
        (format!("/erasures/audited/{id}/acknowledge"), NOTE, 200),
        (format!("/erasures/audited/{id}/replay"), "", 202),
        ("/erasures/audited/nothing/replay".to_owned(), "", 404),
        (format!("/erasures/audited/{id}/close"), closing, 409),
        ("/lanes/audited/resume".to_owned(), "", 202),
        ("/lanes/audited/move?to=nobody".to_owned(), "", 404),
        ("/lanes/audited/discard?call=profile".to_owned(), NOTE, 200),
        ("/lanes/audited/replay?outcome=blocked".to_owned(), "", 202),
        ("/lanes/audited/acknowledge?outcome=not_erased".to_owned(), NOTE, 200),
        (format!("/erasures/audited/{id}/discard"), NOTE, 200),
    ] {
        let reply = act(&world, &path, body).await?;
        ensure!(reply.status == status, "{path}: {reply:?}");
    }
    let mut rows = of(&world, "audited").await?;
    rows.reverse();
    for row in &mut rows {
        let row = row.as_object_mut().context("a row")?;
        ensure!(row.remove("at").is_some_and(|at| at.is_string()), "when");
        ensure!(row.remove("who") == Some(json!("admin_token")), "who");
        ensure!(row.remove("by") == Some(json!("api")), "how");
    }
    let of_erasure = json!({ "source": "audited", "request_id": id });
    let row = |base: &Value, more: Value| {
        let mut row = base.clone();
        crate::world::merge(&mut row, more);
        row
    };
    let of_lane = json!({ "lane": "audited" });
    let expected = [
        row(&of_erasure, json!({ "action": "acknowledge", "note": "TICKET-9", "result": "200" })),
        row(&of_erasure, json!({ "action": "replay", "result": "202" })),
        json!({ "action": "replay", "source": "audited", "request_id": rows[2]["request_id"],
                "result": "unknown-erasure" }),
        row(
            &of_erasure,
            json!({ "action": "close", "outcome": "completed", "note": "TICKET-9",
                    "result": "cannot-close" }),
        ),
        row(&of_lane, json!({ "action": "resume", "result": "202" })),
        row(&of_lane, json!({ "action": "move", "to": "nobody", "result": "unknown-vendor" })),
        row(
            &of_lane,
            json!({ "action": "discard_unsendable", "call": "profile", "note": "TICKET-9",
                    "result": "200" }),
        ),
        row(&of_lane, json!({ "action": "replay_all", "outcome": "blocked", "result": "202" })),
        row(
            &of_lane,
            json!({ "action": "acknowledge_all", "outcome": "not_erased", "note": "TICKET-9",
                    "result": "200" }),
        ),
        row(&of_erasure, json!({ "action": "discard", "note": "TICKET-9", "result": "200" })),
    ];
    ensure!(rows == expected, "{rows:#?}");
    let shown = rows[2]["request_id"].as_str().unwrap_or_default();
    ensure!(shown.starts_with('k') && shown.contains(':'), "{shown}");
    let line = r#""action":"close","who":"admin_token","by":"api","source":"audited""#;
    let line = world.worker.logged(line).await?;
    ensure!(line.contains(r#""event":"operator""#), "{line}");
    ensure!(line.contains(r#""note":"TICKET-9","result":"cannot-close""#), "{line}");
    Ok(())
}

/// What the URL of an action holds may be anything.
async fn shown(world: Arc<World>) -> Result<()> {
    // wrangler writes each URL to its own log, so these are nobody's of the other tests.
    let personal = "jane.doe@example.org";
    for (source, id) in [
        ("audit-shown", personal),
        ("audit-shown", "k4f2a:9f2c41d07b6e"),
        ("jane%20doe", "x"),
        (&"s".repeat(500), "x"),
    ] {
        let reply = act(&world, &format!("/erasures/{source}/{id}/replay"), "").await?;
        ensure!(reply.status == 404, "{reply:?}");
    }
    let long = "x".repeat(2000);
    ensure!(act(&world, &format!("/erasures/audit-shown/{long}/replay"), "").await?.status == 404);
    let rows = of(&world, "audit-shown").await?;
    let ids: Vec<_> = rows.iter().map(|row| row["request_id"].as_str().unwrap_or("?")).collect();
    ensure!(ids.len() == 3 && ids[0] == "(withheld)" && ids[1] == "k4f2a:9f2c41d07b6e", "{ids:?}");
    ensure!(ids[2].starts_with('k') && ids[2] != ids[1], "{ids:?}");
    let withheld = of(&world, "(withheld)").await?;
    ensure!(withheld.len() == 2, "{withheld:?}");
    let audit = operate(&world, "GET", "/audit?limit=200").await?;
    ensure!(!audit.text.contains("jane"), "{audit:?}");
    let log = world.worker.log();
    let mut lines = log.lines().filter(|line| line.contains(r#""event":"operator""#));
    ensure!(lines.clone().count() >= 5 && !lines.any(|line| line.contains("jane")), "in the log");
    Ok(())
}

async fn paged(world: Arc<World>) -> Result<()> {
    for _ in 0..3 {
        ensure!(act(&world, "/lanes/audit-paged/resume", "").await?.status == 404);
    }
    let mut path = "/audit?limit=1".to_owned();
    let (mut last, mut seen) = (i64::MAX, 0);
    while seen < 3 {
        let page = operate(&world, "GET", &path).await?.json();
        let actions = page["actions"].as_array().context("a list")?;
        ensure!(actions.len() == 1, "{page}");
        seen += usize::from(actions[0]["lane"] == "audit-paged");
        let Some(next) = page["next"].as_str() else { break };
        let number: i64 = next.parse()?;
        ensure!(number < last, "each is older than the one before");
        last = number;
        path = format!("/audit?limit=1&before={next}");
    }
    ensure!(seen == 3, "{seen}");
    let oldest = operate(&world, "GET", "/audit?before=1").await?;
    ensure!(oldest.json() == json!({ "actions": [] }), "{oldest:?}");
    for query in ["limit=0", "limit=201", "before=x", "state=done"] {
        let reply = operate(&world, "GET", &format!("/audit?{query}")).await?;
        ensure!(reply.status == 400 && reply.json()["type"] == "malformed", "{reply:?}");
    }
    Ok(())
}

/// A directory that does not answer once `/break` was asked for.
const BREAKING: &str = r#"
import { WorkerEntrypoint } from "cloudflare:workers";
import Relay from "./relay.js";
export { Lane } from "./relay.js";
let broken = false;
class DurableObjectNamespace {
  constructor(lanes) {
    this.lanes = lanes;
  }
  getByName(name) {
    if (!broken || name !== ".directory") return this.lanes.getByName(name);
    return { fetch: async () => new Response(null, { status: 500 }) };
  }
}
export default class extends WorkerEntrypoint {
  fetch(request) {
    if (request.url.endsWith("/break")) {
      broken = true;
      return new Response("broken");
    }
    const LANES = new DurableObjectNamespace(this.env.LANES);
    return new Relay(this.ctx, { ...this.env, LANES }).fetch(request);
  }
}
"#;

async fn unwritten(world: Arc<World>) -> Result<()> {
    let bundle = behind(&world, "breaking", BREAKING)?;
    let vendors = Vendors::start().await?;
    let deployment = vendors.deployment()?.secret("ADMIN_TOKEN", ADMIN_TOKEN);
    let worker = Workerd::start(&world.toolchain, &bundle, &deployment).await?;
    let person = Person::new("unwritten");
    vendors.insider.script(&person.email, [Answer::status(400)]);
    let reply = storage::post(&worker, &person).await?;
    ensure!(reply.status == 200, "{reply:?}");
    send("GET", &worker.url("/break"), &[], "").await?;
    for path in [
        format!("/erasures/consent/{}/replay", person.request_id),
        "/lanes/insider/replay".to_owned(),
        "/lanes/insider/resume".to_owned(),
    ] {
        let reply = send("POST", &worker.url(&path), &authorized(), "").await?;
        ensure!(reply.status == 503 && reply.json()["type"] == "not-audited", "{path}: {reply:?}");
        ensure!(reply.header("retry-after") == "30", "{reply:?}");
    }
    let called = vendors.insider.requests_for(&person.email).len();
    ensure!(called == 1, "it was sent again: {called}");
    worker.stop().await?;
    Ok(())
}

async fn bulk(world: Arc<World>) -> Result<()> {
    let vendor = &world.accounts["bulk"];
    let people: Vec<Person> = (0..4).map(|n| Person::new(&format!("bulk-{n}"))).collect();
    for person in &people {
        vendor.script(&person.email, [Answer::status(400), Answer::Success]);
        ensure!(post(&world, "bulk", person).await?.status == 200);
        settled(&world, "bulk", person).await?;
    }
    // One is acknowledged alone, and left alone from then on.
    let path = format!("/erasures/bulk/{}/acknowledge", people[0].request_id);
    let reply = act(&world, &path, NOTE).await?;
    ensure!(reply.status == 200 && reply.json()["state"] == "acknowledged", "{reply:?}");
    let delivery = &reply.json()["deliveries"][0];
    ensure!(delivery["acknowledged"]["note"] == "TICKET-9", "{delivery}");
    ensure!(delivery["acknowledged"]["at"].is_string() && delivery["outcome"] == "rejected");
    let listed = async |state: &str| -> Result<usize> {
        let path = format!("/erasures?vendor=bulk&state={state}");
        let reply = operate(&world, "GET", &path).await?;
        reply.json()["erasures"].as_array().map(Vec::len).context("a list")
    };
    ensure!((listed("acknowledged").await?, listed("attention").await?) == (1, 3));
    let due = operate(&world, "GET", "/erasures?vendor=bulk&due_within_days=30").await?.json();
    ensure!(due["erasures"].as_array().map(Vec::len) == Some(3), "{due}");

    let reply = act(&world, "/lanes/bulk/replay?outcome=uncertain", "").await?;
    ensure!(reply.status == 202 && reply.json()["replayed"] == 0, "{reply:?}");
    let reply = act(&world, "/lanes/bulk/replay", "").await?;
    let json = reply.json();
    ensure!(json["replayed"] == 3 && json["more"] == false, "{reply:?}");
    ensure!(json["lanes"][0]["vendor"] == "bulk", "{reply:?}");
    for person in &people[1..] {
        until(&world, "bulk", person, |receipt| receipt["state"] == "done").await?;
    }
    ensure!(vendor.requests_for(&people[0].email).len() == 1);

    let other = Person::new("bulk-other");
    vendor.script(&other.email, [Answer::status(400), Answer::Success]);
    ensure!(post(&world, "bulk", &other).await?.status == 200);
    settled(&world, "bulk", &other).await?;
    let reply = act(&world, "/lanes/bulk/acknowledge", r#"{"note":"all of them"}"#).await?;
    let json = reply.json();
    ensure!(reply.status == 200 && json["acknowledged"] == 1, "{reply:?}");
    ensure!((listed("acknowledged").await?, listed("attention").await?) == (2, 0));
    // A replay of one clears it.
    let path = format!("/erasures/bulk/{}/replay", other.request_id);
    ensure!(act(&world, &path, "").await?.status == 202);
    let receipt = until(&world, "bulk", &other, |receipt| receipt["state"] == "done").await?;
    ensure!(receipt["deliveries"][0]["acknowledged"].is_null(), "{receipt}");
    for path in ["/lanes/nobody/replay", "/lanes/nobody/acknowledge"] {
        let reply = act(&world, path, NOTE).await?;
        ensure!(reply.status == 404 && reply.json()["type"] == "unknown-vendor", "{reply:?}");
    }
    Ok(())
}
