//! A period of time, as an operator asks for it: `from` and `to` of a query.

use crate::receipt::Timestamp;

/// The milliseconds of a day.
const DAY: i64 = 86_400_000;

/// What an operator is told where a bound cannot be read.
pub const EXPECTED: &str =
    "must be a date (2026-01-31) or a time (2026-01-31T12:00:00Z) of RFC 3339, in UTC";

/// What an operator is told where a period ends before it begins.
pub const ENDS_EARLY: &str = "to must be later than from";

/// When a webhook came in: at `from` or later, and before `until`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    /// Its first moment; `None` where it has no beginning.
    pub from: Option<Timestamp>,
    /// The moment after its last; `None` where it has no end.
    pub until: Option<Timestamp>,
}

impl Period {
    /// Reads `from`. A date is its first moment. `None` where it is neither a date nor a time.
    #[must_use]
    pub fn beginning(self, text: &str) -> Option<Self> {
        let (at, _) = parse(text)?;
        Some(Self { from: Some(at), ..self })
    }

    /// Reads `to`. A date belongs to the period as a whole, a time does not. `None` where it is neither.
    #[must_use]
    pub fn ending(self, text: &str) -> Option<Self> {
        let (at, is_date) = parse(text)?;
        let until = if is_date { Timestamp(at.0.saturating_add(DAY)) } else { at };
        Some(Self { until: Some(until), ..self })
    }

    /// Whether a time is in the period.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= time) && self.until.is_none_or(|until| time < until)
    }

    /// Whether no time can be in the period.
    pub fn is_empty(&self) -> bool {
        self.from.zip(self.until).is_some_and(|(from, until)| until <= from)
    }
}

/// The time, or the first moment of the date, and which of both it is.
fn parse(text: &str) -> Option<(Timestamp, bool)> {
    if text.ends_with('Z') {
        return Timestamp::parse(text).map(|at| (at, false));
    }
    let is_date = text.len() == "2026-01-31".len();
    let first = if is_date { Timestamp::parse(&format!("{text}T00:00:00Z")) } else { None };
    first.map(|at| (at, true))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn period(from: &str, to: &str) -> Option<Period> {
        Period::default().beginning(from)?.ending(to)
    }

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_date_is_a_whole_day_and_a_time_is_a_moment() {
        let year = period("2026-01-01", "2026-12-31").unwrap();
        for (at, is_in) in [
            ("2025-12-31T23:59:59.999Z", false),
            ("2026-01-01T00:00:00Z", true),
            ("2026-12-31T23:59:59.999Z", true),
            ("2027-01-01T00:00:00Z", false),
        ] {
            assert_eq!(year.contains(time(at)), is_in, "{at}");
        }
        let hours = period("2026-01-01T10:00:00Z", "2026-01-01T12:30:00Z").unwrap();
        for (at, is_in) in [
            ("2026-01-01T09:59:59.999Z", false),
            ("2026-01-01T10:00:00Z", true),
            ("2026-01-01T12:29:59.999Z", true),
            ("2026-01-01T12:30:00Z", false),
        ] {
            assert_eq!(hours.contains(time(at)), is_in, "{at}");
        }
    }

    #[test]
    fn a_period_without_a_bound_has_no_end() {
        assert!(Period::default().contains(Timestamp(i64::MIN)));
        assert!(Period::default().beginning("2026-01-01").unwrap().contains(Timestamp(i64::MAX)));
        assert!(!Period::default().is_empty());
    }

    #[test]
    fn a_period_that_ends_before_it_begins_is_empty() {
        assert!(period("2026-01-02", "2026-01-01").unwrap().is_empty());
        assert!(period("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z").unwrap().is_empty());
        assert!(!period("2026-01-01", "2026-01-01").unwrap().is_empty(), "a whole day");
    }

    #[test]
    fn anything_else_is_no_bound() {
        for wrong in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-30",
            "2026-01-01T10:00:00",
            "2026-01-01T10:00:00+02:00",
            "2026-01-01 10:00:00",
            "01.02.2026",
            "1767225600",
            "yesterday",
            "éééééZ",
            "ééééé",
        ] {
            assert_eq!(Period::default().beginning(wrong), None, "{wrong}");
            assert_eq!(Period::default().ending(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_fault(text in "\\PC*") {
            let _ = Period::default().beginning(&text);
            let _ = Period::default().ending(&text);
        }
    }
}
