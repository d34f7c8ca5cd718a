//! Families of metrics as text.

use std::fmt::{self, Display, Write};

use crate::receipt::Timestamp;

/// The media type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

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

/// The value of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// A whole number.
    Integer(i64),
    /// Seconds since the Unix epoch.
    Time(Timestamp),
}

/// A label: its name and its value.
pub type Label<'a> = (&'static str, &'a str);

/// The samples of one name.
#[derive(Debug)]
pub struct Family<'a> {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    samples: Vec<(Vec<Label<'a>>, Number)>,
}

impl<'a> Family<'a> {
    /// A family without samples. A name that ends in `_seconds` has that unit.
    pub fn new(kind: Kind, name: &'static str, help: &'static str) -> Self {
        Self { name, kind, help, samples: Vec::new() }
    }

    /// Adds a sample. Its labels must be others than those of the samples before it.
    pub fn add(&mut self, labels: &[Label<'a>], value: Number) {
        self.samples.push((labels.to_vec(), value));
    }
}

/// The text of these families.
pub fn write(families: &[Family<'_>]) -> String {
    let mut text = String::new();
    for family in families {
        // Writing to a `String` does not fail.
        let _ = write!(text, "{family}");
    }
    text.push_str("# EOF\n");
    text
}

impl Display for Family<'_> {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, help, samples } = self;
        let (word, suffix) = match kind {
            Kind::Gauge => ("gauge", ""),
            Kind::Counter => ("counter", "_total"),
            Kind::Info => ("info", "_info"),
        };
        writeln!(text, "# TYPE {name} {word}")?;
        if name.ends_with("_seconds") {
            writeln!(text, "# UNIT {name} seconds")?;
        }
        writeln!(text, "# HELP {name} {help}")?;
        for (labels, value) in samples {
            write!(text, "{name}{suffix}")?;
            for (index, (label, value)) in labels.iter().enumerate() {
                let start = if index == 0 { '{' } else { ',' };
                write!(text, "{start}{label}=\"{}\"", Escaped(value))?;
            }
            let end = if labels.is_empty() { "" } else { "}" };
            writeln!(text, "{end} {value}")?;
        }
        Ok(())
    }
}

impl Display for Number {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(text),
            Self::Time(Timestamp(millis)) => {
                write!(text, "{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000))
            }
        }
    }
}

/// The value of a label, in which `\`, `"` and line ends are escaped.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\\' => text.write_str("\\\\")?,
                '"' => text.write_str("\\\"")?,
                '\n' => text.write_str("\\n")?,
                other => text.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_written_as_openmetrics_has_them() {
        let mut build = Family::new(Kind::Info, "relay_build", "The release.");
        build.add(&[("version", "0.1.0")], Number::Integer(1));
        let mut oldest = Family::new(Kind::Gauge, "relay_oldest_timestamp_seconds", "When.");
        oldest.add(&[], Number::Time(Timestamp(1_795_325_400_007)));
        let mut events = Family::new(Kind::Counter, "relay_events", "Events.");
        events.add(&[("source", "consent"), ("event", "a\\b\"c\nd é")], Number::Integer(7));
        assert_eq!(
            write(&[build, oldest, events]),
            "# TYPE relay_build info\n\
             # HELP relay_build The release.\n\
             relay_build_info{version=\"0.1.0\"} 1\n\
             # TYPE relay_oldest_timestamp_seconds gauge\n\
             # UNIT relay_oldest_timestamp_seconds seconds\n\
             # HELP relay_oldest_timestamp_seconds When.\n\
             relay_oldest_timestamp_seconds 1795325400.007\n\
             # TYPE relay_events counter\n\
             # HELP relay_events Events.\n\
             relay_events_total{source=\"consent\",event=\"a\\\\b\\\"c\\nd é\"} 7\n\
             # EOF\n"
        );
    }

    #[test]
    fn a_time_before_the_epoch_is_negative() {
        // As the standard has it: -0.5 seconds is half a second before.
        assert_eq!(Number::Time(Timestamp(0)).to_string(), "0.000");
        assert_eq!(Number::Integer(-3).to_string(), "-3");
    }
}
