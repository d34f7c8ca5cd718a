//! The operator's routes.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use standin::Answer;

use crate::durable::{RECEIPT_SECRET, authorized, operate, settled, until};
use crate::world::{Handle, Person, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("operator: nobody else gets in", nobody_else),
        world.trial("operator: the scheme Bearer in any case", schemes),
        world.trial("operator: what does not exist is told", unknown),
        world.trial("operator: a receipt is signed", signed),
        world.trial("operator: the id in an alert finds the receipt", alerted),
        world.trial("operator: erasures are listed by pages", listed),
        world.trial("operator: what ended badly is tried again", replayed),
        world.trial("operator: what is discarded is not sent", discarded),
        world.trial("operator: healthz tells that delivery is durable", healthy),
    ]
}

async fn post(world: &World, source: &str, person: &Person) -> Result<u16> {
    let webhook = person.asks(&json!({ "email": person.email }));
    Ok(world.post_to(source, &webhook).await?.status.as_u16())
}

async fn nobody_else(world: Arc<World>) -> Result<()> {
    for (method, path) in [
        ("GET", "/erasures"),
        ("GET", "/erasures/consent/x"),
        ("POST", "/erasures/consent/x/replay"),
        ("POST", "/erasures/consent/x/discard"),
        ("POST", "/erasures/consent/x/acknowledge"),
        ("GET", "/audit"),
        ("POST", "/lanes/insider/replay"),
        ("POST", "/lanes/insider/acknowledge"),
        ("GET", "/lanes"),
        ("GET", "/sources"),
        ("GET", "/metrics"),
        ("POST", "/lanes/insider/resume"),
        ("POST", "/lanes/insider/move"),
        ("POST", "/lanes/insider/discard"),
    ] {
        for value in ["", "Bearer ", "Bearer wrong-token-of-the-tests", "Basic YTpi"] {
            let headers = [("authorization".to_owned(), value.to_owned())];
            let reply = world.request(method, path, &headers, Vec::new()).await?;
            ensure!(reply.status == 401 && reply.json()["type"] == "not-operator", "{reply:?}");
            ensure!(reply.header("www-authenticate") == "Bearer", "{reply:?}");
        }
    }
    Ok(())
}

async fn schemes(world: Arc<World>) -> Result<()> {
    let authorized = authorized();
    let token = authorized[0].1.trim_start_matches("Bearer ");
    let status = async |value: String| {
        let headers = [("authorization".to_owned(), value)];
        Ok::<_, anyhow::Error>(world.request("GET", "/lanes", &headers, Vec::new()).await?.status)
    };
    for scheme in ["Bearer ", "bearer ", "BEARER ", "bEaReR   "] {
        ensure!(status(format!("{scheme}{token}")).await? == 200, "{scheme}");
    }
    for scheme in ["", "Bearer", "Bearer\t", "Basic ", "Token ", "Bearer Bearer "] {
        ensure!(status(format!("{scheme}{token}")).await? == 401, "{scheme}");
    }
    ensure!(status(format!("Bearer {}", token.to_uppercase())).await? == 401);
    Ok(())
}

async fn unknown(world: Arc<World>) -> Result<()> {
    for (method, path, status, slug) in [
        ("GET", "/erasures/consent/nothing", 404, "unknown-erasure"),
        ("POST", "/erasures/consent/nothing/replay", 404, "unknown-erasure"),
        ("POST", "/erasures/consent/nothing/discard", 400, "malformed"),
        ("GET", "/erasures/consent/k4f2a:9f2c41d07b6e", 404, "unknown-erasure"),
        ("POST", "/lanes/nobody/resume", 404, "unknown-vendor"),
        ("GET", "/erasures?vendor=nobody", 404, "unknown-vendor"),
        ("GET", "/erasures?source=nobody", 404, "unknown-source"),
        ("GET", "/erasures?from=2026-01-02&to=2026-01-01", 400, "malformed"),
        ("GET", "/erasures?state=odd", 400, "malformed"),
        ("GET", "/erasures?before=odd", 400, "malformed"),
        ("GET", "/erasures?overdue=no", 400, "malformed"),
        ("GET", "/erasures?due_within_days=366", 400, "malformed"),
        ("POST", "/erasures", 405, "method-not-allowed"),
        ("DELETE", "/lanes", 405, "method-not-allowed"),
        ("POST", "/sources", 405, "method-not-allowed"),
    ] {
        let reply = operate(&world, method, path).await?;
        ensure!(reply.status == status && reply.json()["type"] == slug, "{path}: {reply:?}");
    }
    Ok(())
}

