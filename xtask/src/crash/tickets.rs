//! The requests of Ketch, which waits to be told what became of them, and the judgment on what it was
//! told.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use oorandom::Rand64;
use serde_json::{Value, json};
use standin::platform::{Message, Platform, Reaction};
use tokio::time::sleep;

use crate::workerd::Deployment;

/// The source of Ketch's requests.
pub const SOURCE: &str = "ketch";

/// The secret that its requests bear.
pub const TOKEN: &str = "token-of-ketch-in-the-crash-run";

/// The header that it is in.
pub const TOKEN_HEADER: &str = "x-ketch-key";

/// The name of the secret.
const SECRET: &str = "KETCH_TOKEN";

/// What ends a request of which every vendor has accepted its part.
const LAST: &str = "completed requested";

/// Between two looks at what was heard.
const PAUSE: Duration = Duration::from_millis(200);

/// A request of Ketch.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// `request.identities`: space and value.
    pub identities: Vec<(&'static str, String)>,
    /// The paths of its callbacks.
    pub callbacks: Vec<String>,
    /// Whether a vendor rejects the request at first, until the operator replays it.
    pub is_rejected: bool,
}

impl Ticket {
    /// The body of the request, with its callbacks at `platform`.
    #[must_use]
    pub fn body(&self, uid: &str, platform: &Platform) -> Vec<u8> {
        let identity = |(space, value): &(&str, String)| json!({ "identitySpace": space, "identityFormat": "raw", "identityValue": value });
        let callback = |path: &String| {
            let credential = format!("Bearer {path}");
            json!({ "url": platform.url(path), "headers": { "Authorization": credential } })
        };
        let identities: Vec<Value> = self.identities.iter().map(identity).collect();
        let callbacks: Vec<Value> = self.callbacks.iter().map(callback).collect();
        let body = json!({
            "apiVersion": "dsr/v1",
            "kind": "DeleteRequest",
            "metadata": { "uid": uid, "tenant": "acme" },
            "request": { "identities": identities, "callbacks": callbacks },
        });
        body.to_string().into_bytes()
    }
}

/// Adds the source to a deployment.
#[must_use]
pub fn configure(mut deployment: Deployment, platform: &Platform) -> Deployment {
    deployment.vars["SOURCES"][SOURCE] = json!({
        "platform": "ketch",
        "signature": { "token": TOKEN_HEADER },
        "secrets": [SECRET],
        "identity_types": { "account_id": "user_id" },
        "partial_erasure": "accept",
        "callback": {
            "hosts": [platform.url("")],
            "timeout_seconds": 2,
            "retry": { "first_seconds": 1, "longest_seconds": 2 },
            "breaker": { "failures": 20, "probe_seconds": 1 },
        },
    });
    deployment.secret(SECRET, TOKEN)
}

/// How the platform answers its next messages: it fails as often as the vendors do.
pub fn reactions(random: &mut Rand64, count: usize) -> Vec<Reaction> {
    let mut reaction = || match random.rand_range(0..20) {
        0 | 1 => Reaction::Status(503),
        2 => Reaction::Status(500),
        3 => Reaction::Silence,
        4..10 => Reaction::After(Duration::from_millis(random.rand_range(1..300)), 200),
        _ => Reaction::Status(200),
    };
    (0..count).map(|_| reaction()).collect()
}

/// Waits until each of these callbacks has taken the last word, and says whether they have within
/// `limit`. The Worker is not asked: it is left to itself.
pub async fn heard(platform: &Platform, callbacks: &[String], limit: Duration) -> bool {
    let started = Instant::now();
    loop {
        let messages = platform.messages();
        let taken = |path: &String| {
            let mut of_it = messages.iter().filter(|message| message.target == *path);
            of_it.any(|message| is_taken(message) && word(message) == LAST)
        };
        if callbacks.iter().all(taken) {
            return true;
        }
        if started.elapsed() > limit {
            return false;
        }
        sleep(PAUSE).await;
    }
}

/// What was told, as it must be or not.
#[derive(Debug, Default)]
pub struct Told {
    /// Callbacks that had to be told.
    pub callbacks: usize,
    /// Messages that came, repeats counted.
    pub messages: usize,
    /// Callbacks that never took the last word.
    pub lost: usize,
    /// Callbacks that took a word more than once: a kill or a lost answer falls between.
    pub repeated: usize,
    /// Callbacks to which one word came in different messages, or another word after the last.
    pub contradicted: usize,
    /// Callbacks whose last word is not what the receipt says.
    pub differing: usize,
    /// What is wrong, by request and callback.
    pub faults: Vec<String>,
}

impl Told {
    /// Judges what came against the receipts, by request.
    #[must_use]
    pub fn of<'a>(
        tickets: impl Iterator<Item = (&'a str, &'a Ticket, Option<&'a Value>)>,
        messages: &[Message],
    ) -> Self {
        let mut told = Self { messages: messages.len(), ..Self::default() };
        let mut by_target: HashMap<&str, Vec<&Message>> = HashMap::new();
        for message in messages {
            by_target.entry(&message.target).or_default().push(message);
        }
        for (uid, ticket, receipt) in tickets {
            for path in &ticket.callbacks {
                let messages = by_target.get(path.as_str()).map_or(&[][..], Vec::as_slice);
                told.take_in(uid, path, messages, receipt, ticket.callbacks.len());
            }
        }
        told
    }

