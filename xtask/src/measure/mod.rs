//! What the measurements share: the platform that sends, what the vendors have confirmed, what the
//! Worker tells its operator, statistics, and the report, a table for people and JSON for machines.

pub mod operator;
pub mod platform;
pub mod statistics;
pub mod vendors;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::builder::RangedU64ValueParser;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use send::output::line;
use serde_json::{Map, Value};

/// Reads a count of an option. None would measure nothing, and meet every goal.
#[must_use]
pub fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// The figures of one measurement, in the order in which they are shown.
pub struct Report {
    name: &'static str,
    rows: Vec<[String; 3]>,
    figures: Map<String, Value>,
    missed: Vec<String>,
}

impl Report {
    /// An empty one; `name` is that of the command.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name, rows: Vec::new(), figures: Map::new(), missed: Vec::new() }
    }

    /// Adds a figure: `key` names it in the JSON, `label`, with its unit, in the table.
    pub fn figure(&mut self, key: &str, label: &str, value: impl Into<Value>) {
        self.row(key, label, value.into(), String::new());
    }

    /// Adds a figure that has a goal, which was met or missed.
    pub fn goal(&mut self, key: &str, label: &str, value: impl Into<Value>, goal: &str, met: bool) {
        let verdict = if met { "met" } else { "MISSED" };
        self.row(key, label, value.into(), format!("{goal}: {verdict}"));
        if !met {
            self.missed.push(format!("{label}: not {goal}"));
        }
    }

    /// Adds a count of what must not be.
    pub fn none(&mut self, key: &str, label: &str, count: usize) {
        self.goal(key, label, count, "0", count == 0);
    }

    /// Adds what is for the JSON alone.
    pub fn detail(&mut self, key: &str, value: impl Into<Value>) {
        self.figures.insert(key.to_owned(), value.into());
    }

    fn row(&mut self, key: &str, label: &str, value: Value, goal: String) {
        self.rows.push([label.to_owned(), shown(&value), goal]);
        self.detail(key, value);
    }

    /// Prints the table, and writes the JSON to target/measure.
    ///
    /// # Errors
    /// Where a goal was missed, or the file cannot be written.
    pub fn finish(self) -> Result<()> {
        let missed = self.show()?;
        if missed.is_empty() {
            return Ok(());
        }
        bail!("{}", missed.join("\n"));
    }

    /// The same where goals may be missed: on another machine, or a busy one. Returns those that
    /// were.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn show(mut self) -> Result<Vec<String>> {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_header([self.name, "", "goal"]);
        for row in &self.rows {
            table.add_row(row);
        }
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        line(&table)?;
        self.detail("goals_missed", self.missed.clone());
        let json = serde_json::to_vec_pretty(&Value::Object(self.figures))?;
        let place = keep(&format!("{}.json", self.name), &json)?;
        line(format_args!("{}", place.strip_prefix(crate::root()).unwrap_or(&place).display()))?;
        Ok(self.missed)
    }
}

/// As people read it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().unwrap_or_default();
            let digits = if number.abs() < 10.0 { 2 } else { 1 };
            format!("{number:.digits$}")
        }
        Value::Object(members) => {
            let each = members.iter().map(|(name, value)| format!("{name}: {}", shown(value)));
            each.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// Writes a file to target/measure, and returns its path.
///
/// # Errors
/// Where it cannot be written.
pub fn keep(name: &str, content: &[u8]) -> Result<PathBuf> {
    let folder = crate::root().join("target/measure");
    let place = folder.join(name);
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&place, content))
        .with_context(|| format!("cannot write {}", place.display()))?;
    Ok(place)
}
