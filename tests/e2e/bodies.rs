//! Authentic messages that cannot be understood: each gets its own answer, and no vendor is asked.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use xtask::demo::SECRET;
use xtask::webhook::Webhook;

use crate::world::{Handle, Person, World, outcomes};

/// The default limit, in bytes.
const LIMIT: usize = 256 * 1024;

pub fn trials(world: &Handle) -> Vec<Trial> {
    let mut trials = vec![
        world.trial("no usable identifier", no_usable_identifier),
        world.trial("a body at the limit, and one byte over", the_limit),
        world.trial("a chunked body over the limit", chunked),
        world.trial("a body that breaks off", broken_off),
        world.trial("odd members that nobody reads, and a byte order mark", odd_members),
        world.trial("identifiers lose what cannot be seen at their ends", trimmed),
    ];
    let malformed: [(&str, Vec<u8>, &str); 17] = [
        ("an empty body", vec![], "is not JSON"),
        ("not JSON", b"pii is not JSON".to_vec(), "is not JSON"),
        ("not UTF-8", b"{\"type\":\"pii\xff\xfe\"}".to_vec(), "is not JSON"),
        (
            "an email with a lone surrogate",
            br#"{"type":"privacy.erasure.requested","data":{"request_id":"r",
                "subject":{"email":"pii\ud83d@example.com"}}}"#
                .to_vec(),
            "/data/subject/email must be valid Unicode",
        ),
        (
            "a user id with a lone surrogate",
            br#"{"type":"privacy.erasure.requested","data":{"request_id":"r",
                "subject":{"user_ids":["pii","\udead"]}}}"#
                .to_vec(),
            "/data/subject/user_ids/1 must be valid Unicode",
        ),
        (
            "a user id out of range",
            br#"{"type":"privacy.erasure.requested","data":{"request_id":"r",
                "subject":{"user_id":1e999}}}"#
                .to_vec(),
            "/data/subject/user_id must be a string",
        ),
        (
            "a compressed body",
            b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0".to_vec(),
            "is not JSON",
        ),
        ("two byte order marks", b"\xef\xbb\xbf\xef\xbb\xbf{}".to_vec(), "is not JSON"),
        ("deeply nested", b"[".repeat(100_000), "is not JSON"),
        ("a number", b"7".to_vec(), "the body must be an object"),
        ("no type", b"{}".to_vec(), "/type must be a string"),
        ("a type of a wrong type", br#"{"type":["pii"]}"#.to_vec(), "/type must be a string"),
        ("no data", event(&json!(null)), "/data/request_id must be a string"),
        ("data of a wrong type", event(&json!("pii")), "/data must be an object"),
        ("no subject", event(&json!({ "request_id": "r" })), "/data/subject must be an object"),
        (
            "an email of a wrong type",
            event(&json!({ "request_id": "r", "subject": { "email": ["pii@example.com"] } })),
            "/data/subject/email must be a string",
        ),
        (
            "the same key twice",
            br#"{"type":"privacy.erasure.requested","data":{"request_id":"r",
                "subject":{"email":"pii-1@example.com","email":"pii-2@example.com"}}}"#
                .to_vec(),
            "has a duplicate key",
        ),
    ];
    for (number, (name, body, detail)) in malformed.into_iter().enumerate() {
        trials.push(world.trial(&format!("malformed: {name}"), move |world| async move {
            let reply = world.post(&Webhook::new(&format!("malformed-{number}"), body)).await?;
            ensure!(reply.status == 400 && reply.json()["type"] == "malformed", "{reply:?}");
            let said = reply.json()["detail"].as_str().unwrap_or_default().to_owned();
            ensure!(said.contains(detail), "{said}");
            world.worker.logged(detail).await?;
            Ok(())
        }));
    }
    trials
}

fn event(data: &serde_json::Value) -> Vec<u8> {
    json!({ "type": "privacy.erasure.requested", "data": data }).to_string().into_bytes()
}

async fn no_usable_identifier(world: Arc<World>) -> Result<()> {
    let useless = [
        json!({}),
        json!({ "user_id": "", "email": " ", "user_ids": [] }),
        json!({ "user_id": "..", "phone_number": "pii 555" }),
        json!({ "insider_id": "pii-insider-id" }),
    ];
    for (number, subject) in useless.iter().enumerate() {
        let person = Person::new(&format!("useless-{number}"));
        let reply = world.post(&person.asks(subject)).await?;
        ensure!(reply.status == 422, "{reply:?}");
        ensure!(reply.json()["type"] == "insufficient-identification", "{reply:?}");
        let outcomes = outcomes(&reply);
        ensure!(outcomes.len() == 2, "{reply:?}");
        ensure!(outcomes.iter().all(|(_, _, what)| what == "insufficient_identification"));
    }
    Ok(())
}

