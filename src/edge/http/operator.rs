//! The operator's routes: receipts, lists, replay, and the lanes.

use futures_util::future::join_all;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::durable;
use super::reply::Reply;
use crate::config::Account;
use crate::delivery::lane::{Key, Record};
use crate::delivery::wire::{self, Request};
use crate::edge::environment::Environment;
use crate::edge::lane::client::{Lane, Lanes, Unreachable};
use crate::edge::now;
use crate::list_query::Query;
use crate::problem::Problem;
use crate::receipt::{Receipt, Timestamp};

/// The answer of the routes about lanes: each one's [`Status`](crate::delivery::lane::Status), as the
/// lane wrote it.
#[derive(Serialize)]
struct Statuses {
    lanes: Vec<Box<RawValue>>,
}

/// `GET /erasures/{source}/{request_id}`: the receipt, signed as Standard Webhooks 1.0 has it.
///
/// # Errors
/// 404, or 503 where a lane does not answer.
pub async fn find(
    environment: &Environment,
    lanes: &Lanes,
    source: &str,
    request_id: &str,
) -> Result<Reply, Problem> {
    let receipt =
        one(environment, lanes, &Request::find(source, request_id), source, request_id).await?;
    let text = serde_json::to_string(&receipt).map_err(|_| Problem::Internal)?;
    let name = environment.keys.pseudonyms.as_ref().map(|names| names.of_request(request_id));
    let id = format!("receipt-{}", name.unwrap_or_default().replace(':', "-"));
    let proof = environment.keys.prove(id, now().0.div_euclid(1000), &text);
    Ok(Reply::Written(200, text, proof))
}

/// `POST /erasures/{source}/{request_id}/replay`
///
/// # Errors
/// 404, or 503 where a lane does not answer.
pub async fn replay(
    environment: &Environment,
    lanes: &Lanes,
    source: &str,
    request_id: &str,
) -> Result<Reply, Problem> {
    Ok(Reply::Accepted(
        one(environment, lanes, &Request::replay(source, request_id), source, request_id).await?,
    ))
}

/// `POST /erasures/{source}/{request_id}/discard`
///
/// # Errors
/// 404, or 503 where a lane does not answer.
pub async fn discard(
    environment: &Environment,
    lanes: &Lanes,
    source: &str,
    request_id: &str,
    note: &str,
) -> Result<Reply, Problem> {
    let message = Request::discard(source, request_id, note);
    Ok(Reply::Receipt(one(environment, lanes, &message, source, request_id).await?))
}

/// `GET /erasures`
///
/// Each lane lists its own; an erasure is shown where the newest of its deliveries that are asked
/// for stands, with what every lane knows of it.
///
/// # Errors
/// 503 where a lane does not answer.
pub async fn list(
    environment: &Environment,
    lanes: &Lanes,
    query: &Query,
) -> Result<Reply, Problem> {
    let all = every_lane(environment, lanes)?;
    let asked = |account: &Account| query.vendor.as_ref().is_none_or(|name| *name == account.name);
    // One more than is shown tells whether there are more.
    let most = query.limit.saturating_add(1);
    let list = wire::List { state: query.state, before: query.before.clone(), limit: most };
    let lists = all.iter().filter(|(account, _)| asked(account));
    let lists: Vec<Vec<Key>> = ask_all(lists, &Request::List(list)).await?;
    let mut keys: Vec<Key> = lists.into_iter().flatten().collect();
    keys.sort_unstable_by(|one, other| other.cmp(one));
    keys.dedup();
    let shown = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let more = keys.len() > shown;
    keys.truncate(shown);

    let found: Vec<Vec<Record>> = ask_all(all.iter(), &Request::Find(keys.clone())).await?;
    let names = all.iter().map(|(account, _)| account.name.as_str());
    let found: Vec<(&str, Vec<Record>)> = names.zip(found).collect();
    let mut receipts = Vec::new();
    for key in &keys {
        let of_key =
            |record: &&Record| record.source == key.source && record.request_id == key.request_id;
        let accounts = in_order_of(environment, &key.source).into_iter();
        let parts = accounts.map(|Account { name, .. }| {
            let lanes = found.iter().filter(|(vendor, _)| vendor == name);
            let records = lanes.flat_map(|(_, records)| records.iter().filter(of_key));
            (name.as_str(), records.cloned().collect())
        });
        let receipt = durable::receipt(&key.source, &key.request_id, key.received_at, parts);
        let of_those = |(vendor, records): &(&str, Vec<Record>)| {
            let asked = query.vendor.as_ref().is_none_or(|name| name == vendor);
            let records = records.iter().filter(|record| asked && of_key(record));
            let records = records.filter(|record| query.is_about(record));
            records.map(|record| record.received_at).max()
        };
        let here = found.iter().filter_map(of_those).max() == Some(key.received_at);
        if here && query.state.is_none_or(|state| receipt.state == state) {
            receipts.push(receipt);
        }
    }
    Ok(Reply::List(receipts, keys.last().filter(|_| more).map(Query::cursor)))
}

