//! What a platform is told: in any order of arrival, each word once, and nothing after the last.

use std::rc::Rc;
use std::time::Duration;

use erasure_relay::callback::outbox::{Decision, Erasure, Outbox, Times};
use erasure_relay::callback::wire::{Ask, Begin, Told};
use erasure_relay::callback::{
    Callback, Closure, Progress, Reply, Standing, Target, Webhook, Word,
};
use erasure_relay::delivery::lane::{Arrival, Claim, Lane, Part, Record};
use erasure_relay::receipt::{ClosureOutcome, Outcome, Receipt, Timestamp};
use erasure_relay::seal::Seal;
use erasure_relay::vendor::{Auth, CallKind, Pace};
use serde_json::Value;

use crate::database::{Shared, Store};
use crate::world::{DAY, Dice, KEY, START, accepted, failed, policy, seal, settlement};

const MESSAGE: &[CallKind] = &[CallKind {
    name: "status",
    pace: Pace { calls: 6000, per_seconds: 60 },
    reaches_person: false,
}];
const ERASURE: Erasure<'_> = Erasure { source: "consent", request_id: "r" };
const CREDENTIAL: &str = "Bearer credential-of-the-webhook";
const TIMES: Times = Times {
    answer: Duration::from_secs(30 * DAY),
    replay: Duration::from_secs(20 * DAY),
    receipts: Duration::from_secs(731 * DAY),
};

/// A platform with a word for each standing but one; `ends` says whether it takes a failure as the end.
struct Words {
    ends: bool,
}

impl Callback for Words {
    fn auth(&self) -> &Auth {
        &Auth::None
    }

    fn message(&self) -> &'static [CallKind] {
        MESSAGE
    }

    fn reply(&self, _: &Webhook<'_>) -> Reply {
        unreachable!("the tests bring replies of their own")
    }

    fn word(&self, progress: &Progress<'_>) -> Option<Word> {
        let (text, is_last) = match progress.standing {
            Standing::UnderWay => return None,
            Standing::Attention => ("attention", false),
            Standing::Partial => ("partial", false),
            Standing::Failed => ("failed", self.ends),
            Standing::Unidentified => ("unidentified", true),
            Standing::Done => ("done", true),
            Standing::Absent => ("absent", true),
        };
        let body = progress.receipt.request_id.clone();
        Some(Word { text: text.to_owned(), is_last, method: "POST", body })
    }
}

/// The lane of a platform, with its tickets.
struct Desk {
    store: Rc<Store>,
    seal: Seal,
    lane: Lane<Shared>,
    words: Words,
    dice: Dice,
    now: Timestamp,
}

fn target(path: &str) -> Target {
    let url = format!("https://platform.example/{path}");
    Target { url, headers: vec![("authorization".to_owned(), CREDENTIAL.to_owned())] }
}

fn begin(accounts: &[&str], targets: &[&str]) -> Ask {
    let accounts = accounts.iter().map(|name| (*name).to_owned()).collect();
    let reply = Reply { targets: targets.iter().copied().map(target).collect(), context: None };
    Ask::Begin(Begin { received_at: START, accounts, reply, parts: Default::default() })
}

fn tell(account: &str, at: i64, outcomes: &[Outcome]) -> Ask {
    let record = |outcome: &Outcome| Record {
        source: ERASURE.source.to_owned(),
        request_id: ERASURE.request_id.to_owned(),
        slot: "call:subject".to_owned(),
        position: 0,
        received_at: START,
        call: Some("call".into()),
        identifier: Some("email".to_owned()),
        subject: Some("subject".to_owned()),
        outcome: *outcome,
        status: None,
        attempts: 1,
        detail: None,
        trace: None,
        updated_at: START,
        due_at: None,
        acknowledged: None,
        history: Vec::new(),
    };
    let at = Timestamp(START.0 + at);
    let records = outcomes.iter().map(record).collect();
    Ask::Tell(Told { account: account.to_owned(), at, records })
}

fn close(outcome: ClosureOutcome) -> Ask {
    Ask::Close(Closure { outcome, note: "note".to_owned(), at: START })
}

