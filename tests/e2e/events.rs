//! Bodies with several events, events that are no erasures, and tests of the connection.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use send::Proof;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use xtask::webhook::{Reply, Webhook, now};

use crate::durable::{operate, settled};
use crate::platforms::{bearer, heard, signed_as};
use crate::world::{Handle, Person, World};

pub fn direct_trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("events: several in one body are several erasures", batch),
        world.trial("events: one that cannot be read does not lose the others", broken_batch),
        world.trial("events: a policy with several rules erases if the operator says so", policy),
        world.trial("events: tests of the connection are answered", pings),
        world.trial("events: a form with JSON is read", form),
        world.trial("events: Meta's older shapes are read", older_meta),
        world.trial("events: a request id that no URL can hold is rejected", dots),
        world.trial("events: a path with a slash too many is explained", slashes),
    ]
}

pub fn durable_trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("durable events: each of several erasures has its receipt", stored_batch),
        world.trial("durable events: what is ignored is counted and shown", counted),
        world.trial("durable events: OpenDSR's status and cancellation", opendsr),
    ]
}

fn event(person: &Person, kind: &str) -> Value {
    json!({ "event": kind, "id": person.request_id,
            "customer": { "id": person.user_id, "email": person.email } })
}

async fn post(world: &World, source: &str, proof: Proof, body: impl AsRef<[u8]>) -> Result<Reply> {
    let url = world.worker.url(&format!("/webhooks/{source}"));
    world.deliver(source, &proof.put_on("msg_1", &url, body.as_ref(), now())?).await
}

async fn post_batch(world: &World, events: &Value) -> Result<Reply> {
    post(world, "p-batch", signed_as("hubspot"), events.to_string()).await
}

fn people(test: &str, count: usize) -> Vec<Person> {
    (0..count).map(|number| Person::new(&format!("{test}-{number}"))).collect()
}

fn ids(receipts: &Value) -> Vec<&str> {
    let receipts = receipts.as_array().map(Vec::as_slice).unwrap_or_default();
    receipts.iter().filter_map(|receipt| receipt["request_id"].as_str()).collect()
}

async fn batch(world: Arc<World>) -> Result<()> {
    let people = people("batch", 3);
    let [first, other, last] = &people[..] else { unreachable!() };
    let events = json!([
        event(first, "customer.deleted"),
        event(other, "customer.created"),
        event(last, "customer.deleted"),
    ]);
    let reply = post_batch(&world, &events).await?;
    ensure!(reply.status == 200, "{reply:?}");
    let json = reply.json();
    ensure!(ids(&json["erasures"]) == [&*first.request_id, &*last.request_id], "{reply:?}");
    ensure!(heard(&world, first) == [1, 1] && heard(&world, last) == [1, 1]);
    ensure!(heard(&world, other) == [0, 0], "another event erased");
    let alone = Person::new("batch-alone");
    let reply = post_batch(&world, &json!([event(&alone, "customer.deleted")])).await?;
    ensure!(reply.status == 200 && reply.json()["request_id"] == alone.request_id, "{reply:?}");
    let reply = post_batch(&world, &json!([event(other, "customer.created")])).await?;
    ensure!(reply.status == 204, "{reply:?}");
    let many = vec![event(other, "customer.created"); 101];
    let reply = post_batch(&world, &json!(many)).await?;
    ensure!(reply.status == 400, "{reply:?}");
    ensure!(reply.json()["detail"] == "the body must be an array of at most 100 events");
    Ok(())
}

async fn broken_batch(world: Arc<World>) -> Result<()> {
    let person = Person::new("broken-batch");
    let events = json!([{ "event": "customer.deleted" }, event(&person, "customer.deleted")]);
    let reply = post_batch(&world, &events).await?;
    ensure!(reply.status == 400 && reply.json()["type"] == "malformed", "{reply:?}");
    ensure!(reply.json()["detail"].as_str().is_some_and(|text| text.starts_with("event 0: /id")));
    ensure!(heard(&world, &person) == [1, 1], "the other one was lost");
    Ok(())
}

