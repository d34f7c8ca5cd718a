//! Messages that nobody proved to have sent: one answer for every reason, and no vendor is asked.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use send::{Message, Proof};
use serde_json::json;
use xtask::demo::SECRET;
use xtask::webhook::{Webhook, now};

use crate::platforms;
use crate::world::{Handle, Person, World, asked};

const OTHER_SECRET: &str = "whsec_b3RoZXItc2VjcmV0LXRoYXQtbm9ib2R5LWtub3dz";

type Headers = Vec<(String, String)>;

/// What is done to a good webhook and its headers.
type Spoil = fn(&mut Webhook, &mut Headers);

/// The name of each case, what it does, and how the reason that the log must give begins.
const CASES: &[(&str, Spoil, &str)] = &[
    ("no headers", |_, headers| headers.clear(), "the header webhook-id is missing"),
    ("no id", |_, headers| drop(headers.remove(0)), "the header webhook-id is missing"),
    (
        "no timestamp",
        |_, headers| drop(headers.remove(1)),
        "the header webhook-timestamp is missing",
    ),
    (
        "no signature",
        |_, headers| drop(headers.remove(2)),
        "the header webhook-signature is missing",
    ),
    ("id twice", |_, headers| headers.push(headers[0].clone()), "no signature matches any"),
    (
        "timestamp twice",
        |_, headers| headers.push(headers[1].clone()),
        "the timestamp is not a number",
    ),
    (
        "signature twice",
        |_, headers| headers.push(headers[2].clone()),
        "the signature header is malformed or repeated",
    ),
    (
        "timestamp with letters",
        |_, headers| headers[1].1 = "soon".into(),
        "the timestamp is not a number",
    ),
    (
        "timestamp negative",
        |_, headers| headers[1].1.insert(0, '-'),
        "the timestamp is not a number",
    ),
    (
        "timestamp beyond 64 bits",
        |_, headers| headers[1].1 = "9".repeat(40),
        "the timestamp is not a number",
    ),
    ("stale", |webhook, headers| moved(webhook, headers, -301), "the timestamp is too old"),
    (
        "from the future",
        |webhook, headers| moved(webhook, headers, 330),
        "the timestamp is in the future",
    ),
    ("empty v1", |_, headers| headers[2].1 = "v1,".into(), "no signature matches any"),
    ("signature truncated", |_, headers| headers[2].1.truncate(20), "no signature matches any"),
    ("signature over-long", |_, headers| headers[2].1.push_str("AAAA"), "no signature matches any"),
    (
        "signature very long",
        |_, headers| headers[2].1.push_str(&"A".repeat(8000)),
        "no signature matches any",
    ),
    (
        "signature of nothing",
        |_, headers| headers[2].1 = "nothing".into(),
        "the signature header is malformed",
    ),
    ("unknown versions only", |_, headers| relabel(headers), "no signature of a known version"),
    (
        "wrong secret",
        |webhook, headers| *headers = signed(webhook, OTHER_SECRET),
        "no signature matches any",
    ),
    ("body changed by one byte", |webhook, _| webhook.body[9] ^= 1, "no signature matches any"),
    ("body with a byte more", |webhook, _| webhook.body.push(b' '), "no signature matches any"),
    ("body gone", |webhook, _| webhook.body.clear(), "no signature matches any"),
    (
        "id of another message",
        |_, headers| headers[0].1 = "msg_x".into(),
        "no signature matches any",
    ),
    (
        "two sets at odds",
        |_, headers| headers.push(svix("svix-id")),
        "webhook-* and svix-* headers contradict",
    ),
    (
        "svix's set without an id",
        |_, headers| two_sets(headers),
        "the header webhook-id is missing",
    ),
];

/// What may stand beside a good signature.
const MALFORMED: [&str; 9] =
    ["v1,AAAA", "v1,", "v1,!!", "v1,A", "v1", "nothing", ",AAAA", "v2,x", "v1,a,b"];

pub fn trials(world: &Handle) -> Vec<Trial> {
    let authentic = [
        world.trial("authentic: beside entries that are malformed", beside_malformed),
        world.trial("authentic: base64 without padding", without_padding),
        world.trial("authentic: HubSpot's URL, as called and decoded", hubspot),
        world.trial("authentic: a static token after Bearer in any case", bearer),
    ];
    let refused = CASES.iter().enumerate().map(|(number, (name, spoil, reason))| {
        world.trial(&format!("not authentic: {name}"), move |world| {
            refused(world, number, *spoil, reason)
        })
    });
    authentic.into_iter().chain(refused).collect()
}