impl Desk {
    fn new() -> Self {
        Self::on(Store::in_memory())
    }

    fn on(store: Rc<Store>) -> Self {
        let seal = seal(KEY, None);
        let lane = Lane::open(
            Shared(store.clone()),
            "@consent",
            policy(),
            MESSAGE,
            seal.clone(),
            Dice::random(3),
            START,
        );
        let lane = lane.unwrap();
        Self { store, seal, lane, words: Words { ends: true }, dice: Dice(5), now: START }
    }

    fn outbox(&self) -> Outbox<'_, Shared> {
        let database = Shared(self.store.clone());
        Outbox::open(database, &self.seal, &self.words, TIMES).unwrap()
    }

    fn pass(&mut self, days: u64) {
        self.now = self.now.after(Duration::from_secs(days * DAY));
    }

    fn change(&mut self, change: Ask) -> bool {
        let mut random = Dice::random(self.dice.roll());
        self.outbox().change(ERASURE, change, self.now, &mut *random).unwrap()
    }

    fn decide_if(&mut self, is_partial: bool) -> Decision {
        let mut random = Dice::random(self.dice.roll());
        let is_partial = |_: &Receipt| is_partial;
        self.outbox().decide(ERASURE, &is_partial, self.now, &mut *random).unwrap()
    }

    /// The word that is put up now.
    fn decide(&mut self) -> Option<String> {
        let decision = self.decide_if(false);
        decision.messages.first().map(|part| shown(part).0)
    }

    /// The word that is put up after a change.
    fn word(&mut self, ask: Ask) -> Option<String> {
        self.change(ask);
        self.decide()
    }

    /// A ticket of one account that has rejected the request.
    fn rejected() -> Self {
        let mut desk = Self::new();
        desk.change(begin(&["a"], &["x"]));
        assert_eq!(desk.word(tell("a", 1, &[Outcome::Rejected])).as_deref(), Some("attention"));
        desk
    }

    fn reply_is_stored(&self) -> bool {
        self.store.number("SELECT reply IS NOT NULL FROM ticket") == 1
    }

    fn tickets(&self) -> i64 {
        self.store.number("SELECT COUNT(*) FROM ticket")
    }

    /// Hands what was decided to the lane.
    fn put_up(&mut self, decision: Decision) -> Vec<Claim> {
        let Erasure { source, request_id } = ERASURE;
        self.lane.discard(source, request_id, "superseded", self.now).unwrap();
        let Decision { messages: parts, received_at, .. } = decision;
        let arrival = Arrival { source, request_id, received_at, repeat_after: None, parts };
        self.lane.accept(arrival, 10, self.now).unwrap().claims
    }

    /// Word and outcome of each message in the lane.
    fn messages(&self) -> Vec<(String, Outcome)> {
        let records = self.lane.find(ERASURE.source, ERASURE.request_id).unwrap();
        records.into_iter().map(|record| (record.subject.unwrap(), record.outcome)).collect()
    }
}

/// Word, slot, id and URL of a message.
fn shown(part: &Part) -> (String, String, String, String) {
    let Part::Call { call, subject, .. } = part else { panic!("a message is a call") };
    let message: Value = serde_json::from_str(call.identifier.expose()).unwrap();
    let text = |name: &str| message[name].as_str().unwrap().to_owned();
    (subject.shown.clone(), subject.stored.clone(), text("id"), text("url"))
}

#[test]
fn the_order_of_arrival_does_not_matter() {
    use Outcome::Accepted;
    let asks =
        || [begin(&["a", "b"], &["x"]), tell("a", 1, &[Accepted]), tell("b", 1, &[Accepted])];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut desk = Desk::new();
        let mut asks = asks().map(Some);
        let words = order.map(|index: usize| desk.word(asks[index].take().unwrap()));
        assert_eq!(words, [None, None, Some("done".to_owned())], "{order:?}");
    }
}

