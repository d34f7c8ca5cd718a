//! Whether all peers do the same job: the same requests at vendors that refuse every departure from
//! their documentation, and receipts that say the same.

use anyhow::{Result, ensure};
use serde_json::{Map, Value};
use standin::RecordedRequest;
use tokio::time::sleep;

use super::load::{Connection, messages};
use super::peer::{Peer, Urls};
use super::rounds::AFTERWARDS;
use crate::demo::{TRANSPORT, Vendors};
use crate::runtime::Runtime;
use crate::toolchain::Toolchain;

/// What a peer did with the messages of the check.
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
                let (one, two) = (&other.label, &peer.label);
                ensure!(others.requests == deeds.requests, "{one}, {two}: other vendor requests");
                let form = !other.other_commit && !peer.other_commit;
                let pseudonyms = other.durable && peer.durable;
                let same = others.shown(pseudonyms) == deeds.shown(pseudonyms);
                ensure!(same || !form, "{one}, {two}: other receipts");
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
    let runtime = Runtime::serve(toolchain, &peer.deployment(&urls)?, &peer.modules()).await?;
    let mut connection = Connection::open(runtime.address).await?;
    let mut receipts = Vec::new();
    let sent = messages("conform", 3, 1024)?;
    for message in sent.iter() {
        let (status, body) = connection.ask(message).await?;
        if peer.does_the_job {
            ensure!(status == 200, "{}: {status} to a good webhook", peer.label);
            receipts.push(timeless(serde_json::from_slice(&body)?));
            let (status, _) = connection.ask(&message.tampered()).await?;
            ensure!(status == 401, "{}: {status} to a webhook that was changed", peer.label);
        }
    }
    if peer.durable {
        sleep(AFTERWARDS).await;
        for (message, receipt) in sent.iter().zip(&receipts) {
            let (status, body) = connection.ask(message).await?;
            let same = timeless(serde_json::from_slice(&body)?) == *receipt;
            ensure!(status == 200 && same, "{}: {status} to a known webhook", peer.label);
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

impl Deeds {
    /// The receipts, with or without the pseudonyms that only lanes must have.
    fn shown(&self, pseudonyms: bool) -> Vec<Value> {
        let mut receipts = self.receipts.clone();
        if !pseudonyms {
            for delivery in receipts.iter_mut().flat_map(deliveries) {
                delivery.remove("subject");
            }
        }
        receipts
    }
}

/// A receipt without its times.
fn timeless(mut receipt: Value) -> Value {
    receipt["received_at"].take();
    for delivery in deliveries(&mut receipt) {
        delivery.remove("updated_at");
    }
    receipt
}

fn deliveries(receipt: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    receipt["deliveries"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut)
}
