//! Whether all peers do the same job: the same requests at vendors that refuse every departure from
//! their documentation, and receipts that say the same.

use anyhow::{Result, ensure};
use serde_json::Value;
use standin::RecordedRequest;

use super::load::{Connection, messages};
use super::peer::{Peer, Urls};
use super::runtime::Runtime;
use crate::demo::{TRANSPORT, Vendors};
use crate::toolchain::Toolchain;

/// What a peer did with the messages of the check.
#[derive(PartialEq)]
struct Deeds {
    requests: Vec<Request>,
    receipts: Vec<Value>,
}

/// What matters of a request: method, target, headers by name, body.
type Request = (String, String, Vec<(String, String)>, Vec<u8>);

/// Has every peer handle the same webhooks, one of them tampered with.
///
/// # Errors
/// Where peers that ask the same vendors differ, or a vendor was asked for something else than its
/// pages have.
pub async fn check(toolchain: &Toolchain, peers: &[Peer]) -> Result<()> {
    let mut seen: Vec<(&Peer, Deeds)> = Vec::new();
    for peer in peers {
        let deeds = deeds(toolchain, peer).await?;
        for (other, others) in &seen {
            if other.does_the_job && peer.does_the_job && other.vendors == peer.vendors {
                let (one, two) = (other.label, peer.label);
                ensure!(others.requests == deeds.requests, "{one}, {two}: other vendor requests");
                ensure!(others.receipts == deeds.receipts, "{one}, {two}: other receipts");
            }
        }
        seen.push((peer, deeds));
    }
    Ok(())
}

async fn deeds(toolchain: &Toolchain, peer: &Peer) -> Result<Deeds> {
    let vendors = Vendors::start().await?;
    let urls =
        Urls { instacart: vendors.instacart.base_url(), insider: vendors.insider.base_url() };
    let runtime = Runtime::start(toolchain, peer, &urls).await?;
    let mut connection = Connection::open(runtime.address).await?;
    let mut receipts = Vec::new();
    for message in messages("conform", 3, 1024)?.iter() {
        let (status, body) = connection.ask(message).await?;
        if peer.does_the_job {
            ensure!(status == 200, "{}: {status} to a good webhook", peer.label);
            receipts.push(timeless(serde_json::from_slice(&body)?, peer.durable));
            let (status, _) = connection.ask(&message.tampered()).await?;
            ensure!(status == 401, "{}: {status} to a webhook that was changed", peer.label);
        }
    }
    runtime.stop().await?;
    let mut requests = Vec::new();
    for vendor in [&vendors.instacart, &vendors.insider] {
        let mismatches = vendor.mismatches();
        ensure!(mismatches.is_empty() || !peer.does_the_job, "{}: {mismatches:?}", peer.label);
        requests.extend(vendor.requests().into_iter().map(essence));
    }
    ensure!(requests.len() == 3 * peer.vendors.len(), "{}: other vendor calls", peer.label);
    Ok(Deeds { requests, receipts })
}

fn essence(request: RecordedRequest) -> Request {
    let mut headers = request.headers;
    headers.retain(|(name, _)| !TRANSPORT.contains(&name.as_str()));
    headers.sort();
    (request.method, request.target, headers, request.body)
}

/// A receipt without its times, and without the pseudonyms that only lanes must have.
fn timeless(mut receipt: Value, durable: bool) -> Value {
    receipt["received_at"].take();
    for delivery in receipt["deliveries"].as_array_mut().into_iter().flatten() {
        delivery["updated_at"].take();
        if durable && let Some(members) = delivery.as_object_mut() {
            members.remove("subject");
        }
    }
    receipt
}
