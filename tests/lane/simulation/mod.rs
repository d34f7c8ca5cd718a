//! The object of a lane lives through days of outages, crashes and failing statements, event by event,
//! and after each event everything that must hold is checked. The same seed gives the same run.

mod breaker;
mod calls;
mod faults;
mod history;
mod keys;
mod model;
mod operator;
mod run;
mod vendor;
mod webhooks;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use erasure_relay::delivery::policy::Policy;
use erasure_relay::vendor::Pace;
use proptest::prelude::*;
use run::Run;

use crate::world;

/// What a run is made of.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub seed: u64,
    pub deliveries: u64,
    /// Between two webhooks, on average, in milliseconds.
    pub gap: i64,
    /// One in so many operations fails.
    pub faults: u64,
    /// The unit of the vendor's states and of the operator's visits, in milliseconds.
    pub minute: i64,
    pub pace: Pace,
    pub deadline_hours: u64,
    pub hold_hours: u64,
}

impl Scenario {
    pub fn policy(&self) -> Policy {
        let mut policy = world::policy();
        policy.pace = Some(self.pace);
        policy.retry.deadline = Duration::from_secs(self.deadline_hours * 3600);
        policy.hold = Duration::from_secs(self.hold_hours * 3600);
        policy.receipts = Duration::from_secs(world::DAY);
        policy
    }

    /// Of each call.
    pub fn paces(&self) -> [Pace; 2] {
        [self.pace, world::CALLS[1].pace]
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: setting("PROPTEST_CASES", 12),
        failure_persistence: None,
        max_shrink_iters: 0, // another seed is another run
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_is_lost_nor_sent_without_a_reason_nor_above_the_pace(
        seed: u64,
        gap in 50i64..20_000,
        faults in 5u64..200,
        minute in 1000i64..60_000,
        calls in 1u32..60,
        per_seconds in 1u32..60,
        deadline_hours in 1u64..72,
        hold_hours in 24u64..200,
    ) {
        // A window of a second leaves no room for calls that are 30 ms late.
        let per_seconds = per_seconds.max(10);
        let pace = Pace { calls: calls.max(per_seconds / 5), per_seconds };
        let deliveries = 250;
        let scenario =
            Scenario { seed, deliveries, gap, faults, minute, pace, deadline_hours, hold_hours };
        Run::new(scenario).play();
    }
}

/// `SIMULATED_DELIVERIES` and `SIMULATION_SEED` set its size and its seed.
#[test]
#[ignore = "takes minutes; cargo test --release --test lane -- --ignored --nocapture"]
fn a_million_deliveries_come_to_their_end() {
    let scenario = Scenario {
        seed: setting("SIMULATION_SEED", 1),
        deliveries: setting("SIMULATED_DELIVERIES", 1_000_000),
        gap: 500,
        faults: 150,
        minute: 6_000,
        pace: world::CALLS[0].pace,
        deadline_hours: 12,
        hold_hours: 720,
    };
    let start = Instant::now();
    let mut run = Run::new(scenario);
    run.play();
    report(&run, start.elapsed());
}

fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    let set = std::env::var(name).ok();
    set.map_or(default, |text| text.parse().ok().expect("a whole number"))
}

fn report(run: &Run, took: Duration) {
    let days = (run.now.0 - world::START.0) as f64 / 86_400_000.0;
    let [crash, silence, late, replay] = run.model.duplicates;
    let [outages, throttlings, refusals] = run.vendor.changes;
    let [identity, profile] = &run.vendor.windows;
    let rows = [
        ("seed", run.scenario.seed),
        ("deliveries", run.deliveries),
        ("webhooks", run.webhooks),
        ("vendor_calls", run.vendor.calls),
        ("events", run.steps),
        ("crashes", run.crashes),
        ("failed_operations", run.failures),
        ("alarms", run.alarms),
        ("given_back", run.given_back),
        ("outages", outages),
        ("throttlings", throttlings),
        ("refusals", refusals),
        ("rotations_of_the_key", run.rotations),
        ("restarts", run.restarts),
        ("spoilt_rows", run.spoilt),
        ("unreadable_claims", run.unreadable),
        ("discarded_by_hand", run.discards),
        ("former_results_looked_at", run.history.looked_at),
        ("repeated_after_a_crash", crash),
        ("repeated_after_a_silence", silence),
        ("repeated_after_a_late_answer", late),
        ("repeated_by_a_person", replay),
        ("highest_window", identity.highest as u64),
        ("allowed_in_a_window", identity.allowed as u64),
        ("highest_window_of_the_second_call", profile.highest as u64),
    ];
    let mut ended: Vec<_> = run.model.ended.iter().map(|(name, count)| (*name, *count)).collect();
    ended.sort_unstable();
    let mut json = String::from("{\n");
    for (name, count) in rows.into_iter().chain(ended) {
        println!("{name:<36}{count:>12}");
        json.push_str(&format!("  \"{name}\": {count},\n"));
    }
    println!("{:<36}{days:>12.2}\n{:<36}{:>12.1}", "simulated_days", "seconds", took.as_secs_f64());
    json.push_str(&format!("  \"simulated_days\": {days:.2},\n"));
    json.push_str(&format!("  \"seconds\": {:.1}\n}}\n", took.as_secs_f64()));
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/measure");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("simulation.json"), json).unwrap();
}
