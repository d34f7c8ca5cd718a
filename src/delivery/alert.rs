//! What an operator is alerted of. Lanes and the cron trigger raise alerts, and the lane of the alerts
//! sends them.

use crate::receipt::Timestamp;

/// The account whose lane sends the alerts. The names of vendors' accounts and of sources have no `@`.
pub const ACCOUNT: &str = "@@alerts";

const HOUR: i64 = 3_600_000;

/// Why an operator is alerted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The breaker has opened since calls fail, or since it is unclear whether the account is rejected.
    BreakerOpened,
    /// The vendor rejects the account: the breaker is open until a person corrects that.
    AccountBlocked,
    /// The breaker has closed.
    BreakerClosed,
    /// A delivery has an outcome that a person must look at.
    DeliveryAttention,
    /// A platform was not told: it rejects the message, or could not be reached until the deadline.
    CallbackFailed,
    /// Erasures must be answered soon.
    ErasureDue,
    /// Erasures should have been answered by now.
    ErasureOverdue,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::BreakerOpened,
        Self::AccountBlocked,
        Self::BreakerClosed,
        Self::DeliveryAttention,
        Self::CallbackFailed,
        Self::ErasureDue,
        Self::ErasureOverdue,
    ];

    /// The name in storage and in the event.
    pub fn name(self) -> &'static str {
        match self {
            Self::BreakerOpened => "breaker_opened",
            Self::AccountBlocked => "account_blocked",
            Self::BreakerClosed => "breaker_closed",
            Self::DeliveryAttention => "delivery_attention",
            Self::CallbackFailed => "callback_failed",
            Self::ErasureDue => "erasure_due",
            Self::ErasureOverdue => "erasure_overdue",
        }
    }

    /// The reason of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// Which period `at` is in. There is at most one alert of a reason, and of what it is about, in
    /// each: an hour, and a day of UTC for what lasts for days.
    pub fn period(self, at: Timestamp) -> i64 {
        let hours = at.0.div_euclid(HOUR);
        match self {
            Self::ErasureDue | Self::ErasureOverdue => hours.div_euclid(24),
            _ => hours,
        }
    }
}

/// The hour that `at` is in, counted from the Unix epoch.
pub(super) fn hour(at: Timestamp) -> i64 {
    at.0.div_euclid(HOUR)
}

/// When an hour begins.
pub(super) fn start_of(hour: i64) -> Timestamp {
    Timestamp(hour.saturating_mul(HOUR))
}

/// One alert.
#[derive(Debug, PartialEq, Eq)]
pub struct Alert {
    /// Why.
    pub reason: Reason,
    /// When it was raised.
    pub at: Timestamp,
    /// The lane that it is about: the account, with the shard where it is not the first.
    pub lane: Option<String>,
    /// The source of the erasure.
    pub source: Option<String>,
    /// One of the erasures. In what is sent it is as logs show it.
    pub request_id: Option<String>,
    /// How often it has happened since the last alert of this reason, or how many erasures there are.
    pub count: i64,
    /// Since when; for a breaker that has closed, since when it was open.
    pub since: Option<Timestamp>,
    /// By when the first of the erasures must be answered.
    pub due_by: Option<Timestamp>,
    /// More of why, in fixed words.
    pub detail: Option<String>,
}

impl Alert {
    /// Names it. It is the same for all alerts of which one is sent.
    pub fn id(&self) -> String {
        let about = self.lane.as_deref().or(self.source.as_deref()).unwrap_or_default();
        format!("{about}:{}:{}", self.reason.name(), self.reason.period(self.at))
    }
}
