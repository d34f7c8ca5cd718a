//! A vendor that fails by chance, in the ways that a later call can mend.

use std::time::Duration;

use oorandom::Rand32;

use super::answer::Answer;

/// How often a vendor fails, as shares of its answers (0 to 1, together at most 1); the others are
/// as usual.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// 500, 503 or 408.
    pub errors: f32,
    /// 429 with a `Retry-After` of one second.
    pub throttled: f32,
    /// A reset connection instead of an answer.
    pub resets: f32,
    /// The share of all answers, good and bad ones, that come late.
    pub late: f32,
    /// How late, at the most; any time up to this is as likely.
    pub longest_delay: Duration,
}

/// Draws answers by a [`Mix`]. The same seed draws the same answers in the same order.
pub(super) struct Chaos {
    mix: Mix,
    random: Rand32,
}

impl Chaos {
    pub(super) fn new(mix: Mix, seed: u64) -> Self {
        Self { mix, random: Rand32::new(seed) }
    }

    /// The next answer.
    pub(super) fn answer(&mut self) -> Answer {
        // Always as many draws, so that one share does not change what the others draw.
        let [what, which, late, delay] = [(); 4].map(|()| self.random.rand_float());
        let Mix { errors, throttled, resets, .. } = self.mix;
        let answer = if what < errors {
            match which {
                0.0..0.4 => Answer::json(500, r#"{"error":"internal server error"}"#),
                0.4..0.8 => Answer::html(503),
                _ => Answer::status(408),
            }
        } else if what < errors + throttled {
            Answer::status(429).with_header("Retry-After", "1")
        } else if what < errors + throttled + resets {
            Answer::Reset
        } else {
            Answer::Usual
        };
        if late < self.mix.late {
            answer.after(self.mix.longest_delay.mul_f32(delay))
        } else {
            answer
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIX: Mix = Mix {
        errors: 0.2,
        throttled: 0.1,
        resets: 0.1,
        late: 0.5,
        longest_delay: Duration::from_millis(300),
    };

    fn drawn(mix: Mix, seed: u64) -> Vec<Answer> {
        let mut chaos = Chaos::new(mix, seed);
        (0..10_000).map(|_| chaos.answer()).collect()
    }

    #[test]
    fn a_seed_repeats_its_answers_and_another_draws_others() {
        let shown = |seed| format!("{:?}", drawn(MIX, seed));
        assert_eq!(shown(7), shown(7));
        assert_ne!(shown(7), shown(8));
    }

    #[test]
    fn shares_are_as_asked_for() {
        let (mut late, mut statuses, mut resets) = (0, Vec::new(), 0);
        for answer in drawn(MIX, 1) {
            let answer = match answer {
                Answer::Slow { delay, then } => {
                    assert!(delay <= MIX.longest_delay);
                    late += 1;
                    *then
                }
                answer => answer,
            };
            match answer {
                Answer::Status { status, .. } => statuses.push(status),
                Answer::Reset => resets += 1,
                Answer::Usual => {}
                other => panic!("{other:?}"),
            }
        }
        let times = |status| statuses.iter().filter(|other| **other == status).count();
        for (count, expected) in [
            (late, 5000),
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
    fn a_mix_of_nothing_is_a_vendor_as_usual() {
        let mix = Mix { errors: 0.0, throttled: 0.0, resets: 0.0, late: 0.0, ..MIX };
        assert!(drawn(mix, 1).iter().all(|answer| matches!(answer, Answer::Usual)));
    }
}
