//! The receipts of a period as a file: NDJSON, one receipt a line, or CSV, one delivery a line.
//!
//! Neither holds personal data: a request's id that may be personal is shown by its pseudonym, as logs show
//! it. NDJSON is complete where its last line is `{"complete":true,"erasures":N}`. CSV (RFC 4180) has no
//! such line: it is complete where the response ends in order.
//!
//! A program that calculates tables takes a cell that begins with `=`, `+`, `-` or `@` for a formula, which
//! can send what is in other cells elsewhere. Such a cell begins with an apostrophe.

use std::fmt::Write;

use serde::Serialize;

use crate::erasure::RequestId;
use crate::list_query;
use crate::period::{self, Period};
use crate::pseudonym::Pseudonyms;
use crate::receipt::{Delivery, Receipt, Timestamp};

/// What the file is written as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// One receipt a line.
    #[default]
    Ndjson,
    /// One delivery a line.
    Csv,
}

impl Format {
    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    /// The end of the file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }
}

/// Which receipts are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Only those of this source.
    pub source: Option<String>,
    /// Only those that came in this period.
    pub period: Period,
    /// What they are written as.
    pub format: Format,
}

impl Query {
    /// Reads the query of a URL, the part after `?`; `has_format` says whether there may be a `format`.
    ///
    /// # Errors
    /// What is wrong with it. The message repeats nothing of the query.
    pub fn parse(query: &str, has_format: bool) -> Result<Self, String> {
        let (mut list, mut format) = (list_query::Query::default(), Format::default());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match (&*name, &*value) {
                ("source" | "from" | "to", _) => {
                    list.set(&name, &value)?;
                }
                ("format", "" | "ndjson") if has_format => format = Format::Ndjson,
                ("format", "csv") if has_format => format = Format::Csv,
                ("format", _) if has_format => {
                    return Err("format must be ndjson or csv".to_owned());
                }
                _ if has_format => {
                    return Err("the query may name from, to, source and format".to_owned());
                }
                _ => return Err("the query may name from, to and source".to_owned()),
            }
        }
        let parsed = Self { source: list.source, period: list.period, format };
        if parsed.period.is_empty() {
            return Err(period::ENDS_EARLY.to_owned());
        }
        Ok(parsed)
    }

    /// A name for the file: which days it holds.
    pub fn file_name(&self) -> String {
        let day = |time: Timestamp| time.to_string().get(..10).unwrap_or_default().to_owned();
        let mut name = "erasures".to_owned();
        if let Some(from) = self.period.from {
            name.push_str(&format!("-from-{}", day(from)));
        }
        if let Some(until) = self.period.until {
            name.push_str(&format!("-to-{}", day(Timestamp(until.0.saturating_sub(1)))));
        }
        format!("{name}.{}", self.format.extension())
    }
}

/// A request's id as it may be shown outside: one that may be personal by its pseudonym, or not at all.
pub fn shown_id(id: &str, pseudonyms: Option<&Pseudonyms>) -> String {
    let is_opaque = RequestId::parse(id).is_some_and(|id| id.is_opaque());
    if is_opaque {
        return id.to_owned();
    }
    pseudonyms.map_or_else(|| "(withheld)".to_owned(), |names| names.of_request(id))
}

/// The last line of a file in NDJSON.
#[derive(Serialize)]
struct End {
    complete: bool,
    erasures: u64,
}

/// Writes a file, some receipts at a time.
pub struct Writer {
    format: Format,
    erasures: u64,
}

impl Writer {
    /// Nothing is written yet.
    pub fn new(format: Format) -> Self {
        Self { format, erasures: 0 }
    }

    /// What stands before all receipts.
    pub fn begin(&self) -> String {
        match self.format {
            Format::Ndjson => String::new(),
            Format::Csv => {
                let mut header = String::new();
                row(&mut header, COLUMNS);
                header
            }
        }
    }

    /// These receipts, whose ids are shown by `pseudonyms` where they may be personal. `None` where one
    /// cannot be written.
    pub fn write(
        &mut self,
        receipts: Vec<Receipt>,
        pseudonyms: Option<&Pseudonyms>,
    ) -> Option<String> {
        let mut text = String::new();
        for mut receipt in receipts {
            receipt.request_id = shown_id(&receipt.request_id, pseudonyms);
            self.erasures = self.erasures.saturating_add(1);
            match self.format {
                Format::Ndjson => line(&mut text, &receipt)?,
                Format::Csv => rows(&mut text, &receipt),
            }
        }
        Some(text)
    }

    /// What stands after all receipts; `None` where it cannot be written.
    pub fn end(&self) -> Option<String> {
        let mut text = String::new();
        if self.format == Format::Ndjson {
            line(&mut text, &End { complete: true, erasures: self.erasures })?;
        }
        Some(text)
    }
}

fn line(text: &mut String, value: &impl Serialize) -> Option<()> {
    text.push_str(&serde_json::to_string(value).ok()?);
    text.push('\n');
    Some(())
}

