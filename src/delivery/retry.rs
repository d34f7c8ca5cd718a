//! When a call that failed is made again: exponential, with full jitter, up to a deadline.

use std::time::Duration;

use crate::settings::Settings;

/// How patient a lane is with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The longest pause after the first failure; it doubles with each further one.
    pub first: Duration,
    /// The longest pause of all.
    pub longest: Duration,
    /// How long after its arrival a call is given up at its next failure.
    pub deadline: Duration,
}

impl Retry {
    /// Reads the table `retry`: `{ first_seconds = 30, longest_seconds = 3600, deadline_hours = 72 }`.
    pub fn configure(settings: &mut Settings<'_>) -> Self {
        let (mut first, mut longest, mut deadline) = (30, 3600, 72);
        if let Some(mut table) = settings.table("retry") {
            first = table.number("first_seconds", first, 1..=3600);
            longest = table.number("longest_seconds", longest, 1..=86_400);
            deadline = table.number("deadline_hours", deadline, 1..=2160);
            if longest < first {
                table.problem("longest_seconds", "must not be shorter than first_seconds");
            }
            table.finish();
        }
        Self {
            first: Duration::from_secs(first.into()),
            longest: Duration::from_secs(longest.into()),
            deadline: Duration::from_secs(u64::from(deadline).saturating_mul(3600)),
        }
    }

    /// The pause after this many failures, in milliseconds. `random` is any number: full jitter
    /// takes any pause up to the longest, so that calls which failed together do not come back
    /// together.
    pub fn pause(&self, failures: u32, random: u32) -> i64 {
        let doubled = 2u32.saturating_pow(failures.saturating_sub(1));
        let longest = self.first.saturating_mul(doubled).min(self.longest);
        let millis = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        let share = millis.saturating_mul(u64::from(random)) >> 32;
        i64::try_from(share).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Retry = Retry {
        first: Duration::from_secs(30),
        longest: Duration::from_secs(3600),
        deadline: Duration::from_secs(72 * 3600),
    };

    #[test]
    fn pauses_double_up_to_the_longest() {
        let longest = |failures| RETRY.pause(failures, u32::MAX) / 1000;
        assert_eq!([1, 2, 3, 7, 8, 100].map(longest), [29, 59, 119, 1919, 3599, 3599]);
    }

    #[test]
    fn jitter_is_full() {
        assert_eq!(RETRY.pause(1, 0), 0);
        assert_eq!(RETRY.pause(1, 1 << 31), 15_000);
    }
}
