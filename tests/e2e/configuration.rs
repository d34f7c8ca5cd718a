//! Deployments that are not complete: rejected as a whole, and nothing is lost.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use xtask::demo::SECRET;
use xtask::webhook::send;
use xtask::workerd::{Deployment, Workerd};

use crate::world::{Handle, Person, World, health};

/// Secrets that were pasted where a name belongs; nobody's.
const PASTED: [&str; 3] =
    ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx", "shpss_0123456789abcdef", "1a2b3c4e5d6f"];

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("a wrong configuration is refused with every problem", wrong_settings),
        world.trial("secrets in the place of names are not repeated", pasted_secrets),
        world.trial("missing secrets are named", missing_secrets),
        world.trial("delivery is durable or direct by an explicit word", delivery),
        world.trial("secrets that are shared or have a byte order mark are named", bad_secrets),
        world.trial("without an operator's token there are no operator's routes", no_operator),
    ]
}

/// What a Worker with this deployment says of itself; checks that it refuses webhooks.
async fn problems(world: &World, deployment: &Deployment) -> Result<Vec<String>> {
    let worker = Workerd::start(&world.toolchain, &world.bundle, deployment).await?;
    let health = health(&worker).await?;
    ensure!(health.status == 503 && health.json()["type"] == "not-configured", "{health:?}");
    let public = send("GET", &worker.url("/healthz"), &[], "").await?;
    ensure!(public.status == 503 && public.json()["problems"].is_null(), "{public:?}");
    let listed = health.json()["problems"].as_array().map_or(0, Vec::len);
    let count = format!("problems: {listed}. ");
    ensure!(public.json()["detail"].as_str().is_some_and(|text| text.starts_with(&count)));
    let webhook = Person::new("not-configured").webhook();
    let headers = webhook.headers(SECRET)?;
    let reply = send("POST", &worker.url("/webhooks/consent"), &headers, webhook.body).await?;
    ensure!(reply.status == 503 && !reply.header("retry-after").is_empty(), "{reply:?}");
    ensure!(reply.json()["problems"].is_null(), "the caller learns too much: {reply:?}");
    let line = worker.logged("not_configured").await?;
    let pasted = |text: &str| PASTED.iter().any(|secret| text.contains(secret));
    ensure!(!pasted(&line) && !pasted(&health.text), "a pasted secret is repeated");
    worker.stop().await?;
    let problems = health.json()["problems"].take();
    Ok(serde_json::from_value(problems)?)
}

async fn wrong_settings(world: Arc<World>) -> Result<()> {
    let mut deployment = world.vendors.deployment()?;
    deployment.vars["VENDORS"]["insider"]["partner_name"] = json!("MyBrand");
    deployment.vars["VENDORS"]["instacart"]["base_url"] = json!("http://connect.instacart.com");
    deployment.vars["SOURCES"]["consent"]["tolerance"] = json!(60);
    deployment.secrets.remove("INSIDER_TOKEN");
    let problems = problems(&world, &deployment).await?;
    let expected = [
        "VENDORS.insider.partner_name: must be lowercase",
        "VENDORS.instacart.base_url: must be an https URL (http on loopback only) without user, \
         query or fragment",
        "SOURCES.consent.tolerance: is not a known setting",
        "VENDORS.insider.auth.token: the secret INSIDER_TOKEN is not set",
    ];
    ensure!(problems == expected, "{problems:?}");
    Ok(())
}

async fn pasted_secrets(world: Arc<World>) -> Result<()> {
    let mut deployment = world.vendors.deployment()?;
    deployment.vars["SOURCES"]["consent"]["secrets"] = json!([PASTED[0], "A", PASTED[1]]);
    deployment.vars["VENDORS"]["insider"]["auth"] = json!({ "token": PASTED[2] });
    let client = json!({ "client_id": PASTED[2], "client_secret": "NAME" });
    deployment.vars["VENDORS"]["instacart"]["auth"] = client;
    let problems = problems(&world, &deployment).await?;
    let expected = [
        "VENDORS.insider.auth.token",
        "VENDORS.instacart.auth.client_id",
        "SOURCES.consent.secrets[0]",
        "SOURCES.consent.secrets[2]",
    ];
    for (problem, path) in problems.iter().zip(expected) {
        ensure!(problem.starts_with(&format!("{path}: must be the name of a secret")), "{problem}");
    }
    let unset = "VENDORS.instacart.auth.client_secret: the secret NAME is not set";
    ensure!(problems[expected.len()..] == [unset], "{problems:?}");
    Ok(())
}

