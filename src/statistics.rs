//! What became of the requests of a period, as section 7102 of the regulations of the California Consumer
//! Privacy Act (11 CCR § 7102(a)(1)) wants it of a year: how many requests to delete a business received,
//! complied with in whole or in part, and denied, and the median or mean number of days within which it
//! responded.
//!
//! An erasure is one request, whatever number of deliveries it has:
//!
//! | the erasure | counts as |
//! |---|---|
//! | has a delivery that waits or is blocked | `open` |
//! | every delivery is `accepted`, `already_absent` or `not_applicable`, and one at least is not the last | `complied_in_whole` |
//! | the same, and a vendor keeps a profile, which the source does not count as fulfilled (`partial_erasure`) | `complied_in_part` |
//! | one delivery at least is `accepted` or `already_absent`, and another one ended otherwise | `complied_in_part` |
//! | no delivery is `accepted` or `already_absent`: all were rejected, uncertain, exhausted, not erased, discarded, or had no identifier that the vendor takes | `denied` |
//! | an operator closed it as `completed` or `not_found` | `complied_in_whole` |
//! | an operator closed it as `failed` | `denied`, or `complied_in_part` where a delivery is `accepted` or `already_absent` |
//!
//! That an operator has acknowledged an outcome changes nothing of this, and a replay may change it later.
//! Of those that were complied with in whole, `without_data` are those whose person no vendor has: every
//! vendor said `already_absent`, or an operator closed it as `not_found`.
//!
//! The time to respond is from the first webhook to the last outcome, or to the operator's closing. Erasures
//! that are open have none.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::period::Period;
use crate::receipt::{ClosureOutcome, Outcome, Receipt, Timestamp};

/// The milliseconds of a tenth of a day.
const TENTH: u64 = 8_640_000;

/// The longest time that is told from longer ones, in tenths of a day: about ten years.
const LONGEST: usize = 36_500;

/// What became of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Open,
    InWhole { has_data: bool },
    InPart,
    Denied,
}

impl Answer {
    fn of(receipt: &Receipt, is_partial: bool) -> Self {
        let outcomes = || receipt.deliveries.iter().map(|delivery| delivery.outcome);
        let is_fine = |outcome: Outcome| outcome.is_good() || outcome == Outcome::NotApplicable;
        let is_any_good = outcomes().any(Outcome::is_good);
        match receipt.closed.as_ref().map(|closed| closed.outcome) {
            Some(ClosureOutcome::Completed) => Self::InWhole { has_data: true },
            Some(ClosureOutcome::NotFound) => Self::InWhole { has_data: false },
            Some(ClosureOutcome::Failed) if is_any_good => Self::InPart,
            Some(ClosureOutcome::Failed) => Self::Denied,
            None if !outcomes().all(Outcome::is_final) => Self::Open,
            None if !is_any_good => Self::Denied,
            None if is_partial || !outcomes().all(is_fine) => Self::InPart,
            None => Self::InWhole { has_data: outcomes().any(|it| it == Outcome::Accepted) },
        }
    }
}

/// When the request was answered.
fn answered_at(receipt: &Receipt) -> Timestamp {
    let last = receipt.deliveries.iter().map(|delivery| delivery.updated_at).max();
    let closed = receipt.closed.as_ref().map(|closed| closed.at);
    closed.or(last).unwrap_or(receipt.received_at)
}

/// How many requests came to what, and how long that took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Counts {
    open: u64,
    in_whole: u64,
    without_data: u64,
    in_part: u64,
    denied: u64,
    /// How many were answered within each number of tenths of a day.
    tenths: Vec<u64>,
    /// The milliseconds of all answers together.
    millis: u64,
}

impl Counts {
    fn add(&mut self, answer: Answer, millis: u64) {
        let count = match answer {
            Answer::Open => &mut self.open,
            Answer::InWhole { has_data } => {
                if !has_data {
                    self.without_data = self.without_data.saturating_add(1);
                }
                &mut self.in_whole
            }
            Answer::InPart => &mut self.in_part,
            Answer::Denied => &mut self.denied,
        };
        *count = count.saturating_add(1);
        if answer != Answer::Open {
            let place = usize::try_from(tenths(millis)).unwrap_or(LONGEST).min(LONGEST);
            if self.tenths.len() <= place {
                self.tenths.resize(place.saturating_add(1), 0);
            }
            if let Some(count) = self.tenths.get_mut(place) {
                *count = count.saturating_add(1);
            }
            self.millis = self.millis.saturating_add(millis);
        }
    }

    fn answered(&self) -> u64 {
        self.in_whole.saturating_add(self.in_part).saturating_add(self.denied)
    }

    /// The tenths of a day of the request at `place` among those that were answered, from the fastest.
    fn at(&self, place: u64) -> Option<u64> {
        let mut before = 0_u64;
        let found = self.tenths.iter().position(|count| {
            before = before.saturating_add(*count);
            place < before
        });
        found.and_then(|tenths| u64::try_from(tenths).ok())
    }

