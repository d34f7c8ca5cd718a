//! Direct delivery: the vendors are called while the platform waits, and nothing is stored.
//!
//! What must be tried again is the platform's to send again, so it is told 503 and when. Vendors
//! are called side by side; the calls to one vendor are made one after the other, in the order of
//! its plan.

use std::time::Duration;

use super::call_guard::CallGuard;
use crate::erasure::Subject;
use crate::pseudonym::Pseudonyms;
use crate::receipt::{Delivery, Outcome, Receipt, Timestamp};
use crate::vendor::{Call, Step, Vendor, Verdict};

/// The pause asked of the platform when no vendor names one: a vendor's bad minute.
const DEFAULT_RETRY: Duration = Duration::from_secs(60);

/// The same when a person must fix something first.
const BLOCKED_RETRY: Duration = Duration::from_secs(300);

/// What became of one vendor's part of an erasure.
pub struct Run {
    /// One entry for each step of the vendor's plan.
    pub deliveries: Vec<Delivery>,
    /// The outcome where the request names no identifier that this vendor takes, while another
    /// vendor can be asked.
    pub without_identifier: Outcome,
    /// The longest pause that an answer asked for.
    retry_after: Option<Duration>,
}

/// What sending one call came to.
pub struct Sent {
    /// What the last answer means.
    pub verdict: Verdict,
    /// How often the vendor was asked.
    pub attempts: u32,
    /// When the last answer came.
    pub at: Timestamp,
}

/// Makes every call of `vendor`'s plan for `subject` by `send`, and those that follow from answers,
/// until the remaining calls are not worth making.
pub async fn run(
    account: &str,
    vendor: &dyn Vendor,
    subject: &Subject,
    pseudonyms: Option<&Pseudonyms>,
    mut send: impl AsyncFnMut(&Call) -> Sent,
    now: Timestamp,
) -> Run {
    let without_identifier = Outcome::InsufficientIdentification;
    let mut run = Run { deliveries: Vec::new(), without_identifier, retry_after: None };
    let mut guard = CallGuard::default();
    let mut last = now;
    for step in vendor.plan(subject) {
        let mut delivery = nothing_sent(account, last);
        match step {
            Step::Unusable { identifier, detail } => {
                let identifier = identifier.as_ref();
                delivery.identifier = identifier.map(|one| one.kind().to_string());
                delivery.subject =
                    pseudonyms.zip(identifier).map(|(names, one)| names.of(one).shown);
                delivery.detail = Some(detail.into());
            }
            Step::Call(mut call) => {
                if let Some(outcome) = guard.halted() {
                    delivery.outcome = outcome;
                    delivery.detail = Some("not sent after the answer before".into());
                } else {
                    let sent;
                    (call, sent) = follow(vendor, call, &mut send).await;
                    guard.record(&sent.verdict);
                    run.retry_after = run.retry_after.max(sent.verdict.retry_after);
                    last = sent.at;
                    record(&mut delivery, sent);
                }
                delivery.call = Some(call.name.into());
                delivery.identifier = Some(call.identifier.kind().to_string());
                delivery.subject = pseudonyms.map(|names| names.of(&call.identifier).shown);
            }
        }
        run.deliveries.push(delivery);
    }
    run
}

/// Sends a call, and whatever takes its place; returns the last one and what it came to.
async fn follow(
    vendor: &dyn Vendor,
    mut call: Call,
    send: &mut impl AsyncFnMut(&Call) -> Sent,
) -> (Call, Sent) {
    let mut sent = send(&call).await;
    while let Some(next) = vendor.follow_up(&call, &sent.verdict) {
        call = next;
        let before = sent.attempts;
        sent = send(&call).await;
        sent.attempts = sent.attempts.saturating_add(before);
    }
    (call, sent)
}

fn nothing_sent(account: &str, at: Timestamp) -> Delivery {
    Delivery {
        vendor: account.to_owned(),
        call: None,
        identifier: None,
        subject: None,
        outcome: Outcome::InsufficientIdentification,
        status: None,
        attempts: 0,
        detail: None,
        trace: None,
        next_attempt_at: None,
        updated_at: at,
        acknowledged: None,
        history: Vec::new(),
    }
}

