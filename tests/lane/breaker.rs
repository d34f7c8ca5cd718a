//! A lane that may not call keeps what waits, and looks again by itself.

use erasure_relay::delivery::lane::BreakerState;
use erasure_relay::receipt::{Outcome, State};

use crate::world::*;

/// A lane whose account is rejected, with so many rows behind the two that were: the second was the
/// probe that went at once.
fn blocked(behind: usize) -> World {
    let mut world = World::new();
    world.backlog(behind + 2);
    for _ in 0..2 {
        let claim = world.claim(1).remove(0);
        world.settle(&claim, refused());
    }
    world
}

fn count(world: &World, condition: &str) -> i64 {
    world.store.number(&format!("SELECT COUNT(*) FROM delivery WHERE {condition}"))
}

#[test]
fn a_blocked_lane_keeps_every_row_and_shows_those_behind_as_blocked() {
    let world = blocked(30);
    let status = world.lane.status(world.now).unwrap();
    assert_eq!((status.waiting, status.breaker), (32, BreakerState::Blocked));
    assert_eq!(status.reason.as_deref(), Some("said so"));
    assert_eq!(count(&world, "person IS NOT NULL AND due_at IS NOT NULL"), 32);
    for number in 0..32 {
        assert_eq!(world.outcome(&format!("backlog-{number}")), Outcome::Blocked);
    }
    assert_eq!(world.lane.list(Some(State::Attention), None, 100).unwrap().len(), 32);
}

#[test]
fn a_blocked_lane_probes_with_one_row_at_a_time() {
    let mut world = blocked(30);
    for _ in 0..5 {
        assert!(world.claim(6).is_empty());
        assert!(world.accept("new", &["new@example.com"]).claims.is_empty());
        assert_eq!(world.wakes_in(), 300);
        world.pass(300);
        let claims = world.claim(6);
        assert_eq!(claims.len(), 1);
        assert!(world.claim(6).is_empty(), "one probe at a time");
        world.settle(&claims[0], refused());
    }
}

#[test]
fn a_probe_that_is_lost_is_sent_again_once_its_lease_ran_out() {
    let mut world = blocked(3);
    world.pass(300);
    world.claim(6);
    world.reopen();
    assert_eq!(world.wakes_in(), 45);
    world.pass(45);
    assert_eq!(world.claim(6).len(), 1);
}

#[test]
fn a_probe_that_succeeds_lets_everything_be_sent() {
    let mut world = blocked(9);
    world.pass(300);
    let probe = world.claim(6).remove(0);
    world.settle(&probe, accepted());
    assert_eq!(world.lane.status(world.now).unwrap().breaker, BreakerState::Closed);
    assert_eq!(world.claim(20).len(), 10);
}

#[test]
fn an_operator_resumes_at_once() {
    let mut world = blocked(9);
    world.lane.resume(world.now).unwrap();
    assert_eq!(world.lane.status(world.now).unwrap().breaker, BreakerState::Closed);
    world.pass(1);
    assert_eq!(world.claim(20).len(), 11);
}

#[test]
fn the_breaker_survives_an_eviction() {
    let mut world = blocked(9);
    world.reopen();
    let status = world.lane.status(world.now).unwrap();
    assert_eq!(
        (status.breaker, status.reason.as_deref()),
        (BreakerState::Blocked, Some("said so"))
    );
    assert!(world.claim(6).is_empty());
}

#[test]
fn what_is_under_way_is_not_sent_a_second_time_by_resuming_or_replaying() {
    for replay in [false, true] {
        let mut world = blocked(1);
        world.pass(300);
        let probe = world.claim(6).remove(0);
        if replay {
            world.lane.replay("consent", &probe.record.request_id, world.now).unwrap();
        }
        world.lane.resume(world.now).unwrap();
        assert_eq!(world.claim(6).len(), 2, "the probe is under way");
        let probed = probe.record.request_id.clone();
        world.settle(&probe, accepted());
        assert_eq!(world.outcome(&probed), Outcome::Accepted);
    }
}

#[test]
fn what_is_under_way_is_not_sent_a_second_time_when_the_account_recovers() {
    let mut world = World::new();
    world.backlog(8);
    let claims = world.claim(3);
    world.settle(&claims[0], refused());
    let probe = world.claim(6).remove(0);
    world.settle(&probe, accepted());
    assert_eq!(world.lane.status(world.now).unwrap().breaker, BreakerState::Closed);
    let sent: Vec<_> = world.claim(20).into_iter().map(|one| one.record.request_id).collect();
    assert_eq!(sent.len(), 5, "two are under way, one is done");
    assert!(!sent.contains(&claims[1].record.request_id));
}

