//! Durable delivery: each account's part is handed to its lane, which stores it before it sends.

use futures_util::future::{join, join_all};

use super::lanes;
use crate::config::{Account, Source};
use crate::delivery::direct::Conclusion;
use crate::delivery::directory::Place;
use crate::delivery::lane::Record;
use crate::delivery::shards::may_be_in;
use crate::delivery::wire::{Deliver, Request};
use crate::edge::environment::Environment;
use crate::edge::lane::client::{Lane, Lanes, Unreachable};
use crate::edge::log;
use crate::erasure::ErasureRequest;
use crate::problem::Problem;
use crate::receipt::{Outcome, Receipt, Timestamp};
use crate::vendor::Step;

/// Hands an erasure to the lanes of its vendors, and tells what is known then.
///
/// # Errors
/// [`Problem::NotStored`]: nothing can be acknowledged.
pub async fn deliver(
    erasure: &ErasureRequest,
    source: &Source,
    environment: &Environment,
    lanes: &Lanes,
    received_at: Timestamp,
) -> Result<(Receipt, Conclusion), Problem> {
    let id = erasure.id.as_str();
    let accounts: Vec<&Account> =
        environment.vendors_of(source).map(|client| &*client.account).collect();
    let has_call = |account: &&Account| {
        account.vendor.plan(&erasure.subject).iter().any(|step| matches!(step, Step::Call(_)))
    };
    // Only an account without a call is not applicable, so any call is another account's.
    let reaches_one = accounts.iter().any(has_call);
    let parts = join_all(accounts.into_iter().map(async |account| {
        let lane = home(lanes, account, &source.name, id).await?;
        let mut deliver = Deliver::new(&source.name, id, received_at, &erasure.subject);
        deliver.repeat_days = erasure.id_is_derived.then_some(source.repeat_days);
        deliver.not_applicable =
            reaches_one && account.without_identifier == Outcome::NotApplicable;
        let records: Vec<Record> = lane.ask(&Request::Deliver(deliver)).await?;
        Ok((account.name.as_str(), records))
    }));
    let orphaned = in_orphans(environment, lanes, &source.name, id);
    let (parts, orphaned) = join(parts, orphaned).await;
    let parts: Result<Vec<_>, Unreachable> = parts.into_iter().collect();
    let Ok(mut parts) = parts else {
        log::internal("a lane could not store its part; the webhook must come again");
        return Err(Problem::NotStored);
    };
    parts.extend(orphaned.iter().map(|(place, records)| (place.vendor.as_str(), records.clone())));
    let receipt = receipt(&source.name, id, received_at, parts);
    log::erasure(&erasure.id, &receipt, environment.keys.pseudonyms.as_ref());
    let mut outcomes = receipt.deliveries.iter().map(|delivery| delivery.outcome);
    let conclusion =
        if outcomes.clone().all(|outcome| outcome == Outcome::InsufficientIdentification) {
            Conclusion::Unusable
        } else if outcomes.all(Outcome::is_final) {
            Conclusion::Final
        } else {
            Conclusion::Waiting
        };
    Ok((receipt, conclusion))
}

/// The lane that an erasure is in, or else the one that it belongs to. It may have come while the
/// account had fewer shards: then it stays where it is, and is not sent again.
async fn home(
    lanes: &Lanes,
    account: &Account,
    source: &str,
    request_id: &str,
) -> Result<Lane, Unreachable> {
    let former = lanes.former(account, source, request_id)?;
    let known = join_all(former.into_iter().map(async |lane| {
        let records: Vec<Record> = lane.ask(&Request::find(source, request_id)).await?;
        Ok((lane, !records.is_empty()))
    }));
    for answer in known.await {
        if let (lane, true) = answer? {
            return Ok(lane);
        }
    }
    lanes.of(account, source, request_id)
}

/// What lanes that are not configured any more know of an erasure: while it waits there, it is not
/// done. Where one does not answer, the others decide.
async fn in_orphans(
    environment: &Environment,
    lanes: &Lanes,
    source: &str,
    request_id: &str,
) -> Vec<(Place, Vec<Record>)> {
    let known = lanes::known_orphans(environment, lanes).await;
    let may_hold = known.iter().filter(|place| may_be_in(source, request_id, place.shard));
    let found = may_hold.map(async |place| {
        let records: Vec<Record> =
            lanes.at(place.clone()).ok()?.ask(&Request::find(source, request_id)).await.ok()?;
        Some((place.clone(), records))
    });
    join_all(found).await.into_iter().flatten().collect()
}

/// The receipt that the records of each vendor add up to. Of a delivery that two lanes of a vendor
/// know, as after a change of the configuration, the first one counts, but for one that the vendor
/// confirmed; so it is when rows are moved.
pub fn receipt<'a>(
    source: &str,
    request_id: &str,
    received_at: Timestamp,
    parts: impl IntoIterator<Item = (&'a str, Vec<Record>)>,
) -> Receipt {
    let mut first = received_at;
    let mut all: Vec<(&str, Record)> = Vec::new();
    for (vendor, records) in parts {
        for record in records {
            first = first.min(record.received_at);
            let mut known = all.iter_mut();
            match known.find(|(other, known)| *other == vendor && known.is_same_row(&record)) {
                None => all.push((vendor, record)),
                Some((_, known)) if record.outcome.is_good() && !known.outcome.is_good() => {
                    *known = record;
                }
                Some(_) => {}
            }
        }
    }
    let deliveries = all.into_iter().map(|(vendor, record)| record.into_delivery(vendor)).collect();
    Receipt::new(request_id, source, first, deliveries)
}
