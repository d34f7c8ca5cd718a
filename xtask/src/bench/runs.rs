//! The loads of a turn, and what is measured of each.

use std::time::Duration;

use super::peer::Peer;

/// One kind of load.
pub struct Run {
    /// Names its figures in the JSON.
    pub key: &'static str,
    /// What each body has, in bytes.
    pub bytes: usize,
    /// Connections that send at the same time.
    pub connections: usize,
    /// How many webhooks: one for so many of [`Options::webhooks`](super::Options::webhooks).
    direct: Share,
    /// The same for peers with lanes.
    durable: Share,
    /// The figures that are shown; none where it warms up.
    pub shown: &'static [Pick],
}

/// One for so many; `None` leaves the run out.
type Share = Option<usize>;

/// The loads of a turn, in this order.
///
/// Into the first 5,000 to 9,000 webhooks of a process falls a full garbage collection of 150 to
/// 450 ms. With fewer than 20,000 it would decide the result; the short runs come after it.
pub const RUNS: [Run; 6] = [
    run("warm_up", (1, 32), (Some(10), Some(10)), &[]),
    run("1k_32", (1, 32), (Some(1), Some(1)), &[CPU, PER_SECOND, P50, P99]),
    run("1k_1", (1, 1), (Some(10), Some(20)), &[CPU, P50, P99]),
    run("16k_32", (16, 32), (Some(10), None), &[CPU]),
    run("warm_up_long", (256, 8), (Some(200), None), &[]),
    run("256k_8", (256, 8), (Some(50), None), &[CPU, PER_SECOND]),
];

const fn run(
    key: &'static str,
    (kib, connections): (usize, usize),
    (direct, durable): (Share, Share),
    shown: &'static [Pick],
) -> Run {
    Run { key, bytes: kib * 1024, connections, direct, durable, shown }
}

impl Run {
    /// Names it for people.
    pub fn describe(&self) -> String {
        let Self { bytes, connections, .. } = self;
        let plural = if *connections == 1 { "" } else { "s" };
        format!("{} KiB, {connections} connection{plural}", bytes / 1024)
    }

    /// How many webhooks `peer` is sent; `None` where it is left out. A webhook for two vendors is
    /// twice the work.
    pub fn count(&self, peer: &Peer, webhooks: usize) -> Option<usize> {
        let share = if peer.durable { self.durable } else { self.direct };
        share.map(|share| (webhooks / share / peer.vendors.len()).max(self.connections))
    }
}

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
    /// In the order of [`RUNS`]; `None` where one was left out.
    pub runs: Vec<Option<Measured>>,
    /// Resident at the end, in bytes.
    pub resident: u64,
    /// Rows written for each delivery, where the peer tells.
    pub rows_written: Option<f64>,
}

/// One figure of one run.
pub struct Pick {
    /// Names it in the JSON.
    pub key: &'static str,
    /// Names it for people.
    pub name: &'static str,
    /// Its unit, as a label ends with it.
    pub unit: &'static str,
    /// Reads it.
    pub of: fn(&Measured) -> f64,
}

pub const CPU: Pick =
    Pick { key: "cpu_us", name: "CPU", unit: " (µs)", of: |run| run.cpu.as_secs_f64() * 1e6 };
pub const PER_SECOND: Pick =
    Pick { key: "per_s", name: "webhooks/s", unit: "", of: |run| run.per_second };
pub const P50: Pick =
    Pick { key: "p50_ms", name: "p50", unit: " (ms)", of: |run| run.p50.as_secs_f64() * 1e3 };
pub const P99: Pick =
    Pick { key: "p99_ms", name: "p99", unit: " (ms)", of: |run| run.p99.as_secs_f64() * 1e3 };
