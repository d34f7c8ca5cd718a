//! The demo with configurations that are not the shipped one: other sources, other accounts, other
//! names, direct delivery.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use xtask::bundle;
use xtask::demo::show_all;
use xtask::local::Local;
use xtask::toolchain::Toolchain;

/// What the demo shows of each configuration, as one text.
fn shown(configurations: &[(Value, bool)]) -> Result<Vec<String>> {
    let toolchain = Toolchain::ensure()?;
    let bundle = bundle::built_or_build(&toolchain)?;
    Runtime::new()?.block_on(async {
        let mut texts = Vec::new();
        for (vars, durable) in configurations {
            let blocks = std::cell::RefCell::new(String::new());
            let show = |block: String| {
                blocks.borrow_mut().push_str(&(block + "\n"));
                Ok(())
            };
            let local = Local::of(vars.clone(), *durable).await?;
            let played = show_all(&toolchain, &bundle, local, &show).await;
            let all = played.with_context(|| blocks.borrow().clone())?;
            ensure!(all > 2, "{all} webhooks");
            texts.push(blocks.into_inner());
        }
        Ok(texts)
    })
}

#[test]
fn any_configuration_is_shown() -> Result<()> {
    let shopify = json!({ "platform": "shopify", "secrets": ["SHOP_CLIENT_SECRET"] });
    let ketch = json!({ "platform": "ketch", "secrets": ["KETCH_TOKEN"],
        "signature": { "token": "authorization", "prefix": "Bearer " },
        "identity_types": { "customer": "user_id" } });
    let transcend = json!({ "platform": "transcend", "signature": { "audience": "a" },
        "keys": { "url": "https://keys.example/pem", "secret": "TRANSCEND_API_KEY" },
        "also": { "token": "x-relay-key", "secrets": ["TRANSCEND_RELAY_KEY"] } });
    let described = json!({ "platform": "custom", "secrets": ["OWN"], "request_id": "/id",
        "signature": { "hmac": "sha512", "header": "x-signature", "encoding": "base64" },
        "erasure": { "at": "/kind", "is": ["gone"] }, "events": "/items",
        "identifiers": { "user_ids": "/who/0/id", "email": "/who/0/mail" } });
    let grocer = json!({ "api": "instacart-connect", "jurisdiction": "eu", "retailer_id": "77",
        "without_identifier": "not_applicable",
        "auth": { "client_id": "CLIENT_ID", "client_secret": "CLIENT_SECRET" } });
    let insider = json!({ "api": "insider", "partner_name": "acme-se", "erase": "profile",
        "without_identifier": "not_applicable", "auth": { "token": "INSIDER_SE" } });
    let shop = json!({ "SOURCES": { "shop": shopify }, "VENDORS": { "grocer": grocer } });
    let desk = json!({ "SOURCES": { "desk": ketch }, "VENDORS": { "insider-se": insider } });
    let all = json!({
        "SOURCES": { "shop": shopify, "desk": ketch, "transcend": transcend, "own": described },
        "VENDORS": { "grocer": grocer, "insider-se": insider } });
    let shown = shown(&[(shop, true), (desk.clone(), true), (all, true), (desk, false)])?;
    for (text, says) in [
        (&shown[0], "POST /v2/oauth/token"),
        (&shown[0], "x-retailer-id: 77"),
        (&shown[1], "x-partner-name: acme-se"),
        (&shown[1], "insider-se fails at first"),
        (&shown[2], "POST /webhooks/transcend"),
        (&shown[2], "POST /webhooks/own"),
        (&shown[3], "POST /webhooks/desk"),
    ] {
        ensure!(text.contains(says), "{says}\n{text}");
    }
    ensure!(!shown[3].contains("fails at first"), "direct delivery stores nothing\n{}", shown[3]);
    Ok(())
}

/// A source for each kind of callback, at a vendor that erases the whole profile.
fn told() -> Value {
    let custom = |callback: Value| {
        json!({ "platform": "custom", "secrets": ["OWN"], "request_id": "/id",
            "shared_secrets": "accept", "signature": { "token": "x-key" }, "erasure": "always",
            "identifiers": { "email": "/who/mail" }, "callback": callback })
    };
    let url = "https://platform.example/events";
    let base_url = "https://platform.example";
    json!({
        "SOURCES": {
            "event": custom(json!({ "url": url, "secret": "EVENT", "jurisdiction": "eu" })),
            "ketch": { "platform": "ketch", "secrets": ["KETCH_TOKEN"],
                "signature": { "token": "authorization", "prefix": "Bearer " },
                "callback": { "hosts": ["callbacks.example.com"] } },
            "transcend": { "platform": "transcend", "signature": { "audience": "a" },
                "keys": { "url": "https://keys.example/pem", "secret": "TRANSCEND_API_KEY" },
                "also": { "token": "x-relay-key", "secrets": ["TRANSCEND_RELAY_KEY"] },
                "callback": { "key": "TRANSCEND_API_KEY", "sombra_key": "SOMBRA_KEY" } },
            "fides": { "platform": "fides", "secrets": ["FIDES_TOKEN"],
                "signature": { "token": "authorization", "prefix": "Bearer " },
                "callback": { "base_url": base_url } },
            "connector": custom(json!({ "kind": "fides", "base_url": base_url })),
            "onetrust": custom(json!({ "kind": "onetrust", "base_url": base_url,
                "subtask_id": "/task/id",
                "auth": { "client_id": "ONETRUST_ID", "client_secret": "ONETRUST_SECRET" } })),
            "osano": custom(json!({ "kind": "osano", "secret": "OSANO_KEY",
                "action_item_id": "/task/number" })),
        },
        "VENDORS": { "insider": { "api": "insider", "partner_name": "acme", "erase": "profile",
            "auth": { "token": "INSIDER_TOKEN" } } },
        "ALERTS": { "url_secret": "ALERTS_URL" },
    })
}

#[test]
fn a_ticket_closes_by_itself_at_each_platform() -> Result<()> {
    let mut kept = told();
    kept["VENDORS"]["insider"]["erase"] = json!("identity");
    let sources = kept["SOURCES"].as_object_mut().context("sources")?;
    sources.retain(|name, _| name == "event" || name == "transcend");
    let shown = shown(&[(told(), true), (kept, true), (told(), false)])?;
    let sources = told()["SOURCES"].as_object().context("sources")?.len();
    let closed = shown[0].matches("closed by itself").count();
    // The first source shows a vendor that fails at first as well; Fides goes on by the answer.
    ensure!(closed == sources, "{closed}\n{}", shown[0]);
    for says in [
        "closed by the answer",
        "PATCH /v1/subject-rights/action-items/",
        "PUT /api/datasubject/v2/subtasks/",
        "PUT /v1/data-silo",
        "POST /api/v1/request-task/callback",
        "POST /callbacks/",
        "privacy.erasure.settled",
        "alerts go to a stand-in",
    ] {
        ensure!(shown[0].contains(says), "{says}\n{}", shown[0]);
    }
    ensure!(shown[1].contains("stays open") && !shown[1].contains("closed by"), "{}", shown[1]);
    ensure!(!shown[2].contains("ticket"), "direct delivery tells nobody\n{}", shown[2]);
    Ok(())
}
