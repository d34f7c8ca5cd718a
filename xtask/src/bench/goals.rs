//! Ratios within a round, and the goals.

use super::figures::Figures;
use super::peer::{BASELINE, DURABLE, DURABLE_BASELINE, RELAY};
use super::runs::{CPU, PER_SECOND, Pick, RUNS, Turn};
use super::spread::round;
use crate::measure::Report;
use crate::measure::statistics::millis;

/// How much later than hand-written JavaScript the first answer may come, in milliseconds.
const START_LATER_MS: f64 = 25.0;

/// What may be uploaded, gzipped, in bytes.
const GZIPPED: u64 = 300 * 1024;

/// How much the memory may grow over the second half of the endurance run, in percent.
const GROWTH_PERCENT: f64 = 5.0;

/// In how many rounds a ratio must be known before its quartiles tell anything.
const FEWEST: usize = 3;

/// The extra bundle that goals are set against: an earlier state of the relay.
const BEFORE: &str = "before";

/// A figure of one peer in units of another's.
struct Ratio {
    key: &'static str,
    peers: [&'static str; 2],
    run: &'static str,
    pick: Pick,
    goal: Goal,
}

enum Goal {
    AtMost(f64),
    AtLeast(f64),
    None,
}

const RATIOS: [Ratio; 7] = [
    ratio("cpu_to_handwritten", [RELAY, BASELINE], "1k_32", CPU, Goal::AtMost(1.25)),
    ratio("cpu_to_handwritten_256k", [RELAY, BASELINE], "256k_8", CPU, Goal::AtMost(1.3)),
    ratio("cpu_to_hono", [RELAY, "hono"], "1k_32", CPU, Goal::None),
    ratio("cpu_to_limit", [RELAY, "pass_through"], "1k_32", CPU, Goal::None),
    ratio("durable_cpu_to_js", [DURABLE, DURABLE_BASELINE], "1k_32", CPU, Goal::AtMost(1.2)),
    ratio("durable_cpu_to_before", [DURABLE, BEFORE], "1k_32", CPU, Goal::AtMost(0.7)),
    ratio("durable_rate_to_before", [DURABLE, BEFORE], "1k_32", PER_SECOND, Goal::AtLeast(1.4)),
];

const fn ratio(
    key: &'static str,
    peers: [&'static str; 2],
    run: &'static str,
    pick: Pick,
    goal: Goal,
) -> Ratio {
    Ratio { key, peers, run, pick, goal }
}

/// The goals, and all figures for the JSON. `memory` is what was resident during the endurance run,
/// in bytes.
pub fn report(figures: &Figures, memory: &[u64]) -> Report {
    let mut report = Report::new("bench");
    for ratio in &RATIOS {
        ratio.add_to(&mut report, figures);
    }
    let first_answer = |turn: &Turn| Some(millis(turn.first_answer));
    if let Some(later) = figures.paired([RELAY, BASELINE], first_answer, |one, two| one - two) {
        let label = format!("first answer, {RELAY} later than {BASELINE} (ms)");
        let goal = format!("≤ {START_LATER_MS}");
        let met = later.median <= START_LATER_MS;
        report.goal("start_later_ms", &label, later.to_string(), &goal, met);
        report.detail("start_later_ms_quartiles", later.json());
    }
    let relay = figures.column(RELAY).or(figures.column(DURABLE));
    if let Some(relay) = relay {
        let met = relay.gzipped <= GZIPPED;
        let goal = format!("≤ {GZIPPED}");
        report.goal("gzipped", "bundle, gzipped (bytes)", relay.gzipped, &goal, met);
    }
    if let (Some(half), Some(end)) = (memory.get(memory.len().saturating_sub(1) / 2), memory.last())
    {
        let growth = (*end as f64 / *half as f64 - 1.0) * 100.0;
        let label = "memory's growth over the second half of the endurance run (%)";
        let goal = format!("≤ {GROWTH_PERCENT}");
        report.goal("growth_percent", label, round(growth), &goal, growth <= GROWTH_PERCENT);
    }
    report.detail("endurance_resident_bytes", memory.to_vec());
    report.detail("peers", figures.json());
    report
}

impl Ratio {
    fn add_to(&self, report: &mut Report, figures: &Figures) {
        let Self { key, peers: [one, other], pick, goal, .. } = self;
        let Some(run) = RUNS.iter().position(|run| run.key == self.run) else { return };
        let of = |turn: &Turn| turn.figure(run, pick);
        let Some(spread) = figures.paired(self.peers, of, |one, other| one / other) else { return };
        let label = format!("{}, {one} / {other}, {}", pick.name, RUNS[run].describe());
        let noise = match spread.count {
            ..FEWEST => ", too few rounds to tell noise",
            _ if spread.includes(1.0) => ", within noise of 1",
            _ => "",
        };
        let shown = format!("{spread}{noise}");
        match goal {
            Goal::AtMost(most) => {
                report.goal(key, &label, shown, &format!("≤ {most}"), spread.median <= *most);
            }
            Goal::AtLeast(least) => {
                report.goal(key, &label, shown, &format!("≥ {least}"), spread.median >= *least);
            }
            Goal::None => report.figure(key, &label, shown),
        }
        report.detail(&format!("{key}_quartiles"), spread.json());
    }
}
