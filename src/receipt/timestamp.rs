//! Points in time.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time: milliseconds since the Unix epoch, as the runtime's clock gives it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// How long after `earlier` this is; zero where it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or_default())
    }

    /// The time `duration` later.
    pub fn after(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// The time `duration` earlier.
    pub fn before(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339, in UTC and whole seconds. What RFC 3339 cannot hold is shown as the nearest time
    /// that it can.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The years 0 to 9999.
        const RANGE: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;
        let millis = self.0.clamp(*RANGE.start(), *RANGE.end());
        let time: DateTime<Utc> = DateTime::from_timestamp_millis(millis).unwrap_or_default();
        formatter.write_str(&time.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

impl Timestamp {
    /// Reads a time of RFC 3339; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let time = DateTime::parse_from_rfc3339(text).ok()?;
        Some(Self(time.timestamp_millis()))
    }
}

impl<'a> Deserialize<'a> for Timestamp {
    /// RFC 3339, as it is written.
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("a time must be that of RFC 3339"))
    }
}

impl Serialize for Timestamp {
    /// RFC 3339. [`millis`](super::millis) has the other form.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_rfc_3339_in_whole_seconds() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (1_795_325_400_999, "2026-11-22T05:30:00Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00Z"),
            (i64::MIN, "0000-01-01T00:00:00Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59Z"),
            (i64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Timestamp(millis).to_string(), text, "{millis}");
            let json = serde_json::to_string(&Timestamp(millis)).unwrap();
            assert_eq!(json, format!("{text:?}"));
            let read: Timestamp = serde_json::from_str(&json).unwrap();
            assert_eq!(read.to_string(), text);
        }
    }
}