    /// The middle one, or half way between the two in the middle.
    fn median(&self) -> Option<Days> {
        let last = self.answered().checked_sub(1)?;
        let [lower, upper] = [last.div_euclid(2), last.div_ceil(2)].map(|place| self.at(place));
        Some(Days(lower?.saturating_add(upper?).div_ceil(2)))
    }

    fn mean(&self) -> Option<Days> {
        self.millis.checked_div(self.answered()).map(|millis| Days(tenths(millis)))
    }

    fn row(&self, source: Option<String>) -> Row {
        Row {
            source,
            received: self.open.saturating_add(self.answered()),
            complied_in_whole: self.in_whole,
            without_data: self.without_data,
            complied_in_part: self.in_part,
            denied: self.denied,
            open: self.open,
            median_days: self.median(),
            mean_days: self.mean(),
        }
    }
}

/// The nearest number of tenths of a day.
fn tenths(millis: u64) -> u64 {
    millis.saturating_add(TENTH.div_euclid(2)).div_euclid(TENTH)
}

/// A number of days, in tenths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days(u64);

impl Days {
    /// The number, with one decimal.
    pub fn number(self) -> f64 {
        self.0 as f64 / 10.0
    }
}

impl fmt::Display for Days {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.0.div_euclid(10), self.0.rem_euclid(10))
    }
}

impl Serialize for Days {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.number())
    }
}

/// What became of the requests of one source, or of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The source; absent for all together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How many came in the period.
    pub received: u64,
    /// How many were complied with in whole.
    pub complied_in_whole: u64,
    /// How many of these are of a person whom no vendor has.
    pub without_data: u64,
    /// How many were complied with in part.
    pub complied_in_part: u64,
    /// How many were not complied with.
    pub denied: u64,
    /// How many are not answered yet.
    pub open: u64,
    /// Within how many days half of those were answered that are not open; absent where none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub median_days: Option<Days>,
    /// Within how many days they were answered on average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_days: Option<Days>,
}

/// The statistics of a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// When the period begins; absent where it has no beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The moment after its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// All sources together.
    pub total: Row,
    /// Each source.
    pub sources: Vec<Row>,
}

/// Counts the requests of a period, one after the other.
#[derive(Debug, Default)]
pub struct Statistics {
    sources: Vec<(String, Counts)>,
    total: Counts,
}

impl Statistics {
    /// The counts of these sources, which are shown also where nothing came of them.
    pub fn of(sources: impl IntoIterator<Item = String>) -> Self {
        let sources = sources.into_iter().map(|source| (source, Counts::default())).collect();
        Self { sources, total: Counts::default() }
    }

    /// Counts an erasure. `is_partial` says whether what was accepted leaves a profile, which its source
    /// does not count as fulfilled.
    pub fn add(&mut self, receipt: &Receipt, is_partial: bool) {
        let answer = Answer::of(receipt, is_partial);
        let took = answered_at(receipt).since(receipt.received_at).as_millis();
        let millis = u64::try_from(took).unwrap_or(u64::MAX);
        self.total.add(answer, millis);
        let mut known = self.sources.iter_mut();
        match known.find(|(source, _)| *source == receipt.source) {
            Some((_, counts)) => counts.add(answer, millis),
            None => {
                let mut counts = Counts::default();
                counts.add(answer, millis);
                self.sources.push((receipt.source.clone(), counts));
            }
        }
    }

