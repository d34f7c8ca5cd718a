//! Medians with their spread, ratios within a round, and the goals.

use std::path::Path;

use anyhow::{Context, Result};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde_json::{Map, Value, json};

use super::peer::{BASELINE, Peer, RELAY};
use super::rounds::{Measured, RUNS, Turn, WARM_UPS};
use crate::checks::BUNDLE_LIMIT;
use crate::measure::Report;
use crate::measure::statistics::millis;
use crate::toolchain::Toolchain;

/// Insider's limit, in calls a second, for one identifier each.
const INSIDER_PER_SECOND: f64 = 1000.0 / 60.0;

/// How much the memory may grow over the second half of the endurance run, in percent.
const GROWTH_PERCENT: f64 = 5.0;

/// Times a module is compiled and instantiated, with functions that do nothing as its imports.
const INSTANTIATE: &str = "
const bytes = require('node:fs').readFileSync(process.argv[1]);
const times = [];
for (let round = 0; round < 15; round++) {
  const started = performance.now();
  const module = new WebAssembly.Module(bytes);
  const compiled = performance.now();
  const imports = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    (imports[from] ??= {})[name] = kind === 'tag' ? WebAssembly.JSTag : () => {};
  }
  const ready = performance.now();
  new WebAssembly.Instance(module, imports);
  times.push([compiled - started, performance.now() - ready]);
}
const median = (at) => times.map((time) => time[at]).sort((a, b) => a - b)[7];
console.log(JSON.stringify([median(0), median(1)]));
";

/// One figure of one peer in one turn.
type Pick = fn(&Measured) -> f64;

const PICKS: [(&str, &str, Pick); 4] = [
    ("cpu_us", "CPU (µs)", |run| run.cpu.as_secs_f64() * 1e6),
    ("per_s", "requests/s", |run| run.per_second),
    ("p50_ms", "p50 (ms)", |run| run.p50.as_secs_f64() * 1e3),
    ("p99_ms", "p99 (ms)", |run| run.p99.as_secs_f64() * 1e3),
];

/// Everything that was measured.
pub struct Figures {
    columns: Vec<Column>,
    /// To compile the Wasm, and to instantiate it, in milliseconds.
    module: Option<[f64; 2]>,
}

/// One peer's figures.
pub struct Column {
    pub key: &'static str,
    pub label: &'static str,
    gzipped: u64,
    turns: Vec<Turn>,
}

impl Figures {
    /// # Errors
    /// Where a bundle cannot be read, or the module not be instantiated.
    pub fn new(toolchain: &Toolchain, peers: &[Peer], turns: Vec<Vec<Turn>>) -> Result<Self> {
        let mut columns = Vec::new();
        for (peer, turns) in peers.iter().zip(turns) {
            let (key, label, gzipped) = (peer.key, peer.label, peer.gzipped()?);
            columns.push(Column { key, label, gzipped, turns });
        }
        let wasm = peers.iter().find_map(|peer| peer.wasm.as_deref());
        let module = wasm.map(|wasm| instantiate(toolchain, wasm)).transpose()?;
        Ok(Self { columns, module })
    }

