//! Messages that nobody proved to have sent: one answer for every reason, and no vendor is asked.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use xtask::demo::SECRET;
use xtask::webhook::Webhook;

use crate::world::{Handle, Person, World};

const OTHER_SECRET: &str = "whsec_b3RoZXItc2VjcmV0LXRoYXQtbm9ib2R5LWtub3dz";

type Headers = Vec<(String, String)>;

/// What is done to a good webhook and its headers.
type Spoil = fn(&mut Webhook, &mut Headers);

/// The name of each case, what it does, and the reason that the log must give.
const CASES: &[(&str, Spoil, &str)] = &[
    ("no headers", |_, headers| headers.clear(), "webhook-id is missing"),
    ("no id", |_, headers| drop(headers.remove(0)), "webhook-id is missing"),
    ("no timestamp", |_, headers| drop(headers.remove(1)), "webhook-timestamp is missing"),
    ("no signature", |_, headers| drop(headers.remove(2)), "webhook-signature is missing"),
    ("id twice", |_, headers| headers.push(headers[0].clone()), "no signature matches"),
    ("timestamp twice", |_, headers| headers.push(headers[1].clone()), "not a number"),
    ("signature twice", |_, headers| headers.push(headers[2].clone()), "or repeated"),
    ("timestamp with letters", |_, headers| headers[1].1 = "soon".into(), "not a number"),
    ("timestamp negative", |_, headers| headers[1].1.insert(0, '-'), "not a number"),
    ("timestamp beyond 64 bits", |_, headers| headers[1].1 = "9".repeat(40), "not a number"),
    ("stale", |webhook, headers| moved(webhook, headers, -301), "too old"),
    ("from the future", |webhook, headers| moved(webhook, headers, 330), "in the future"),
    ("empty v1", |_, headers| headers[2].1 = "v1,".into(), "no signature matches"),
    ("signature truncated", |_, headers| headers[2].1.truncate(20), "no signature matches"),
    ("signature over-long", |_, headers| headers[2].1.push_str("AAAA"), "no signature matches"),
    ("signature very long", |_, headers| headers[2].1.push_str(&"A".repeat(8000)), "matches"),
    ("signature of nothing", |_, headers| headers[2].1 = "nothing".into(), "malformed"),
    ("unknown versions only", |_, headers| relabel(headers), "known version"),
    ("wrong secret", |webhook, headers| *headers = signed(webhook, OTHER_SECRET), "matches"),
    ("body changed by one byte", |webhook, _| webhook.body[9] ^= 1, "no signature matches"),
    ("body with a byte more", |webhook, _| webhook.body.push(b' '), "no signature matches"),
    ("body gone", |webhook, _| webhook.body.clear(), "no signature matches"),
    ("id of another message", |_, headers| headers[0].1 = "msg_x".into(), "matches"),
    ("two sets at odds", |_, headers| headers.push(svix("svix-id")), "contradict each other"),
    ("svix's set without an id", |_, headers| two_sets(headers), "webhook-id is missing"),
];

pub fn trials(world: &Handle) -> Vec<Trial> {
    CASES
        .iter()
        .enumerate()
        .map(|(number, (name, spoil, reason))| {
            world.trial(&format!("not authentic: {name}"), move |world| {
                refused(world, number, *spoil, reason)
            })
        })
        .collect()
}

async fn refused(world: Arc<World>, number: usize, spoil: Spoil, reason: &str) -> Result<()> {
    let person = Person::new(&format!("refused-{number}"));
    let mut webhook = person.webhook();
    let mut headers = webhook.headers(SECRET)?;
    spoil(&mut webhook, &mut headers);
    let reply = world.post_with(&webhook, headers).await?;
    ensure!(reply.status == 401, "{reply:?}");
    let one_answer =
        r#"{"type":"not-authentic","title":"The request is not authentic","status":401}"#;
    ensure!(reply.text == one_answer, "{reply:?}");
    ensure!(world.vendors.instacart.requests_for(&person.user_id).is_empty());
    ensure!(world.vendors.insider.requests_for(&person.email).is_empty());
    let logged = world.worker.logged(reason).await?;
    ensure!(logged.contains(r#""event":"refused","source":"consent""#), "{logged}");
    Ok(())
}

fn signed(webhook: &Webhook, secret: &str) -> Headers {
    webhook.headers(secret).expect("a usable secret")
}

fn moved(webhook: &mut Webhook, headers: &mut Headers, seconds: i64) {
    webhook.timestamp += seconds;
    *headers = signed(webhook, SECRET);
}

fn relabel(headers: &mut Headers) {
    headers[2].1 = headers[2].1.replace("v1,", "v2,");
}

fn svix(name: &str) -> (String, String) {
    (name.to_owned(), "msg_other".to_owned())
}

fn two_sets(headers: &mut Headers) {
    let timestamp = headers.remove(1);
    headers.remove(0);
    headers.push((timestamp.0.replace("webhook-", "svix-"), timestamp.1));
}