#[test]
fn a_rejection_of_one_identifier_blocks_its_row_and_not_the_lane() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    world.settle(&claim, not_enabled());
    assert_eq!(world.outcome("r"), Outcome::Blocked);
    assert_eq!(world.lane.status(world.now).unwrap().breaker, BreakerState::Closed);
    assert_eq!(world.accept("s", &["s@example.com"]).claims.len(), 1);
    world.lane.replay("consent", "r", world.now).unwrap();
    assert_eq!(world.claim(6).len(), 1);
}

/// The erasures are sent, and answered by `answer`, for so many hours; how often each was asked about.
fn play(
    world: &mut World,
    hours: u64,
    answer: impl Fn(&str) -> erasure_relay::vendor::Verdict,
) -> std::collections::BTreeMap<String, u32> {
    let mut asked = std::collections::BTreeMap::new();
    let end = world.now.after(std::time::Duration::from_secs(hours * 3600));
    while world.now < end {
        world.clean();
        for claim in world.claim(6) {
            let id = claim.record.request_id.clone();
            *asked.entry(id.clone()).or_default() += 1;
            world.settle(&claim, answer(&id));
        }
        let next = world.wake().unwrap_or(end);
        world.now = next.max(world.now.after(std::time::Duration::from_millis(50)));
    }
    asked
}

/// Whatever a vendor's table says of it, one person's rejection delays nobody else.
#[test]
fn a_rejection_that_only_one_erasure_has_is_about_it_alone() {
    for rejection in [refused(), forbidden(), not_enabled()] {
        let mut world = World::new();
        world.backlog(100);
        let began = world.now;
        let claim = world.claim(1).remove(0);
        let rejected = claim.record.request_id.clone();
        world.settle(&claim, rejection.clone());
        let answer = |id: &str| if id == rejected { rejection.clone() } else { accepted() };
        while count(&world, "outcome = 'accepted'") < 99 {
            for claim in world.claim(6) {
                let verdict = answer(&claim.record.request_id);
                world.settle(&claim, verdict);
            }
            world.now.0 += 100;
        }
        assert!(world.now.since(began).as_secs() < 20, "{rejection:?}");
        assert_eq!(world.lane.status(world.now).unwrap().breaker, BreakerState::Closed);
        // It waits alone, and not for ever; others go on meanwhile.
        world.wait("newcomer");
        let asked = play(&mut world, 80, answer);
        assert!(asked[&rejected] < 100, "{asked:?}");
        assert_eq!(world.outcome(&rejected), Outcome::Exhausted);
        assert_eq!(world.outcome("newcomer"), Outcome::Accepted);
        assert_eq!(world.lane.status(world.now).unwrap().breaker, BreakerState::Closed);
        play(&mut world, 31 * 24, answer);
        assert_eq!(count(&world, "person IS NOT NULL"), 0);
    }
}

#[test]
fn several_erasures_with_rejections_of_their_own_delay_the_others_little() {
    for rejection in [refused(), forbidden()] {
        let mut world = World::new();
        world.backlog(200);
        let answer = |id: &str| {
            let number: u32 = id.trim_start_matches("backlog-").parse().unwrap();
            if number.is_multiple_of(20) { rejection.clone() } else { accepted() }
        };
        let asked = play(&mut world, 2, answer);
        assert_eq!(count(&world, "outcome = 'accepted'"), 190, "{rejection:?} {asked:?}");
    }
}

/// Each new rejection opens the breaker and the next success closes it: that says nothing new about
/// those that are known to be rejected alone.
#[test]
fn what_is_rejected_alone_is_not_asked_about_each_time_that_another_one_is() {
    for rejection in [refused(), forbidden(), not_enabled()] {
        let mut world = World::new();
        let mut asked = 0;
        for number in 0..60 {
            world.wait(&format!("rejected-{number}"));
            world.wait(&format!("good-{number}"));
            for _ in 0..20 {
                for claim in world.claim(6) {
                    let id = claim.record.request_id.clone();
                    asked += u32::from(id == "rejected-0");
                    let is_rejected = id.starts_with("rejected");
                    let verdict = if is_rejected { rejection.clone() } else { accepted() };
                    world.settle(&claim, verdict);
                }
                world.pass(3);
            }
        }
        assert_eq!(count(&world, "outcome = 'accepted'"), 60);
        assert!(asked <= 4, "asked {asked} times within an hour");
    }
}