#[test]
fn each_account_must_have_been_heard() {
    let mut desk = Desk::new();
    desk.change(begin(&["a", "b"], &["x"]));
    assert_eq!(desk.word(tell("a", 1, &[Outcome::Rejected])), None);
    assert_eq!(desk.word(tell("c", 1, &[Outcome::Accepted])), None, "of another account");
    assert_eq!(desk.word(tell("b", 1, &[Outcome::Scheduled])), None);
    assert_eq!(desk.word(tell("b", 2, &[Outcome::AlreadyAbsent])).as_deref(), Some("attention"));
}

#[test]
fn what_was_read_earlier_does_not_replace_what_is_known() {
    let mut desk = Desk::new();
    desk.change(begin(&["a", "b"], &["x"]));
    desk.change(tell("a", 5, &[Outcome::Accepted]));
    desk.change(tell("a", 4, &[Outcome::Scheduled]));
    assert_eq!(desk.word(tell("b", 1, &[Outcome::Accepted])).as_deref(), Some("done"));
    let mut desk = Desk::new();
    desk.change(begin(&["a", "b"], &["x"]));
    desk.change(tell("a", 5, &[Outcome::Accepted]));
    desk.change(tell("a", 5, &[Outcome::Rejected]));
    assert_eq!(desk.word(tell("b", 1, &[Outcome::Accepted])).as_deref(), Some("attention"));
}

#[test]
fn a_word_is_put_up_only_where_it_changes_and_none_after_the_last() {
    let mut desk = Desk::rejected();
    assert_eq!(desk.decide(), None);
    assert_eq!(desk.word(tell("a", 2, &[Outcome::Uncertain])), None);
    assert_eq!(desk.word(begin(&["a"], &["x"])), None, "a repeated webhook");
    assert_eq!(desk.word(tell("a", 3, &[Outcome::Scheduled])), None);
    assert_eq!(desk.word(tell("a", 4, &[Outcome::Exhausted])), None, "the same word again");
    assert_eq!(desk.word(tell("a", 5, &[Outcome::Accepted])).as_deref(), Some("done"));
    for later in [tell("a", 6, &[Outcome::Rejected]), begin(&["a"], &["y"])] {
        assert_eq!(desk.word(later), None);
    }
    assert!(!desk.change(close(ClosureOutcome::Failed)), "the platform knows the end");
}

#[test]
fn each_standing_has_its_word() {
    use Outcome::*;
    for (outcomes, is_partial, word) in [
        (&[Accepted, AlreadyAbsent][..], false, "done"),
        (&[Accepted], true, "partial"),
        (&[AlreadyAbsent], false, "absent"),
        (&[InsufficientIdentification], false, "unidentified"),
        (&[Discarded], false, "attention"),
    ] {
        let mut desk = Desk::new();
        desk.change(begin(&["a"], &["x"]));
        desk.change(tell("a", 1, outcomes));
        let decision = desk.decide_if(is_partial);
        assert_eq!(shown(&decision.messages[0]).0, word);
    }
}

#[test]
fn each_target_gets_a_message_with_an_id_of_its_own() {
    let mut desk = Desk::new();
    desk.change(begin(&["a"], &["x", "y"]));
    desk.change(tell("a", 1, &[Outcome::Rejected]));
    let first = desk.decide_if(false).messages;
    desk.change(tell("a", 2, &[Outcome::Accepted]));
    let second = desk.decide_if(false).messages;
    let all: Vec<_> = first.iter().chain(&second).map(shown).collect();
    let urls: Vec<_> = all.iter().map(|(.., url)| url.rsplit('/').next().unwrap()).collect();
    assert_eq!(urls, ["x", "y", "x", "y"]);
    for index in 0..all.len() {
        let later = &all[index + 1..];
        assert!(later.iter().all(|other| other.1 != all[index].1), "a slot of its own");
        assert!(later.iter().all(|other| other.2 != all[index].2), "an id of its own");
    }
}

#[test]
fn a_newer_webhook_brings_the_credentials_and_one_without_targets_keeps_them() {
    let mut desk = Desk::new();
    desk.change(begin(&["a"], &["x"]));
    desk.change(begin(&["a"], &["y"]));
    desk.change(begin(&["a"], &[]));
    desk.change(tell("a", 1, &[Outcome::Accepted]));
    let messages = desk.decide_if(false).messages;
    let urls: Vec<_> = messages.iter().map(|part| shown(part).3).collect();
    assert_eq!(urls, ["https://platform.example/y"]);
}