async fn policy(world: Arc<World>) -> Result<()> {
    let person = Person::new("policy");
    let mut body = json!({
        "privacy_request_id": person.request_id, "callback_type": "pre", "direction": "two_way",
        "policy_action": "access",
        "identity": { "email": person.email, "external_id": person.user_id } });
    let reply = post(&world, "p-fides", bearer("authorization", ""), body.to_string()).await?;
    ensure!(reply.status == 200 && heard(&world, &person) == [0, 0], "{reply:?}");
    world.worker.logged(r#"{"event":"ignored","source":"p-fides","name":"access","#).await?;
    body["callback_type"] = json!("pre_approval");
    let reply = post(&world, "p-policy", bearer("authorization", ""), body.to_string()).await?;
    ensure!(reply.json() == json!({ "halt": false }) && heard(&world, &person) == [0, 0]);
    body["callback_type"] = json!("post");
    let reply = post(&world, "p-policy", bearer("authorization", ""), body.to_string()).await?;
    ensure!(reply.json() == json!({ "halt": false }) && heard(&world, &person) == [1, 1]);
    Ok(())
}

async fn pings(world: Arc<World>) -> Result<()> {
    let zen = r#"{"zen":"Design for failure.","hook_id":7,"hook":{"type":"Repository"}}"#;
    for (source, body) in [
        ("github", zen),
        ("github", "payload=%7B%22zen%22%3A%22x%22%2C%22hook_id%22%3A7%7D"),
        ("stripe", ""),
        ("stripe", "{}"),
        ("batch", "[]"),
    ] {
        let proof = signed_as(if source == "batch" { "hubspot" } else { source });
        let reply = post(&world, &format!("p-{source}"), proof, body).await?;
        ensure!(reply.status == 204, "{body}: {reply:?}");
        // Nobody who is not authentic is told so.
        let wrong = Proof::Token("x-hub-signature-256".to_owned(), "sha256=00".to_owned());
        let reply = post(&world, &format!("p-{source}"), wrong, body).await?;
        ensure!(reply.status == 401, "{body}: {reply:?}");
    }
    let handshake = r#"{"token":"t","challenge":"3eZbrw1a","type":"url_verification"}"#;
    let reply = post(&world, "p-slack", signed_as("slack"), handshake).await?;
    ensure!(reply.status == 200 && reply.json() == json!({ "challenge": "3eZbrw1a" }), "{reply:?}");
    Ok(())
}

async fn form(world: Arc<World>) -> Result<()> {
    let person = Person::new("form");
    let json = event(&person, "customer.deleted").to_string();
    let form: String = json.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let reply = post(&world, "p-github", signed_as("github"), format!("payload={form}")).await?;
    ensure!(reply.status == 200 && heard(&world, &person) == [1, 1], "{reply:?}");
    let reply = post(&world, "p-github", signed_as("github"), "event=customer.deleted").await?;
    let detail = reply.json()["detail"].as_str().unwrap_or_default().to_owned();
    ensure!(reply.status == 400 && detail.contains("application/json"), "{reply:?}");
    Ok(())
}

async fn older_meta(world: Arc<World>) -> Result<()> {
    let claims = json!({ "algorithm": "HMAC-SHA256", "issued_at": now(), "user_id": 65_987_601 });
    let secret = crate::platforms::SECRETS[0].1.to_owned();
    let mut message =
        Proof::SignedRequest(secret).put_on("", "", claims.to_string().as_bytes(), now())?;
    let body = String::from_utf8(message.body)?;
    message.body = body.replace('.', "%2E").replace('-', "%2D").into_bytes();
    let reply = world.deliver("p-meta", &message).await?;
    ensure!(reply.status == 200, "{reply:?}");
    ensure!(world.vendors.instacart.requests_for("65987601").len() == 1, "not asked");
    Ok(())
}

async fn dots(world: Arc<World>) -> Result<()> {
    for id in [".", ".."] {
        let mut person = Person::new("dots");
        person.request_id = id.to_owned();
        let reply = world.post(&person.webhook()).await?;
        ensure!(reply.status == 400, "{reply:?}");
        ensure!(reply.json()["detail"].as_str().is_some_and(|text| text.contains("not . or ..")));
    }
    Ok(())
}

async fn slashes(world: Arc<World>) -> Result<()> {
    let webhook = Person::new("slashes").webhook();
    let headers = webhook.headers(xtask::demo::SECRET)?;
    for path in
        ["/webhooks/consent/", "//webhooks/consent", "/webhooks//consent", "/webhook/consent"]
    {
        let reply = world.request("POST", path, &headers, webhook.body.clone()).await?;
        let json = reply.json();
        let detail = json["detail"].as_str().unwrap_or_default();
        ensure!(reply.status == 404 && detail.contains("/webhooks/{source}"), "{path}: {reply:?}");
    }
    ensure!(world.vendors.instacart.requests_for("pii-slashes").is_empty());
    Ok(())
}

async fn stored_batch(world: Arc<World>) -> Result<()> {
    let people = people("stored-batch", 12);
    let events: Vec<Value> =
        people.iter().map(|person| event(person, "customer.deleted")).collect();
    for _ in 0..2 {
        let reply = post_batch(&world, &json!(events)).await?;
        ensure!(reply.status == 200 || reply.status == 202, "{reply:?}");
        ensure!(ids(&reply.json()["erasures"]).len() == 12, "{reply:?}");
    }
    for person in &people {
        let receipt = settled(&world, "p-batch", person).await?;
        ensure!(receipt["state"] == "done", "{receipt}");
        ensure!(heard(&world, person) == [1, 1], "{:?}", heard(&world, person));
    }
    Ok(())
}

/// What `GET /sources` shows of one source.
async fn ignored(world: &World, source: &str) -> Result<Vec<Value>> {
    let reply = operate(world, "GET", "/sources").await?;
    ensure!(reply.status == 200, "{reply:?}");
    let json = reply.json();
    let mut sources = json["sources"].as_array().into_iter().flatten();
    let source = sources.find(|one| one["source"] == source);
    Ok(source.and_then(|one| one["ignored"].as_array().cloned()).unwrap_or_default())
}

async fn counted(world: Arc<World>) -> Result<()> {
    let post = async |name: &str| {
        let body = json!({ "type": name, "data": { "subject": { "user_id": "pii-counted" } } });
        let reply = world.post_to("ignored", &Webhook::new("ignored", body.to_string())).await?;
        ensure!(reply.status == 204, "{reply:?}");
        Ok(())
    };
    let slip = "privacy.erasure.request";
    for _ in 0..20 {
        post(slip).await?;
    }
    post("Jane, who is personal").await?;
    world.worker.logged(&format!(r#""source":"ignored","name":"{slip}","#)).await?;
    let waiting = async {
        loop {
            let all = ignored(&world, "ignored").await?;
            let count = |name: &str| {
                all.iter().find(|one| one["event"] == name).map(|one| one["count"].clone())
            };
            if count(slip) == Some(json!(20)) && count("unprintable") == Some(json!(1)) {
                ensure!(all.len() == 2, "{all:?}");
                let times = |one: &Value| one["first_at"].is_string() && one["last_at"].is_string();
                ensure!(all.iter().all(times), "{all:?}");
                return Ok(());
            }
            sleep(Duration::from_millis(30)).await;
        }
    };
    timeout(Duration::from_secs(30), waiting)
        .await
        .unwrap_or_else(|_| anyhow::bail!("the events were not counted"))?;
    ensure!(ignored(&world, "consent").await?.is_empty(), "another source has them");
    Ok(())
}

async fn opendsr(world: Arc<World>) -> Result<()> {
    let person = Person::new("opendsr-status");
    let identity = json!({ "identity_type": "email", "identity_value": person.email,
                           "identity_format": "raw" });
    let body = json!({ "regulation": "gdpr", "subject_request_id": person.request_id,
                       "subject_request_type": "erasure", "subject_identities": [identity] });
    let token = || bearer("authorization", "Bearer ");
    let reply = post(&world, "p-opendsr/requests", token(), body.to_string()).await?;
    ensure!(reply.status == 201, "{reply:?}");
    settled(&world, "p-opendsr", &person).await?;
    let headers = token().put_on("", "", b"", now())?.headers;
    let ask = async |method: &str, id: &str, headers: &[(String, String)]| {
        let url = world.worker.url(&format!("/webhooks/p-opendsr/requests/{id}"));
        xtask::webhook::send(method, &url, headers, Vec::new()).await
    };
    let reply = ask("GET", &person.request_id, &headers).await?;
    let json = reply.json();
    // Insider took the address alone, and the person's profile stays.
    ensure!(reply.status == 200 && json["request_status"] == "in_progress", "{reply:?}");
    ensure!(json["subject_request_id"] == json!(person.request_id), "{reply:?}");
    ensure!(reply.header("x-opendsr-signature").is_empty(), "there is no key: {reply:?}");
    let reply = ask("DELETE", &person.request_id, &headers).await?;
    ensure!(reply.status == 400, "{reply:?}");
    ensure!(reply.json()["error"]["errors"][0]["reason"] == "not_pending", "{reply:?}");
    let reply = ask("GET", "unknown", &headers).await?;
    ensure!(reply.status == 400 && reply.json()["error"]["code"] == 400, "{reply:?}");
    for method in ["GET", "DELETE"] {
        let reply = ask(method, &person.request_id, &[]).await?;
        ensure!(reply.status == 401, "{reply:?}");
    }
    let reply = ask("PUT", &person.request_id, &headers).await?;
    ensure!(reply.status == 405 && reply.header("allow") == "GET, DELETE", "{reply:?}");
    // Other platforms have no such routes.
    let path = format!("/webhooks/p-ketch/requests/{}", person.request_id);
    ensure!(world.request("GET", &path, &headers, Vec::new()).await?.status == 404);
    let reply = world.request("POST", "/webhooks/p-ketch/requests", &headers, Vec::new()).await?;
    ensure!(reply.status == 404, "{reply:?}");
    Ok(())
}
