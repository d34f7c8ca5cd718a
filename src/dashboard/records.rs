//! Statistics of a period, and its receipts as files.

use maud::{Markup, html};

use super::layout::{Frame, Section, page};
use super::parts::{self, cell, columns, text};
use super::path;
use crate::session::Session;
use crate::statistics::{Days, Report, Row};

/// The page of a period.
pub struct Records<'a> {
    /// Who sees it.
    pub session: &'a Session,
    /// The first and the last day, and the source, as they were chosen.
    pub chosen: &'a Chosen,
    /// The sources that are configured.
    pub sources: &'a [&'a str],
    /// What was counted, or why nothing can be.
    pub report: Result<&'a Report, &'a str>,
}

/// A period and a source, as a form has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The first day.
    pub from: String,
    /// The last day.
    pub to: String,
    /// The source; empty for all.
    pub source: String,
}

impl Chosen {
    /// As the query of the API.
    pub fn query(&self) -> String {
        let Self { from, to, source } = self;
        let [from, to, source] = [from, to, source].map(|text| path::value(text));
        format!("from={from}&to={to}&source={source}")
    }
}

/// The page.
pub fn records(records: &Records<'_>) -> String {
    let Records { session, chosen, sources, report } = records;
    let query = chosen.query();
    let file = |format: &str| format!("{}?{query}&format={format}", path::EXPORT);
    let content = html! {
        h1 { "Records" }
        form.filter method="get" action=(path::RECORDS) aria-label="Period" {
            (parts::day("from", "Received from", &chosen.from))
            (parts::day("to", "Received until", &chosen.to))
            (parts::select_name("source", "Source", sources, &chosen.source))
            button type="submit" { "Show" }
        }
        @match report {
            Err(wrong) => p.error role="alert" { "The period cannot be used: " (wrong) },
            Ok(report) => {
                h2 { "Statistics" }
                (table(report))
                p.hint {
                    "As the regulations of the CCPA want them of a year (11 CCR § 7102): requests to \
                    delete that were received, complied with in whole or in part, and denied, and the \
                    median and mean number of days until the last answer."
                }
                p { a href=(format!("{}?{query}", path::STATISTICS)) { "The same as JSON" } }
                h2 { "Receipts of the period" }
                p {
                    "Every receipt, without personal data, for the record that must be kept for 24 \
                    months (11 CCR § 7101). A request's id that may be personal is shown by its \
                    pseudonym."
                }
                p.actions {
                    a.button href=(file("ndjson")) download { "Download NDJSON" }
                    a.button href=(file("csv")) download { "Download CSV" }
                }
            }
        }
    };
    let (title, section) = ("Records", Section::Records);
    page(&Frame { title, section, session: Some(session), message: None }, &content)
}

fn table(report: &Report) -> Markup {
    html! {
        table {
            caption { "Requests that were received in the period" }
            (columns(&[
                "Source", "Received", "In whole", "Without data", "In part", "Denied", "Open",
                "Median days", "Mean days",
            ]))
            tbody {
                @for source in &report.sources { (row(source)) }
                (row(&report.total))
            }
        }
    }
}

fn row(row: &Row) -> Markup {
    let numbers = [
        ("Received", row.received),
        ("In whole", row.complied_in_whole),
        ("Without data", row.without_data),
        ("In part", row.complied_in_part),
        ("Denied", row.denied),
        ("Open", row.open),
    ];
    html! {
        tr {
            th scope="row" { (row.source.as_deref().unwrap_or("All")) }
            @for (name, number) in numbers { (cell(name, &html! { (number) })) }
            @for (name, days) in [("Median days", row.median_days), ("Mean days", row.mean_days)] {
                (cell(name, &text(&shown(days))))
            }
        }
    }
}

fn shown(days: Option<Days>) -> String {
    days.map_or_else(|| "–".to_owned(), |days| days.to_string())
}
