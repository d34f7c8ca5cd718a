//! Vendors that answer as they should not: what each answer means, and what the platform is told.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use xtask::standin::insider::{NO_SUCH_USER, TOO_MANY_REQUESTS};
use xtask::standin::{Answer, StandIn};

use crate::world::{Handle, Person, World, outcome_at};

const MEGABYTES: usize = 1024 * 1024;

/// An answer, the outcome at Instacart, the outcome at Insider.
fn answers() -> Vec<(&'static str, Answer, &'static str, &'static str)> {
    let cut = Answer::Cut { status: 200, announced: 100, body: b"{\"success\":tr".to_vec() };
    let hidden = json!({ "error": { "message": "Feature not enabled", "code": 1001 },
                         "meta": { "key": "feature_flag" } });
    vec![
        ("200 with HTML", Answer::html(200), "uncertain", "uncertain"),
        ("200 success false", Answer::json(200, r#"{"success":false}"#), "uncertain", "uncertain"),
        (
            "200 of 10 MB",
            Answer::Large { status: 200, bytes: 10 * MEGABYTES },
            "uncertain",
            "uncertain",
        ),
        ("204", Answer::status(204), "uncertain", "accepted"),
        ("301", Answer::status(301).with_header("location", "/elsewhere"), "blocked", "blocked"),
        ("400 of another kind", Answer::json(400, r#"{"error":"other"}"#), "rejected", "rejected"),
        ("400 not enabled", Answer::json(400, hidden), "blocked", "rejected"),
        ("401", Answer::status(401), "blocked", "blocked"),
        ("403 with HTML", Answer::html(403), "blocked", "scheduled"),
        ("404", Answer::json(404, r#"{"error":"not found"}"#), "blocked", "blocked"),
        ("404 no such user", Answer::json(404, NO_SUCH_USER), "blocked", "rejected"),
        ("429", Answer::json(429, TOO_MANY_REQUESTS), "scheduled", "scheduled"),
        ("500", Answer::html(500), "scheduled", "scheduled"),
        (
            "500 of 10 MB",
            Answer::Large { status: 500, bytes: 10 * MEGABYTES },
            "scheduled",
            "scheduled",
        ),
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
        "accepted" => (200, "done"),
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
    world.vendors.insider.script(&person.email, [throttled, Answer::Usual]);
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
    let before = world.vendors.insider.departures().len();
    let reply = world.post(&person.webhook()).await?;
    ensure!(outcome_at(&reply, "instacart") == "blocked", "{reply:?}");
    ensure!(world.vendors.insider.departures().len() == before, "the redirect was followed");
    Ok(())
}
