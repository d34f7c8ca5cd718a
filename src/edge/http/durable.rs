//! Durable delivery: each account's part is handed to its lane, which stores it before it sends.

use futures_util::future::{join_all, join3};

use crate::callback::wire::{self, Ask, Begin};
use crate::callback::{self, Reply, Standing};
use crate::config::{Account, Source, leaves_profile};
use crate::delivery::direct::Conclusion;
use crate::delivery::directory::Place;
use crate::delivery::lane::Record;
use crate::delivery::receipt::receipt;
use crate::delivery::shards::may_be_in;
use crate::delivery::wire::{Deliver, Request};
use crate::edge::environment::{CallbackClient, Environment};
use crate::edge::lane::client::{Lane, Lanes, Unreachable};
use crate::edge::log;
use crate::edge::operator::orphans::known_orphans;
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
    reply: Option<Reply>,
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
        Ok((account.name.as_str(), lane.name().to_owned(), records))
    }));
    let orphaned = in_orphans(environment, lanes, &source.name, id);
    let mut begin = Begin { received_at, accounts: source.vendors.clone(), ..Begin::default() };
    begin.reply = reply.unwrap_or_default();
    let client = environment.callback_of(&source.name);
    let begun = async {
        match &client {
            Some(client) if !client.callback.answers_each_webhook() => {
                open_ticket(client, source, lanes, id, begin.clone()).await
            }
            _ => Ok(()),
        }
    };
    let (parts, orphaned, begun) = join3(parts, orphaned, begun).await;
    let stored: Result<Vec<_>, Unreachable> = parts.into_iter().collect();
    let (Ok(stored), Ok(())) = (stored, begun) else { return Err(not_stored()) };
    let vendors = stored.iter().map(|(vendor, _, records)| (*vendor, records.clone()));
    let others = orphaned.iter().map(|(place, records)| (place.vendor.as_str(), records.clone()));
    let receipt = receipt(&source.name, id, received_at, vendors.chain(others));
    let told_later = is_told_later(environment, source, &receipt, &begin.reply);
    if let Some(client) = client.filter(|_| told_later) {
        // What this webhook brought waits for what came of this webhook, and not of earlier ones.
        begin.parts = stored.into_iter().map(|(_, lane, records)| (lane, records)).collect();
        let begun = open_ticket(&client, source, lanes, id, begin).await;
        begun.map_err(|_| not_stored())?;
    }
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

fn not_stored() -> Problem {
    log::internal("a lane could not store its part; the webhook must come again");
    Problem::NotStored
}

/// Whether a message to the platform follows the answer to a webhook that brought `reply`, where each
/// webhook is answered.
pub fn is_told_later(
    environment: &Environment,
    source: &Source,
    receipt: &Receipt,
    reply: &Reply,
) -> bool {
    let accounts = environment.vendors.iter().map(|client| client.account.as_ref());
    let is_partial =
        !source.accepts_partial_erasure && leaves_profile(accounts, &receipt.deliveries);
    let standing = Standing::of(receipt, true, false, is_partial, None);
    environment.callback_of(&source.name).is_some_and(|client| {
        let callback = &client.callback;
        let waits = callback.answers_each_webhook() && !reply.targets.is_empty();
        waits && !callback.is_told_by_answer(standing, reply)
    })
}

/// Has the lane of the platform know how the platform is told.
async fn open_ticket(
    client: &CallbackClient,
    source: &Source,
    lanes: &Lanes,
    request_id: &str,
    begin: Begin,
) -> Result<(), Unreachable> {
    let lane = lanes.first(&client.client.account)?;
    let message = wire::Request::new(&source.name, request_id, Ask::Begin(begin));
    lane.ask_callback::<bool>(&message).await.map(drop)
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
    let known = known_orphans(environment, lanes).await;
    let vendors = known.iter().filter(|place| callback::source_of(&place.vendor).is_none());
    let may_hold = vendors.filter(|place| may_be_in(source, request_id, place.shard));
    let found = may_hold.map(async |place| {
        let records: Vec<Record> =
            lanes.at(place.clone()).ok()?.ask(&Request::find(source, request_id)).await.ok()?;
        Some((place.clone(), records))
    });
    join_all(found).await.into_iter().flatten().collect()
}
