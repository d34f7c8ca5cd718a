//! Vendors that answer as they should not: what each answer means, and what the platform is told.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use standin::insider::{NO_SUCH_USER, SOLE_IDENTIFIER, TOO_MANY_REQUESTS};
use standin::{Answer, StandIn};

use crate::world::{Handle, Person, World, outcome_at};

const MEGABYTES: usize = 1024 * 1024;

/// Every row of both vendors' tables: an answer, the outcome at Instacart, the outcome at Insider.
fn answers() -> Vec<(&'static str, Answer, &'static str, &'static str)> {
    let large = |status| Answer::Large { status, bytes: 10 * MEGABYTES };
    let cut = Answer::Truncated { status: 200, announced: 100, body: b"{\"success\":tr".to_vec() };
    let moved = Answer::status(301).with_header("location", "/elsewhere");
    let says = |status, error: &str| Answer::json(status, json!({ "error": error }));
    let fails = |status, message: &str| {
        Answer::json(status, json!({ "success": false, "message": message }))
    };
    let error = |message: &str, key: &str| json!({ "error": { "message": message, "code": 1001 }, "meta": { "key": key } });
    let nested = |errors: Value| {
        let error = json!({ "message": "There were issues", "code": 9999, "errors": errors });
        Answer::json(400, json!({ "error": error }))
    };
    let contradicted = Answer::json(200, r#"{"success":true,"errors":[{"message":"x"}]}"#);
    let odd = "\u{feff}{\"success\":true,\"x\":\"\\ud83d\",\"y\":1e999,\"z\":1,\"z\":2}";
    let odd = Answer::json(200, odd);
    let not_found = error("User not found", "user_id");
    let no_feature = error("Feature not found for user", "user_id");
    let not_enabled = error("Feature not enabled for this client", "feature_flag");
    let not_linked = error("User Not Linked", "user_id");
    vec![
        ("200 empty", Answer::status(200), "uncertain", "accepted"),
        ("200 success false", fails(200, "no"), "uncertain", "uncertain"),
        ("200 contradicted", contradicted, "uncertain", "uncertain"),
        ("200 with odd members", odd, "accepted", "accepted"),
        ("200 with an error", says(200, "x: bad request"), "uncertain", "uncertain"),
        ("200 with HTML", Answer::html(200), "uncertain", "uncertain"),
        ("200 of 10 MB", large(200), "uncertain", "uncertain"),
        ("204", Answer::status(204), "uncertain", "accepted"),
        ("301", moved, "blocked", "blocked"),
        ("400 user not found", Answer::json(400, &not_found), "already_absent", "rejected"),
        ("400 feature not found", Answer::json(400, &no_feature), "rejected", "rejected"),
        ("400 nested not found", nested(json!([not_found])), "already_absent", "rejected"),
        ("400 not found and more", nested(json!([not_found, not_linked])), "rejected", "rejected"),
        ("400 user not linked", Answer::json(400, &not_linked), "rejected", "rejected"),
        ("400 not enabled", Answer::json(400, &not_enabled), "blocked", "rejected"),
        ("400 sole identifier", Answer::json(400, SOLE_IDENTIFIER), "rejected", "not_erased"),
        ("400 no valid identifier", says(400, "no valid identifier: x"), "rejected", "blocked"),
        ("400 partner invalid", fails(400, "Partner is invalid."), "rejected", "blocked"),
        ("400 content type", says(400, "content type must be x"), "rejected", "blocked"),
        ("400 of another kind", says(400, "other"), "rejected", "rejected"),
        ("400 with HTML", Answer::html(400), "rejected", "rejected"),
        ("401", Answer::status(401), "blocked", "blocked"),
        ("403", fails(403, "Access Denied."), "blocked", "blocked"),
        ("403 too many attempts", fails(403, "Too many attempts, please"), "blocked", "scheduled"),
        ("403 with HTML", Answer::html(403), "blocked", "scheduled"),
        ("404", says(404, "not found"), "blocked", "blocked"),
        ("404 no such user", Answer::json(404, NO_SUCH_USER), "blocked", "rejected"),
        ("404 no such user in other words", says(404, "no such user: x"), "blocked", "rejected"),
        ("408", Answer::status(408), "scheduled", "scheduled"),
        ("422", Answer::status(422), "rejected", "rejected"),
        ("429", Answer::json(429, TOO_MANY_REQUESTS), "scheduled", "scheduled"),
        ("500", Answer::html(500), "scheduled", "scheduled"),
        ("500 of 10 MB", large(500), "scheduled", "scheduled"),
        ("520", Answer::html(520), "scheduled", "scheduled"),
        ("no answer", Answer::Hang, "scheduled", "scheduled"),
        ("a reset", Answer::Reset, "scheduled", "scheduled"),
        ("a closed connection", Answer::Close, "scheduled", "scheduled"),
        ("an answer cut off", cut, "scheduled", "scheduled"),
    ]
}

pub fn trials(world: &Handle) -> Vec<Trial> {
    let mut trials = vec![
        world.trial("Retry-After is passed on, and the repeat is accepted", retry_after),
        world.trial("one vendor's failure does not keep the other", independent),
        world.trial("a refused token halts the account's calls", halted),
        world.trial("a redirect is not followed", redirect),
        world.trial("the vendor's id of its answer is the trace", trace),
        world.trial("a trace that holds the identifier is not shown", personal_trace),
    ];
    for (number, (name, answer, instacart, insider)) in answers().into_iter().enumerate() {
        let person = Person::new(&format!("instacart-{number}"));
        let again = answer.clone();
        trials.push(world.trial(&format!("Instacart: {name}"), move |world| async move {
            world.vendors.instacart.script(&person.user_id, [answer]);
            judged(&world, &person, "instacart", instacart).await
        }));
        let person = Person::new(&format!("insider-{number}"));
        trials.push(world.trial(&format!("Insider: {name}"), move |world| async move {
            world.vendors.insider.script(&person.email, [again]);
            judged(&world, &person, "insider", insider).await
        }));
    }
    trials
}

async fn judged(world: &World, person: &Person, vendor: &str, outcome: &str) -> Result<()> {
    let other = if vendor == "instacart" { "insider" } else { "instacart" };
    let reply = world.post(&person.webhook()).await?;
    ensure!(outcome_at(&reply, vendor) == outcome, "{reply:?}");
    ensure!(outcome_at(&reply, other) == "accepted", "{reply:?}");
    let (status, state) = match outcome {
        "accepted" | "already_absent" => (200, "done"),
        "scheduled" => (503, "pending"),
        "blocked" => (503, "attention"),
        _ => (200, "attention"),
    };
    ensure!(reply.status == status && reply.json()["state"] == state, "{reply:?}");
    if status == 503 {
        ensure!(reply.json()["type"] == "try-again", "{reply:?}");
        ensure!(reply.header("retry-after").parse::<u32>().is_ok(), "{reply:?}");
    }
    Ok(())
}

async fn retry_after(world: Arc<World>) -> Result<()> {
    let person = Person::new("retry-after");
    let throttled = Answer::json(429, TOO_MANY_REQUESTS).with_header("retry-after", "7");
    world.vendors.insider.script(&person.email, [throttled, Answer::Success]);
    let webhook = person.webhook();
    let reply = world.post(&webhook).await?;
    ensure!(reply.status == 503 && reply.header("retry-after") == "7", "{reply:?}");
    let reply = world.post(&webhook).await?;
    ensure!(reply.status == 200 && reply.json()["state"] == "done", "{reply:?}");
    Ok(())
}

async fn independent(world: Arc<World>) -> Result<()> {
    let person = Person::new("independent");
    world.vendors.instacart.script(&person.user_id, [Answer::Hang]);
    let reply = world.post(&person.webhook()).await?;
    ensure!(reply.status == 503, "{reply:?}");
    ensure!(outcome_at(&reply, "instacart") == "scheduled", "{reply:?}");
    ensure!(outcome_at(&reply, "insider") == "accepted", "{reply:?}");
    Ok(())
}

async fn halted(world: Arc<World>) -> Result<()> {
    let ids = ["pii-halted-1", "pii-halted-2", "pii-halted-3"];
    world.vendors.instacart.script(ids[1], [Answer::status(401)]);
    let reply = world.post(&Person::new("halted").asks(&json!({ "user_ids": ids }))).await?;
    ensure!(reply.status == 503 && reply.header("retry-after") == "300", "{reply:?}");
    let sent = |vendor: &StandIn, id| vendor.requests_for(id).len();
    let counts = ids.map(|id| sent(&world.vendors.instacart, id));
    ensure!(counts == [1, 1, 0], "{counts:?}");
    Ok(())
}

async fn redirect(world: Arc<World>) -> Result<()> {
    let person = Person::new("redirect");
    let elsewhere = format!("{}/api/user/v1/identity", world.vendors.insider.base_url());
    let moved = Answer::status(307).with_header("location", &elsewhere);
    world.vendors.instacart.script(&person.user_id, [moved]);
    let before = world.vendors.insider.mismatches().len();
    let reply = world.post(&person.webhook()).await?;
    ensure!(outcome_at(&reply, "instacart") == "blocked", "{reply:?}");
    ensure!(world.vendors.insider.mismatches().len() == before, "the redirect was followed");
    Ok(())
}

async fn personal_trace(world: Arc<World>) -> Result<()> {
    let person = Person::new("personal-trace");
    let named = |id: &str| Answer::json(200, r#"{"success":true}"#).with_header("x-request-id", id);
    let user_id = named(&format!("req.{}", person.user_id.to_uppercase()));
    world.vendors.instacart.script(&person.user_id, [user_id]);
    world.vendors.insider.script(&person.email, [named("req-pii-personal-trace-example-com")]);
    let reply = world.post(&person.webhook()).await?;
    ensure!(reply.status == 200 && reply.json()["state"] == "done", "{reply:?}");
    for delivery in reply.json()["deliveries"].as_array().into_iter().flatten() {
        ensure!(delivery["trace"].is_null(), "{reply:?}");
    }
    Ok(())
}

async fn trace(world: Arc<World>) -> Result<()> {
    let person = Person::new("trace");
    let named = |name| Answer::json(200, r#"{"success":true}"#).with_header(name, "8d1f0c9b-SIN");
    world.vendors.instacart.script(&person.user_id, [named("x-amzn-request-id-2")]);
    world.vendors.insider.script(&person.email, [named("cf-ray")]);
    let reply = world.post(&person.webhook()).await?;
    let receipt = reply.json();
    for delivery in receipt["deliveries"].as_array().into_iter().flatten() {
        ensure!(delivery["trace"] == "8d1f0c9b-SIN", "{reply:?}");
    }
    Ok(())
}