/// Neither a binding that is missing nor a word decides silently that nothing is stored.
async fn delivery(world: Arc<World>) -> Result<()> {
    let durable = world.vendors.deployment()?;
    for (has_lanes, word, expected) in [
        (false, json!("durable"), "DELIVERY: \"durable\" needs the Durable Object binding LANES"),
        (true, json!(null), "DELIVERY: must be set: "),
        (true, json!("dirct"), "DELIVERY: must be one of: durable, direct, not \"dirct\""),
    ] {
        let deployment = Deployment { durable: has_lanes, delivery: Some(word), ..durable.clone() };
        let problems = problems(&world, &deployment).await?;
        ensure!(problems.len() == 1 && problems[0].starts_with(expected), "{problems:?}");
    }
    let direct = Deployment { delivery: Some(json!("direct")), ..durable };
    let worker = Workerd::start(&world.toolchain, &world.bundle, &direct).await?;
    let health = health(&worker).await?;
    ensure!(health.status == 200 && health.json()["delivery"] == "direct", "{health:?}");
    worker.stop().await?;
    Ok(())
}

async fn missing_secrets(world: Arc<World>) -> Result<()> {
    let mut deployment = world.vendors.deployment()?;
    deployment.secrets.remove("CONSENT_WEBHOOK_SECRET");
    deployment.secrets.remove("PSEUDONYM_KEY");
    deployment.secrets.insert("INSIDER_TOKEN".to_owned(), "two words".to_owned());
    let problems = problems(&world, &deployment).await?;
    let expected = [
        "SOURCES.consent.secrets[0]: the secret CONSENT_WEBHOOK_SECRET is not set",
        "VENDORS.insider.auth.token: the secret INSIDER_TOKEN must be visible characters",
        "PSEUDONYM_KEY: the secret must be set for durable delivery: identifiers are stored sealed \
         with it",
    ];
    ensure!(problems == expected, "{problems:?}");
    Ok(())
}

async fn bad_secrets(world: Arc<World>) -> Result<()> {
    let mut deployment = world.vendors.deployment()?;
    let mut other = deployment.vars["SOURCES"]["consent"].clone();
    other["secrets"] = json!(["OTHER_SECRET"]);
    deployment.vars["SOURCES"]["other"] = other;
    deployment.secrets.insert("OTHER_SECRET".to_owned(), SECRET.to_owned());
    let shared = problems(&world, &deployment).await?;
    let expected = "SOURCES.other.secrets[0]: the secret OTHER_SECRET is also \
                    CONSENT_WEBHOOK_SECRET of the source consent, so each would accept the messages \
                    of the other: use two secrets, or set shared_secrets = \"accept\" on both";
    ensure!(shared == [expected], "{shared:?}");
    let marked = "\u{feff}whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    deployment.secrets.insert("OTHER_SECRET".to_owned(), marked.to_owned());
    let invisible = problems(&world, &deployment).await?;
    let expected = "SOURCES.other.secrets[0]: the secret OTHER_SECRET has an invisible character, \
                    such as a byte order mark, a zero-width space or a line's end within it: set it \
                    again without";
    ensure!(invisible == [expected], "{invisible:?}");
    Ok(())
}

async fn no_operator(world: Arc<World>) -> Result<()> {
    let mut deployment = world.vendors.deployment()?;
    deployment.secrets.remove("ADMIN_TOKEN");
    let worker = Workerd::start(&world.toolchain, &world.bundle, &deployment).await?;
    for path in ["/erasures", "/erasures/consent/x", "/lanes"] {
        for token in ["", "Bearer ", "Bearer undefined"] {
            let headers = [("authorization".to_owned(), token.to_owned())];
            let reply = send("GET", &worker.url(path), &headers, "").await?;
            ensure!(reply.status == 404 && reply.json()["type"] == "not-found", "{reply:?}");
        }
    }
    for token in ["Bearer ", "Bearer undefined"] {
        let headers = [("authorization".to_owned(), token.to_owned())];
        let health = send("GET", &worker.url("/healthz"), &headers, "").await?;
        ensure!(health.status == 200 && health.json()["unset"].is_null(), "{health:?}");
    }
    worker.stop().await?;
    Ok(())
}