    /// What was counted in `period`.
    pub fn report(&self, period: Period) -> Report {
        let sources = self.sources.iter().map(|(source, counts)| counts.row(Some(source.clone())));
        Report {
            from: period.from,
            until: period.until,
            total: self.total.row(None),
            sources: sources.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::receipt::Closed;
    use crate::receipt::tests::delivery;

    const DAY: i64 = 86_400_000;

    fn receipt(outcomes: &[Outcome], closed: Option<ClosureOutcome>) -> Receipt {
        let deliveries = outcomes.iter().copied().map(delivery).collect();
        let mut receipt = Receipt::new("r", "consent", Timestamp(0), deliveries);
        receipt.closed =
            closed.map(|outcome| Closed { outcome, note: String::new(), at: Timestamp(DAY) });
        receipt
    }

    /// An erasure that was accepted after so many milliseconds.
    fn after(source: &str, millis: i64) -> Receipt {
        let mut one = delivery(Outcome::Accepted);
        one.updated_at = Timestamp(millis);
        Receipt::new("r", source, Timestamp(0), vec![one])
    }

    #[test]
    fn every_end_counts_as_one_thing() {
        use Answer::*;
        use Outcome::*;
        let (whole, absent) = (InWhole { has_data: true }, InWhole { has_data: false });
        for (outcomes, expected) in [
            (&[Accepted, AlreadyAbsent][..], whole),
            (&[Accepted, NotApplicable], whole),
            (&[AlreadyAbsent, NotApplicable], absent),
            (&[Accepted, Scheduled], Open),
            (&[Rejected, Blocked], Open),
            (&[Accepted, Rejected], InPart),
            (&[AlreadyAbsent, Discarded], InPart),
            (&[Accepted, InsufficientIdentification], InPart),
            (&[Rejected, NotApplicable], Denied),
            (&[NotApplicable], Denied),
            (&[NotErased, Uncertain, Exhausted], Denied),
            (&[Discarded], Denied),
            (&[InsufficientIdentification], Denied),
        ] {
            assert_eq!(Answer::of(&receipt(outcomes, None), false), expected, "{outcomes:?}");
            let partial = Answer::of(&receipt(outcomes, None), true);
            let is_whole = matches!(expected, InWhole { .. });
            assert_eq!(partial, if is_whole { InPart } else { expected }, "{outcomes:?}");
        }
        for (outcomes, closed, expected) in [
            (&[Rejected][..], ClosureOutcome::Completed, whole),
            (&[Scheduled], ClosureOutcome::NotFound, absent),
            (&[Rejected], ClosureOutcome::Failed, Denied),
            (&[Scheduled], ClosureOutcome::Failed, Denied),
            (&[Accepted, Rejected], ClosureOutcome::Failed, InPart),
        ] {
            let result = Answer::of(&receipt(outcomes, Some(closed)), false);
            assert_eq!(result, expected, "{outcomes:?} {closed:?}");
        }
    }

    #[test]
    fn the_report_tells_each_source_and_all() {
        let mut statistics = Statistics::of(["empty".to_owned()]);
        for (source, millis) in [("a", 0), ("a", DAY), ("b", 10 * DAY), ("b", 11 * DAY)] {
            statistics.add(&after(source, millis), false);
        }
        let closed = receipt(&[Outcome::Rejected], Some(ClosureOutcome::NotFound));
        statistics.add(&Receipt { source: "b".to_owned(), ..closed }, false);
        statistics.add(&receipt(&[Outcome::Scheduled], None), false);
        let period =
            Period::default().beginning("2026-01-01").and_then(|it| it.ending("2026-12-31"));
        let report = serde_json::to_value(statistics.report(period.unwrap())).unwrap();
        let expected = serde_json::json!({
            "from": "2026-01-01T00:00:00Z",
            "until": "2027-01-01T00:00:00Z",
            "total": { "received": 6, "complied_in_whole": 5, "without_data": 1, "complied_in_part": 0,
                       "denied": 0, "open": 1, "median_days": 1.0, "mean_days": 4.6 },
            "sources": [
                { "source": "empty", "received": 0, "complied_in_whole": 0, "without_data": 0,
                  "complied_in_part": 0, "denied": 0, "open": 0 },
                { "source": "a", "received": 2, "complied_in_whole": 2, "without_data": 0,
                  "complied_in_part": 0, "denied": 0, "open": 0, "median_days": 0.5, "mean_days": 0.5 },
                { "source": "b", "received": 3, "complied_in_whole": 3, "without_data": 1,
                  "complied_in_part": 0, "denied": 0, "open": 0, "median_days": 10.0,
                  "mean_days": 7.3 },
                { "source": "consent", "received": 1, "complied_in_whole": 0, "without_data": 0,
                  "complied_in_part": 0, "denied": 0, "open": 1 },
            ],
        });
        assert_eq!(report, expected);
    }

    fn outcome() -> impl Strategy<Value = Outcome> {
        use Outcome::*;
        prop::sample::select(vec![
            Accepted,
            AlreadyAbsent,
            Scheduled,
            Blocked,
            NotErased,
            Rejected,
            Uncertain,
            Exhausted,
            InsufficientIdentification,
            Discarded,
            NotApplicable,
        ])
    }

    proptest! {
        #[test]
        fn each_request_is_counted_once(
            receipts in prop::collection::vec((prop::collection::vec(outcome(), 1..4), any::<bool>()), 0..30),
        ) {
            let mut statistics = Statistics::default();
            for (outcomes, is_partial) in &receipts {
                statistics.add(&receipt(outcomes, None), *is_partial);
            }
            let row = statistics.report(Period::default()).total;
            let sum = row.complied_in_whole + row.complied_in_part + row.denied + row.open;
            prop_assert_eq!((sum, row.received), (receipts.len() as u64, receipts.len() as u64));
            prop_assert!(row.without_data <= row.complied_in_whole);
        }

        #[test]
        fn the_median_is_that_of_the_sorted_times(
            times in prop::collection::vec(0_i64..3_000 * 864_000, 1..40),
        ) {
            let mut statistics = Statistics::default();
            for millis in &times {
                statistics.add(&after("a", *millis), false);
            }
            let row = statistics.report(Period::default()).total;
            let mut days: Vec<f64> = times.iter().map(|it| *it as f64 / DAY as f64).collect();
            days.sort_by(f64::total_cmp);
            let (lower, upper) = (days[(days.len() - 1) / 2], days[days.len() / 2]);
            let (median, mean) = ((lower + upper) / 2.0, days.iter().sum::<f64>() / days.len() as f64);
            prop_assert!((row.median_days.unwrap().number() - median).abs() < 0.11);
            prop_assert!((row.mean_days.unwrap().number() - mean).abs() < 0.051);
        }
    }
}
