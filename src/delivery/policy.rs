//! What the configuration says of an account's lane.

use std::time::Duration;

use super::breaker::Limits;
use super::jurisdiction::Jurisdiction;
use super::retry::Retry;
use super::shards::MAX_SHARDS;
use crate::settings::Settings;
use crate::vendor::Pace;

const DAY: Duration = Duration::from_secs(86_400);

/// How long receipts are kept by default: two years, one of them a leap year.
const RECEIPTS_DAYS: u32 = 731;

/// How an account's lane delivers, and what it keeps for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// In the place of what the vendor documents for the call that a request starts with.
    pub pace: Option<Pace>,
    /// How many lanes share the account, each with its part of the pace.
    pub shards: u32,
    /// Where the lanes are; they are other lanes in another jurisdiction.
    pub jurisdiction: Option<Jurisdiction>,
    /// When a call that failed is made again.
    pub retry: Retry,
    /// When the lane stops calling.
    pub breaker: Limits,
    /// How long a claim may take from its hand-out to its settlement; after that the call is made
    /// again.
    pub lease: Duration,
    /// How long receipts are kept.
    pub receipts: Duration,
    /// How long after its deadline a delivery may wait, where its account was blocked and its deadline
    /// moved; then it is exhausted, whatever has been tried.
    pub hold: Duration,
    /// How long identifiers are kept, sealed, of what ended without the vendor's word, so that it
    /// can be replayed.
    pub replay: Duration,
}

impl Policy {
    /// Reads `pace`, `shards`, `jurisdiction`, `retry`, `breaker`, `receipts_days`, `hold_days` and
    /// `replay_days` of an account's table. `timeout` is that of one call.
    pub fn configure(settings: &mut Settings<'_>, timeout: Duration) -> Self {
        let pace = Pace::configure(settings);
        let shards = settings.number("shards", 1, 1..=MAX_SHARDS);
        if pace.is_some_and(|pace| pace.calls < shards) {
            settings.problem("shards", "must not be more than the calls of pace");
        }
        let jurisdiction = Jurisdiction::configure(settings);
        let retry = Retry::configure(settings);
        let breaker = Limits::configure(settings);
        let receipts = settings.number("receipts_days", RECEIPTS_DAYS, 1..=3650);
        let hold = settings.number("hold_days", 30, 0..=365);
        let replay = settings.number("replay_days", 30, 0..=365);
        let [receipts, hold, replay] =
            [receipts, hold, replay].map(|days| DAY.saturating_mul(days));
        if receipts < retry.deadline.saturating_add(hold).saturating_add(replay) {
            let message = "must cover the retry's deadline, hold_days and replay_days";
            settings.problem("receipts_days", message);
        }
        // Two mints by two clients, a call, and where its token is refused the same again.
        let lease = timeout.saturating_mul(6).saturating_add(Duration::from_secs(5));
        Self { pace, shards, jurisdiction, retry, breaker, lease, receipts, hold, replay }
    }
}

/// The configuration's defaults, for a lane whose account is not configured.
impl Default for Policy {
    fn default() -> Self {
        let retry = Retry {
            first: Duration::from_secs(30),
            longest: Duration::from_secs(3600),
            deadline: DAY.saturating_mul(3),
        };
        let breaker = Limits { failures: 5, probe: Duration::from_secs(300) };
        Self {
            pace: None,
            shards: 1,
            jurisdiction: None,
            retry,
            breaker,
            lease: Duration::from_secs(65),
            receipts: DAY.saturating_mul(RECEIPTS_DAYS),
            hold: DAY.saturating_mul(30),
            replay: DAY.saturating_mul(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;
    use crate::settings::Findings;

    #[test]
    fn the_default_is_what_an_empty_table_means() {
        let (json, findings) = (Json::parse(b"{}").unwrap(), Findings::default());
        let mut settings = Settings::new("V".into(), &json, &findings).unwrap();
        let configured = Policy::configure(&mut settings, Duration::from_secs(10));
        assert_eq!(configured, Policy::default());
    }
}