#[test]
fn an_operator_closes_what_is_not_over() {
    let unknown = Desk::new().change(close(ClosureOutcome::Completed));
    assert!(!unknown, "nothing is known of it");
    for (outcome, word) in [
        (ClosureOutcome::Completed, "done"),
        (ClosureOutcome::NotFound, "absent"),
        (ClosureOutcome::Failed, "failed"),
    ] {
        let mut desk = Desk::rejected();
        assert!(desk.change(close(outcome)));
        assert_eq!(desk.decide().as_deref(), Some(word));
        assert!(!desk.change(close(ClosureOutcome::Completed)));
        assert_eq!(desk.decide(), None);
        let ticket = desk.outbox().find(ERASURE).unwrap().unwrap();
        assert_eq!(ticket.closed.unwrap().outcome, outcome);
    }
}

#[test]
fn the_last_word_waits_as_long_as_an_operator_can_replay() {
    let mut desk = Desk::rejected();
    let over = START.after(TIMES.replay);
    assert_eq!(desk.outbox().wake().unwrap(), Some(over));
    desk.now = Timestamp(over.0 - 1);
    assert!(desk.outbox().due(desk.now, 10).unwrap().is_empty());
    assert_eq!(desk.decide(), None);
    desk.now = over;
    let due = desk.outbox().due(desk.now, 10).unwrap();
    assert_eq!(due, [("consent".to_owned(), "r".to_owned())]);
    assert!(desk.reply_is_stored());
    assert_eq!(desk.decide().as_deref(), Some("failed"));
    assert!(!desk.reply_is_stored());
    assert_eq!(desk.outbox().wake().unwrap(), None);
    assert_eq!(desk.decide(), None);
}

#[test]
fn a_platform_without_a_word_for_the_end_is_given_up_in_time() {
    let mut desk = Desk::rejected();
    desk.words.ends = false;
    desk.now = START.after(TIMES.replay);
    assert_eq!(desk.decide().as_deref(), Some("failed"));
    assert!(desk.reply_is_stored(), "it can still be closed");
    let gone = START.after(TIMES.replay).after(TIMES.replay);
    assert_eq!(desk.outbox().wake().unwrap(), Some(gone));
    desk.now = gone;
    assert_eq!(desk.decide(), None);
    assert!(!desk.reply_is_stored());
    assert_eq!(desk.outbox().wake().unwrap(), None);
}

#[test]
fn credentials_are_sealed_and_gone_with_the_last_word() {
    let mut desk = Desk::rejected();
    assert!(desk.reply_is_stored());
    let columns = "SELECT COUNT(*) FROM ticket WHERE ticket || reply LIKE '%credential%'
        OR ticket || reply LIKE '%platform.example%'";
    assert_eq!(desk.store.number(columns), 0);
    assert_eq!(desk.word(tell("a", 2, &[Outcome::Accepted])).as_deref(), Some("done"));
    assert!(!desk.reply_is_stored());
    let ticket = desk.outbox().find(ERASURE).unwrap().unwrap();
    assert!(ticket.is_over && ticket.parts.is_empty());
}

#[test]
fn a_reply_opens_for_its_own_erasure_alone() {
    let mut desk = Desk::new();
    desk.change(begin(&["a"], &["x"]));
    desk.change(tell("a", 1, &[Outcome::Accepted]));
    desk.store.look("UPDATE ticket SET request_id = 's'", &[]);
    let other = Erasure { request_id: "s", ..ERASURE };
    let decision = desk.outbox().decide(other, &|_| false, desk.now, &mut *Dice::random(1));
    assert!(decision.unwrap().messages.is_empty());
    desk.seal = seal("another key of sixteen bytes", None);
    desk.store.look("UPDATE ticket SET request_id = 'r'", &[]);
    assert_eq!(desk.decide(), None);
    desk.seal = seal("another key of sixteen bytes", Some(KEY));
    assert_eq!(desk.decide().as_deref(), Some("done"));
}

