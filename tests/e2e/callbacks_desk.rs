//! A Worker whose sources are described in the configuration, for the trials of the callbacks that take
//! an id of theirs, or none: every outcome that a test can have.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use standin::Answer;
use standin::insider::{NO_SUCH_USER, SOLE_IDENTIFIER};
use standin::platform::{Message, Platform};
use tokio::time::{sleep, timeout};
use xtask::demo::Vendors;
use xtask::webhook::{Reply, send};
use xtask::workerd::{Storage, Workerd};

use crate::durable::{ADMIN_TOKEN, authorized};
use crate::world::{Person, World};

const TOKEN: &str = "token-of-the-desk-1";

/// The sources, and the vendor account that each asks.
pub const SOURCES: [(&str, &str); 4] = [
    ("desk", "insider"),
    ("desk-kept", "keeps"),
    ("desk-locked", "locked"),
    ("desk-sharded", "sharded"),
];

/// A Worker with sources of one platform, which a stand-in plays.
pub struct Desk {
    pub vendors: Vendors,
    pub platform: Platform,
    worker: Workerd,
    _storage: Storage,
}

/// An erasure, what the vendor answers, and what the platform is told.
pub struct Case {
    name: &'static str,
    source: &'static str,
    answers: Vec<Answer>,
    /// The words until nothing more happens by itself.
    words: &'static [&'static str],
    /// How an operator closes it, and the word for that.
    closed: Option<(&'static str, &'static str)>,
}

impl Desk {
    pub async fn start(
        world: &World,
        platform: Platform,
        callback: Value,
        secrets: &[(&str, &str)],
    ) -> Result<Self> {
        let (vendors, storage) = (Vendors::start().await?, Storage::fresh()?);
        let mut deployment = vendors.deployment()?.secret("ADMIN_TOKEN", ADMIN_TOKEN);
        let account = &mut deployment.vars["VENDORS"]["insider"];
        account["retry"] = json!({ "first_seconds": 1, "longest_seconds": 1 });
        account["no_such_user"] = json!("already_absent");
        account["erase"] = json!("profile");
        let mut keeps = account.clone();
        keeps["erase"] = json!("identity");
        let locked = account.clone();
        let mut sharded = account.clone();
        sharded["shards"] = json!(3);
        deployment.vars["VENDORS"]["sharded"] = sharded;
        deployment.vars["VENDORS"]["keeps"] = keeps;
        deployment.vars["VENDORS"]["locked"] = locked;
        deployment.vars["SOURCES"] = json!({});
        for (name, account) in SOURCES {
            deployment.vars["SOURCES"][name] = json!({
                "platform": "custom",
                "signature": { "token": "x-desk-key" },
                "secrets": ["DESK_TOKEN"],
                "shared_secrets": "accept",
                "vendors": [account],
                "request_id": "/id",
                "erasure": "always",
                "identifiers": { "email": "/email" },
                "callback": callback,
            });
        }
        for (name, secret) in secrets.iter().chain(&[("DESK_TOKEN", TOKEN)]) {
            deployment = deployment.secret(name, secret);
        }
        let World { toolchain, bundle, .. } = world;
        let worker = Workerd::start_on(toolchain, bundle, &deployment, &storage).await?;
        Ok(Self { vendors, platform, worker, _storage: storage })
    }

    /// Posts the erasure of a person, whose e-mail address is left out where nobody is to be found.
    pub async fn post(&self, source: &str, person: &Person, is_named: bool) -> Result<Reply> {
        let email = is_named.then_some(&person.email);
        let body = json!({ "id": person.request_id, "email": email,
                           "task": subtask(person), "item": item(person) });
        let headers = [
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-desk-key".to_owned(), TOKEN.to_owned()),
        ];
        let url = self.worker.url(&format!("/webhooks/{source}"));
        send("POST", &url, &headers, body.to_string()).await
    }

    /// What an operator reads.
    pub async fn read(&self, path: &str) -> Result<Reply> {
        send("GET", &self.worker.url(path), &authorized(), "").await
    }

    /// Closes the erasure of a person.
    pub async fn close(&self, source: &str, person: &Person, outcome: &str) -> Result<Reply> {
        let path = format!("/erasures/{source}/{}/close", person.request_id);
        let body = json!({ "outcome": outcome, "note": "kept by law" });
        send("POST", &self.worker.url(&path), &authorized(), body.to_string()).await
    }

    /// What an operator does.
    pub async fn operate(&self, path: &str, body: &str) -> Result<Reply> {
        send("POST", &self.worker.url(path), &authorized(), body.to_owned()).await
    }

    /// The messages about a person.
    pub fn about(&self, person: &Person) -> Vec<Message> {
        let names = [subtask(person), item(person), person.request_id.clone()];
        let is_about = |message: &Message| {
            let id = message.json()["data"]["request_id"].as_str().map(str::to_owned);
            names.iter().any(|name| {
                message.target.split('/').any(|segment| segment == name)
                    || id.as_ref() == Some(name)
            })
        };
        self.platform.messages().into_iter().filter(|message| is_about(message)).collect()
    }

