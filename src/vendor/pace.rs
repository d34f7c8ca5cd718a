//! How fast a vendor lets calls be made.

use std::time::Duration;

use crate::settings::Settings;

/// A maximum number of calls within any window of a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Calls within one window.
    pub calls: u32,
    /// The window's length.
    pub per_seconds: u32,
}

impl Pace {
    /// Reads the table `pace`: `{ calls = 1000, per_seconds = 60 }`.
    pub fn configure(settings: &mut Settings<'_>) -> Option<Self> {
        let mut table = settings.table("pace")?;
        let calls = table.required_number("calls", 1..=1_000_000);
        let per_seconds = table.required_number("per_seconds", 1..=3600);
        table.finish();
        Some(Self { calls: calls?, per_seconds: per_seconds? })
    }

    /// How late a call may be made after it was allowed: 3 % of the window, which a
    /// [`Pacer`](crate::delivery) leaves unused.
    pub fn slack(self) -> Duration {
        Duration::from_millis(u64::from(self.per_seconds).saturating_mul(30))
    }

    /// The pace of one of `shards` lanes that share an account.
    pub fn share_of(self, shards: u32) -> Self {
        Self { calls: self.calls.checked_div(shards).unwrap_or(self.calls).max(1), ..self }
    }
}
