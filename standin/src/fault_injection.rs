//! Random faults that a retry can overcome, at given rates and from a seed.

use std::time::Duration;

use oorandom::Rand32;

use crate::answer::Answer;

/// How often a vendor fails, as shares of its answers (0 to 1; errors, throttled and resets together
/// at most 1). The other answers are the documented success.
#[derive(Clone, Copy, Debug)]
pub struct FaultRates {
    /// 500, 503 or 408.
    pub errors: f32,
    /// 429 with a `Retry-After` of one second.
    pub throttled: f32,
    /// A reset connection instead of a response.
    pub resets: f32,
    /// The share of all answers, successes and failures, that are delayed.
    pub delayed: f32,
    /// The longest delay; delays are distributed evenly up to it.
    pub max_delay: Duration,
}

/// Draws answers at [`FaultRates`]. The same seed draws the same answers in the same order.
pub(crate) struct FaultInjection {
    rates: FaultRates,
    random: Rand32,
}

impl FaultInjection {
    pub(crate) fn new(rates: FaultRates, seed: u64) -> Self {
        Self { rates, random: Rand32::new(seed) }
    }

    /// The next answer.
    pub(crate) fn next(&mut self) -> Answer {
        // Always the same number of draws, so that one rate does not change what the others draw.
        let [fault, error, delayed, delay] = [(); 4].map(|()| self.random.rand_float());
        let FaultRates { errors, throttled, resets, .. } = self.rates;
        let answer = if fault < errors {
            match error {
                0.0..0.4 => Answer::json(500, r#"{"error":"internal server error"}"#),
                0.4..0.8 => Answer::html(503),
                _ => Answer::status(408),
            }
        } else if fault < errors + throttled {
            Answer::status(429).with_header("Retry-After", "1")
        } else if fault < errors + throttled + resets {
            Answer::Reset
        } else {
            Answer::Success
        };
        if delayed < self.rates.delayed {
            answer.after(self.rates.max_delay.mul_f32(delay))
        } else {
            answer
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: FaultRates = FaultRates {
        errors: 0.2,
        throttled: 0.1,
        resets: 0.1,
        delayed: 0.5,
        max_delay: Duration::from_millis(300),
    };

    fn drawn(rates: FaultRates, seed: u64) -> Vec<Answer> {
        let mut faults = FaultInjection::new(rates, seed);
        (0..10_000).map(|_| faults.next()).collect()
    }

    #[test]
    fn a_seed_repeats_its_answers_and_another_draws_others() {
        let shown = |seed| format!("{:?}", drawn(RATES, seed));
        assert_eq!(shown(7), shown(7));
        assert_ne!(shown(7), shown(8));
    }

    #[test]
    fn rates_are_kept() {
        let (mut delayed, mut statuses, mut resets) = (0, Vec::new(), 0);
        for answer in drawn(RATES, 1) {
            let answer = match answer {
                Answer::Delayed { delay, then } => {
                    assert!(delay <= RATES.max_delay);
                    delayed += 1;
                    *then
                }
                answer => answer,
            };
            match answer {
                Answer::Response { status, .. } => statuses.push(status),
                Answer::Reset => resets += 1,
                Answer::Success => {}
                other => panic!("{other:?}"),
            }
        }
        let times = |status| statuses.iter().filter(|other| **other == status).count();
        for (count, expected) in [
            (delayed, 5000),
            (resets, 1000),
            (times(429), 1000),
            (times(500), 800),
            (times(503), 800),
            (times(408), 400),
        ] {
            assert!(count.abs_diff(expected) < expected / 5, "{count} instead of {expected}");
        }
    }

    #[test]
    fn rates_of_zero_inject_nothing() {
        let rates = FaultRates { errors: 0.0, throttled: 0.0, resets: 0.0, delayed: 0.0, ..RATES };
        assert!(drawn(rates, 1).iter().all(|answer| matches!(answer, Answer::Success)));
    }
}
