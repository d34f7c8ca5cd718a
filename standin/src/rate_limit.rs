//! A vendor's rate limit: a number of calls in any window of a given length.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::answer::Answer;

/// A limit on the calls in a sliding window: the strictest reading of a documented limit. Calls that
/// it refuses do not count.
pub(crate) struct RateLimit {
    calls: usize,
    window: Duration,
    refusal: Answer,
    /// When the calls of the last window were admitted, the oldest first.
    admitted: VecDeque<Instant>,
}

impl RateLimit {
    /// Calls over the limit get `refusal`, with a `Retry-After`.
    pub(crate) fn new(calls: usize, window: Duration, refusal: Answer) -> Self {
        Self { calls, window, refusal, admitted: VecDeque::new() }
    }

    /// Admits a call, or returns its refusal; `Retry-After` is the time until the next call would be
    /// admitted, in whole seconds.
    pub(crate) fn check(&mut self, now: Instant) -> Option<Answer> {
        let window = self.window;
        let age = |at: &Instant| now.saturating_duration_since(*at);
        while self.admitted.front().is_some_and(|at| age(at) >= window) {
            self.admitted.pop_front();
        }
        if self.admitted.len() < self.calls {
            self.admitted.push_back(now);
            return None;
        }
        let oldest = self.admitted.front().map_or(Duration::ZERO, age);
        let seconds = window.saturating_sub(oldest).as_secs_f64().ceil();
        Some(self.refusal.clone().with_header("Retry-After", &seconds.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_holds_more_than_the_limit() {
        let mut limit = RateLimit::new(2, Duration::from_secs(60), Answer::status(429));
        let start = Instant::now();
        let mut at = |seconds| match limit.check(start + Duration::from_secs(seconds)) {
            Some(Answer::Response { status, headers, .. }) => {
                Some((status, headers.last().map(|(_, value)| value.clone())))
            }
            _ => None,
        };
        let refused = |seconds: &str| Some((429, Some(seconds.to_owned())));
        assert_eq!((at(0), at(50)), (None, None));
        assert_eq!((at(50), at(59)), (refused("10"), refused("1")));
        assert_eq!(at(60), None, "the first call has left the window");
        assert_eq!(at(61), refused("49"));
    }
}
