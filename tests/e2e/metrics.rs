//! `GET /metrics` and data points: what a monitoring system is told.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use standin::Answer;
use xtask::demo::{ADMIN_TOKEN, Vendors};
use xtask::webhook::{Reply, send};
use xtask::workerd::Workerd;

use crate::durable::{authorized, operate, post, until};
use crate::namespace::behind;
use crate::storage;
use crate::world::{Handle, Person, World};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("metrics: Prometheus's own reader reads what the lanes tell", read),
        world.trial("metrics: without the token there are none", closed),
        world.trial("metrics: a lane that does not answer is down, and hides no other", down),
        world.trial("metrics: each outcome is a data point where a dataset is bound", points),
    ]
}

pub fn direct_trials(world: &Handle) -> Vec<Trial> {
    vec![world.trial("metrics: direct delivery has none", absent)]
}

/// The families as Prometheus's reader has them.
fn families(world: &World, reply: &Reply) -> Result<Vec<Value>> {
    ensure!(reply.status == 200 && reply.header("content-type") == CONTENT_TYPE, "{reply:?}");
    ensure!(reply.text.ends_with("\n# EOF\n"), "{reply:?}");
    let mut reader = Command::new(world.toolchain.python()?);
    reader.current_dir(env!("CARGO_MANIFEST_DIR")).arg("tests/sdk/metrics.py");
    let mut reader = reader.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    reader.stdin.take().context("no input")?.write_all(reply.text.as_bytes())?;
    let output = reader.wait_with_output()?;
    ensure!(output.status.success(), "it is not OpenMetrics:\n{}", reply.text);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The value of the sample with these labels; `None` where there is none.
fn value(families: &[Value], name: &str, labels: &Value) -> Option<f64> {
    let all = families.iter().flat_map(|family| family["samples"].as_array().into_iter().flatten());
    let has = |sample: &&Value| {
        let wanted = labels.as_object().into_iter().flatten();
        sample[0] == name && wanted.clone().all(|(label, value)| sample[1][label] == *value)
    };
    all.into_iter().find(has)?[2].as_f64()
}

async fn read(world: Arc<World>) -> Result<()> {
    let person = Person::new("metrics");
    world.accounts["metrics"].script(&person.email, [Answer::status(400)]);
    ensure!(post(&world, "metrics", &person).await?.status == 200);
    until(&world, "metrics", &person, |receipt| receipt["state"] == "attention").await?;
    let ignored = xtask::webhook::Webhook::new("metrics-ignored", r#"{"type":"metrics.other"}"#);
    ensure!(world.post_to("metrics", &ignored).await?.status == 204);
    let counted = async || {
        let sources = operate(&world, "GET", "/sources").await?.json();
        Ok::<_, anyhow::Error>(sources.to_string().contains("metrics.other"))
    };
    for _ in 0..100 {
        if counted().await? {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let reply = world.request("GET", "/metrics", &authorized(), Vec::new()).await?;
    let families = families(&world, &reply)?;
    let lane = json!({ "vendor": "metrics", "shard": "0" });
    let with = |label: &str, value: &str| {
        let mut labels = lane.clone();
        labels[label] = json!(value);
        labels
    };
    for (name, labels, expected) in [
        ("erasure_relay_build_info", json!({ "version": env!("CARGO_PKG_VERSION") }), Some(1.0)),
        ("erasure_relay_directory_up", json!({}), Some(1.0)),
        ("erasure_relay_lane_up", lane.clone(), Some(1.0)),
        ("erasure_relay_lane_waiting_deliveries", lane.clone(), Some(0.0)),
        ("erasure_relay_lane_attention_deliveries", lane.clone(), Some(1.0)),
        ("erasure_relay_lane_oldest_waiting_timestamp_seconds", lane.clone(), None),
        ("erasure_relay_lane_breaker", with("state", "closed"), Some(1.0)),
        ("erasure_relay_lane_breaker", with("state", "blocked"), Some(0.0)),
        ("erasure_relay_lane_recent_deliveries", with("outcome", "rejected"), Some(1.0)),
        ("erasure_relay_lane_recent_deliveries", with("outcome", "accepted"), None),
        ("erasure_relay_ignored_events_total", with("event", "metrics.other"), Some(1.0)),
        ("erasure_relay_lane_up", json!({ "vendor": "sharded", "shard": "2" }), Some(1.0)),
    ] {
        let found = value(&families, name, &labels);
        ensure!(found == expected, "{name} {labels}: {found:?}");
    }
    let pace = value(&families, "erasure_relay_lane_pace_calls", &with("call", "identity"));
    ensure!(pace.is_some_and(|calls| calls > 0.0), "{pace:?}");
    let clock = value(&families, "erasure_relay_lane_clock_timestamp_seconds", &lane);
    ensure!(clock.is_some_and(|at| at > 1_700_000_000.0), "{clock:?}");
    Ok(())
}

async fn closed(world: Arc<World>) -> Result<()> {
    for headers in [vec![], vec![("authorization".to_owned(), "Bearer wrong-token".to_owned())]] {
        let reply = world.request("GET", "/metrics", &headers, Vec::new()).await?;
        ensure!(reply.status == 401 && reply.json()["type"] == "not-operator", "{reply:?}");
    }
    let reply = world.request("POST", "/metrics", &authorized(), Vec::new()).await?;
    ensure!(reply.status == 405 && reply.header("allow") == "GET", "{reply:?}");
    Ok(())
}

async fn absent(world: Arc<World>) -> Result<()> {
    let reply = world.request("GET", "/metrics", &authorized(), Vec::new()).await?;
    ensure!(reply.status == 404, "{reply:?}");
    Ok(())
}

/// A namespace of which one lane and the directory do not answer, and a dataset that keeps its points.
const BROKEN: &str = r#"
import { WorkerEntrypoint } from "cloudflare:workers";
import Relay from "./relay.js";
export { Lane } from "./relay.js";
const points = [];
const ANALYTICS = { writeDataPoint: (point) => void points.push(point) };
let broken = false;
class DurableObjectNamespace {
  constructor(lanes) {
    this.lanes = lanes;
  }
  getByName(name) {
    const fails = broken && (name === "insider" || name === ".directory");
    return fails ? { fetch: () => Promise.reject(new Error("broken")) } : this.lanes.getByName(name);
  }
}
export default class extends WorkerEntrypoint {
  fetch(request) {
    if (request.url.endsWith("/points")) return Response.json(points);
    if (request.url.endsWith("/break")) return new Response(String((broken = true)));
    const LANES = new DurableObjectNamespace(this.env.LANES);
    return new Relay(this.ctx, { ...this.env, LANES, ANALYTICS }).fetch(request);
  }
}
"#;

async fn down(world: Arc<World>) -> Result<()> {
    let bundle = behind(&world, "broken", BROKEN)?;
    let vendors = Vendors::start().await?;
    let worker = Workerd::start(&world.toolchain, &bundle, &vendors.deployment()?).await?;
    let scrape = async || {
        let token = [("authorization".to_owned(), format!("Bearer {ADMIN_TOKEN}"))];
        send("GET", &worker.url("/metrics"), &token, "").await
    };
    let up = |families: &[Value], vendor: &str| {
        value(families, "erasure_relay_lane_up", &json!({ "vendor": vendor }))
    };
    let before = families(&world, &scrape().await?)?;
    ensure!(up(&before, "insider") == Some(1.0), "{before:?}");
    send("GET", &worker.url("/break"), &[], "").await?;
    let after = families(&world, &scrape().await?)?;
    ensure!((up(&after, "insider"), up(&after, "instacart")) == (Some(0.0), Some(1.0)));
    ensure!(value(&after, "erasure_relay_directory_up", &json!({})) == Some(0.0));
    let waiting = |vendor: &str| {
        let labels = json!({ "vendor": vendor });
        value(&after, "erasure_relay_lane_waiting_deliveries", &labels)
    };
    ensure!((waiting("insider"), waiting("instacart")) == (None, Some(0.0)));
    worker.stop().await?;
    Ok(())
}

async fn points(world: Arc<World>) -> Result<()> {
    let bundle = behind(&world, "points", BROKEN)?;
    let vendors = Vendors::start().await?;
    let deployment = vendors.deployment()?;
    for (name, deployment) in [("durable", deployment.clone()), ("direct", deployment.direct())] {
        let worker = Workerd::start(&world.toolchain, &bundle, &deployment).await?;
        let person = Person::new(&format!("points-{name}"));
        vendors.insider.script(&person.email, [Answer::status(400)]);
        let reply = storage::post(&worker, &person).await?;
        ensure!(reply.status == 200, "{reply:?}");
        let points = send("GET", &worker.url("/points"), &[], "").await?;
        ensure!(!points.text.contains("pii"), "a point is personal");
        let mut points = points.json().as_array().cloned().unwrap_or_default();
        points.sort_by_key(|point| point["indexes"][0].to_string());
        ensure!(points.len() == 2, "{name}: {points:?}");
        for (point, index, blobs, doubles) in [
            (
                &points[0],
                "insider",
                json!(["consent", "insider", "identity", "rejected", "attention"]),
                json!([400, 1]),
            ),
            (
                &points[1],
                "instacart",
                json!(["consent", "instacart", "privacy_request", "accepted", "done"]),
                json!([200, 1]),
            ),
        ] {
            ensure!(point["indexes"] == json!([index]) && point["blobs"] == blobs, "{point}");
            let written = point["doubles"].as_array().cloned().unwrap_or_default();
            ensure!(json!(written[..2]) == doubles && written.len() == 3, "{name}: {point}");
            ensure!(written[2].as_f64().is_some_and(|age| (0.0..60.0).contains(&age)), "{point}");
        }
        worker.stop().await?;
    }
    Ok(())
}
