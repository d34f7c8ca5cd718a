//! Messages that the senders' own SDKs sign (`tests/sdk/`): the relay's reading of each scheme against
//! another's.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use send::{Message, body};
use serde_json::{Value, json};
use standin::{KeyServer, Resource};
use xtask::demo::SECRET as WHSEC;
use xtask::webhook::now;

use crate::platforms;
use crate::world::{Handle, Person, World, asked};

/// The secret with which the senders of tokens sign their bodies.
pub const SECRET: (&str, &str) = ("SDK_SECRET", "secret-of-the-senders-with-an-sdk");

/// The algorithms of each library.
const JOSE: [&str; 5] = ["EdDSA", "Ed25519", "ES256", "ES384", "RS256"];
const PYJWT: [&str; 4] = ["RS256", "ES256", "ES384", "EdDSA"];

/// Sources of senders with tokens, whose keys the tests put at `server`.
pub fn sources(server: &KeyServer) -> Vec<(String, Value)> {
    let source = |name: &str, lifetime: &str| {
        let signature = json!({ "jwt": "authorization", "prefix": "Bearer ", "audience": "relay",
                                "scope": "erase", "lifetime": lifetime });
        let also = json!({ "hmac": "sha256", "header": "x-hub-signature-256",
                           "prefix": "sha256=", "secrets": [SECRET.0] });
        let keys = json!({ "url": server.url(&format!("/{name}.json")) });
        let source = json!({ "platform": "standard-webhooks", "signature": signature,
                             "keys": keys, "also": also });
        (name.to_owned(), source)
    };
    vec![source("s-jose", "exp"), source("s-pyjwt", "iat")]
}

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("sdk: svix, standardwebhooks, stripe and octokit sign", signatures),
        world.trial("sdk: jose signs tokens", jose),
        world.trial("sdk: PyJWT signs tokens", pyjwt),
    ]
}

/// Has the SDKs for Node do `requests`, with one answer for each.
pub fn node(world: &World, requests: &[Value]) -> Result<Vec<Value>> {
    let mut node = world.toolchain.node_bin("node");
    node.arg("tests/sdk/sign.mjs");
    run(node, requests)
}

/// Has PyJWT do `requests`, with one answer for each.
fn python(world: &World, requests: &[Value]) -> Result<Vec<Value>> {
    let mut python = Command::new(world.toolchain.python()?);
    python.current_dir(env!("CARGO_MANIFEST_DIR")).arg("tests/sdk/sign.py");
    run(python, requests)
}

fn run(mut command: Command, requests: &[Value]) -> Result<Vec<Value>> {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = piped.spawn().context("an SDK cannot be started")?;
    let mut input = process.stdin.take().context("no standard input")?;
    input.write_all(Value::from(requests).to_string().as_bytes())?;
    drop(input);
    let output = process.wait_with_output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "an SDK failed: {errors}");
    let lines = str::from_utf8(&output.stdout)?.lines();
    let answers: Vec<Value> = lines.map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(answers.len() == requests.len(), "an SDK answered {} requests", answers.len());
    Ok(answers)
}

fn text<'a>(answer: &'a Value, name: &str) -> Result<&'a str> {
    answer[name].as_str().with_context(|| format!("an SDK made no {name}"))
}

fn headers(answer: &Value) -> Result<Vec<(String, String)>> {
    let headers = answer["headers"].as_object().context("an SDK made no headers")?;
    let header =
        |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    headers.iter().map(header).collect::<Option<_>>().context("a header is not a text")
}

/// The message is accepted as it was signed, and rejected with any one byte of its body changed.
async fn only_as_signed(
    world: &World,
    source: &str,
    person: &Person,
    message: &Message,
) -> Result<()> {
    let middle = message.body.len() / 2;
    for index in [0, middle, message.body.len() - 1] {
        let mut changed = message.clone();
        changed.body[index] ^= 1;
        let reply = world.deliver(source, &changed).await?;
        ensure!(reply.status == 401, "{source}, byte {index} changed: {reply:?}");
    }
    ensure!(asked(world, person) == 0, "a vendor was asked");
    let reply = world.deliver(source, message).await?;
    ensure!(reply.status == 200 && asked(world, person) == 2, "{source}: {reply:?}");
    Ok(())
}