/// The signature covers the byte order mark as well.
async fn odd_members(world: Arc<World>) -> Result<()> {
    let person = Person::new("odd-members");
    let mut webhook = person.webhook();
    let odd = format!(
        r#""note":"thanks \ud83d","\udead":1,"n":1e999,"i":99999999999999999999,"d":{}{}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let body = String::from_utf8(webhook.body)?;
    let members = ["{", "\"data\":{", "\"subject\":{"];
    let all = members.iter().fold(body, |body, at| body.replacen(at, &format!("{at}{odd},"), 1));
    ensure!(all.matches("thanks").count() == members.len());
    webhook.body = format!("\u{feff}{all}").into_bytes();
    let reply = world.post(&webhook).await?;
    ensure!(reply.status == 200 && reply.json()["state"] == "done", "{reply:?}");
    ensure!(world.vendors.instacart.requests_for(&person.user_id).len() == 1);
    ensure!(world.vendors.insider.requests_for(&person.email).len() == 1);
    Ok(())
}

async fn trimmed(world: Arc<World>) -> Result<()> {
    let person = Person::new("trimmed");
    let subject = json!({
        "user_id": format!("{}\n", person.user_id),
        "user_ids": [format!("\u{200b}{}\u{a0}", person.user_id), "\u{feff}", "\u{ad} "],
        "email": format!("\u{202a}{}\u{202c}\r\n", person.email),
        "uuid": "\u{200d}\t",
    });
    let reply = world.post(&person.asks(&subject)).await?;
    ensure!(reply.status == 200 && outcomes(&reply).len() == 2, "{reply:?}");
    let instacart = world.vendors.instacart.requests_for(&person.user_id);
    let insider = world.vendors.insider.requests_for(&person.email);
    ensure!(instacart.len() == 1 && insider.len() == 1);
    ensure!(instacart[0].mismatches.is_empty() && insider[0].mismatches.is_empty());
    Ok(())
}

/// An erasure of exactly `length` bytes.
fn padded(person: &Person, length: usize) -> Webhook {
    let mut webhook = person.webhook();
    let missing = length.saturating_sub(webhook.body.len());
    webhook.body.extend(vec![b' '; missing]);
    webhook
}

async fn the_limit(world: Arc<World>) -> Result<()> {
    let person = Person::new("limit");
    let reply = world.post(&padded(&person, LIMIT)).await?;
    ensure!(reply.status == 200, "{reply:?}");
    let over = Person::new("over");
    let reply = world.post(&padded(&over, LIMIT + 1)).await?;
    ensure!(reply.status == 413 && reply.json()["type"] == "too-large", "{reply:?}");
    let reply = world.post(&padded(&over, 10 * LIMIT)).await?;
    ensure!(reply.status == 413, "{reply:?}");
    ensure!(world.vendors.instacart.requests_for(&over.user_id).is_empty());
    Ok(())
}

fn head(webhook: &Webhook, framing: &str) -> Result<String> {
    let mut head = format!(
        "POST /webhooks/consent HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n{framing}\r\n"
    );
    for (name, value) in webhook.headers(SECRET)? {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    Ok(head)
}

async fn chunked(world: Arc<World>) -> Result<()> {
    for (name, length, status) in [("chunked", 1000, "200"), ("chunked-over", LIMIT + 1, "413")] {
        let webhook = padded(&Person::new(name), length);
        let mut bytes = head(&webhook, "Transfer-Encoding: chunked")?.into_bytes();
        for chunk in webhook.body.chunks(4096) {
            bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
            bytes.extend(chunk);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"0\r\n\r\n");
        let answer = world.raw(&bytes).await?;
        ensure!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    Ok(())
}

/// Nobody is left to hear an answer; the Worker must only go on.
async fn broken_off(world: Arc<World>) -> Result<()> {
    let person = Person::new("broken-off");
    let webhook = person.webhook();
    let length = webhook.body.len() + 1000;
    let mut bytes = head(&webhook, &format!("Content-Length: {length}"))?.into_bytes();
    bytes.extend(&webhook.body);
    {
        let address = world.worker.url("");
        let address = address.trim_start_matches("http://");
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        tokio::io::AsyncWriteExt::write_all(&mut stream, &bytes).await?;
    }
    ensure!(world.post(&Person::new("after-broken-off").webhook()).await?.status == 200);
    ensure!(world.vendors.instacart.requests_for(&person.user_id).is_empty());
    Ok(())
}