async fn signed(world: Arc<World>) -> Result<()> {
    let mut person = Person::new("signed");
    person.request_id = "no uuid/é?#%".to_owned();
    ensure!(post(&world, "signed", &person).await? == 200);
    let path = "/erasures/signed/no%20uuid%2F%C3%A9%3F%23%25";
    let reply = operate(&world, "GET", path).await?;
    ensure!(reply.status == 200 && reply.json()["request_id"] == person.request_id, "{reply:?}");
    let webhook = standardwebhooks::Webhook::new(RECEIPT_SECRET)?;
    webhook.verify(reply.text.as_bytes(), &reply.headers)?;
    let altered = reply.text.replace("accepted", "rejected");
    ensure!(webhook.verify(altered.as_bytes(), &reply.headers).is_err());
    // Its platform is told nothing, so there is nothing to close.
    let closing = json!({ "outcome": "completed", "note": "TICKET-1" }).to_string();
    let close = format!("{path}/close");
    let reply = world.request("POST", &close, &authorized(), closing.clone().into()).await?;
    ensure!(reply.status == 409 && reply.json()["type"] == "cannot-close", "{reply:?}");
    let unknown = "/erasures/signed/nothing/close";
    let reply = world.request("POST", unknown, &authorized(), closing.into()).await?;
    ensure!(reply.status == 404, "{reply:?}");
    Ok(())
}

