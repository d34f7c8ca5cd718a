//! What was measured, by peer.

use anyhow::Result;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use send::output::line;
use serde_json::{Map, Value, json};

use super::peer::Peer;
use super::runs::{Pick, RUNS, Turn};
use super::spread::Spread;
use crate::measure::statistics::millis;

/// A figure of a whole turn.
type TurnPick = fn(&Turn) -> Option<f64>;

const OF_TURNS: [(&str, &str, TurnPick); 3] = [
    ("first_answer_ms", "start to first answer (ms)", |turn| Some(millis(turn.first_answer))),
    ("resident_mb", "resident memory (MB)", |turn| Some(turn.resident as f64 / 1e6)),
    ("rows_written", "rows written for a delivery that is sent at once", |turn| turn.rows_written),
];

/// Everything that was measured.
pub struct Figures(Vec<Column>);

/// One peer's figures.
pub struct Column {
    pub key: String,
    pub label: String,
    pub durable: bool,
    /// What is uploaded, gzipped, in bytes.
    pub gzipped: u64,
    /// One for each round; `None` where the peer was left out.
    pub turns: Vec<Option<Turn>>,
}

impl Figures {
    /// # Errors
    /// Where a bundle cannot be read.
    pub fn new(peers: &[Peer], turns: Vec<Vec<Option<Turn>>>) -> Result<Self> {
        let column = |(peer, turns): (&Peer, _)| {
            let (key, label) = (peer.key.clone(), peer.label.clone());
            Ok(Column { key, label, durable: peer.durable, gzipped: peer.gzipped()?, turns })
        };
        peers.iter().zip(turns).map(column).collect::<Result<_>>().map(Self)
    }

    /// The peers, in the order in which they are shown.
    pub fn columns(&self) -> &[Column] {
        &self.0
    }

    /// The figures of one peer, if it was measured.
    pub fn column(&self, key: &str) -> Option<&Column> {
        self.0.iter().find(|column| column.key == key)
    }

    /// A figure of `one` and `other` put together round by round; `None` where they were never
    /// measured in the same round.
    pub fn paired(
        &self,
        [one, other]: [&str; 2],
        of: impl Fn(&Turn) -> Option<f64>,
        together: impl Fn(f64, f64) -> f64,
    ) -> Option<Spread> {
        let (one, other) = (self.column(one)?, self.column(other)?);
        let rounds = one.turns.iter().zip(&other.turns);
        Spread::of(
            rounds.filter_map(|(one, other)| {
                Some(together(of(one.as_ref()?)?, of(other.as_ref()?)?))
            }),
        )
    }

    /// Prints every figure: its median and quartiles.
    ///
    /// # Errors
    /// Where it cannot be printed.
    pub fn show(&self) -> Result<()> {
        let mut table = Table::new();
        let labels = self.0.iter().map(|column| column.label.replace(", ", ",\n"));
        table.load_style(UTF8_FULL_CONDENSED);
        table.set_header(std::iter::once("median [quartiles]".to_owned()).chain(labels));
        let mut add = |name: String, cells: Vec<Option<String>>| {
            if cells.iter().any(Option::is_some) {
                let cells = cells.into_iter().map(Option::unwrap_or_default);
                table.add_row(std::iter::once(name).chain(cells));
            }
        };
        for (index, run) in RUNS.iter().enumerate() {
            for pick in run.shown {
                let name = format!("{}: {}{}", run.describe(), pick.name, pick.unit);
                add(name, self.cells(|turn| turn.figure(index, pick)));
            }
        }
        for (_, label, of) in OF_TURNS {
            add(label.to_owned(), self.cells(of));
        }
        let size = |column: &Column| Some(format!("{:.1}", column.gzipped as f64 / 1000.0));
        add("bundle, gzipped (KB)".to_owned(), self.0.iter().map(size).collect());
        for index in 1..table.column_count() {
            if let Some(column) = table.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        line(&table)
    }

    fn cells(&self, of: impl Fn(&Turn) -> Option<f64>) -> Vec<Option<String>> {
        let cell = |column: &Column| Some(column.spread(&of)?.to_string());
        self.0.iter().map(cell).collect()
    }

    /// Every figure by peer: lower quartile, median, upper quartile.
    pub fn json(&self) -> Value {
        let each = self.0.iter().map(|column| {
            let mut figures = Map::new();
            let mut add = |key: String, spread: Option<Spread>| {
                figures.extend(spread.map(|spread| (key, spread.json())));
            };
            for (index, run) in RUNS.iter().enumerate() {
                for pick in run.shown {
                    let spread = column.spread(|turn| turn.figure(index, pick));
                    add(format!("{}_{}", run.key, pick.key), spread);
                }
            }
            for (key, _, of) in OF_TURNS {
                add(key.to_owned(), column.spread(of));
            }
            figures.insert("gzipped".to_owned(), json!(column.gzipped));
            (column.key.clone(), Value::Object(figures))
        });
        Value::Object(each.collect())
    }
}

impl Column {
    /// A figure over the rounds; `None` where no round has it.
    pub fn spread(&self, of: impl Fn(&Turn) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.turns.iter().flatten().filter_map(of))
    }
}

impl Turn {
    /// A figure of the run of this index in [`RUNS`]; `None` where it was left out.
    pub fn figure(&self, run: usize, pick: &Pick) -> Option<f64> {
        Some((pick.of)(self.runs.get(run)?.as_ref()?))
    }
}