#[test]
fn tickets_go_with_their_receipts_and_do_not_come_back() {
    let mut desk = Desk::rejected();
    desk.pass(731);
    desk.now.0 -= 1;
    desk.outbox().clean(desk.now).unwrap();
    assert_eq!(desk.tickets(), 1);
    desk.now.0 += 1;
    desk.outbox().clean(desk.now).unwrap();
    assert_eq!(desk.tickets(), 0);
    // The account's lane removes its rows at the same time, and tells of that.
    assert!(desk.change(tell("a", 731 * 86_400_000, &[])));
    assert_eq!(desk.tickets(), 0);
}

#[test]
fn a_later_word_takes_the_place_of_the_messages_that_wait() {
    let mut desk = Desk::new();
    desk.change(begin(&["a"], &["x"]));
    desk.change(tell("a", 1, &[Outcome::Rejected]));
    let decision = desk.decide_if(false);
    let claim = desk.put_up(decision).remove(0);
    assert!(desk.lane.is_under_way("consent", "r").unwrap(), "nothing is decided meanwhile");
    desk.lane.settle(&settlement(&claim, failed(), desk.now), desk.now).unwrap();
    assert!(!desk.lane.is_under_way("consent", "r").unwrap());
    desk.change(tell("a", 2, &[Outcome::Accepted]));
    let decision = desk.decide_if(false);
    let claims = desk.put_up(decision);
    let waiting = |word: &str, outcome| (word.to_owned(), outcome);
    let superseded = waiting("attention", Outcome::Discarded);
    assert_eq!(desk.messages(), [superseded.clone(), waiting("done", Outcome::Scheduled)]);
    desk.lane.settle(&settlement(&claims[0], accepted(), desk.now), desk.now).unwrap();
    assert_eq!(desk.messages(), [superseded, waiting("done", Outcome::Accepted)]);
}

#[test]
fn a_crash_loses_the_decision_and_its_messages_together() {
    let mut desk = Desk::on(Store::grouped());
    desk.change(begin(&["a"], &["x"]));
    desk.store.commit();
    for _ in 0..3 {
        desk.change(tell("a", 1, &[Outcome::Accepted]));
        let decision = desk.decide_if(false);
        assert_eq!(desk.put_up(decision).len(), 1);
        desk.store.rollback();
        assert!(desk.messages().is_empty() && desk.reply_is_stored());
    }
    desk.change(tell("a", 1, &[Outcome::Accepted]));
    let decision = desk.decide_if(false);
    desk.put_up(decision);
    desk.store.commit();
    desk.store.rollback();
    assert_eq!(desk.messages(), [("done".to_owned(), Outcome::Scheduled)]);
    assert!(!desk.reply_is_stored());
    assert_eq!(desk.decide(), None, "it was put up already");
}

#[test]
fn the_webhooks_first_time_is_the_receipts() {
    let mut desk = Desk::new();
    desk.pass(3);
    desk.change(tell("a", 1, &[Outcome::Accepted]));
    desk.change(begin(&["a"], &["x"]));
    assert_eq!(desk.decide_if(false).received_at, START);
}

#[test]
fn a_word_whose_messages_could_not_be_stored_is_put_up_again() {
    let mut desk = Desk::new();
    desk.change(begin(&["a"], &["x", "y"]));
    desk.change(tell("a", 1, &[Outcome::Accepted]));
    let mut decision = desk.decide_if(false);
    assert_eq!(decision.messages.len(), 2);
    let first: Vec<_> = decision.messages.iter().map(|part| shown(part).1).collect();
    let again = desk.now.after(Duration::from_secs(2));
    desk.outbox().undo(ERASURE, decision.take_before(), again).unwrap();
    assert!(desk.reply_is_stored());
    assert_eq!(desk.outbox().wake().unwrap(), Some(again));
    let decision = desk.decide_if(false);
    let second: Vec<_> = decision.messages.iter().map(|part| shown(part).1).collect();
    assert_eq!(second.len(), 2);
    assert!(second.iter().all(|slot| !first.contains(slot)), "{first:?} {second:?}");
    desk.put_up(decision);
    assert!(!desk.reply_is_stored());
    assert_eq!(desk.decide(), None);
}