/// The columns of CSV: the members of a receipt, of one of its deliveries, and of how it was closed.
const COLUMNS: [&str; 21] = [
    "source",
    "request_id",
    "received_at",
    "due_by",
    "state",
    "vendor",
    "call",
    "identifier",
    "subject",
    "outcome",
    "status",
    "attempts",
    "detail",
    "trace",
    "next_attempt_at",
    "updated_at",
    "acknowledged_at",
    "acknowledged_note",
    "closed_outcome",
    "closed_note",
    "closed_at",
];

/// One row for each delivery.
fn rows(text: &mut String, receipt: &Receipt) {
    let Receipt { request_id, source, state, received_at, due_by, deliveries, closed, .. } =
        receipt;
    let time = |time: Option<Timestamp>| time.map(|it| it.to_string()).unwrap_or_default();
    let (received_at, due_by) = (received_at.to_string(), time(*due_by));
    let closed_at = time(closed.as_ref().map(|closed| closed.at));
    let closed_outcome = closed.as_ref().map(|closed| closed.outcome.name());
    let closed_note = closed.as_ref().map(|closed| closed.note.as_str());
    for delivery in deliveries {
        let Delivery { vendor, call, identifier, subject, outcome, status, attempts, .. } =
            delivery;
        let Delivery { detail, trace, next_attempt_at, updated_at, acknowledged, .. } = delivery;
        let acknowledged_at = time(acknowledged.as_ref().map(|seen| seen.at));
        let acknowledged_note = acknowledged.as_ref().map(|seen| seen.note.as_str());
        let status = status.map(|status| status.to_string()).unwrap_or_default();
        let (attempts, updated_at) = (attempts.to_string(), updated_at.to_string());
        let next_attempt_at = time(*next_attempt_at);
        row(
            text,
            [
                source,
                request_id,
                &received_at,
                &due_by,
                state.name(),
                vendor,
                call.as_deref().unwrap_or_default(),
                identifier.as_deref().unwrap_or_default(),
                subject.as_deref().unwrap_or_default(),
                outcome.name(),
                &status,
                &attempts,
                detail.as_deref().unwrap_or_default(),
                trace.as_deref().unwrap_or_default(),
                &next_attempt_at,
                &updated_at,
                &acknowledged_at,
                acknowledged_note.unwrap_or_default(),
                closed_outcome.unwrap_or_default(),
                closed_note.unwrap_or_default(),
                &closed_at,
            ],
        );
    }
}

/// One record of RFC 4180.
fn row<const N: usize>(text: &mut String, cells: [&str; N]) {
    for (index, value) in cells.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        cell(text, value);
    }
    text.push_str("\r\n");
}

/// One cell, in quotes where it must be.
fn cell(text: &mut String, value: &str) {
    let apostrophe = if value.starts_with(is_formula) { "'" } else { "" };
    if value.contains(['"', ',', '\r', '\n']) {
        let _ = write!(text, "\"{apostrophe}{}\"", value.replace('"', "\"\"")); // a String takes every write
    } else {
        let _ = write!(text, "{apostrophe}{value}");
    }
}