/// `GET /lanes`
///
/// # Errors
/// 503 where a lane does not answer.
pub async fn lanes(environment: &Environment, lanes: &Lanes) -> Result<Reply, Problem> {
    let lanes = ask_all(every_lane(environment, lanes)?.iter(), &Request::Status).await?;
    Reply::json(200, &Statuses { lanes })
}

/// Each lane's account, and its status as far as `T` reads it; `None` where it does not answer.
pub async fn statuses<T: DeserializeOwned>(
    environment: &Environment,
    lanes: &Lanes,
) -> Vec<(String, Option<T>)> {
    let all = every_lane(environment, lanes).unwrap_or_default();
    let asked = all.iter().map(|(_, lane)| lane).collect();
    let answers = exchange_with_all(asked, &Request::Status).await;
    let read = |answer: Result<Vec<u8>, Unreachable>| serde_json::from_slice(&answer.ok()?).ok();
    let accounts = all.iter().map(|(account, _)| account.name.clone());
    accounts.zip(answers.into_iter().map(read)).collect()
}

/// `POST /lanes/{vendor}/resume`
///
/// # Errors
/// 404 where no account has this name, 503 where a lane does not answer.
pub async fn resume(
    environment: &Environment,
    lanes: &Lanes,
    vendor: &str,
) -> Result<Reply, Problem> {
    let mut all = every_lane(environment, lanes)?;
    all.retain(|(account, _)| account.name == vendor);
    if all.is_empty() {
        return Err(Problem::UnknownVendor);
    }
    let lanes = ask_all(all.iter(), &Request::Resume).await?;
    Reply::json(202, &Statuses { lanes })
}

/// Has every lane look whether it has something to do: an alarm may have been lost.
///
/// # Errors
/// Where a lane does not answer.
pub async fn wake(environment: &Environment, lanes: &Lanes) -> Result<(), Problem> {
    let all = every_lane(environment, lanes)?;
    ask_all::<()>(all.iter(), &Request::Wake).await.map(drop)
}

/// What the lanes answer about one erasure, as a receipt.
async fn one(
    environment: &Environment,
    lanes: &Lanes,
    message: &Request<'_>,
    source: &str,
    request_id: &str,
) -> Result<Receipt, Problem> {
    // Every shard is asked: there may have been fewer when the erasure came.
    let mut asked = Vec::new();
    for account in in_order_of(environment, source) {
        let lanes = lanes.all(account).map_err(|_| Problem::LaneUnreachable)?;
        asked.extend(lanes.into_iter().map(|lane| (account, lane)));
    }
    let records: Vec<Vec<Record>> = ask_all(asked.iter(), message).await?;
    if records.iter().all(Vec::is_empty) {
        return Err(Problem::UnknownErasure);
    }
    let parts = asked.iter().map(|(account, _)| account.name.as_str()).zip(records);
    Ok(durable::receipt(source, request_id, Timestamp(i64::MAX), parts))
}

/// All accounts, those of the source first and in its order.
fn in_order_of<'a>(environment: &'a Environment, source: &str) -> Vec<&'a Account> {
    let sender = environment.senders.iter().find(|sender| sender.source.name == source);
    let named = sender.map(|sender| sender.source.vendors.as_slice()).unwrap_or_default();
    let account = |name: &String| environment.vendors.iter().find(|one| one.account.name == *name);
    let first = named.iter().filter_map(account);
    let others = environment.vendors.iter().filter(|one| !named.contains(&one.account.name));
    first.chain(others).map(|vendor| &vendor.account).collect()
}

fn every_lane<'a>(
    environment: &'a Environment,
    lanes: &Lanes,
) -> Result<Vec<(&'a Account, Lane)>, Problem> {
    let mut all = Vec::new();
    for vendor in &environment.vendors {
        let of_account = lanes.all(&vendor.account).map_err(|_| Problem::LaneUnreachable)?;
        all.extend(of_account.into_iter().map(|lane| (&vendor.account, lane)));
    }
    Ok(all)
}

/// Asks these lanes at the same time.
async fn ask_all<'a, T: DeserializeOwned>(
    lanes: impl Iterator<Item = &'a (&'a Account, Lane)>,
    message: &Request<'_>,
) -> Result<Vec<T>, Problem> {
    let answers = exchange_with_all(lanes.map(|(_, lane)| lane).collect(), message).await;
    let read = |answer: Result<Vec<u8>, Unreachable>| serde_json::from_slice(&answer.ok()?).ok();
    answers.into_iter().map(read).collect::<Option<_>>().ok_or(Problem::LaneUnreachable)
}

/// Apart from [`ask_all`], so that it is compiled once for all types.
async fn exchange_with_all(
    lanes: Vec<&Lane>,
    message: &Request<'_>,
) -> Vec<Result<Vec<u8>, Unreachable>> {
    join_all(lanes.into_iter().map(|lane| lane.exchange(message))).await
}
