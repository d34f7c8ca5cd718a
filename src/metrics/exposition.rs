//! Families of metrics as text.

use std::fmt::{self, Display, Write};

use crate::receipt::Timestamp;

/// The media type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What ends the text.
pub const END: &str = "# EOF\n";

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A value that goes up and down.
    Gauge,
    /// A value that only grows, and begins again at zero at times.
    Counter,
    /// Labels that describe what is measured; the value is 1.
    Info,
}

/// A label: its name and its value.
pub type Label<'a> = (&'static str, &'a str);

/// A metric: what its samples have in common.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// What it is.
    pub kind: Kind,
    /// Its name. One that ends in `_seconds` has that unit.
    pub name: &'static str,
    /// What it tells, in one line without `\`.
    pub help: &'static str,
}

impl Family {
    /// Adds what describes the family, which must stand before its samples.
    pub fn describe(&self, text: &mut String) {
        let Self { kind, name, help } = self;
        let word = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Info => "info",
        };
        text.extend(["# TYPE ", name, " ", word, "\n"]);
        if name.ends_with("_seconds") {
            text.extend(["# UNIT ", name, " seconds\n"]);
        }
        text.extend(["# HELP ", name, " ", help, "\n"]);
    }

    /// Adds a sample. Its labels must be others than those of the family's other samples.
    pub fn sample(&self, text: &mut String, labels: &[Label<'_>], value: Number) {
        text.push_str(self.name);
        text.push_str(match self.kind {
            Kind::Gauge => "",
            Kind::Counter => "_total",
            Kind::Info => "_info",
        });
        let mut start = "{";
        for (label, value) in labels {
            text.extend([start, label, "=\""]);
            escape(value, text);
            text.push('"');
            start = ",";
        }
        text.push_str(if labels.is_empty() { " " } else { "} " });
        // Writing to a `String` does not fail.
        let _ = writeln!(text, "{value}");
    }
}

/// The value of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// A whole number.
    Integer(i64),
    /// Seconds since the Unix epoch.
    Time(Timestamp),
}

impl Display for Number {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(text),
            Self::Time(Timestamp(millis)) => {
                let (seconds, rest) = (millis / 1000, millis.unsigned_abs() % 1000);
                write!(text, "{seconds}.{rest:03}")
            }
        }
    }
}

/// Adds the value of a label, in which `\`, `"` and line ends are escaped.
fn escape(value: &str, text: &mut String) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_written_as_openmetrics_has_them() {
        let family = |kind, name, help| Family { kind, name, help };
        let mut text = String::new();
        let build = family(Kind::Info, "relay_build", "The release.");
        build.describe(&mut text);
        build.sample(&mut text, &[("version", "0.1.0")], Number::Integer(1));
        let oldest = family(Kind::Gauge, "relay_oldest_timestamp_seconds", "When.");
        oldest.describe(&mut text);
        oldest.sample(&mut text, &[], Number::Time(Timestamp(1_795_325_400_007)));
        let events = family(Kind::Counter, "relay_events", "Events.");
        events.describe(&mut text);
        let labels = [("source", "consent"), ("event", "a\\b\"c\nd é")];
        events.sample(&mut text, &labels, Number::Integer(-7));
        assert_eq!(
            text,
            "# TYPE relay_build info\n\
             # HELP relay_build The release.\n\
             relay_build_info{version=\"0.1.0\"} 1\n\
             # TYPE relay_oldest_timestamp_seconds gauge\n\
             # UNIT relay_oldest_timestamp_seconds seconds\n\
             # HELP relay_oldest_timestamp_seconds When.\n\
             relay_oldest_timestamp_seconds 1795325400.007\n\
             # TYPE relay_events counter\n\
             # HELP relay_events Events.\n\
             relay_events_total{source=\"consent\",event=\"a\\\\b\\\"c\\nd é\"} -7\n"
        );
    }
}
