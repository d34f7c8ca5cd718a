//! Who may see and do what: the token that reads, and the previous token of each kind.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::Value;
use standin::Answer;
use xtask::webhook::Reply;

use crate::durable::{operate, post, settled};
use crate::world::{Handle, Person, World};

/// The tokens of these tests, beside the operator's.
pub const TOKENS: [(&str, &str); 3] = [
    ("ADMIN_TOKEN_PREVIOUS", "former-admin-token-of-the-tests"),
    ("READ_TOKEN", "reading-token-of-the-tests"),
    ("READ_TOKEN_PREVIOUS", "former-reading-token-of-the-tests"),
];

/// Every route that changes something, of the source and the account `named`, and of an id.
const CHANGING: [&str; 9] = [
    "/erasures/{named}/{id}/replay",
    "/erasures/{named}/{id}/discard",
    "/erasures/{named}/{id}/close",
    "/erasures/{named}/{id}/acknowledge",
    "/lanes/{named}/resume",
    "/lanes/{named}/move",
    "/lanes/{named}/discard",
    "/lanes/{named}/replay",
    "/lanes/{named}/acknowledge",
];

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("access: a token that reads sees everything", reads),
        world.trial("access: a token that reads changes nothing", changes_nothing),
        world.trial("access: the previous token acts until it is removed", previous),
    ]
}

/// A request with the token of this name.
pub async fn with(world: &World, name: &str, method: &str, path: &str) -> Result<Reply> {
    let token = TOKENS.iter().find(|(known, _)| *known == name).map(|(_, token)| *token);
    let value = format!("Bearer {}", token.unwrap_or_default());
    let headers = [("authorization".to_owned(), value)];
    let body = if method == "GET" { "" } else { r#"{"note":"by hand"}"# };
    world.request(method, path, &headers, body.into()).await
}

async fn reads(world: Arc<World>) -> Result<()> {
    let person = Person::new("access-reads");
    ensure!(post(&world, "read", &person).await?.status == 200);
    let receipt = settled(&world, "read", &person).await?;
    for name in ["READ_TOKEN", "READ_TOKEN_PREVIOUS"] {
        let path = format!("/erasures/read/{}", person.request_id);
        let reply = with(&world, name, "GET", &path).await?;
        ensure!(reply.status == 200 && reply.json() == receipt, "{reply:?}");
        for path in ["/erasures?limit=1", "/lanes", "/sources", "/metrics", "/audit?limit=1"] {
            let reply = with(&world, name, "GET", path).await?;
            ensure!(reply.status == 200, "{path}: {reply:?}");
        }
        let health = with(&world, name, "GET", "/healthz").await?.json();
        ensure!(health["delivery"] == "durable", "the details of its health: {health}");
    }
    Ok(())
}

async fn changes_nothing(world: Arc<World>) -> Result<()> {
    let (vendor, person) = (&world.accounts["read"], Person::new("access-changes"));
    vendor.script(&person.email, [Answer::status(400)]);
    ensure!(post(&world, "read", &person).await?.status == 200);
    let before = settled(&world, "read", &person).await?;
    ensure!(before["deliveries"][0]["outcome"] == "rejected", "{before}");
    for name in ["READ_TOKEN", "READ_TOKEN_PREVIOUS"] {
        for path in CHANGING {
            let path = path.replace("{named}", "read").replace("{id}", &person.request_id);
            let reply = with(&world, name, "POST", &path).await?;
            ensure!(
                reply.status == 403 && reply.json()["type"] == "read-only",
                "{path}: {reply:?}"
            );
        }
    }
    let path = format!("/erasures/read/{}", person.request_id);
    ensure!(operate(&world, "GET", &path).await?.json() == before);
    ensure!(vendor.requests_for(&person.email).len() == 1);
    let audit = operate(&world, "GET", "/audit?limit=200").await?.json();
    let of_read = audit["actions"].as_array().into_iter().flatten();
    let mut of_read = of_read.filter(|one| one["source"] == "read" || one["lane"] == "read");
    ensure!(of_read.next().is_none(), "nothing was begun: {audit}");
    Ok(())
}

async fn previous(world: Arc<World>) -> Result<()> {
    let reply = with(&world, "ADMIN_TOKEN_PREVIOUS", "POST", "/lanes/former/resume").await?;
    ensure!(reply.status == 202, "{reply:?}");
    let audit = with(&world, "ADMIN_TOKEN_PREVIOUS", "GET", "/audit?limit=200").await?.json();
    let is_it = |one: &&Value| one["lane"] == "former";
    let row = audit["actions"].as_array().and_then(|all| all.iter().find(is_it)).cloned();
    let row = row.unwrap_or_default();
    ensure!(row["who"] == "admin_token_previous" && row["result"] == "202", "{row}");
    Ok(())
}
