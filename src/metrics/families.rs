//! Which metrics there are. Their names, types and labels are documented in `docs/observability.md`
//! and stable.

use super::exposition::{Family, Kind, Label, Number};
use super::sample::LaneSample;
use crate::delivery::directory::Place;

/// A lane, and what it told; `None` where it did not answer.
#[derive(Debug)]
pub struct Lane {
    /// Which lane.
    pub place: Place,
    /// Its shard as text.
    shard: String,
    /// What it told.
    pub sample: Option<LaneSample>,
}

impl Lane {
    /// The lane at `place`.
    pub fn new(place: Place, sample: Option<LaneSample>) -> Self {
        Self { shard: place.shard.to_string(), place, sample }
    }

    /// What names it: account and shard, and the jurisdiction where there is one.
    fn labels(&self) -> Vec<Label<'_>> {
        let mut labels = vec![("vendor", &*self.place.vendor), ("shard", &*self.shard)];
        labels.extend(self.place.jurisdiction.map(|within| ("jurisdiction", within.name())));
        labels
    }
}

/// A metric with one sample for each lane that knows it.
type OfLane = (&'static str, &'static str, fn(&LaneSample) -> Option<Number>);

/// All that begin with `erasure_relay_lane_` and have no further label.
const OF_LANES: [OfLane; 12] = [
    ("erasure_relay_lane_waiting_deliveries", "Deliveries that are not final.", |lane| {
        integer(lane.waiting)
    }),
    (
        "erasure_relay_lane_attention_deliveries",
        "Deliveries that need a person: of what ended, those among the newest 5000 that need one or did; \
         all that waits where the lane is blocked.",
        |lane| integer(lane.attention),
    ),
    (
        "erasure_relay_lane_overdue_erasures",
        "Erasures of which something waits although they should have been answered by now, at most \
         1000 for each source.",
        |lane| integer(lane.overdue),
    ),
    (
        "erasure_relay_lane_unreadable_deliveries",
        "Of at most 1000 deliveries that wait, those sealed with a key that is not configured.",
        |lane| integer(lane.unreadable),
    ),
    (
        "erasure_relay_lane_unsendable_deliveries",
        "Deliveries that wait for a call that the account cannot make.",
        |lane| integer(lane.unsendable),
    ),
    ("erasure_relay_lane_orphaned", "Whether the configuration does not name the lane.", |lane| {
        integer(lane.is_orphaned.into())
    }),
    ("erasure_relay_lane_consecutive_failures", "Failed calls in a row.", |lane| {
        integer(lane.failures.into())
    }),
    (
        "erasure_relay_lane_oldest_waiting_timestamp_seconds",
        "When the oldest of what waits came in; absent where nothing waits.",
        |lane| lane.oldest_received_at.map(Number::Time),
    ),
    (
        "erasure_relay_lane_next_attempt_timestamp_seconds",
        "When the lane does something next; absent where nothing waits.",
        |lane| lane.next_attempt_at.map(Number::Time),
    ),
    (
        "erasure_relay_lane_breaker_opened_timestamp_seconds",
        "Since when calls have gone one at a time; absent where they do not.",
        |lane| lane.opened_at.map(Number::Time),
    ),
    (
        "erasure_relay_lane_recent_deliveries_truncated",
        "Whether erasure_relay_lane_recent_deliveries counts the newest 5000 alone.",
        |lane| integer(lane.recent.is_cut.into()),
    ),
    ("erasure_relay_lane_clock_timestamp_seconds", "When the lane was asked.", |lane| {
        Some(Number::Time(lane.recent.at))
    }),
];

/// The states of a breaker.
const BREAKER: [&str; 4] = ["closed", "resting", "probing", "blocked"];

#[expect(clippy::unnecessary_wraps, reason = "beside metrics that a lane may not have")]
fn integer(value: i64) -> Option<Number> {
    Some(Number::Integer(value))
}

