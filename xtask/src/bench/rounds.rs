//! Every peer in turns, so that what the machine does meanwhile meets all of them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Options;
use super::load::{self, Connection, messages};
use super::peer::{Peer, RELAY, Urls};
use super::runtime::Runtime;
use super::vendor::Vendor;
use crate::measure::statistics::percentile;
use crate::toolchain::Toolchain;

/// One kind of load.
pub struct Run {
    /// Names its figures in the JSON.
    pub key: &'static str,
    /// What each body has, in bytes.
    pub bytes: usize,
    /// Connections that send at the same time.
    pub connections: usize,
    /// The longest run has this many times the webhooks of this one.
    part: usize,
}

/// The loads of a turn; the first [`WARM_UPS`] warm up, and are not shown.
pub const RUNS: [Run; 6] = [
    Run { key: "warm_up_long", bytes: 256 * 1024, connections: 8, part: 40 },
    // After the long ones, whose garbage would else be collected among what is measured.
    Run { key: "warm_up", bytes: 1024, connections: 32, part: 1 },
    Run { key: "1k_32", bytes: 1024, connections: 32, part: 1 },
    Run { key: "1k_1", bytes: 1024, connections: 1, part: 4 },
    Run { key: "16k_32", bytes: 16 * 1024, connections: 32, part: 4 },
    Run { key: "256k_8", bytes: 256 * 1024, connections: 8, part: 20 },
];

/// What is stored takes its time: lanes get this part of the others' webhooks.
const DURABLE_PART: usize = 3;

/// How many runs are there to warm up.
pub const WARM_UPS: usize = 2;

/// What one run of one turn came to.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// CPU time of the process for each webhook.
    pub cpu: Duration,
    /// Webhooks answered in a second.
    pub per_second: f64,
    pub p50: Duration,
    pub p99: Duration,
}

/// One peer's turn.
pub struct Turn {
    /// From the start of the process to the answer to the first webhook.
    pub first_answer: Duration,
    /// In the order of [`RUNS`].
    pub runs: Vec<Measured>,
    /// Resident at the end, in bytes.
    pub resident: u64,
}

/// The turns of every peer, in the order of the peers.
pub async fn play(
    toolchain: &Toolchain,
    peers: &[Peer],
    options: &Options,
) -> Result<Vec<Vec<Turn>>> {
    let vendor = Vendor::start().await?;
    let mut turns: Vec<Vec<Turn>> = peers.iter().map(|_| Vec::new()).collect();
    for round in 1..=options.rounds {
        let began = Instant::now();
        // The same for all peers, signed anew for each round: a signature is good for minutes.
        let loads = |part: usize| {
            let load = |run: &Run| {
                let count = (options.webhooks / run.part / part).max(run.connections);
                messages(&format!("{}-{round}", run.key), count, run.bytes)
            };
            RUNS.iter().map(load).collect::<Result<Vec<_>>>()
        };
        let (all, few) = (loads(1)?, loads(DURABLE_PART)?);
        for (peer, turns) in peers.iter().zip(&mut turns) {
            let loads = if peer.durable { &few } else { &all };
            let turn = turn(toolchain, peer, &vendor, loads).await;
            turns.push(turn.with_context(|| peer.label)?);
        }
        eprintln!("bench: round {round} of {}: {} s", options.rounds, began.elapsed().as_secs());
    }
    Ok(turns)
}

async fn turn(
    toolchain: &Toolchain,
    peer: &Peer,
    vendor: &Vendor,
    loads: &[load::Messages],
) -> Result<Turn> {
    let runtime = start(toolchain, peer, vendor).await?;
    let first = messages("first", 1, 1024)?;
    let mut connection = Connection::open(runtime.address).await?;
    let (status, _) = connection.ask(first.first().context("no message")?).await?;
    let first_answer = runtime.started.elapsed();
    ensure!(status == 200, "{status} to the first webhook");
    vendor.take();
    let mut runs = Vec::new();
    for (run, load) in RUNS.iter().zip(loads) {
        let before = runtime.cpu()?;
        let answered = load::send(runtime.address, run.connections, load).await?;
        let cpu = runtime.cpu()?.saturating_sub(before);
        let count = u32::try_from(load.len())?;
        let taken = vendor.take();
        ensure!(taken == load.len() * peer.vendors.len(), "the vendors took {taken} calls");
        runs.push(Measured {
            cpu: cpu / count,
            per_second: f64::from(count) / answered.elapsed.as_secs_f64(),
            p50: percentile(&answered.latencies, 50),
            p99: percentile(&answered.latencies, 99),
        });
    }
    let resident = runtime.resident()?;
    runtime.stop().await?;
    Ok(Turn { first_answer, runs, resident })
}

async fn start(toolchain: &Toolchain, peer: &Peer, vendor: &Vendor) -> Result<Runtime> {
    let urls = Urls { instacart: vendor.base_url.clone(), insider: vendor.base_url.clone() };
    Runtime::start(toolchain, peer, &urls).await
}

/// How often the memory is looked at.
const LOOKS: usize = 10;

/// What is resident after each tenth of very many webhooks to the first peer, in bytes.
pub async fn endure(toolchain: &Toolchain, peers: &[Peer], options: &Options) -> Result<Vec<u64>> {
    let mut resident = Vec::new();
    let peer = peers.iter().find(|peer| peer.key == RELAY && options.endurance > 0);
    let Some(peer) = peer else { return Ok(resident) };
    let vendor = Vendor::start().await?;
    let runtime = start(toolchain, peer, &vendor).await?;
    for look in 0..LOOKS {
        let load = messages(&format!("endure-{look}"), options.endurance / LOOKS, 1024)?;
        load::send(runtime.address, 32, &load).await?;
        resident.push(runtime.resident()?);
    }
    runtime.stop().await?;
    Ok(resident)
}
