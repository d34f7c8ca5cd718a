//! A vendor's rate limit: so many calls in any window of so long, and 429 above.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::insider;

/// A limit on the calls in a window that slides: as strict as a documented limit can be meant. Calls
/// that it refuses do not count.
pub(super) struct Limit {
    calls: usize,
    window: Duration,
    /// When the calls of the last window were let through, the oldest first.
    admitted: VecDeque<Instant>,
}

impl Limit {
    pub(super) fn new(calls: usize, window: Duration) -> Self {
        Self { calls, window, admitted: VecDeque::new() }
    }

    /// Lets a call through, or says how to refuse it. Instacart documents no limit, so this is
    /// Insider's answer; the `Retry-After` tells when the next call would be let through.
    pub(super) fn refuse(&mut self, now: Instant) -> Option<Answer> {
        while self.admitted.front().is_some_and(|at| now - *at >= self.window) {
            self.admitted.pop_front();
        }
        if self.admitted.len() < self.calls {
            self.admitted.push_back(now);
            return None;
        }
        let age = self.admitted.front().map_or(Duration::ZERO, |at| now - *at);
        let seconds = (self.window - age).as_secs_f64().ceil();
        let refusal = Answer::json(429, insider::TOO_MANY_REQUESTS);
        Some(refusal.with_header("Retry-After", &seconds.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_holds_more_than_the_limit() {
        let mut limit = Limit::new(2, Duration::from_secs(60));
        let start = Instant::now();
        let mut at = |seconds| match limit.refuse(start + Duration::from_secs(seconds)) {
            Some(Answer::Status { status, headers, .. }) => {
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