/// The metrics of a relay of this version with these lanes. `has_directory` says whether the
/// directory answered: without it, lanes that are not configured any more are missing.
pub fn families<'a>(version: &'a str, has_directory: bool, lanes: &'a [Lane]) -> Vec<Family<'a>> {
    let mut build = Family::new(Kind::Info, "erasure_relay_build", "The release.");
    build.add(&[("version", version)], Number::Integer(1));
    let mut directory = Family::new(
        Kind::Gauge,
        "erasure_relay_directory_up",
        "Whether the directory of the lanes answers. Without it, lanes that the configuration does \
         not name are missing.",
    );
    directory.add(&[], Number::Integer(has_directory.into()));
    let mut up = Family::new(
        Kind::Gauge,
        "erasure_relay_lane_up",
        "Whether the lane answers. Where it does not, its other metrics are missing.",
    );
    for lane in lanes {
        up.add(&lane.labels(), Number::Integer(lane.sample.is_some().into()));
    }
    let mut families = vec![build, directory, up];
    families.extend(OF_LANES.map(|(name, help, value)| {
        let mut family = Family::new(Kind::Gauge, name, help);
        for (labels, sample) in answered(lanes) {
            if let Some(value) = value(sample) {
                family.add(&labels, value);
            }
        }
        family
    }));
    families.extend(breakdowns(lanes));
    families
}

/// The metrics that have further labels, and the counters.
fn breakdowns(lanes: &[Lane]) -> [Family<'_>; 6] {
    let mut breaker = Family::new(
        Kind::Gauge,
        "erasure_relay_lane_breaker",
        "The state of the breaker: 1 for the state that it is in, 0 for the others.",
    );
    let mut recent = Family::new(
        Kind::Gauge,
        "erasure_relay_lane_recent_deliveries",
        "Deliveries of the webhooks of the last 24 hours, by outcome.",
    );
    let mut calls = Family::new(
        Kind::Gauge,
        "erasure_relay_lane_pace_calls",
        "How often a call may be made within erasure_relay_lane_pace_window_seconds.",
    );
    let mut windows = Family::new(
        Kind::Gauge,
        "erasure_relay_lane_pace_window_seconds",
        "The window of erasure_relay_lane_pace_calls.",
    );
    let mut rows = Family::new(
        Kind::Counter,
        "erasure_relay_lane_rows_written",
        "Rows written since the lane's object was started, index entries included.",
    );
    let mut ignored = Family::new(
        Kind::Counter,
        "erasure_relay_ignored_events",
        "Events of a source that were no erasures, by name, as the lane of this account counts them.",
    );
    for (labels, sample) in answered(lanes) {
        let with = |further: (&'static str, &'static str)| [&labels[..], &[further]].concat();
        for state in BREAKER {
            let is_it = sample.breaker == state;
            breaker.add(&with(("state", state)), Number::Integer(is_it.into()));
        }
        for (outcome, count) in &sample.recent.outcomes {
            recent.add(&with(("outcome", outcome.name())), Number::Integer(*count));
        }
        for pace in &sample.pace {
            let labels = [&labels[..], &[("call", &*pace.call)]].concat();
            calls.add(&labels, Number::Integer(pace.calls.into()));
            windows.add(&labels, Number::Integer(pace.per_seconds.into()));
        }
        if let Some(written) = sample.rows_written {
            rows.add(&labels, Number::Integer(i64::try_from(written).unwrap_or(i64::MAX)));
        }
        for (source, event, count, ..) in &sample.ignored {
            let labels = [&labels[..], &[("source", &**source), ("event", &**event)]].concat();
            ignored.add(&labels, Number::Integer(*count));
        }
    }
    [breaker, recent, calls, windows, rows, ignored]
}

fn answered(lanes: &[Lane]) -> impl Iterator<Item = (Vec<Label<'_>>, &LaneSample)> {
    lanes.iter().filter_map(|lane| Some((lane.labels(), lane.sample.as_ref()?)))
}