/// That a row was rejected alone is known as long as it waits, whatever becomes of a claim.
#[test]
fn what_is_rejected_alone_stays_so_when_its_claim_is_given_back_or_lost() {
    for is_lost in [false, true] {
        let mut world = World::new();
        world.backlog(2);
        let first = world.claim(1).remove(0);
        world.settle(&first, refused());
        let other = world.claim(1).remove(0);
        world.settle(&other, accepted());
        let rejected = first.record.request_id;
        for _ in 0..2 {
            world.pass(3600);
            let claim = world.claim(1).remove(0);
            assert_eq!(claim.record.request_id, rejected);
            if is_lost {
                world.reopen();
            } else {
                world.lane.give_back(&claim, world.now).unwrap();
            }
            let claim = world.claim(1).remove(0);
            world.settle(&claim, refused());
            assert_eq!(world.outcome(&rejected), Outcome::Blocked);
            assert_eq!(
                world.lane.status(world.now).unwrap().breaker,
                BreakerState::Closed,
                "{is_lost}"
            );
        }
    }
}

/// Deadlines move with the breaker that closes, or it stays open.
#[test]
fn a_breaker_closes_with_all_that_follows_or_not_at_all() {
    for successes in 0..12 {
        for by_hand in [false, true] {
            let mut world = World::new();
            world.backlog(2);
            let first = world.claim(1).remove(0);
            world.settle(&first, refused());
            let probe = world.claim(1).remove(0);
            let deadline = "SELECT MIN(deadline_at) FROM delivery WHERE due_at IS NOT NULL";
            let before = world.store.number(deadline);
            world.pass(40);
            world.lane.give_back(&probe, world.now).unwrap();
            world.pass(3600);
            let probe = world.claim(1).remove(0);
            world.store.fail_after(successes);
            let failed = if by_hand {
                world.lane.resume(world.now).is_err()
            } else {
                let settlement = settlement(&probe, accepted(), world.now);
                world.lane.settle(&settlement, world.now).is_err()
            };
            world.store.stop_failing();
            let is_closed = world.lane.status(world.now).unwrap().breaker == BreakerState::Closed;
            assert!(is_closed || failed);
            world.reopen();
            assert_eq!(
                world.lane.status(world.now).unwrap().breaker == BreakerState::Closed,
                is_closed
            );
            let moved = world.store.number(deadline) - before >= 3_600_000;
            assert!(moved || !is_closed, "{successes} {by_hand}");
        }
    }
}

#[test]
fn a_lone_erasure_that_is_rejected_does_not_hold_up_who_comes() {
    for rejection in [refused(), forbidden()] {
        let mut world = World::new();
        let addresses: Vec<String> =
            (0..20).map(|number| format!("{number}@example.com")).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let claims = world.accept("rejected", &addresses).claims;
        for claim in claims {
            world.settle(&claim, rejection.clone());
        }
        assert!(world.claim(6).is_empty(), "the others of the same erasure rest");
        assert!(world.wakes_in() >= 299);
        world.wait("newcomer");
        let probe = world.claim(6).remove(0);
        assert_eq!(probe.record.request_id, "newcomer");
        world.settle(&probe, accepted());
        assert_eq!(world.lane.status(world.now).unwrap().breaker, BreakerState::Closed);
    }
}

