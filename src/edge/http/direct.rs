//! Direct delivery: the vendors are called while the platform waits, and nothing is stored.

use futures_util::future::join_all;

use super::reply::Reply;
use crate::config::Source;
use crate::delivery::direct::{self, Conclusion};
use crate::edge::environment::Environment;
use crate::edge::log;
use crate::edge::net::background::Background;
use crate::erasure::ErasureRequest;
use crate::problem::Problem;
use crate::receipt::Timestamp;
use crate::vendor::Call;

/// Asks every vendor of `source`.
///
/// # Errors
/// What the platform is told where it must send the webhook again, or no vendor can use it.
pub async fn deliver(
    erasure: &ErasureRequest,
    source: &Source,
    environment: &Environment,
    received_at: Timestamp,
    background: &Background,
) -> Result<Reply, Problem> {
    let runs = source.vendors.iter().filter_map(|name| {
        let mut vendors = environment.vendors.iter();
        let client = vendors.find(|client| client.account.name == *name)?;
        let vendor = client.account.vendor.as_ref();
        let names = environment.keys.pseudonyms.as_ref();
        let send = async |call: &Call| client.send(call, background).await;
        Some(direct::run(name, vendor, &erasure.subject, names, send, received_at))
    });
    let runs = join_all(runs).await;
    let (receipt, conclusion) =
        direct::conclude(erasure.id.as_str(), &source.name, received_at, runs);
    log::erasure(&erasure.id, &receipt, environment.keys.pseudonyms.as_ref());
    match conclusion {
        Conclusion::Final => Ok(Reply::Receipt(receipt)),
        Conclusion::Unusable => Err(Problem::InsufficientIdentification(receipt)),
        Conclusion::TryAgain(pause) => Err(Problem::TryAgain(receipt, pause.as_secs())),
    }
}