async fn signatures(world: Arc<World>) -> Result<()> {
    let (secret, whsec) = (platforms::SECRETS[0].1, platforms::SECRETS[1].1);
    let cases = [
        ("svix", "p-svix", whsec),
        ("svix", "consent", WHSEC),
        ("svix-unbranded", "consent", WHSEC),
        ("standardwebhooks", "consent", WHSEC),
        ("standardwebhooks", "p-svix", whsec),
        ("stripe", "p-stripe", secret),
        ("octokit", "p-github", secret),
    ];
    let person = |(sdk, source, _): (&str, &str, &str)| Person::new(&format!("sdk-{sdk}-{source}"));
    // Not ASCII alone: the bytes are signed, however a library holds its text.
    let body = |person: &Person, source: &str| match source {
        "consent" => json!({ "type": "privacy.erasure.requested", "note": "Grüße, 你好 😀",
            "data": { "request_id": person.request_id,
                      "subject": { "user_id": person.user_id, "email": person.email } } }),
        _ => {
            json!({ "event": "customer.deleted", "id": person.request_id, "note": "Grüße, 你好 😀",
                     "customer": { "id": person.user_id, "email": person.email } })
        }
    };
    let request = |case: (&str, &str, &str)| {
        json!({ "sdk": case.0, "secret": case.2, "id": "msg_sdk", "timestamp": now(),
                "body": body(&person(case), case.1).to_string() })
    };
    let requests = cases.map(request);
    for ((case, request), answer) in cases.iter().zip(&requests).zip(node(&world, &requests)?) {
        let message = Message {
            headers: headers(&answer)?,
            body: text(request, "body")?.as_bytes().to_vec(),
        };
        only_as_signed(&world, case.1, &person(*case), &message).await?;
    }
    Ok(())
}

/// The message of a sender whose `token` says who it is, and whose body is signed by Octokit.
fn with_token(world: &World, person: &Person, token: &str) -> Result<Message> {
    let body =
        body::compose("standard-webhooks", &person.request_id, &platforms::subject(person), now())?;
    let body = body.to_string();
    let request = json!({ "sdk": "octokit", "secret": SECRET.1, "body": body });
    let mut headers = headers(&node(world, &[request])?[0])?;
    headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    Ok(Message { headers, body: body.into_bytes() })
}

/// Tokens of an hour, issued half an hour ago; the keys of all in one set, as jose and as WebCrypto
/// export them.
async fn jose(world: Arc<World>) -> Result<()> {
    let claims = json!({ "aud": "relay", "scope": "read erase", "iat": now() - 1800,
                         "exp": now() + 1800 });
    let request = |index: usize, kid: &str| json!({ "sdk": "jose", "algorithm": JOSE[index], "claims": claims, "kid": kid });
    let all = (0..JOSE.len()).flat_map(|index| [(index, "jwk"), (index, "webcrypto")]);
    let all: Vec<_> = all.map(|(index, form)| (index, form, format!("{form}-{index}"))).collect();
    let requests: Vec<Value> = all.iter().map(|(index, _, kid)| request(*index, kid)).collect();
    let answers = node(&world, &requests)?;
    let keys: Vec<&Value> = all.iter().zip(&answers).map(|((_, form, _), it)| &it[form]).collect();
    world.keys.put("/s-jose.json", Resource::Public(json!({ "keys": keys }).to_string()));
    for ((_, _, kid), answer) in all.iter().zip(&answers) {
        let person = Person::new(&format!("sdk-jose-{kid}"));
        let message = with_token(&world, &person, text(answer, "token")?)?;
        only_as_signed(&world, "s-jose", &person, &message).await?;
    }
    // Without the second proof, whoever sees a token could send another body with it.
    let person = Person::new("sdk-jose-alone");
    let mut message = with_token(&world, &person, text(&answers[0], "token")?)?;
    message.headers.retain(|(name, _)| name == "authorization");
    ensure!(world.deliver("s-jose", &message).await?.status == 401);
    ensure!(asked(&world, &person) == 0, "a vendor was asked");
    Ok(())
}

/// Tokens whose times have a fraction, as `time.time()` has.
async fn pyjwt(world: Arc<World>) -> Result<()> {
    let claims = json!({ "aud": ["other", "relay"], "scope": ["read", "erase"] });
    let request = |index: usize| {
        json!({ "algorithm": PYJWT[index], "claims": claims, "kid": PYJWT[index],
                "offsets": { "iat": 0, "nbf": -1, "exp": 240 } })
    };
    let mut requests: Vec<Value> = (0..PYJWT.len()).map(request).collect();
    requests.push(json!({ "algorithm": "ES256", "claims": claims, "kid": "expired",
                          "offsets": { "iat": -250, "exp": -70 } }));
    let answers = python(&world, &requests)?;
    let keys: Vec<&Value> = answers.iter().map(|answer| &answer["jwk"]).collect();
    world.keys.put("/s-pyjwt.json", Resource::Public(json!({ "keys": keys }).to_string()));
    for (algorithm, answer) in PYJWT.iter().zip(&answers) {
        let person = Person::new(&format!("sdk-pyjwt-{algorithm}"));
        let message = with_token(&world, &person, text(answer, "token")?)?;
        only_as_signed(&world, "s-pyjwt", &person, &message).await?;
    }
    let person = Person::new("sdk-pyjwt-expired");
    let message = with_token(&world, &person, text(&answers[PYJWT.len()], "token")?)?;
    ensure!(world.deliver("s-pyjwt", &message).await?.status == 401);
    ensure!(asked(&world, &person) == 0, "a vendor was asked");
    Ok(())
}