/// What begins a formula, also in its wide form, or hides what does.
fn is_formula(first: char) -> bool {
    matches!(first, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::receipt::tests::delivery;
    use crate::receipt::{Acknowledged, Closed, ClosureOutcome, Outcome};

    const OPAQUE: &str = "a7551968-d5d6-44b2-9831-815ac9017798";

    fn names() -> Pseudonyms {
        Pseudonyms::new(&"a key of 16 bytes or more".into(), None).unwrap()
    }

    fn receipt(request_id: &str, detail: &str) -> Receipt {
        let mut one = delivery(Outcome::Accepted);
        one.detail = Some(detail.to_owned().into());
        Receipt::new(request_id, "consent", Timestamp(0), vec![one, delivery(Outcome::Rejected)])
    }

    /// What a parser reads of a file in CSV: its header, and its records.
    fn parsed(receipts: Vec<Receipt>) -> (Vec<String>, Vec<Vec<String>>) {
        let mut writer = Writer::new(Format::Csv);
        let mut text = writer.begin();
        text.push_str(&writer.write(receipts, Some(&names())).unwrap());
        text.push_str(&writer.end().unwrap());
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let owned = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
        let header = owned(reader.headers().unwrap());
        (header, reader.records().map(|record| owned(&record.unwrap())).collect())
    }

    fn column<'a>(
        (header, records): &'a (Vec<String>, Vec<Vec<String>>),
        name: &str,
    ) -> Vec<&'a str> {
        let at = header.iter().position(|column| column == name).unwrap();
        records.iter().map(|record| record[at].as_str()).collect()
    }

    #[test]
    fn csv_has_one_row_a_delivery() {
        let mut first = receipt(OPAQUE, "said \"no\", twice\r\nor more");
        first.due_by = Some(Timestamp(86_400_000));
        let (outcome, note) = (ClosureOutcome::NotFound, "TICKET-1, see there".to_owned());
        first.closed = Some(Closed { outcome, note, at: Timestamp(1000) });
        let (at, note) = (Timestamp(2000), "=seen".to_owned());
        first.deliveries[1].acknowledged = Some(Acknowledged { at, note });
        let table = parsed(vec![first, receipt(OPAQUE, "")]);
        assert_eq!(table.0, COLUMNS);
        assert_eq!(column(&table, "acknowledged_at")[1], "1970-01-01T00:00:02Z");
        assert_eq!(column(&table, "acknowledged_note"), ["", "'=seen", "", ""]);
        assert_eq!(table.1.len(), 4);
        assert_eq!(column(&table, "request_id"), [OPAQUE; 4]);
        assert_eq!(column(&table, "outcome"), ["accepted", "rejected", "accepted", "rejected"]);
        assert_eq!(column(&table, "detail"), ["said \"no\", twice\r\nor more", "", "", ""]);
        assert_eq!(
            column(&table, "due_by"),
            ["1970-01-02T00:00:00Z", "1970-01-02T00:00:00Z", "", ""]
        );
        assert_eq!(column(&table, "closed_outcome"), ["not_found", "not_found", "", ""]);
        assert_eq!(column(&table, "closed_note")[0], "TICKET-1, see there");
        assert_eq!(column(&table, "status"), ["200"; 4]);
        assert_eq!(column(&table, "state"), ["attention"; 4]);
    }

    #[test]
    fn no_cell_is_a_formula() {
        for begin in ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"] {
            let text = format!("{begin}HYPERLINK(\"https://example.com\")");
            let table = parsed(vec![receipt(OPAQUE, &text)]);
            assert_eq!(column(&table, "detail")[0], format!("'{text}"));
        }
        for plain in ["", "a=1", "1-2", "'=1", " ", "é"] {
            let table = parsed(vec![receipt(OPAQUE, plain)]);
            assert_eq!(column(&table, "detail")[0], plain);
        }
    }

    #[test]
    fn an_id_that_may_be_personal_is_a_pseudonym() {
        for personal in ["jane@example.com", "42", "=1+1"] {
            for format in [Format::Ndjson, Format::Csv] {
                let mut writer = Writer::new(format);
                let text = writer.write(vec![receipt(personal, "")], Some(&names())).unwrap();
                let shown = names().of_request(personal);
                assert!(text.contains(&shown) && !text.contains(personal), "{text}");
                let text = writer.write(vec![receipt(personal, "")], None).unwrap();
                assert!(text.contains("(withheld)") && !text.contains(personal), "{text}");
            }
        }
        assert_eq!(shown_id(OPAQUE, Some(&names())), OPAQUE);
    }

    #[test]
    fn ndjson_ends_with_a_count() {
        let mut writer = Writer::new(Format::Ndjson);
        let mut text = writer.begin();
        for _ in 0..2 {
            let receipts = vec![receipt(OPAQUE, "a\nb"), receipt(OPAQUE, "")];
            text.push_str(&writer.write(receipts, Some(&names())).unwrap());
        }
        text.push_str(&writer.end().unwrap());
        let lines: Vec<&str> = text.split_terminator('\n').collect();
        let one = serde_json::to_string(&receipt(OPAQUE, "a\nb")).unwrap();
        assert_eq!((lines.len(), lines[0]), (5, one.as_str()), "as in a list");
        assert_eq!(lines[4], r#"{"complete":true,"erasures":4}"#);
    }

    #[test]
    fn a_query_is_a_period_a_source_and_a_format() {
        let query = Query::parse("from=2026-01-01&to=2026-01-31&source=consent&format=csv", true);
        let query = query.unwrap();
        assert_eq!((query.source.as_deref(), query.format), (Some("consent"), Format::Csv));
        assert_eq!(query.file_name(), "erasures-from-2026-01-01-to-2026-01-31.csv");
        let to_noon = Query::parse("to=2026-01-31T12:00:00Z", true).unwrap();
        assert_eq!(to_noon.file_name(), "erasures-to-2026-01-31.ndjson");
        assert_eq!(Query::parse("from=&to=&format=", true).unwrap(), Query::default());
        assert_eq!(Query::default().file_name(), "erasures.ndjson");
        for (wrong, has_format) in [
            ("format=xml", true),
            ("format=csv", false),
            ("from=yesterday", true),
            ("to=2026-02-30", true),
            ("from=2026-01-02&to=2026-01-01", true),
            ("pii=pii", true),
            ("pii=pii", false),
            ("before=x", true),
        ] {
            let wrong = Query::parse(wrong, has_format).unwrap_err();
            assert!(!wrong.contains("pii"), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(texts in prop::collection::vec("[\\PC\r\n\t\",=+@-]{0,12}", 1..6)) {
            let receipts = texts.iter().map(|text| receipt(OPAQUE, text)).collect();
            let table = parsed(receipts);
            let details = column(&table, "detail").into_iter().step_by(2);
            for (read, text) in details.zip(&texts) {
                prop_assert_eq!(read.strip_prefix('\'').unwrap_or(read), text.strip_prefix('\'').unwrap_or(text));
                prop_assert!(!read.starts_with(is_formula));
            }
        }
    }
}
