//! What the lane of a platform puts up, where each webhook waits for a word of its own.

use std::rc::Rc;
use std::time::Duration;

use erasure_relay::callback::outbox::{Decision, Erasure, Outbox, Times};
use erasure_relay::callback::wire::{Ask, Begin, Told};
use erasure_relay::callback::{self, Webhook};
use erasure_relay::delivery::lane::{Arrival, Lane, Part, Record};
use erasure_relay::json::Json;
use erasure_relay::receipt::{Outcome, Timestamp};
use erasure_relay::seal::Seal;
use erasure_relay::settings::{Findings, Settings};
use erasure_relay::vendor::Verdict;

use crate::database::{Shared, Store};
use crate::world::{DAY, Dice, KEY, START, policy, seal, settlement};

const HOUR: Duration = Duration::from_secs(3600);
const ERASURE: Erasure<'_> = Erasure { source: "consent", request_id: "pri_1" };

/// The tickets of one platform.
struct Tickets {
    store: Rc<Store>,
    seal: Seal,
    configured: callback::Configured,
    now: Timestamp,
}

impl Tickets {
    fn of(platform: &str, settings: &str) -> Self {
        let (json, findings) = (Json::parse(settings.as_bytes()).unwrap(), Findings::default());
        let mut settings = Settings::new("S.callback".into(), &json, &findings).unwrap();
        let configured = callback::configure(platform, &mut settings).unwrap();
        settings.finish();
        Self { store: Store::in_memory(), seal: seal(KEY, None), configured, now: START }
    }

    fn ask(&self, ask: Ask) -> Decision {
        let callback = &*self.configured.0;
        let days = |days| Duration::from_secs(days * DAY);
        let times = Times { answer: days(30), replay: days(30), receipts: days(731) };
        let outbox = Outbox::open(Shared(self.store.clone()), &self.seal, callback, times).unwrap();
        let mut random = Dice::random(7);
        outbox.change(ERASURE, ask, self.now, &mut random).unwrap();
        outbox.decide(ERASURE, &|_| false, self.now, &mut random).unwrap()
    }

    /// A webhook with these headers, after which the account's lane has these rows.
    fn webhook(&self, headers: &[(&str, &str)], parts: Vec<(String, Vec<Record>)>) -> Decision {
        let value = |(_, value): &(&str, &str)| (*value).to_owned();
        let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(value);
        let body = br#"{"privacy_request_id":"pri_1"}"#;
        let reply = self.configured.0.reply(&Webhook { header: &header, body });
        let accounts = vec!["insider".to_owned()];
        self.ask(Ask::Begin(Begin { received_at: self.now, accounts, reply, parts }))
    }

    fn tell(&self, lane: &str, records: Vec<Record>) -> Decision {
        self.ask(Ask::Tell(Told { account: lane.to_owned(), at: self.now, records }))
    }
}

fn record(slot: &str, outcome: Outcome, updated_at: Timestamp) -> Record {
    Record {
        source: "consent".into(),
        request_id: "pri_1".into(),
        slot: slot.into(),
        position: 0,
        received_at: START,
        call: None,
        identifier: None,
        subject: None,
        outcome,
        status: None,
        attempts: 1,
        detail: None,
        trace: None,
        updated_at,
        due_at: None,
        acknowledged: None,
        history: Vec::new(),
    }
}

/// The word and the sealed text of each message.
fn messages(decision: &Decision) -> Vec<(String, String)> {
    let read = |part: &Part| match part {
        Part::Call { call, subject, .. } => {
            (subject.shown.clone(), call.identifier.expose().to_owned())
        }
        Part::Unusable { .. } => panic!("a message"),
    };
    decision.messages.iter().map(read).collect()
}

