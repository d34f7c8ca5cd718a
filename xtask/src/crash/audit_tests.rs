use serde_json::json;

use super::super::plan::Plan;
use super::*;

const INSTACART: &str = "instacart";

/// Judges one webhook's `user_id` by these confirmations and kills, both in milliseconds: call and
/// answer; signal and restart. Its other deliveries are as they must be.
fn judge(
    receipt: Option<Value>,
    confirmed: &[(u64, u64)],
    kills: &[(u64, u64)],
) -> (Findings, usize) {
    let start = Instant::now();
    let at = |millis: u64| start + Duration::from_millis(millis);
    let erasures = Plan::new(1, 1, 1).erasures;
    let mut confirmations = HashMap::new();
    for delivery in &erasures[0].deliveries {
        let times = if delivery.vendor == INSTACART { confirmed } else { &[(0, 1)][..] };
        let times = times
            .iter()
            .map(|(call, answer)| Confirmation { received: at(*call), answered: at(*answer) });
        confirmations.insert((delivery.vendor, delivery.identifier.clone()), times.collect());
    }
    let kills: Vec<Kill> = kills
        .iter()
        .map(|(signal, restart)| Kill { at: at(*signal), restarted: at(*restart) })
        .collect();
    let findings = Findings::of(&Evidence {
        erasures: &erasures,
        receipts: &[receipt],
        confirmations: &confirmations,
        kills: &kills,
    });
    (findings, erasures[0].deliveries.len())
}

fn receipt(outcome: &str) -> Option<Value> {
    let mut deliveries: Vec<Value> = ["email", "phone_number"]
        .iter()
        .map(|kind| json!({ "vendor": "insider", "identifier": kind, "outcome": "accepted" }))
        .collect();
    deliveries.push(json!({ "vendor": INSTACART, "identifier": "user_id", "outcome": outcome }));
    Some(json!({ "deliveries": deliveries }))
}

#[test]
fn once_and_accepted_is_all_well() {
    let (findings, deliveries) = judge(receipt("accepted"), &[(0, 5)], &[(10, 20)]);
    assert_eq!(findings.deliveries, deliveries);
    assert_eq!(findings.outcomes, BTreeMap::from([("accepted".to_owned(), deliveries)]));
    assert_eq!((findings.lost, findings.duplicated, findings.unexplained), (0, 0, 0));
    assert_eq!(findings.faults, Vec::<String>::new());
}

#[test]
fn what_no_vendor_confirmed_or_no_receipt_ends_is_lost() {
    let (findings, _) = judge(receipt("accepted"), &[], &[]);
    assert_eq!((findings.lost, findings.falsely_accepted), (1, 1));
    let (findings, _) = judge(receipt("exhausted"), &[], &[]);
    assert_eq!((findings.lost, findings.falsely_accepted), (1, 0));
    let (findings, _) = judge(receipt("scheduled"), &[(0, 5)], &[]);
    assert_eq!((findings.lost, findings.falsely_accepted), (1, 0));
    let (findings, deliveries) = judge(None, &[(0, 5)], &[]);
    assert_eq!((findings.lost, findings.outcomes["missing"]), (deliveries, deliveries));
}

#[test]
fn a_kill_before_the_record_explains_a_second_call() {
    for kill in [
        (3, 50),    // before the answer, which nobody heard
        (490, 550), // after it
    ] {
        let (findings, _) = judge(receipt("accepted"), &[(0, 5), (2000, 2005)], &[kill]);
        assert_eq!((findings.duplicated, findings.unexplained), (1, 0), "{kill:?}");
    }
    let (findings, _) = judge(receipt("accepted"), &[(0, 5), (2000, 2005)], &[(405, 950)]);
    assert_eq!(findings.longest_settlement, Duration::from_millis(400));
}

#[test]
fn no_other_kill_does() {
    for kills in [
        &[][..],
        &[(506, 1550)], // recorded long before
        &[(400, 2500)], // the second call came from the same process
    ] {
        let (findings, _) = judge(receipt("accepted"), &[(0, 5), (2000, 2005)], kills);
        assert_eq!((findings.duplicated, findings.unexplained), (1, 1), "{kills:?}");
        assert_eq!(findings.faults.len(), 1);
    }
    let (findings, _) = judge(receipt("accepted"), &[(100, 105), (2000, 2005)], &[(20, 90)]);
    assert_eq!(findings.unexplained, 1, "killed before the first call");
}

#[test]
fn every_further_confirmation_needs_a_kill_of_its_own_time() {
    let three = [(0, 5), (2000, 2005), (4000, 4005)];
    let (findings, _) = judge(receipt("accepted"), &three, &[(100, 200)]);
    assert_eq!((findings.duplicated, findings.unexplained), (1, 1));
    let (findings, _) = judge(receipt("accepted"), &three, &[(100, 200), (2100, 2200)]);
    assert_eq!((findings.duplicated, findings.unexplained), (1, 0));
}
