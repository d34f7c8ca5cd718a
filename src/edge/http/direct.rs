//! Direct delivery: the vendors are called while the platform waits, and nothing is stored.

use futures_util::future::join_all;

use crate::config::Source;
use crate::delivery::direct::{self, Conclusion};
use crate::edge::environment::Environment;
use crate::edge::log;
use crate::edge::net::background::Background;
use crate::erasure::ErasureRequest;
use crate::receipt::{Receipt, Timestamp};
use crate::vendor::Call;

/// Asks every vendor of `source`.
pub async fn deliver(
    erasure: &ErasureRequest,
    source: &Source,
    environment: &Environment,
    received_at: Timestamp,
    background: &Background,
) -> (Receipt, Conclusion) {
    let runs = environment.vendors_of(source).map(async |client| {
        let account = &client.account;
        let vendor = account.vendor.as_ref();
        let names = environment.keys.pseudonyms.as_ref();
        let send = async |call: &Call| client.send(call, background).await;
        let run = direct::run(&account.name, vendor, &erasure.subject, names, send, received_at);
        let mut run = run.await;
        run.without_identifier = account.without_identifier;
        run
    });
    let runs = join_all(runs).await;
    let (receipt, conclusion) =
        direct::conclude(erasure.id.as_str(), &source.name, received_at, runs);
    for delivery in &receipt.deliveries {
        environment.analytics.delivery(&source.name, delivery, received_at);
    }
    log::erasure(&erasure.id, &receipt, environment.keys.pseudonyms.as_ref());
    (receipt, conclusion)
}