#[test]
fn a_nonce_after_the_last_word_hears_what_holds_then() {
    let mut tickets = Tickets::of("transcend", r#"{"key":"K"}"#);
    let lane = || "insider.2".to_owned(); // a shard tells for its account
    let first = || record("a", Outcome::Accepted, START);
    let waiting = vec![(lane(), vec![record("a", Outcome::Scheduled, START)])];
    assert!(messages(&tickets.webhook(&[("x-transcend-nonce", "one")], waiting)).is_empty());
    let decision = tickets.tell(&lane(), vec![first()]);
    assert_eq!(messages(&decision).len(), 1);
    assert!(messages(&decision)[0].0 == "RESOLVED" && decision.void_from == Some(0));
    assert!(messages(&tickets.tell(&lane(), vec![first()])).is_empty());

    tickets.now = START.after(HOUR);
    let second = |outcome| record("b", outcome, START.after(HOUR));
    let parts = vec![(lane(), vec![first(), second(Outcome::Scheduled)])];
    let decision = tickets.webhook(&[("x-transcend-nonce", "two")], parts);
    assert!(messages(&decision).is_empty(), "the new row waits");
    let decision = tickets.tell(&lane(), vec![first(), second(Outcome::Rejected)]);
    let [(word, text)] = &messages(&decision)[..] else { panic!("one message") };
    assert!(word == "ACTION_REQUIRED" && text.contains("two") && !text.contains("one"));
    assert_eq!(decision.void_from, Some(1), "the message to the first webhook stands");

    // A further webhook of what is known already hears the present word alone.
    let parts = vec![(lane(), vec![first(), second(Outcome::Rejected)])];
    let decision = tickets.webhook(&[("x-transcend-nonce", "three")], parts);
    let [(word, text)] = &messages(&decision)[..] else { panic!("one message") };
    assert!(word == "ACTION_REQUIRED" && text.contains("three") && decision.void_from.is_none());

    let decision = tickets.tell(&lane(), vec![first(), second(Outcome::Accepted)]);
    let words: Vec<String> = messages(&decision).into_iter().map(|(word, _)| word).collect();
    assert_eq!(words, ["RESOLVED", "RESOLVED"]);
}

#[test]
fn a_message_is_given_up_when_its_token_has_expired() {
    let mut tickets = Tickets::of("fides", r#"{"base_url":"https://fides.example"}"#);
    let headers =
        [("reply-to", "/privacy-request/pri_1/resume"), ("reply-to-token", "token-of-pri_1")];
    let waiting = vec![("insider".to_owned(), vec![record("a", Outcome::Scheduled, START)])];
    tickets.webhook(&headers, waiting);
    tickets.now = START.after(HOUR.saturating_mul(58));
    let decision = tickets.tell("insider", vec![record("a", Outcome::Accepted, tickets.now)]);
    let expires_at = START.after(HOUR.saturating_mul(60));
    assert_eq!(decision.give_up_at, Some(expires_at));

    let calls = tickets.configured.1.calls();
    let (database, random) = (Shared(Store::in_memory()), Dice::random(7));
    let seal = seal(KEY, None);
    let mut lane =
        Lane::open(database, "@consent", policy(), calls, seal, random, tickets.now).unwrap();
    let Erasure { source, request_id } = ERASURE;
    let arrival = Arrival {
        source,
        request_id,
        received_at: decision.received_at,
        repeat_after: None,
        parts: decision.messages,
    };
    let mut claims = lane.accept(arrival, 6, tickets.now).unwrap().claims;
    lane.give_up_by(source, request_id, expires_at).unwrap();
    let mut now = tickets.now;
    let mut outcome = Outcome::Scheduled;
    while outcome == Outcome::Scheduled {
        for claim in &claims {
            let verdict = Verdict::without_answer(Outcome::Scheduled, "connection failed");
            lane.settle(&settlement(claim, verdict, now), now).unwrap();
        }
        outcome = lane.find(source, request_id).unwrap()[0].outcome;
        now = now.after(Duration::from_secs(600));
        claims = lane.claim(6, now).unwrap().claims;
    }
    assert_eq!(outcome, Outcome::Exhausted);
    assert!(now <= expires_at.after(HOUR), "long before the deadline of a usual message");
}