async fn accepted(world: &World, test: &str, change: impl Fn(&str) -> String) -> Result<()> {
    let person = Person::new(test);
    let webhook = person.webhook();
    let mut headers = webhook.headers(SECRET)?;
    headers[2].1 = change(&headers[2].1);
    let reply = world.post_with(&webhook, headers).await?;
    ensure!(reply.status == 200 && asked(world, &person) == 2, "{test}: {reply:?}");
    Ok(())
}

async fn beside_malformed(world: Arc<World>) -> Result<()> {
    for (number, malformed) in MALFORMED.iter().enumerate() {
        let before = format!("malformed-before-{number}");
        accepted(&world, &before, |good| format!("{malformed} {good}")).await?;
        let between = format!("malformed-between-{number}");
        accepted(&world, &between, |good| format!("v1a,x {good} {malformed}")).await?;
    }
    accepted(&world, "malformed-all", |good| format!("{} {good}", MALFORMED.join(" "))).await
}

async fn without_padding(world: Arc<World>) -> Result<()> {
    accepted(&world, "without-padding", |good| good.trim_end_matches('=').to_owned()).await
}

/// What HubSpot decodes of the URL that it calls is listed in its documentation.
async fn hubspot(world: Arc<World>) -> Result<()> {
    let post = async |test: &str, called: &str, signed: &str| {
        let person = Person::new(test);
        let body = json!({ "event": "customer.deleted", "id": person.request_id,
                           "customer": { "id": person.user_id, "email": person.email } });
        let url = world.worker.url(&format!("/webhooks/p-hubspot?{signed}"));
        let proof = Proof::preset("hubspot", platforms::SECRETS[0].1)?;
        let message = proof.put_on("", &url, body.to_string().as_bytes(), now())?;
        let reply = world.deliver(&format!("p-hubspot?{called}"), &message).await?;
        let expected = if reply.status == 200 { 2 } else { 0 };
        ensure!(asked(&world, &person) == expected, "{reply:?}");
        Ok(reply.status.as_u16())
    };
    let (called, signed) = ("q=%3A%2F%3F%40%21%24%27%28%29%2A%2C%3b", "q=:/?@!$'()*,;");
    ensure!(post("hubspot-decoded", called, signed).await? == 200);
    let kept = "q=%20%26%3D%2B%C3%A9";
    ensure!(post("hubspot-kept", kept, kept).await? == 200);
    ensure!(post("hubspot-other", "q=%26", "q=&").await? == 401);
    ensure!(post("hubspot-another", "q=%3B", "q=:").await? == 401);
    Ok(())
}

async fn bearer(world: Arc<World>) -> Result<()> {
    let token = platforms::SECRETS[2].1;
    let post = async |test: &str, value: String| {
        let person = Person::new(test);
        let body = json!({ "event": "customer.deleted", "id": person.request_id,
                           "customer": { "id": person.user_id, "email": person.email } });
        let headers = vec![("authorization".to_owned(), value)];
        let message = Message { headers, body: body.to_string().into_bytes() };
        let reply = world.deliver("p-bearer", &message).await?;
        let expected = if reply.status == 200 { 2 } else { 0 };
        ensure!(asked(&world, &person) == expected, "{reply:?}");
        Ok(reply.status.as_u16())
    };
    for (number, scheme) in ["bearer ", "BEARER ", "Bearer    ", "bEarEr  "].iter().enumerate() {
        let test = format!("static-bearer-{number}");
        ensure!(post(&test, format!("{scheme}{token}")).await? == 200, "{scheme}");
    }
    for scheme in ["", "Bearer", "Bearer\t", "Basic ", "Bearer,", "Bearer Bearer "] {
        ensure!(post("static-bearer-wrong", format!("{scheme}{token}")).await? == 401, "{scheme}");
    }
    ensure!(post("static-bearer-case", format!("Bearer {}", token.to_uppercase())).await? == 401);
    Ok(())
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
    let event = r#""event":"refused","source":"consent","reason":"not authentic: "#;
    world.worker.logged(&format!("{event}{reason}")).await?;
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
