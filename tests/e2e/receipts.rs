//! Signed receipts: libraries, the documented lines and `verify-receipt` verify what the Worker signs.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use erasure_relay::receipt_keys::{ReceiptKeys, Status};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use verify_receipt::KeptReceipt;
use xtask::webhook::Reply;

use crate::durable::{RECEIPT_SECRET, operate};
use crate::sdk;
use crate::world::{Handle, Person, World};

/// The public key of the Worker's signing key, as published with it.
const PUBLIC_KEY: &str = "whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=";

/// What is signed.
const HEADERS: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];

/// Where the document of public keys is.
const KEYS: &str = "/.well-known/erasure-relay.json";

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("receipts: svix and standardwebhooks verify one that is new", libraries),
        world.trial("receipts: the public keys are published", published),
        world.trial("receipts: verify-receipt needs the public key alone", with_the_public_key),
        world.trial("receipts: the documented Python and JavaScript verify", documented),
    ]
}

pub fn direct_trials(world: &Handle) -> Vec<Trial> {
    vec![world.trial("receipts: without a signing key no keys are published", unpublished)]
}

/// A receipt of a new erasure.
async fn receipt(world: &World, test: &str) -> Result<Reply> {
    let person = Person::new(test);
    let webhook = person.asks(&json!({ "email": person.email }));
    ensure!(world.post_to("signed", &webhook).await?.status == 200);
    let path = format!("/erasures/signed/{}", person.request_id);
    let receipt = operate(world, "GET", &path).await?;
    ensure!(receipt.status == 200, "{receipt:?}");
    Ok(receipt)
}

/// As `curl --include` writes it.
fn kept(receipt: &Reply) -> Vec<u8> {
    let mut kept = "HTTP/1.1 200 OK\r\n".to_owned();
    for name in HEADERS {
        kept.push_str(&format!("{name}: {}\r\n", receipt.header(name)));
    }
    format!("{kept}\r\n{}", receipt.text).into_bytes()
}

async fn published_keys(world: &World) -> Result<Reply> {
    world.request("GET", KEYS, &[], Vec::new()).await
}

/// The same answer with another outcome.
fn forged(kept: &[u8]) -> Result<Vec<u8>> {
    let text = str::from_utf8(kept)?;
    let forged = text.replacen("\"signed\"", "\"forged\"", 1);
    ensure!(forged != text, "{text}");
    Ok(forged.into_bytes())
}

async fn libraries(world: Arc<World>) -> Result<()> {
    let receipt = receipt(&world, "receipts-libraries").await?;
    let headers: Value = HEADERS.iter().map(|name| (*name, receipt.header(name))).collect();
    let changed = String::from_utf8(forged(receipt.text.as_bytes())?)?;
    let verify = |library: &str, body: &str| {
        json!({ "sdk": format!("verify-{library}"), "secret": RECEIPT_SECRET,
                "headers": headers, "body": body })
    };
    for library in ["svix", "standardwebhooks"] {
        let requests = [verify(library, &receipt.text), verify(library, &changed)];
        let answers = sdk::node(&world, &requests)?;
        let verified = answers.iter().map(|answer| &answer["verified"]);
        ensure!(verified.eq([&json!(true), &json!(false)]), "{library}: {answers:?}");
    }
    Ok(())
}

async fn published(world: Arc<World>) -> Result<()> {
    let reply = published_keys(&world).await?;
    ensure!(reply.status == 200, "{reply:?}");
    ensure!(reply.header("cache-control") == "public, max-age=3600", "{reply:?}");
    ensure!(reply.header("access-control-allow-origin") == "*", "{reply:?}");
    let keys: ReceiptKeys = serde_json::from_str(&reply.text)?;
    let [current, previous] = &keys.receipt_keys[..] else { anyhow::bail!("{keys:?}") };
    ensure!(current.public_key == PUBLIC_KEY, "{keys:?}");
    ensure!([current.status, previous.status] == [Status::Current, Status::Previous], "{keys:?}");
    let documented = documentation()?;
    ensure!(documented.contains(&current.id) && documented.contains(PUBLIC_KEY), "{keys:?}");
    let head = world.request("HEAD", KEYS, &[], Vec::new()).await?;
    ensure!(head.status == 200 && head.text.is_empty(), "{head:?}");
    let reply = world.request("POST", KEYS, &[], Vec::new()).await?;
    ensure!(reply.status == 405, "{reply:?}");
    Ok(())
}

async fn unpublished(world: Arc<World>) -> Result<()> {
    let reply = published_keys(&world).await?;
    ensure!(reply.status == 404 && reply.json()["type"] == "not-found", "{reply:?}");
    let detail = reply.json()["detail"].as_str().unwrap_or_default().to_owned();
    ensure!(detail.starts_with("direct delivery stores no receipts"), "{reply:?}");
    Ok(())
}

async fn with_the_public_key(world: Arc<World>) -> Result<()> {
    let kept = kept(&receipt(&world, "receipts-public-key").await?);
    let published = verify_receipt::keys(&world.worker.url(KEYS))?;
    let alone = verify_receipt::keys(PUBLIC_KEY)?;
    for keys in [&published, &alone] {
        let by = KeptReceipt::parse(&kept)?.verify(keys)?.0;
        ensure!(by.public_key == PUBLIC_KEY, "{by:?}");
        ensure!(KeptReceipt::parse(&forged(&kept)?)?.verify(keys).is_err());
    }
    // The previous key signs nothing.
    ensure!(KeptReceipt::parse(&kept)?.verify(&published[1..]).is_err());
    Ok(())
}

fn documentation() -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/receipts.md");
    fs::read_to_string(path).context("there is no docs/receipts.md")
}

/// The documented lines, with a receipt that nobody has changed, and with a forged one.
async fn documented(world: Arc<World>) -> Result<()> {
    let receipt = receipt(&world, "receipts-documented").await?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let keys = folder.join("erasure-relay.json");
    fs::write(&keys, &published_keys(&world).await?.text)?;
    let kept = kept(&receipt);
    for (name, kept) in [("receipt.http", &kept), ("forged.http", &forged(&kept)?)] {
        fs::write(folder.join(name), kept)?;
    }
    let text = documentation()?;
    let block = |language: &str| {
        let after = text.split_once(&format!("```{language}\n")).map(|(_, rest)| rest);
        after.and_then(|rest| rest.split("```").next()).context("no such block")
    };
    for (language, file) in [("python", "verify.py"), ("javascript", "verify.mjs")] {
        fs::write(folder.join(file), block(language)?)?;
        for (receipt, is_genuine) in [("receipt.http", true), ("forged.http", false)] {
            let mut command = match language {
                "python" => Command::new(world.toolchain.python()?),
                _ => world.toolchain.node_bin("node"),
            };
            command.arg(folder.join(file)).arg(&keys).arg(folder.join(receipt));
            let output = command.output()?;
            let [printed, errors] =
                [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
            ensure!(output.status.success() == is_genuine, "{file}, {receipt}: {printed}{errors}");
            ensure!(printed.starts_with("Verified") == is_genuine, "{file}, {receipt}: {printed}");
            ensure!(errors.contains("NOT VERIFIED") != is_genuine, "{file}, {receipt}: {errors}");
        }
    }
    fs::remove_dir_all(&folder)?;
    Ok(())
}