    fn take_in(
        &mut self,
        uid: &str,
        path: &str,
        messages: &[&Message],
        receipt: Option<&Value>,
        callbacks: usize,
    ) {
        self.callbacks += 1;
        let taken: Vec<_> = messages.iter().filter(|message| is_taken(message)).collect();
        let last = taken.last().map(|message| word(message));
        if last.as_deref() != Some(LAST) {
            self.lost += 1;
            self.faults.push(format!("{uid} {path}: lost, the last word is {last:?}"));
        }
        let words: Vec<_> = taken.iter().map(|message| word(message)).collect();
        self.repeated += usize::from((1..words.len()).any(|at| words[..at].contains(&words[at])));
        let mut pairs = messages.windows(2);
        let contradicts = pairs.any(|pair| match (word(pair[0]), word(pair[1])) {
            (before, after) if before == after => pair[0].body != pair[1].body,
            (before, _) => before == LAST,
        });
        let is_of_it = messages.iter().all(|message| message.json()["metadata"]["uid"] == uid);
        if contradicts || !is_of_it {
            self.contradicted += 1;
            let words: Vec<_> = messages.iter().map(|message| word(message)).collect();
            self.faults.push(format!("{uid} {path}: contradicted, {words:?}"));
        }
        let shown = shown(receipt);
        let delivered = shown.iter().filter(|one| last.as_deref() == Some(one)).count();
        if receipt.is_none_or(|receipt| receipt["state"] != "done") || delivered != callbacks {
            self.differing += 1;
            self.faults.push(format!("{uid} {path}: told {last:?}, the receipt says {shown:?}"));
        }
    }
}

/// The words that a receipt calls delivered.
fn shown(receipt: Option<&Value>) -> Vec<&str> {
    let callbacks = receipt.and_then(|receipt| receipt["callbacks"].as_array());
    let delivered = callbacks.into_iter().flatten().filter(|one| one["state"] == "delivered");
    delivered.filter_map(|one| one["word"].as_str()).collect()
}

fn is_taken(message: &Message) -> bool {
    message.status == 200
}

fn word(message: &Message) -> String {
    let event = &message.json()["event"];
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    format!("{} {}", text("status"), text("reason"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/callbacks/r/0";

    fn message(status: &str, reason: &str, timestamp: i64, answer: u16) -> Message {
        let event = json!({ "status": status, "reason": reason,
            "expectedCompletionTimestamp": timestamp });
        let body = json!({ "metadata": { "uid": "r" }, "event": event });
        Message {
            method: "POST".to_owned(),
            target: PATH.to_owned(),
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
            status: answer,
        }
    }

    fn done(timestamp: i64, answer: u16) -> Message {
        message("completed", "requested", timestamp, answer)
    }

    fn open(timestamp: i64, answer: u16) -> Message {
        message("in_progress", "unknown", timestamp, answer)
    }

    /// Lost, repeated, contradicted, differing.
    fn judge(messages: &[Message], receipt: &Value) -> [usize; 4] {
        let ticket =
            Ticket { identities: Vec::new(), callbacks: vec![PATH.to_owned()], is_rejected: false };
        let told = Told::of([("r", &ticket, Some(receipt))].into_iter(), messages);
        let wrong = told.lost + told.contradicted + told.differing;
        assert_eq!(told.faults.is_empty(), wrong == 0, "{told:?}");
        [told.lost, told.repeated, told.contradicted, told.differing]
    }

    fn receipt(words: &[&str]) -> Value {
        let callback = |word: &&str| json!({ "word": word, "state": "delivered" });
        let callbacks: Vec<Value> = words.iter().map(callback).collect();
        json!({ "state": "done", "callbacks": callbacks })
    }

    #[test]
    fn the_last_word_must_be_taken_and_be_the_receipts() {
        let said = receipt(&[LAST]);
        assert_eq!(judge(&[done(1, 200)], &said), [0, 0, 0, 0]);
        assert_eq!(judge(&[open(1, 503), open(1, 200), done(2, 200)], &said), [0, 0, 0, 0]);
        assert_eq!(judge(&[], &receipt(&[])), [1, 0, 0, 1]);
        assert_eq!(judge(&[done(1, 503)], &receipt(&[])), [1, 0, 0, 1]);
        assert_eq!(judge(&[open(1, 200)], &receipt(&["in_progress unknown"])), [1, 0, 0, 0]);
        assert_eq!(judge(&[done(1, 200)], &receipt(&[])), [0, 0, 0, 1]);
        assert_eq!(judge(&[done(1, 200)], &receipt(&["in_progress unknown"])), [0, 0, 0, 1]);
        let pending = json!({ "state": "pending", "callbacks": said["callbacks"] });
        assert_eq!(judge(&[done(1, 200)], &pending), [0, 0, 0, 1]);
    }

    #[test]
    fn a_repeated_message_is_the_same_and_nothing_follows_the_last_word() {
        let said = receipt(&[LAST]);
        assert_eq!(judge(&[done(1, 200), done(1, 200)], &said), [0, 1, 0, 0]);
        assert_eq!(judge(&[done(1, 503), done(1, 200)], &said), [0, 0, 0, 0]);
        assert_eq!(judge(&[done(1, 200), done(2, 200)], &said), [0, 1, 1, 0]);
        assert_eq!(judge(&[done(1, 503), open(1, 503), done(1, 200)], &said), [0, 0, 1, 0]);
    }
}
