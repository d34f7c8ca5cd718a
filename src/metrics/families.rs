//! Which metrics there are. Their names, types and labels are documented in `docs/observability.md`
//! and stable.

use super::exposition::{END, Family, Kind, Label, Number};
use crate::delivery::directory::Place;
use crate::delivery::lane::{BreakerState, IgnoredEvent, Recent, Status};

/// What a lane knows of itself.
#[derive(Debug)]
pub struct Lane {
    /// Its status.
    pub status: Status,
    /// Deliveries that a person must look at.
    pub attention: i64,
    /// The deliveries that came in the last 24 hours.
    pub recent: Recent,
    /// The events that it has counted.
    pub ignored: Vec<IgnoredEvent>,
}

/// The samples of one lane: the text of each of `LANES`, in this order. A lane writes them, and the
/// Worker puts those of all lanes together.
pub type Samples = Vec<String>;

/// Adds the samples of a family.
type Write = fn(&Family, &Lane, &[Label<'_>], &mut String);

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family { kind: Kind::Gauge, name, help }
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family { kind: Kind::Counter, name, help }
}

const BUILD: Family =
    Family { kind: Kind::Info, name: "erasure_relay_build", help: "The release." };

const DIRECTORY: Family = gauge(
    "erasure_relay_directory_up",
    "Whether the directory of the lanes answers. Without it, lanes that the configuration does not \
     name are missing.",
);

const UP: Family = gauge(
    "erasure_relay_lane_up",
    "Whether the lane answers. Where it does not, its other metrics are missing.",
);

/// The states of a breaker.
const BREAKER: [BreakerState; 4] =
    [BreakerState::Closed, BreakerState::Resting, BreakerState::Probing, BreakerState::Blocked];

/// The metrics of a lane that answers.
const LANES: [(Family, Write); 19] = [
    (
        gauge("erasure_relay_lane_waiting_deliveries", "Deliveries that are not final."),
        |family, lane, labels, text| integer(family, lane.status.waiting, labels, text),
    ),
    (
        gauge("erasure_relay_lane_attention_deliveries", "Deliveries that need a person."),
        |family, lane, labels, text| integer(family, lane.attention, labels, text),
    ),
    (
        gauge(
            "erasure_relay_lane_overdue_erasures",
            "Erasures of which something waits although they should have been answered by now, at \
             most 1000 for each source.",
        ),
        |family, lane, labels, text| integer(family, lane.status.overdue, labels, text),
    ),
    (
        gauge(
            "erasure_relay_lane_unreadable_deliveries",
            "Of a sample of what waits, what is encrypted with a key that is not configured.",
        ),
        |family, lane, labels, text| integer(family, lane.status.unreadable, labels, text),
    ),
    (
        gauge(
            "erasure_relay_lane_unsendable_deliveries",
            "Deliveries that wait for a call that the account cannot make.",
        ),
        |family, lane, labels, text| {
            let all = lane.status.unsendable.iter().map(|one| one.waiting).sum();
            integer(family, all, labels, text);
        },
    ),
    (
        gauge("erasure_relay_lane_orphaned", "Whether the configuration does not name the lane."),
        |family, lane, labels, text| {
            integer(family, lane.status.orphaned.is_some().into(), labels, text);
        },
    ),
    (
        gauge("erasure_relay_lane_consecutive_failures", "Failed calls in a row."),
        |family, lane, labels, text| integer(family, lane.status.failures.into(), labels, text),
    ),
    (
        gauge(
            "erasure_relay_lane_oldest_waiting_timestamp_seconds",
            "When the oldest of what waits came in; absent where nothing waits.",
        ),
        |family, lane, labels, text| {
            if let Some(at) = lane.status.oldest_received_at {
                family.sample(text, labels, Number::Time(at));
            }
        },
    ),
    (
        gauge(
            "erasure_relay_lane_next_attempt_timestamp_seconds",
            "When the lane does something next; absent where nothing waits.",
        ),
        |family, lane, labels, text| {
            if let Some(at) = lane.status.next_attempt_at {
                family.sample(text, labels, Number::Time(at));
            }
        },
    ),
    (
        gauge(
            "erasure_relay_lane_breaker_opened_timestamp_seconds",
            "Since when calls have gone one at a time; absent where they do not.",
        ),
        |family, lane, labels, text| {
            if let Some(at) = lane.status.opened_at {
                family.sample(text, labels, Number::Time(at));
            }
        },
    ),
    (
        gauge("erasure_relay_lane_clock_timestamp_seconds", "When the lane was asked."),
        |family, lane, labels, text| family.sample(text, labels, Number::Time(lane.recent.at)),
    ),
    (
        gauge(
            "erasure_relay_lane_breaker",
            "The state of the breaker: 1 for the state that it is in, 0 for the others.",
        ),
        |family, lane, labels, text| {
            for state in BREAKER {
                let is_it = lane.status.breaker == state;
                integer(family, is_it.into(), &with(labels, ("state", state.name())), text);
            }
        },
    ),
    (
        gauge(
            "erasure_relay_lane_recent_deliveries",
            "Deliveries of the webhooks of the last 24 hours, by outcome.",
        ),
        |family, lane, labels, text| {
            for (outcome, count) in &lane.recent.outcomes {
                integer(family, *count, &with(labels, ("outcome", outcome.name())), text);
            }
        },
    ),
    (
        gauge(
            "erasure_relay_lane_recent_deliveries_truncated",
            "Whether erasure_relay_lane_recent_deliveries counts the newest 5000 alone.",
        ),
        |family, lane, labels, text| integer(family, lane.recent.is_cut.into(), labels, text),
    ),
    (
        gauge(
            "erasure_relay_lane_pace_calls",
            "How often a call may be made within erasure_relay_lane_pace_window_seconds.",
        ),
        |family, lane, labels, text| {
            for pace in &lane.status.pace {
                integer(family, pace.calls.into(), &with(labels, ("call", &pace.call)), text);
            }
        },
    ),
    (
        gauge(
            "erasure_relay_lane_pace_used_calls",
            "About how many calls were made in the window that ends now.",
        ),
        |family, lane, labels, text| {
            for pace in &lane.status.pace {
                integer(family, pace.used.into(), &with(labels, ("call", &pace.call)), text);
            }
        },
    ),
    (
        gauge(
            "erasure_relay_lane_pace_window_seconds",
            "The window of erasure_relay_lane_pace_calls.",
        ),
        |family, lane, labels, text| {
            for pace in &lane.status.pace {
                integer(family, pace.per_seconds.into(), &with(labels, ("call", &pace.call)), text);
            }
        },
    ),
    (
        counter(
            "erasure_relay_lane_rows_written",
            "Rows written since the lane's object was started, index entries included.",
        ),
        |family, lane, labels, text| {
            if let Some(written) = lane.status.rows_written {
                integer(family, i64::try_from(written).unwrap_or(i64::MAX), labels, text);
            }
        },
    ),
    (
        counter(
            "erasure_relay_ignored_events",
            "Events of a source that were no erasures, as the lane of this account counts them.",
        ),
        |family, lane, labels, text| {
            for (source, event, count, ..) in &lane.ignored {
                let labels = with(&with(labels, ("source", source)), ("event", event));
                integer(family, *count, &labels, text);
            }
        },
    ),
];

fn integer(family: &Family, value: i64, labels: &[Label<'_>], text: &mut String) {
    family.sample(text, labels, Number::Integer(value));
}

fn with<'a>(labels: &[Label<'a>], further: Label<'a>) -> Vec<Label<'a>> {
    [labels, &[further]].concat()
}

/// Calls `write` with what names a lane: account and shard, and the jurisdiction where there is one.
fn labelled(place: &Place, write: impl FnOnce(&[Label<'_>])) {
    let shard = place.shard.to_string();
    let mut labels = vec![("vendor", place.vendor.as_str()), ("shard", shard.as_str())];
    labels.extend(place.jurisdiction.map(|within| ("jurisdiction", within.name())));
    write(&labels);
}

/// What the lane at `place` tells.
pub fn samples(place: &Place, lane: &Lane) -> Samples {
    let mut samples = Vec::new();
    labelled(place, |labels| {
        samples.extend(LANES.iter().map(|(family, write)| {
            let mut text = String::new();
            write(family, lane, labels, &mut text);
            text
        }));
    });
    samples
}

/// The whole text: the metrics of a relay of this version whose lanes told this; `None` where one did
/// not answer. `has_directory` says whether the directory answered.
pub fn text(version: &str, has_directory: bool, lanes: &[(Place, Option<Samples>)]) -> String {
    let mut text = String::new();
    BUILD.describe(&mut text);
    BUILD.sample(&mut text, &[("version", version)], Number::Integer(1));
    DIRECTORY.describe(&mut text);
    DIRECTORY.sample(&mut text, &[], Number::Integer(has_directory.into()));
    UP.describe(&mut text);
    for (place, told) in lanes {
        labelled(place, |labels| {
            UP.sample(&mut text, labels, Number::Integer(told.is_some().into()));
        });
    }
    for (at, (family, _)) in LANES.iter().enumerate() {
        family.describe(&mut text);
        let told = lanes.iter().filter_map(|(_, told)| told.as_ref()?.get(at));
        text.extend(told.map(String::as_str));
    }
    text + END
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::jurisdiction::Jurisdiction;
    use crate::delivery::lane::{PaceStatus, Unsendable};
    use crate::receipt::{Outcome, Timestamp};

    fn lane() -> Lane {
        let status = Status {
            vendor: "insider".to_owned(),
            shard: 1,
            jurisdiction: Some(Jurisdiction::Eu),
            orphaned: None,
            waiting: 7,
            overdue: 2,
            oldest_received_at: Some(Timestamp(1_795_325_400_000)),
            next_attempt_at: None,
            breaker: BreakerState::Probing,
            failures: 5,
            reason: None,
            opened_at: Some(Timestamp(1_795_325_460_500)),
            open_hours: 0,
            unreadable: 0,
            rests_until: None,
            rows_written: Some(12),
            unsendable: vec![
                Unsendable { call: "a".to_owned(), waiting: 1 },
                Unsendable { call: "b".to_owned(), waiting: 2 },
            ],
            pace: vec![PaceStatus {
                call: "identity".into(),
                calls: 100,
                per_seconds: 60,
                used: 7,
            }],
        };
        let recent = Recent {
            at: Timestamp(1_795_325_500_000),
            outcomes: vec![(Outcome::Accepted, 3)],
            is_cut: false,
        };
        let event = "a \"b\"".to_owned();
        let ignored = vec![("consent".to_owned(), event, 4, 0, 0)];
        Lane { status, attention: 1, recent, ignored }
    }

    #[test]
    fn every_metric_of_a_lane_is_documented_and_no_other() {
        let page = include_str!("../../docs/observability.md");
        let rows = page.lines().filter(|line| line.starts_with("| `erasure_relay_"));
        let row = |line: &str| {
            let columns: Vec<String> =
                line.split('|').map(|column| column.trim().to_owned()).collect();
            let words = |text: &str| -> Vec<String> {
                text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
            };
            (columns[1].trim_matches('`').to_owned(), columns[2].clone(), words(&columns[3]))
        };
        let mut documented: Vec<_> = rows.map(row).collect();
        documented.sort();
        let place =
            Place { vendor: "insider".to_owned(), shard: 1, jurisdiction: Some(Jurisdiction::Eu) };
        let mut lane = lane();
        lane.status.next_attempt_at = Some(Timestamp(0));
        let text = text("0.1.0", true, &[(place.clone(), Some(samples(&place, &lane)))]);
        let kind = |name: &str| {
            let family = name.trim_end_matches("_total").trim_end_matches("_info");
            let start = format!("# TYPE {family} ");
            text.lines().find_map(|line| line.strip_prefix(&start)).unwrap().to_owned()
        };
        let mut written: Vec<_> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                let (name, rest) = line.split_once(['{', ' ']).unwrap();
                let labels = rest.split("=\"").map(|part| part.rsplit(['{', ',']).next().unwrap());
                let further = labels
                    .filter(|name| !["vendor", "shard", "jurisdiction"].contains(name))
                    .filter(|name| name.chars().all(|c| c.is_ascii_lowercase()));
                (name.to_owned(), kind(name), further.map(str::to_owned).collect::<Vec<_>>())
            })
            .collect();
        written.sort();
        written.dedup();
        assert_eq!(documented, written);
    }

    #[test]
    fn lanes_are_put_together_family_by_family() {
        let place =
            |vendor: &str| Place { vendor: vendor.to_owned(), shard: 0, jurisdiction: None };
        let (one, two) = (place("insider"), place("instacart"));
        let told = samples(&one, &lane());
        let lanes = [(one.clone(), Some(told.clone())), (two, None), (one, Some(told))];
        let text = text("0.1.0", false, &lanes);
        let starts = text.matches("# TYPE ").count();
        assert_eq!((starts, text.matches("# HELP ").count()), (22, 22));
        assert!(
            text.ends_with("\n# EOF\n") && text.starts_with("# TYPE erasure_relay_build info\n")
        );
        for line in [
            "erasure_relay_build_info{version=\"0.1.0\"} 1",
            "erasure_relay_directory_up 0",
            "erasure_relay_lane_up{vendor=\"instacart\",shard=\"0\"} 0",
            "erasure_relay_lane_unsendable_deliveries{vendor=\"insider\",shard=\"0\"} 3",
            "erasure_relay_lane_breaker{vendor=\"insider\",shard=\"0\",state=\"probing\"} 1",
            "erasure_relay_lane_breaker{vendor=\"insider\",shard=\"0\",state=\"closed\"} 0",
            "erasure_relay_lane_oldest_waiting_timestamp_seconds{vendor=\"insider\",shard=\"0\"} \
             1795325400.000",
            "erasure_relay_ignored_events_total{vendor=\"insider\",shard=\"0\",source=\"consent\",\
             event=\"a \\\"b\\\"\"} 4",
        ] {
            assert!(text.lines().any(|written| written == line), "{line}\n{text}");
        }
        let waiting = "erasure_relay_lane_waiting_deliveries{";
        assert_eq!(text.matches(waiting).count(), 2, "one that does not answer tells nothing");
        assert!(!text.contains("next_attempt_timestamp_seconds{"), "nothing is done next");
    }
}
