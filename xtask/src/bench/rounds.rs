//! Every peer in turns, so that what the machine does meanwhile meets all of them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use oorandom::Rand64;
use tokio::time::sleep;

use super::Options;
use super::load::{self, Connection, messages};
use super::peer::{Peer, RELAY, Urls};
use super::runs::{Measured, RUNS, Turn};
use super::vendor::Vendor;
use crate::measure::statistics::percentile;
use crate::runtime::Runtime;
use crate::toolchain::Toolchain;

/// The run whose rows a peer is asked for.
const ROWS_OF: &str = "1k_32";

/// What is stored takes its time: in how many rounds peers with lanes take part at most.
const DURABLE_ROUNDS: usize = 4;

/// The time after which all is stored that a peer stores after its answer.
pub const AFTERWARDS: Duration = Duration::from_millis(100);

/// The turns of every peer, in the order of the peers, one for each round. In each round the peers
/// have another order.
///
/// # Errors
/// Where a peer does not start, or a webhook is not answered.
pub async fn play(
    toolchain: &Toolchain,
    peers: &[Peer],
    options: &Options,
) -> Result<Vec<Vec<Option<Turn>>>> {
    let vendor = Vendor::start().await?;
    let mut chance = Rand64::new(options.seed);
    let mut turns: Vec<Vec<Option<Turn>>> = peers.iter().map(|_| Vec::new()).collect();
    for round in 1..=options.rounds {
        let began = Instant::now();
        for index in shuffled(peers.len(), &mut chance) {
            let peer = &peers[index];
            let takes_part = !peer.durable || round <= DURABLE_ROUNDS;
            let turn = if takes_part {
                let turn = turn(toolchain, peer, &vendor, options.webhooks).await;
                Some(turn.with_context(|| peer.label.clone())?)
            } else {
                None
            };
            turns[index].push(turn);
        }
        eprintln!("bench: round {round} of {}: {} s", options.rounds, began.elapsed().as_secs());
    }
    Ok(turns)
}

/// The numbers below `count` in some order (Fisher and Yates).
fn shuffled(count: usize, chance: &mut Rand64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        let other = chance.rand_range(0..last as u64 + 1) as usize;
        order.swap(last, other);
    }
    order
}

async fn turn(
    toolchain: &Toolchain,
    peer: &Peer,
    vendor: &Vendor,
    webhooks: usize,
) -> Result<Turn> {
    let runtime = start(toolchain, peer, vendor).await?;
    let first = messages("first", 1, 1024)?;
    let mut connection = Connection::open(runtime.address).await?;
    let (status, _) = connection.ask(first.first().context("no message")?).await?;
    let first_answer = runtime.started.elapsed();
    ensure!(status == 200, "{status} to the first webhook");
    vendor.take();
    let (mut runs, mut rows_written) = (Vec::new(), None);
    for run in &RUNS {
        let Some(count) = run.count(peer, webhooks) else {
            runs.push(None);
            continue;
        };
        // The same for all peers, signed anew for each: a signature is good for minutes.
        let load = messages(run.key, count, run.bytes)?;
        let rows =
            if run.key == ROWS_OF { peer.rows_written(runtime.address).await? } else { None };
        let before = runtime.cpu()?;
        let answered = load::send(runtime.address, run.connections, &load).await?;
        let cpu = runtime.cpu()?.saturating_sub(before);
        let taken = vendor.take();
        let calls = count * peer.vendors.len();
        ensure!(taken == calls, "the vendors took {taken} calls");
        runs.push(Some(Measured {
            cpu: cpu / u32::try_from(count)?,
            per_second: count as f64 / answered.elapsed.as_secs_f64(),
            p50: percentile(&answered.latencies, 50),
            p99: percentile(&answered.latencies, 99),
        }));
        if let Some(rows) = rows {
            sleep(AFTERWARDS).await;
            let after = peer.rows_written(runtime.address).await?;
            rows_written = after.map(|after| after.saturating_sub(rows) as f64 / calls as f64);
        }
    }
    let resident = runtime.resident()?;
    runtime.stop().await?;
    Ok(Turn { first_answer, runs, resident, rows_written })
}

async fn start(toolchain: &Toolchain, peer: &Peer, vendor: &Vendor) -> Result<Runtime> {
    let urls = Urls { instacart: vendor.base_url.clone(), insider: vendor.base_url.clone() };
    Runtime::serve(toolchain, &peer.deployment(&urls)?, &peer.modules()).await
}

/// How often the memory is looked at.
const LOOKS: usize = 10;

/// What is resident after each tenth of very many webhooks to the relay without lanes, in bytes.
///
/// # Errors
/// Where it does not start, or a webhook is not answered.
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
