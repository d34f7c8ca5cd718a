//! A picture of the main figure: CPU time for each webhook, of the peers that store nothing.

use std::fmt::Write;

use anyhow::Result;

use super::figures::{Column, Figures};
use super::peer::RELAY;
use super::runs::{CPU, RUNS};
use crate::measure::keep;

const WIDTH: f64 = 720.0;
/// Where the bars begin.
const LEFT: f64 = 250.0;
/// What is left for a bar's figure.
const RIGHT: f64 = 60.0;
/// From one bar to the next.
const STEP: f64 = 34.0;
/// What is above the bars.
const TOP: f64 = 44.0;

/// Draws target/measure/bench.svg.
///
/// # Errors
/// Where it cannot be written.
pub fn draw(figures: &Figures) -> Result<()> {
    let direct = figures.columns().iter().filter(|column| !column.durable);
    let bars: Vec<_> = direct.filter_map(|column| Some((column, cpu(column)?))).collect();
    if bars.is_empty() {
        return Ok(());
    }
    let most = bars.iter().map(|(_, cpu)| *cpu).fold(1.0, f64::max);
    let height = TOP + STEP * bars.len() as f64 + 10.0;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="system-ui, sans-serif" font-size="14">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="16" y="26" font-weight="600" fill="#1f2328">CPU time of workerd for one webhook of 1 KiB, in microseconds</text>
"##
    );
    for (index, (column, cpu)) in bars.iter().enumerate() {
        let y = TOP + STEP * index as f64;
        let length = cpu / most * (WIDTH - LEFT - RIGHT);
        let color = if column.key == RELAY { "#c2410c" } else { "#94a3b8" };
        writeln!(
            svg,
            r##"<text x="{x}" y="{text}" text-anchor="end" fill="#1f2328">{label}</text>
<rect x="{LEFT}" y="{y}" width="{length:.1}" height="22" rx="3" fill="{color}"/>
<text x="{end:.1}" y="{text}" fill="#1f2328">{cpu:.0}</text>"##,
            x = LEFT - 10.0,
            text = y + 16.0,
            label = column.label,
            end = LEFT + length + 8.0,
        )?;
    }
    svg += "</svg>\n";
    keep("bench.svg", svg.as_bytes()).map(drop)
}

/// The CPU time of one webhook of 1 KiB, in microseconds.
fn cpu(column: &Column) -> Option<f64> {
    let run = RUNS.iter().position(|run| run.key == "1k_32")?;
    column.spread(|turn| turn.figure(run, &CPU)).map(|spread| spread.median)
}