#[test]
fn one_erasure_that_fails_again_and_again_delays_nobody() {
    let mut world = World::new();
    let addresses: Vec<String> = (0..100).map(|number| format!("{number}@example.com")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    for claim in world.accept("failing", &addresses).claims {
        world.settle(&claim, failed());
    }
    let answer = |id: &str| if id == "failing" { failed() } else { accepted() };
    let mut waits = Vec::new();
    for number in 0..60 {
        let id = format!("other-{number}");
        world.wait(&id);
        let came = world.now;
        while world.outcome(&id) != Outcome::Accepted {
            for claim in world.claim(6) {
                let verdict = answer(&claim.record.request_id);
                world.settle(&claim, verdict);
            }
            world.now.0 += 100;
        }
        waits.push(world.now.since(came).as_secs());
        world.pass(60);
    }
    assert!(waits.iter().all(|wait| *wait < 10), "{waits:?}");
}

#[test]
fn a_deadline_does_not_run_while_the_account_is_blocked() {
    let mut world = World::new();
    world.backlog(12);
    let refuse = |_: &str| refused();
    play(&mut world, 80, refuse);
    world.wait("in the block");
    play(&mut world, 80, refuse);
    assert_eq!(count(&world, "outcome = 'exhausted'"), 0);
    world.lane.resume(world.now).unwrap();
    for claim in world.claim(6) {
        world.settle(&claim, throttled(20));
    }
    for claim in world.claim(6) {
        world.settle(&claim, failed());
    }
    assert_eq!(count(&world, "outcome = 'exhausted'"), 0);
    play(&mut world, 60, |_| failed());
    assert_eq!(count(&world, "outcome = 'exhausted'"), 0, "an hour had run before the block");
    play(&mut world, 30, |_| failed());
    assert_eq!(count(&world, "outcome = 'exhausted'"), 13);
}

#[test]
fn the_deadline_of_a_call_under_way_moves_with_the_others() {
    let mut world = World::new();
    world.backlog(3);
    let late = world.claim(1).remove(0);
    let rejected = world.claim(1).remove(0);
    world.settle(&rejected, refused());
    world.pass(80 * 3600);
    world.lane.resume(world.now).unwrap();
    world.settle(&late, failed());
    assert_eq!(world.outcome(&late.record.request_id), Outcome::Scheduled);
}

#[test]
fn what_waits_for_a_blocked_account_ends_after_its_time_and_is_reported() {
    let mut world = World::new();
    world.backlog(5);
    play(&mut world, 33 * 24 - 2, |_| refused());
    assert_eq!(count(&world, "outcome = 'exhausted'"), 0);
    world.pass(3 * 3600);
    assert_eq!(world.clean().len(), 5);
    assert_eq!(count(&world, "outcome = 'exhausted' AND person IS NOT NULL"), 5);
    world.pass(30 * DAY);
    world.clean();
    assert_eq!(count(&world, "person IS NOT NULL"), 0);
}

#[test]
fn a_vendor_that_fails_is_probed_and_its_backlog_is_kept() {
    let mut world = World::new();
    world.backlog(40);
    for claim in world.claim(6) {
        world.settle(&claim, silence());
    }
    let mut probes = 0;
    for _ in 0..20 {
        assert_eq!(world.lane.status(world.now).unwrap().breaker, BreakerState::Probing);
        world.now = world.wake().unwrap().max(world.now);
        let claims = world.claim(6);
        assert_eq!(claims.len(), 1);
        world.settle(&claims[0], silence());
        probes += 1;
    }
    assert_eq!((probes, world.lane.status(world.now).unwrap().waiting), (20, 40));
    world.now = world.wake().unwrap().max(world.now);
    let probe = world.claim(6).remove(0);
    world.settle(&probe, accepted());
    assert_eq!(world.claim(6).len(), 6);
}

#[test]
fn throttling_says_nothing_of_the_credentials() {
    let mut world = blocked(5);
    world.pass(300);
    let probe = world.claim(6).remove(0);
    world.settle(&probe, throttled(20));
    assert_eq!(world.lane.status(world.now).unwrap().breaker, BreakerState::Blocked);
    assert!(world.claim(6).is_empty());
    world.pass(20);
    let probe = world.claim(6).remove(0);
    world.settle(&probe, accepted());
    assert!(world.claim(9).len() >= 5);
}

#[test]
fn an_eviction_does_not_shorten_a_rest_that_the_vendor_asked_for() {
    let mut policy = policy();
    policy.retry.longest = std::time::Duration::from_secs(60);
    let mut world = World::with(policy);
    let claim = world.claim_new("r");
    world.settle(&claim, throttled(3600));
    world.accept("s", &["s@example.com"]);
    world.reopen();
    world.pass(3599);
    assert!(world.claim(6).is_empty());
    world.pass(1);
    assert_eq!(world.claim(6).len(), 2);
}

#[test]
fn silences_do_not_shorten_a_rest_that_the_vendor_asked_for() {
    let mut world = World::new();
    world.backlog(6);
    let claims = world.claim(6);
    world.settle(&claims[0], throttled(600));
    for claim in &claims[1..] {
        world.settle(claim, silence());
    }
    world.pass(599);
    assert!(world.claim(6).is_empty());
}

#[test]
fn a_lane_tells_for_how_long_its_vendor_has_failed() {
    let mut world = World::new();
    world.backlog(8);
    for _ in 0..5 {
        let claim = world.claim(1).remove(0);
        world.settle(&claim, failed());
    }
    let hours = |world: &World| {
        let status = world.lane.status(world.now).unwrap();
        (status.breaker, status.open_hours)
    };
    assert_eq!(hours(&world), (BreakerState::Probing, 0));
    world.pass(24 * 3600 - 1);
    assert_eq!(hours(&world), (BreakerState::Probing, 23));
    world.reopen();
    world.pass(1);
    assert_eq!(hours(&world), (BreakerState::Probing, 24));
    let probe = world.claim(1).remove(0);
    world.settle(&probe, accepted());
    assert_eq!(hours(&world), (BreakerState::Closed, 0));
}
