//! What has come in lately, by the hour: the chart of a lane.

use serde::Serialize;

use crate::receipt::Timestamp;

/// The milliseconds of an hour.
pub const HOUR: i64 = 3_600_000;

/// How many hours are shown, the present one included.
const HOURS: i64 = 24;

/// An hour as a lane tells it: when it began, in milliseconds since the Unix epoch, how many of the deliveries
/// that came in it are final, how many of these failed, were discarded, and are not applicable, and how many
/// wait.
pub type Counts = [i64; 6];

/// The deliveries that came in one hour, by what is known of them now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Hour {
    /// When it began.
    pub at: Timestamp,
    /// The vendor confirmed them: `accepted` or `already_absent`.
    pub confirmed: i64,
    /// They ended otherwise, and a person must look: `rejected`, `uncertain`, `exhausted`, `not_erased` or
    /// `insufficient_identification`.
    pub failed: i64,
    /// An operator ended them.
    pub discarded: i64,
    /// The request named nobody whom the vendor takes, as it should be.
    pub not_applicable: i64,
    /// They wait for their next attempt, are being sent, or are blocked.
    pub waiting: i64,
}

impl From<Counts> for Hour {
    fn from([at, finals, failed, discarded, not_applicable, waiting]: Counts) -> Self {
        let others = failed.saturating_add(discarded).saturating_add(not_applicable);
        let confirmed = finals.saturating_sub(others);
        Self { at: Timestamp(at), confirmed, failed, discarded, not_applicable, waiting }
    }
}

impl Hour {
    /// How many deliveries came.
    pub fn received(&self) -> i64 {
        let Self { confirmed, failed, discarded, not_applicable, waiting, .. } = self;
        let all = [failed, discarded, not_applicable, waiting];
        all.into_iter().fold(*confirmed, |sum, count| sum.saturating_add(*count))
    }
}

/// When the first of the hours began that are shown at `now`: all begin on the hour, in UTC.
pub fn since(now: Timestamp) -> Timestamp {
    let hour = now.0.div_euclid(HOUR).saturating_mul(HOUR);
    Timestamp(hour.saturating_sub(HOUR.saturating_mul(HOURS.saturating_sub(1))))
}

/// The hours of several lanes, which begin at the same time, as one.
pub fn sum(lanes: impl IntoIterator<Item = Vec<Hour>>) -> Vec<Hour> {
    let mut sum: Vec<Hour> = Vec::new();
    for hour in lanes.into_iter().flatten() {
        match sum.iter_mut().find(|known| known.at == hour.at) {
            None => sum.push(hour),
            Some(known) => {
                for (count, further) in [
                    (&mut known.confirmed, hour.confirmed),
                    (&mut known.failed, hour.failed),
                    (&mut known.discarded, hour.discarded),
                    (&mut known.not_applicable, hour.not_applicable),
                    (&mut known.waiting, hour.waiting),
                ] {
                    *count = count.saturating_add(further);
                }
            }
        }
    }
    sum.sort_unstable_by_key(|hour| hour.at);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(at: i64, confirmed: i64, waiting: i64) -> Hour {
        let (failed, discarded, not_applicable) = (1, 0, 0);
        Hour { at: Timestamp(at), confirmed, failed, discarded, not_applicable, waiting }
    }

    #[test]
    fn the_hours_end_with_the_present_one() {
        let time = |text: &str| Timestamp::parse(text).unwrap();
        for (now, first) in [
            ("2026-11-22T05:30:00Z", "2026-11-21T06:00:00Z"),
            ("2026-11-22T05:00:00Z", "2026-11-21T06:00:00Z"),
            ("2026-11-22T05:59:59.999Z", "2026-11-21T06:00:00Z"),
        ] {
            assert_eq!(since(time(now)), time(first), "{now}");
        }
    }

    #[test]
    fn what_is_final_and_nothing_else_is_confirmed() {
        let hour = Hour::from([7, 10, 1, 2, 3, 5]);
        assert_eq!((hour.at, hour.confirmed, hour.waiting), (Timestamp(7), 4, 5));
        assert_eq!((hour.failed, hour.discarded, hour.not_applicable), (1, 2, 3));
        assert_eq!(hour.received(), 15);
    }

    #[test]
    fn the_lanes_of_an_account_add_up() {
        let summed = sum([vec![hour(0, 1, 2), hour(HOUR, 3, 0)], vec![hour(HOUR, 4, 5)], vec![]]);
        let both = Hour { failed: 2, ..hour(HOUR, 7, 5) };
        assert_eq!(summed, [hour(0, 1, 2), both]);
        assert_eq!(both.received(), 14);
    }
}