    /// The receipt once so many messages have come to their end, of which the last was taken.
    pub async fn receipt(&self, source: &str, person: &Person, count: usize) -> Result<Value> {
        let url = self.worker.url(&format!("/erasures/{source}/{}", person.request_id));
        let mut last = Value::Null;
        let waiting = async {
            loop {
                last = send("GET", &url, &authorized(), "").await?.json();
                let states: Vec<&str> = last["callbacks"]
                    .as_array()
                    .map(|all| all.iter().filter_map(|one| one["state"].as_str()).collect())
                    .unwrap_or_default();
                let outcome = last["deliveries"][0]["outcome"].as_str().unwrap_or("scheduled");
                let is_told = states.len() == count && !states.contains(&"scheduled");
                if is_told && outcome != "scheduled" {
                    return anyhow::Ok(());
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let came = timeout(Duration::from_secs(30), waiting).await;
        let mismatches = self.platform.mismatches();
        ensure!(mismatches.is_empty(), "{mismatches:?}");
        ensure!(matches!(came, Ok(Ok(()))), "{count}: {last} {}", self.worker.log());
        Ok(last)
    }

    /// Plays a case; `word` reads the word of a message.
    pub async fn play(&self, case: Case, word: fn(&Message) -> String) -> Result<()> {
        let Case { name, source, answers, words, closed } = case;
        let person = Person::new(name);
        self.vendors.insider.script(&person.email, answers);
        self.post(source, &person, !name.ends_with("nobody")).await?;
        self.receipt(source, &person, words.len()).await?;
        let told = || self.about(&person).iter().map(word).collect::<Vec<_>>();
        ensure!(told() == words, "{name}: {:?}", told());
        if let Some((outcome, last)) = closed {
            let reply = self.close(source, &person, outcome).await?;
            ensure!(reply.status == 200, "{name}: {reply:?}");
            self.receipt(source, &person, words.len() + 1).await?;
            ensure!(told().last().is_some_and(|told| told == last), "{name}: {:?}", told());
        }
        let is_over = closed.is_some() || words.last().is_some_and(|word| is_last(word));
        let again = self.close(source, &person, "completed").await?;
        ensure!((again.status == 409) == is_over, "{name}: {again:?}");
        Ok(())
    }
}

/// Whether nothing follows a word.
fn is_last(word: &str) -> bool {
    ["COMPLETED", "FAILED", "REJECTED", "privacy.erasure.settled"]
        .iter()
        .any(|last| word.starts_with(last))
}

/// The UUID of a person's subtask.
fn subtask(person: &Person) -> String {
    let id = &person.request_id;
    [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-")
}

/// The number of a person's action item.
fn item(person: &Person) -> String {
    let id = &person.request_id;
    u64::from_str_radix(&id[id.len() - 12..], 16).unwrap_or_default().to_string()
}

/// Every outcome that a test can have, with the words `in_progress` until the operator closes it.
pub fn cases(words: &Words) -> Vec<Case> {
    let case = |name, answers, words, closed| {
        let source = match name {
            "desk-kept" => "desk-kept",
            "desk-blocked" => "desk-locked",
            _ => "desk",
        };
        Case { name, source, answers, words, closed }
    };
    let failures = || {
        let failure = || Answer::status(500);
        vec![failure(), failure(), failure(), Answer::Success]
    };
    let sole = Answer::json(400, SOLE_IDENTIFIER);
    vec![
        case("desk-accepted", vec![], words.done, None),
        case("desk-absent", vec![Answer::json(404, NO_SUCH_USER)], words.absent, None),
        case("desk-later", failures(), words.later, None),
        case("desk-rejected", vec![Answer::status(422)], words.attention, Some(words.failed)),
        case("desk-not-erased", vec![sole], words.attention, Some(words.not_erased)),
        case(
            "desk-uncertain",
            vec![Answer::json(200, r#"{"success":false}"#)],
            words.attention,
            Some(words.completed),
        ),
        case("desk-nobody", vec![], words.nobody, None),
        case("desk-kept", vec![], words.kept, Some(words.not_found)),
        case("desk-blocked", vec![Answer::status(401)], words.blocked, None),
    ]
}

/// The words of one platform.
pub struct Words {
    pub done: &'static [&'static str],
    pub absent: &'static [&'static str],
    pub later: &'static [&'static str],
    pub attention: &'static [&'static str],
    pub nobody: &'static [&'static str],
    pub kept: &'static [&'static str],
    pub blocked: &'static [&'static str],
    pub failed: (&'static str, &'static str),
    pub not_erased: (&'static str, &'static str),
    pub completed: (&'static str, &'static str),
    pub not_found: (&'static str, &'static str),
}