fn record(delivery: &mut Delivery, sent: Sent) {
    delivery.outcome = sent.verdict.outcome;
    delivery.status = sent.verdict.status;
    delivery.attempts = sent.attempts;
    delivery.detail = sent.verdict.detail;
    delivery.trace = sent.verdict.trace;
    delivery.updated_at = sent.at;
}

/// How the platform is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// 200: every delivery is final.
    Final,
    /// 202: stored, and something waits. Direct delivery stores nothing.
    Waiting,
    /// 422: no vendor can use any identifier of the request.
    Unusable,
    /// 503: something must be tried again, after this pause.
    TryAgain(Duration),
}

/// Puts the vendors' runs together.
pub fn conclude(
    request_id: &str,
    source: &str,
    received_at: Timestamp,
    mut runs: Vec<Run>,
) -> (Receipt, Conclusion) {
    let has_call = |run: &Run| run.deliveries.iter().any(|delivery| delivery.call.is_some());
    if runs.iter().any(has_call) {
        for run in &mut runs {
            let nothing = |one: &&mut Delivery| one.call.is_none() && one.identifier.is_none();
            for delivery in run.deliveries.iter_mut().filter(nothing) {
                delivery.outcome = run.without_identifier;
            }
        }
    }
    let asked_for = runs.iter().filter_map(|run| run.retry_after).max();
    let deliveries: Vec<Delivery> = runs.into_iter().flat_map(|run| run.deliveries).collect();
    let any = |outcome| deliveries.iter().any(|delivery| delivery.outcome == outcome);
    let conclusion = if any(Outcome::Blocked) {
        Conclusion::TryAgain(asked_for.unwrap_or_default().max(BLOCKED_RETRY))
    } else if any(Outcome::Scheduled) {
        let pause = asked_for.unwrap_or(DEFAULT_RETRY);
        Conclusion::TryAgain(pause.max(Duration::from_secs(1)))
    } else if deliveries
        .iter()
        .all(|delivery| delivery.outcome == Outcome::InsufficientIdentification)
    {
        Conclusion::Unusable
    } else {
        Conclusion::Final
    };
    (Receipt::new(request_id, source, received_at, deliveries), conclusion)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures_util::FutureExt;

    use super::*;
    use crate::config::Config;
    use crate::erasure::Kind;
    use crate::json::Json;
    use crate::receipt::State;
    use crate::vendor::{Answer, Failure};

    const VENDORS: &str = r#"{
        "instacart": {"api":"instacart-connect","auth":{"token":"T"}},
        "insider": {"api":"insider","partner_name":"mybrand","erase":"identity","auth":{"token":"T"}},
        "profile": {"api":"insider","partner_name":"mybrand","erase":"profile","auth":{"token":"T"}},
        "escalate": {"api":"insider","partner_name":"mybrand","erase":"identity","sole_identifier":"erase_profile",
                     "auth":{"token":"T"}}}"#;
    const SOURCES: &str = r#"{"s":{"platform":"standard-webhooks","secrets":["S"]}}"#;
    const NOW: Timestamp = Timestamp(1_795_325_400_000);

    /// A vendor's status, body and `Retry-After`.
    type Said = Result<(u16, &'static str, Option<u64>), Failure>;

    /// Runs `vendor` against `answers`, in order; returns the run and whom each call was about.
    fn play(vendor: &str, identifiers: &[(Kind, &str)], answers: Vec<Said>) -> (Run, Vec<String>) {
        let [sources, vendors] =
            [SOURCES, VENDORS].map(|json| Json::parse(json.as_bytes()).unwrap());
        let config = Config::parse(&sources, &vendors).ok().unwrap();
        let mut accounts = config.vendors.iter();
        let adapter = accounts.find(|account| account.name == vendor).unwrap().vendor.as_ref();
        let mut subject = Subject::default();
        for (kind, value) in identifiers {
            subject.add(kind.clone(), value);
        }
        let sent = RefCell::new(Vec::new());
        let mut answers = answers.into_iter();
        let send = async |call: &Call| {
            sent.borrow_mut().push(call.identifier.expose().to_owned());
            let verdict = match answers.next().unwrap() {
                Err(failure) => failure.into(),
                Ok((status, body, retry_after)) => {
                    let retry_after = retry_after.map(Duration::from_secs);
                    let (body, trace) = (body.into(), Some("ray".to_owned()));
                    let answer = Answer { status, body, truncated: false, retry_after, trace };
                    adapter.judge(call, &answer)
                }
            };
            Sent { verdict, attempts: 1, at: Timestamp(NOW.0 + 5000) }
        };
        let run = run(vendor, adapter, &subject, None, send, NOW).now_or_never().unwrap();
        (run, sent.into_inner())
    }

    const OK: Said = Ok((200, r#"{"success":true}"#, None));
    const USERS: [(Kind, &str); 3] =
        [(Kind::UserId, "a"), (Kind::UserId, "b"), (Kind::UserId, "c")];

    fn outcomes(run: &Run) -> Vec<Outcome> {
        run.deliveries.iter().map(|delivery| delivery.outcome).collect()
    }

    #[test]
    fn one_call_for_each_identifier_in_order() {
        let (run, sent) = play("instacart", &USERS, vec![OK, OK, OK]);
        assert_eq!(sent, ["a", "b", "c"]);
        assert_eq!(outcomes(&run), [Outcome::Accepted; 3]);
        let first = &run.deliveries[0];
        assert_eq!(
            (first.call.as_deref(), first.identifier.as_deref()),
            (Some("privacy_request"), Some("user_id"))
        );
        assert_eq!((first.status, first.attempts), (Some(200), 1));
        assert_eq!(first.trace.as_deref(), Some("ray"));
        assert_eq!(first.updated_at, Timestamp(NOW.0 + 5000));
        let (receipt, conclusion) = conclude("r", "s", NOW, vec![run]);
        assert_eq!((receipt.state, conclusion), (State::Done, Conclusion::Final));
    }

    #[test]
    fn after_an_answer_about_the_account_the_remaining_calls_are_not_made() {
        let (run, sent) = play("instacart", &USERS, vec![OK, Ok((401, "", None))]);
        assert_eq!(sent, ["a", "b"]);
        let [done, halting, left] = outcomes(&run)[..] else { panic!("three deliveries") };
        assert_eq!((done, halting), (Outcome::Accepted, left));
        assert_eq!((run.deliveries[2].attempts, run.deliveries[2].status), (0, None));
        let (run, sent) = play("instacart", &USERS, vec![Err(Failure::Timeout), OK, OK]);
        assert_eq!((sent.len(), outcomes(&run)[2]), (3, Outcome::Accepted));
    }

    const SOLE: Said = Ok((400, r#"{"error":"sole identifier"}"#, None));
    const NO_SUCH_USER: Said =
        Ok((404, r#"{"error":"no such user for these identifiers: no data"}"#, None));

    #[test]
    fn a_follow_up_takes_the_place_of_its_call() {
        let people = [(Kind::Uuid, "42"), (Kind::Email, "e@example.com")];
        let (run, sent) = play("escalate", &people, vec![OK, SOLE, OK]);
        assert_eq!(sent, ["e@example.com", "42", "42"]);
        assert_eq!(outcomes(&run), [Outcome::Accepted; 2]);
        let calls: Vec<_> =
            run.deliveries.iter().map(|one| (one.call.as_deref(), one.attempts)).collect();
        assert_eq!(calls, [(Some("identity"), 1), (Some("profile"), 2)]);

        let (run, sent) = play("insider", &people, vec![OK, SOLE]);
        assert_eq!(sent, ["e@example.com", "42"]);
        assert_eq!(outcomes(&run), [Outcome::Accepted, Outcome::NotErased]);
    }

    #[test]
    fn a_profile_is_looked_for_under_every_name() {
        let people = [(Kind::Email, "e@example.com"), (Kind::Uuid, "42")];
        let (run, sent) = play("profile", &people, vec![OK]);
        assert_eq!((sent, outcomes(&run)), (vec!["42".to_owned()], vec![Outcome::Accepted]));
        let (run, sent) = play("profile", &people, vec![NO_SUCH_USER, OK]);
        assert_eq!(sent, ["42", "e@example.com"]);
        assert_eq!(outcomes(&run), [Outcome::Accepted]);
        assert_eq!(run.deliveries[0].identifier.as_deref(), Some("email"));
        let (run, sent) = play("profile", &people, vec![NO_SUCH_USER; 2]);
        assert_eq!((sent.len(), outcomes(&run)), (2, vec![Outcome::Rejected]));
    }

    #[test]
    fn the_platform_is_told_to_try_again_and_when() {
        let mut pauses = Vec::new();
        for answer in [
            Err(Failure::Timeout),
            Ok((503, "", None)),
            Ok((429, "", Some(7))),
            Ok((429, "", Some(0))),
            Ok((401, "", None)),
            Ok((401, "", Some(900))),
        ] {
            let (run, _) = play("instacart", &USERS[..1], vec![answer]);
            match conclude("r", "s", NOW, vec![run]).1 {
                Conclusion::TryAgain(pause) => pauses.push(pause.as_secs()),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(pauses, [60, 60, 7, 1, 300, 900]);
    }

    #[test]
    fn a_request_that_no_vendor_can_use_is_told_apart() {
        let (unusable, sent) = play("instacart", &[(Kind::Email, "e@example.com")], vec![]);
        assert!(sent.is_empty());
        let (usable, _) =
            play("insider", &[(Kind::Email, "e@example.com")], vec![Ok((200, "", None))]);
        let (dots, _) = play("instacart", &[(Kind::UserId, "..")], vec![]);
        assert_eq!(dots.deliveries[0].identifier.as_deref(), Some("user_id"));
        let (receipt, conclusion) = conclude("r", "s", NOW, vec![unusable, dots]);
        assert_eq!((receipt.state, conclusion), (State::Attention, Conclusion::Unusable));
        let (receipt, conclusion) = conclude("r", "s", NOW, vec![usable]);
        assert_eq!((receipt.state, conclusion), (State::Done, Conclusion::Final));
    }

    #[test]
    fn a_vendor_that_does_not_know_the_person_may_be_left_out() {
        let nobody = |setting| {
            let (mut run, _) = play("instacart", &[(Kind::Email, "e@example.com")], vec![]);
            run.without_identifier = setting;
            run
        };
        let called = |answer| play("insider", &[(Kind::Email, "e@example.com")], vec![answer]).0;
        let end = |runs| {
            let (receipt, conclusion) = conclude("r", "s", NOW, runs);
            (receipt.deliveries[0].outcome, receipt.state, conclusion)
        };
        let (left_out, attention) = (Outcome::NotApplicable, Outcome::InsufficientIdentification);
        let done = || called(Ok((200, "", None)));
        assert_eq!(end(vec![nobody(left_out), done()]), (left_out, State::Done, Conclusion::Final));
        assert_eq!(
            end(vec![nobody(attention), done()]),
            (attention, State::Attention, Conclusion::Final)
        );
        assert_eq!(end(vec![nobody(left_out), called(SOLE)]).1, State::Attention);
        assert_eq!(
            end(vec![nobody(left_out), nobody(left_out)]),
            (attention, State::Attention, Conclusion::Unusable)
        );
    }

    #[test]
    fn pseudonyms_stand_for_identifiers() {
        let names = Pseudonyms::new(&"a key of 16 bytes or more".into(), None).unwrap();
        let [sources, vendors] =
            [SOURCES, VENDORS].map(|json| Json::parse(json.as_bytes()).unwrap());
        let config = Config::parse(&sources, &vendors).ok().unwrap();
        let mut subject = Subject::default();
        subject.add(Kind::UserId, "u-1001");
        let timeout = || Sent { verdict: Failure::Timeout.into(), attempts: 1, at: NOW };
        let send = async |_: &Call| timeout();
        let vendor = config.vendors.iter().find(|account| account.name == "instacart").unwrap();
        let vendor = vendor.vendor.as_ref();
        let run = run("i", vendor, &subject, Some(&names), send, NOW).now_or_never().unwrap();
        assert!(run.deliveries[0].subject.as_ref().unwrap().starts_with('k'));
    }
}