    /// The peers, the relay first.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Prints every figure: its median, and the least and the greatest.
    pub fn show(&self) {
        let mut table = Table::new();
        let labels = self.columns.iter().map(|column| column.label.replace(", ", ",\n"));
        table.load_style(UTF8_FULL_CONDENSED);
        table.set_header(std::iter::once("median (least–greatest)".to_owned()).chain(labels));
        for (index, run) in RUNS.iter().enumerate().skip(WARM_UPS) {
            let what = format!("{} KiB, {} connections", run.bytes / 1024, run.connections);
            for (_, label, pick) in PICKS {
                let cells = self.columns.iter().map(|column| column.spread(index, pick));
                let name = format!("{what}: {label}");
                table.add_row(std::iter::once(name).chain(cells.map(|cell| cell.to_string())));
            }
        }
        let starts = self.columns.iter().map(|column| column.start().to_string());
        table.add_row(std::iter::once("start to first answer (ms)".to_owned()).chain(starts));
        let resident = self.columns.iter().map(|column| column.resident().to_string());
        table.add_row(std::iter::once("resident memory (MB)".to_owned()).chain(resident));
        let sizes = self.columns.iter().map(|column| kilobytes(column.gzipped));
        table.add_row(std::iter::once("bundle, gzipped (KB)".to_owned()).chain(sizes));
        for index in 1..table.column_count() {
            if let Some(column) = table.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        println!("{table}");
    }

    /// The goals, and all figures for the JSON. `memory` is what was resident during the endurance
    /// run, in bytes.
    pub fn report(&self, memory: &[u64]) -> Report {
        let mut report = Report::new("bench");
        if let Some([compiled, instantiated]) = self.module {
            report.figure("compile_ms", "to compile the Wasm module (ms)", round(compiled));
            report.figure("instantiate_ms", "to instantiate it (ms)", round(instantiated));
        }
        for (key, label, other, run, most) in [
            ("cpu_to_handwritten", "hand-written JavaScript", BASELINE, "1k_32", 1.0),
            ("cpu_to_hono", "Hono and standardwebhooks", "hono", "1k_32", 0.7),
            ("cpu_to_limit", "the pass-through", "pass_through", "1k_32", 1.3),
            (
                "cpu_to_handwritten_256k",
                "hand-written JavaScript, 256 KiB",
                BASELINE,
                "256k_8",
                0.9,
            ),
        ] {
            let Some(ratio) = self.ratio(other, run) else { continue };
            let label = format!("CPU, direct, to that of {label}");
            report.goal(key, &label, round(ratio), &format!("≤ {most}"), ratio <= most);
        }
        if let (Some(relay), Some(baseline)) = (self.column(RELAY), self.column(BASELINE)) {
            let later = relay.start().median - baseline.start().median;
            let label = "first answer later than hand-written JavaScript's by (ms)";
            report.goal("start_later_ms", label, round(later), "≤ 15", later <= 15.0);
            let goal = format!("≤ {BUNDLE_LIMIT}");
            let met = relay.gzipped <= BUNDLE_LIMIT;
            report.goal("gzipped", "bundle, gzipped (bytes)", relay.gzipped, &goal, met);
        }
        if let Some(durable) = self.column("durable") {
            let rows = durable.spread(WARM_UPS, PICKS[1].2).median;
            let goal = INSIDER_PER_SECOND * 30.0;
            let label = "rows through one lane (1/s)";
            report.goal(
                "lane_rows_per_s",
                label,
                rows.round(),
                &format!("≥ {goal:.0}"),
                rows >= goal,
            );
        }
        if let (Some(half), Some(end)) =
            (memory.get(memory.len().saturating_sub(1) / 2), memory.last())
        {
            let growth = (*end as f64 / *half as f64 - 1.0) * 100.0;
            let label = "memory's growth over the second half of the endurance run (%)";
            let goal = format!("≤ {GROWTH_PERCENT}");
            report.goal("growth_percent", label, round(growth), &goal, growth <= GROWTH_PERCENT);
        }
        report.detail("endurance_resident_bytes", memory.to_vec());
        report.detail("peers", self.json());
        report
    }

    fn column(&self, key: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.key == key)
    }

    /// The CPU time of the relay's direct delivery in units of another peer's, in the same round:
    /// the median over the rounds.
    fn ratio(&self, other: &str, run: &str) -> Option<f64> {
        let index = RUNS.iter().position(|known| known.key == run)?;
        let cpu = |turn: &Turn| turn.runs[index].cpu.as_secs_f64();
        let (relay, other) = (self.column(RELAY)?, self.column(other)?);
        let turns = relay.turns.iter().zip(&other.turns);
        Some(Spread::of(turns.map(|(one, two)| cpu(one) / cpu(two))).median)
    }

    fn json(&self) -> Value {
        let each = self.columns.iter().map(|column| {
            let mut figures = Map::new();
            for (index, run) in RUNS.iter().enumerate().skip(WARM_UPS) {
                for (key, _, pick) in PICKS {
                    let spread = column.spread(index, pick);
                    figures.insert(format!("{}_{key}", run.key), spread.json());
                }
            }
            figures.insert("first_answer_ms".to_owned(), column.start().json());
            figures.insert("resident_mb".to_owned(), column.resident().json());
            figures.insert("gzipped".to_owned(), json!(column.gzipped));
            (column.key.to_owned(), Value::Object(figures))
        });
        Value::Object(each.collect())
    }
}

impl Column {
    /// The CPU time of one webhook of 1 KiB, in microseconds.
    pub fn cpu(&self) -> f64 {
        self.spread(WARM_UPS, PICKS[0].2).median
    }

    fn spread(&self, run: usize, pick: Pick) -> Spread {
        Spread::of(self.turns.iter().map(|turn| pick(&turn.runs[run])))
    }

    fn start(&self) -> Spread {
        Spread::of(self.turns.iter().map(|turn| millis(turn.first_answer)))
    }

    fn resident(&self) -> Spread {
        Spread::of(self.turns.iter().map(|turn| turn.resident as f64 / 1e6))
    }
}

fn instantiate(toolchain: &Toolchain, wasm: &Path) -> Result<[f64; 2]> {
    let output = toolchain.node_bin("node").args(["--eval", INSTANTIATE]).arg(wasm).output()?;
    serde_json::from_slice(&output.stdout).context("the module cannot be timed")
}

/// The middle of some values, and how far they reach.
struct Spread {
    least: f64,
    median: f64,
    greatest: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or_default();
        let last = values.len().saturating_sub(1);
        Self { least: at(0), median: at(last / 2), greatest: at(last) }
    }

    fn json(&self) -> Value {
        json!([round(self.least), round(self.median), round(self.greatest)])
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = if self.median < 10.0 { 2 } else { 0 };
        let Self { least, median, greatest } = self;
        write!(f, "{median:.digits$} ({least:.digits$}–{greatest:.digits$})")
    }
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn kilobytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1000.0)
}
