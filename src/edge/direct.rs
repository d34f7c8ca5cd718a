//! Direct delivery: the vendors are called while the platform waits, and nothing is stored.

use super::isolate::Isolate;
use super::reply::Reply;
use super::{join, log};
use crate::config::Source;
use crate::delivery::direct::{self, Conclusion};
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
    isolate: &Isolate,
    received_at: Timestamp,
) -> Result<Reply, Problem> {
    let runs = source.vendors.iter().filter_map(|name| {
        let mut channels = isolate.channels.iter();
        let channel = channels.find(|channel| channel.account.name == *name)?;
        let vendor = channel.account.vendor.as_ref();
        let names = isolate.keys.pseudonyms.as_ref();
        let send = async |call: &Call| channel.send(call).await;
        Some(direct::run(name, vendor, &erasure.subject, names, send, received_at))
    });
    let runs = join::all(runs).await;
    let (receipt, conclusion) =
        direct::conclude(erasure.id.as_str(), &source.name, received_at, runs);
    log::erasure(&erasure.id, &receipt, isolate.keys.pseudonyms.as_ref());
    match conclusion {
        Conclusion::Final => Ok(Reply::Receipt(receipt)),
        Conclusion::Unusable => Err(Problem::InsufficientIdentification(receipt)),
        Conclusion::TryAgain(pause) => Err(Problem::TryAgain(receipt, pause.as_secs())),
    }
}