/// Where the log does not show a request's id, what it shows in its place finds the receipt.
async fn alerted(world: Arc<World>) -> Result<()> {
    let mut person = Person::new("alerted");
    person.request_id = "no uuid of alerted".to_owned();
    world.accounts["alerted"].script(&person.email, [Answer::status(400)]);
    ensure!(post(&world, "alerted", &person).await? == 200);
    let line = world.worker.logged(r#""event":"erasure","source":"alerted""#).await?;
    let (start, end) = line.find('{').zip(line.rfind('}')).context("no JSON in the line")?;
    let alert: Value = serde_json::from_str(&line[start..=end])?;
    let shown = alert["request_id"].as_str().unwrap_or_default();
    ensure!(shown.starts_with('k') && shown.contains(':'), "{alert}");
    let reply = operate(&world, "GET", &format!("/erasures/alerted/{shown}")).await?;
    ensure!(reply.json()["request_id"] == person.request_id, "{reply:?}");
    let elsewhere = operate(&world, "GET", &format!("/erasures/consent/{shown}")).await?;
    ensure!(elsewhere.status == 404, "{elsewhere:?}");
    Ok(())
}

async fn page(world: &World, query: &str) -> Result<(Vec<String>, Option<String>)> {
    let reply = operate(world, "GET", &format!("/erasures?vendor=listed&{query}")).await?;
    ensure!(reply.status == 200, "{reply:?}");
    let json = reply.json();
    let erasures = json["erasures"].as_array().cloned().unwrap_or_default();
    let id = |erasure: &Value| erasure["request_id"].as_str().unwrap_or_default().to_owned();
    Ok((erasures.iter().map(id).collect(), json["next"].as_str().map(str::to_owned)))
}

async fn listed(world: Arc<World>) -> Result<()> {
    let people: Vec<Person> = (0..5).map(|n| Person::new(&format!("listed-{n}"))).collect();
    let rejected = &people[1];
    world.accounts["listed"].script(&rejected.email, [Answer::status(400)]);
    for person in &people {
        ensure!(post(&world, "listed", person).await? == 200);
        settled(&world, "listed", person).await?;
    }
    let newest: Vec<&str> = people.iter().rev().map(|person| person.request_id.as_str()).collect();
    let (mut seen, mut query, mut pages) = (Vec::new(), "limit=2".to_owned(), 0);
    loop {
        let (ids, next) = page(&world, &query).await?;
        seen.extend(ids);
        pages += 1;
        let Some(next) = next else { break };
        query = format!("limit=2&before={next}");
    }
    ensure!(seen == newest && pages == 3, "{pages} pages");
    let (attention, _) = page(&world, "state=attention").await?;
    ensure!(attention == [rejected.request_id.clone()], "{attention:?}");
    let (done, _) = page(&world, "state=done").await?;
    ensure!(done.len() == 4, "{done:?}");
    let (pending, _) = page(&world, "state=pending").await?;
    ensure!(pending.is_empty(), "{pending:?}");
    // The source has 30 days to answer, and what is done is not due.
    for query in ["due_within_days=30", "due_within_days=365", "due_within_days=30&state=attention"]
    {
        let (due, _) = page(&world, query).await?;
        ensure!(due == [rejected.request_id.clone()], "{query}: {due:?}");
    }
    for query in ["due_within_days=29", "overdue=true", "due_within_days=30&state=done"] {
        let (due, _) = page(&world, query).await?;
        ensure!(due.is_empty(), "{query}: {due:?}");
    }
    Ok(())
}

async fn replayed(world: Arc<World>) -> Result<()> {
    let (vendor, person) = (&world.accounts["replayed"], Person::new("replayed"));
    vendor.script(&person.email, [Answer::status(400), Answer::html(200), Answer::Success]);
    ensure!(post(&world, "replayed", &person).await? == 200);
    for (before, after) in [("rejected", "uncertain"), ("uncertain", "accepted")] {
        let is = |outcome: &str| {
            let outcome = outcome.to_owned();
            move |receipt: &Value| receipt["deliveries"][0]["outcome"] == outcome
        };
        until(&world, "replayed", &person, is(before)).await?;
        let path = format!("/erasures/replayed/{}/replay", person.request_id);
        let reply = operate(&world, "POST", &path).await?;
        ensure!(reply.status == 202 && reply.json()["state"] == "pending", "{reply:?}");
        until(&world, "replayed", &person, is(after)).await?;
    }
    // What went well is not sent again.
    let path = format!("/erasures/replayed/{}/replay", person.request_id);
    let reply = operate(&world, "POST", &path).await?;
    ensure!(reply.status == 202 && reply.json()["state"] == "done", "{reply:?}");
    ensure!(vendor.requests_for(&person.email).len() == 3);
    Ok(())
}

async fn discarded(world: Arc<World>) -> Result<()> {
    let (vendor, person) = (&world.accounts["discarded"], Person::new("discarded"));
    vendor.script(&person.email, [Answer::status(503)]);
    ensure!(post(&world, "discarded", &person).await? == 202);
    let discard = async |id: &str, body: &str| {
        let path = format!("/erasures/discarded/{id}/discard");
        world.request("POST", &path, &authorized(), body.as_bytes().to_vec()).await
    };
    let note = r#"{"note":"done by hand"}"#;
    for (id, body, status) in [
        (person.request_id.as_str(), "", 400),
        (&person.request_id, r#"{"note":""}"#, 400),
        (&person.request_id, &" ".repeat(5000), 413),
        ("nothing", note, 404),
    ] {
        let reply = discard(id, body).await?;
        ensure!(reply.status == status, "{id}: {reply:?}");
    }
    let path = format!("/erasures/discarded/{}", person.request_id);
    let reply = operate(&world, "GET", &path).await?;
    ensure!(reply.json()["state"] == "pending", "it was ended: {reply:?}");
    let reply = discard(&person.request_id, note).await?;
    ensure!(reply.status == 200 && reply.json()["state"] == "discarded", "{reply:?}");
    let delivery = &reply.json()["deliveries"][0];
    ensure!(delivery["outcome"] == "discarded" && delivery["detail"] == "done by hand");
    ensure!(delivery["next_attempt_at"].is_null(), "{reply:?}");
    world.worker.logged(r#""state":"discarded""#).await?;
    // Neither a replay nor the same webhook revives it.
    let path = format!("/erasures/discarded/{}/replay", person.request_id);
    let reply = operate(&world, "POST", &path).await?;
    ensure!(reply.status == 202 && reply.json()["state"] == "discarded", "{reply:?}");
    ensure!(post(&world, "discarded", &person).await? == 200);
    let listed = operate(&world, "GET", "/erasures?vendor=discarded&state=discarded").await?;
    ensure!(listed.json()["erasures"].as_array().map(Vec::len) == Some(1), "{listed:?}");
    ensure!(vendor.requests_for(&person.email).len() == 1);
    Ok(())
}

async fn healthy(world: Arc<World>) -> Result<()> {
    let reply = world.request("GET", "/healthz", &authorized(), Vec::new()).await?;
    let health = reply.json();
    ensure!(health["delivery"] == "durable", "{reply:?}");
    ensure!(health["version"] == env!("CARGO_PKG_VERSION"), "{reply:?}");
    // Other tests have lanes that need a person.
    let status = if health["lanes"] == json!([]) { (200, "ok") } else { (503, "attention") };
    ensure!(reply.status == status.0 && health["status"] == status.1, "{reply:?}");
    Ok(())
}
