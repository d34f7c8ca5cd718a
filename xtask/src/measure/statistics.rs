//! Statistics, exact: nothing is sampled or binned.

use std::time::{Duration, Instant};

/// The most of `times` that any window of this length holds: those after its begin, and those at
/// its end.
#[must_use]
pub fn fullest_window(times: &[Instant], window: Duration) -> usize {
    let times = sorted(times);
    let mut first = 0;
    let mut most = 0;
    for (last, end) in times.iter().enumerate() {
        while *end - times[first] >= window {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

/// How many of `times` lie after `from` and not after `to`.
#[must_use]
pub fn count_between(times: &[Instant], from: Instant, to: Instant) -> usize {
    times.iter().filter(|time| (from < **time) && (**time <= to)).count()
}

/// The value that `percent` of `values` do not exceed (nearest rank); zero where there are none.
#[must_use]
pub fn percentile(values: &[Duration], percent: usize) -> Duration {
    let values = sorted(values);
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied().unwrap_or_default()
}

/// In milliseconds, to a tenth.
#[must_use]
pub fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

/// In seconds, to a hundredth.
#[must_use]
pub fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 100.0).round() / 100.0
}

fn sorted<T: Copy + Ord>(values: &[T]) -> Vec<T> {
    let mut values = values.to_vec();
    values.sort_unstable();
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, seconds: &[u64]) -> Vec<Instant> {
        seconds.iter().map(|second| start + Duration::from_secs(*second)).collect()
    }

    #[test]
    fn the_fullest_window_may_begin_anywhere() {
        let start = Instant::now();
        let times = at(start, &[70, 0, 10, 59, 60, 69, 200]);
        let window = Duration::from_secs(60);
        // 10 to 69; 0 and 60 are a whole window apart, and so are 10 and 70.
        assert_eq!(fullest_window(&times, window), 4);
        assert_eq!(fullest_window(&times[..1], window), 1);
        assert_eq!(fullest_window(&[], window), 0);
    }

    #[test]
    fn a_count_leaves_out_the_begin() {
        let start = Instant::now();
        let times = at(start, &[0, 10, 20, 30]);
        assert_eq!(count_between(&times, times[0], times[2]), 2);
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let values: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&values, 50), Duration::from_millis(100));
        assert_eq!(percentile(&values, 99), Duration::from_millis(198));
        assert_eq!(percentile(&values[..1], 99), Duration::from_millis(200));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
