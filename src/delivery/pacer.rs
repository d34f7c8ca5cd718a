//! Keeps calls within a vendor's pace: the generic cell rate algorithm (GCRA, ITU-T I.371), a token
//! bucket that needs to remember one point in time.

use crate::receipt::Timestamp;
use crate::vendor::Pace;

/// Spaces calls so that no window of the pace's length ever holds more than the pace allows, the
/// burst counted in. A call may reach the vendor up to 3 % of the window late, or early after one
/// that was late, without harm: that much is left unused.
#[derive(Debug, Clone, Copy)]
pub struct Pacer {
    /// Between two calls of a steady flow, in microseconds.
    interval: i64,
    /// How far ahead of the steady flow calls may run, in microseconds.
    burst: i64,
}

/// What a pacer remembers: when the flow would be steady again, in microseconds since the Unix
/// epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flow(pub i64);

impl Pacer {
    /// One call, and 1.6 % of the calls, may come in a burst: what a use of 95 % leaves room for.
    pub fn new(pace: Pace) -> Self {
        let calls = i64::from(pace.calls.max(1));
        let burst = (calls.saturating_mul(16) / 1000).saturating_add(1);
        let slack = i64::try_from(pace.slack().as_micros()).unwrap_or(i64::MAX);
        let window = i64::from(pace.per_seconds).saturating_mul(1_000_000).saturating_add(slack);
        // A window holds a burst, and what flows meanwhile: burst + window / interval <= calls.
        let flow = calls.saturating_sub(burst).saturating_add(1);
        let interval = window.checked_div(flow).unwrap_or(window).saturating_add(1);
        Self { interval, burst: burst.saturating_sub(1).saturating_mul(interval) }
    }

    /// When the next call may be made.
    pub fn ready_at(&self, flow: Flow) -> Timestamp {
        let micros = flow.0.saturating_sub(self.burst);
        Timestamp(micros.saturating_add(999).div_euclid(1000))
    }

    /// The flow after one more call at `now`; `None` where it may not be made yet.
    pub fn take(&self, flow: Flow, now: Timestamp) -> Option<Flow> {
        let flow = self.at_most_full(flow, now);
        (self.ready_at(flow) <= now).then(|| self.charge(flow, now))
    }

    /// The flow after a call that was made anyway.
    pub fn charge(&self, flow: Flow, now: Timestamp) -> Flow {
        Flow(flow.0.max(micros(now)).saturating_add(self.interval))
    }

    /// The flow after as many further calls as fit into `micros` microseconds.
    pub fn ahead(&self, flow: Flow, micros: i64) -> Flow {
        self.later(flow, micros.checked_div(self.interval).unwrap_or_default())
    }

    /// The flow after so many further calls.
    pub fn later(&self, flow: Flow, calls: i64) -> Flow {
        Flow(flow.0.saturating_add(calls.saturating_mul(self.interval)))
    }

    /// A clock that went backwards must not stop the flow for that long: whatever was remembered,
    /// the bucket is at most empty.
    pub fn at_most_full(&self, flow: Flow, now: Timestamp) -> Flow {
        let empty = micros(now).saturating_add(self.burst).saturating_add(self.interval);
        Flow(flow.0.min(empty))
    }
}

fn micros(time: Timestamp) -> i64 {
    time.0.saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: i64 = 1_795_325_400_000;

    /// The times of all calls when somebody tries again each `step` milliseconds.
    fn calls(pace: Pace, step: i64, until: i64) -> Vec<i64> {
        let (pacer, mut flow) = (Pacer::new(pace), Flow::default());
        let mut made = Vec::new();
        let mut now = START;
        while now < START + until {
            while let Some(next) = pacer.take(flow, Timestamp(now)) {
                flow = next;
                made.push(now);
            }
            now = (now + step).max(pacer.ready_at(flow).0.min(now + 60_000));
        }
        made
    }

    fn most_in_a_window(times: &[i64], window: i64) -> usize {
        let mut from = 0;
        let mut most = 0;
        for (index, time) in times.iter().enumerate() {
            while times[from] < time - window {
                from += 1;
            }
            most = most.max(index + 1 - from);
        }
        most
    }

    #[test]
    fn a_backlog_uses_the_allowance_and_never_exceeds_it() {
        for (calls_allowed, per_seconds) in
            [(1000, 60), (10_000, 60), (500, 60), (120, 60), (20, 1)]
        {
            let pace = Pace { calls: calls_allowed, per_seconds };
            let window = i64::from(per_seconds) * 1000;
            let times = calls(pace, 1, 5 * window);
            let most = most_in_a_window(&times, window);
            assert!(most <= calls_allowed as usize, "{pace:?}: {most}");
            let share = times.len() as f64 / f64::from(calls_allowed) / 5.0;
            assert!(share > 0.95, "{pace:?}: {share}");
        }
    }

    #[test]
    fn a_slow_pace_holds_too() {
        let times = calls(Pace { calls: 1, per_seconds: 60 }, 10, 600_000);
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] > 60_000));
        assert!(times.len() >= 9);
    }

    #[test]
    fn a_clock_that_goes_back_does_not_stop_the_flow() {
        let pacer = Pacer::new(Pace { calls: 60, per_seconds: 60 });
        let flow = pacer.take(Flow::default(), Timestamp(START)).unwrap();
        let before = Timestamp(START - 3_600_000);
        assert_eq!(pacer.take(flow, before), None);
        let ready = pacer.ready_at(pacer.at_most_full(flow, before));
        assert!(ready.0 - before.0 < 2000);
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more(
            calls_allowed in 1u32..200,
            per_seconds in 1u32..30,
            gaps in prop::collection::vec(0i64..3000, 1..400),
        ) {
            let pace = Pace { calls: calls_allowed, per_seconds };
            let (pacer, mut flow) = (Pacer::new(pace), Flow::default());
            let (mut now, mut made) = (START, Vec::new());
            for gap in gaps {
                now += gap;
                while let Some(next) = pacer.take(flow, Timestamp(now)) {
                    flow = next;
                    made.push(now);
                }
            }
            let most = most_in_a_window(&made, i64::from(per_seconds) * 1000);
            prop_assert!(most <= calls_allowed as usize);
        }
    }
}
