//! The operator's routes: receipts, lists, replay, and the lanes.

use super::isolate::Isolate;
use super::lanes::{Lane, Lanes, Unreachable};
use super::reply::Reply;
use super::{durable, join, now};
use crate::config::Account;
use crate::delivery::lane::{Key, Record};
use crate::delivery::wire;
use crate::json::Json;
use crate::list_query::Query;
use crate::problem::Problem;
use crate::receipt::{Receipt, Timestamp};

/// `GET /erasures/{source}/{request_id}`: the receipt, signed as Standard Webhooks 1.0 has it.
///
/// # Errors
/// 404, or 503 where a lane does not answer.
pub async fn find(
    isolate: &Isolate,
    lanes: &Lanes,
    source: &str,
    request_id: &str,
) -> Result<Reply, Problem> {
    let receipt = one(isolate, lanes, "find", source, request_id).await?;
    let text = serde_json::to_string(&receipt).map_err(|_| Problem::Internal)?;
    let name = isolate.keys.pseudonyms.as_ref().map(|names| names.of_request(request_id));
    let id = format!("receipt-{}", name.unwrap_or_default().replace(':', "-"));
    let proof = isolate.keys.prove(id, now().0.div_euclid(1000), &text);
    Ok(Reply::Written(200, text, proof))
}

/// `POST /erasures/{source}/{request_id}/replay`
///
/// # Errors
/// 404, or 503 where a lane does not answer.
pub async fn replay(
    isolate: &Isolate,
    lanes: &Lanes,
    source: &str,
    request_id: &str,
) -> Result<Reply, Problem> {
    Ok(Reply::Accepted(one(isolate, lanes, "replay", source, request_id).await?))
}

/// `GET /erasures`
///
/// Each lane lists its own; an erasure is shown where the newest of its deliveries that are asked
/// for stands, with what every lane knows of it.
///
/// # Errors
/// 503 where a lane does not answer.
pub async fn list(isolate: &Isolate, lanes: &Lanes, query: &Query) -> Result<Reply, Problem> {
    let all = every_lane(isolate, lanes)?;
    let asked = |account: &Account| query.vendor.as_ref().is_none_or(|name| *name == account.name);
    // One more than is shown tells whether there are more.
    let most = query.limit.saturating_add(1);
    let message = wire::write_query(query.state, query.before.as_ref(), most);
    let lists = all.iter().filter(|(account, _)| asked(account));
    let lists = join::all(lists.map(async |(_, lane)| lane.ask("list", &message).await)).await;
    let mut keys: Vec<Key> = Vec::new();
    for list in lists {
        for key in read(list, wire::read_keys)? {
            // A page is short, and the code of a sort is not.
            if let Err(place) = keys.binary_search_by(|known| key.cmp(known)) {
                keys.insert(place, key);
            }
        }
    }
    let shown = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let more = keys.len() > shown;
    keys.truncate(shown);

    let message = wire::write_keys(&keys);
    let found = join::all(all.iter().map(async |(account, lane)| {
        Ok((account.name.as_str(), read(lane.ask("find", &message).await, wire::read_records)?))
    }));
    let found: Vec<(&str, Vec<Record>)> =
        found.await.into_iter().collect::<Result<_, Problem>>()?;
    let mut receipts = Vec::new();
    for key in &keys {
        let of_key =
            |record: &&Record| record.source == key.source && record.request_id == key.request_id;
        let accounts = in_order_of(isolate, &key.source).into_iter();
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
pub async fn lanes(isolate: &Isolate, lanes: &Lanes) -> Result<Reply, Problem> {
    statuses(&every_lane(isolate, lanes)?, "status", 200).await
}

/// `POST /lanes/{vendor}/resume`
///
/// # Errors
/// 404 where no account has this name, 503 where a lane does not answer.
pub async fn resume(isolate: &Isolate, lanes: &Lanes, vendor: &str) -> Result<Reply, Problem> {
    let mut all = every_lane(isolate, lanes)?;
    all.retain(|(account, _)| account.name == vendor);
    if all.is_empty() {
        return Err(Problem::UnknownVendor);
    }
    statuses(&all, "resume", 202).await
}

/// Has every lane look whether it has something to do: an alarm may have been lost.
///
/// # Errors
/// Where a lane does not answer.
pub async fn wake(isolate: &Isolate, lanes: &Lanes) -> Result<(), Problem> {
    statuses(&every_lane(isolate, lanes)?, "wake", 200).await.map(drop)
}

/// What the lanes answer about one erasure, as a receipt.
async fn one(
    isolate: &Isolate,
    lanes: &Lanes,
    operation: &str,
    source: &str,
    request_id: &str,
) -> Result<Receipt, Problem> {
    let received_at = Timestamp::default();
    let key = Key { received_at, source: source.to_owned(), request_id: request_id.to_owned() };
    let message = wire::write_keys(&[key]);
    // Every shard is asked: there may have been fewer when the erasure came.
    let mut asked = Vec::new();
    for account in in_order_of(isolate, source) {
        let lanes = lanes.all(account).map_err(|_| Problem::LaneUnreachable)?;
        asked.extend(lanes.into_iter().map(|lane| (account, lane)));
    }
    let answers = join::all(asked.iter().map(async |(account, lane)| {
        let records = read(lane.ask(operation, &message).await, wire::read_records)?;
        Ok((account.name.as_str(), records))
    }));
    let parts: Vec<(&str, Vec<Record>)> =
        answers.await.into_iter().collect::<Result<_, Problem>>()?;
    if parts.iter().all(|(_, records)| records.is_empty()) {
        return Err(Problem::UnknownErasure);
    }
    Ok(durable::receipt(source, request_id, Timestamp(i64::MAX), parts))
}

/// All accounts, those of the source first and in its order.
fn in_order_of<'a>(isolate: &'a Isolate, source: &str) -> Vec<&'a Account> {
    let sender = isolate.senders.iter().find(|sender| sender.source.name == source);
    let named = sender.map(|sender| sender.source.vendors.as_slice()).unwrap_or_default();
    let account = |name: &String| isolate.channels.iter().find(|one| one.account.name == *name);
    let first = named.iter().filter_map(account);
    let others = isolate.channels.iter().filter(|one| !named.contains(&one.account.name));
    first.chain(others).map(|channel| &channel.account).collect()
}

fn every_lane<'a>(
    isolate: &'a Isolate,
    lanes: &Lanes,
) -> Result<Vec<(&'a Account, Lane)>, Problem> {
    let mut all = Vec::new();
    for channel in &isolate.channels {
        let of_account = lanes.all(&channel.account).map_err(|_| Problem::LaneUnreachable)?;
        all.extend(of_account.into_iter().map(|lane| (&channel.account, lane)));
    }
    Ok(all)
}

async fn statuses(
    asked: &[(&Account, Lane)],
    operation: &str,
    status: u16,
) -> Result<Reply, Problem> {
    let answers = join::all(asked.iter().map(async |(_, lane)| lane.ask(operation, "[]").await));
    let answers: Result<Vec<String>, Unreachable> = answers.await.into_iter().collect();
    let answers = answers.map_err(|_| Problem::LaneUnreachable)?;
    let text = format!(r#"{{"lanes":[{}]}}"#, answers.join(","));
    Ok(Reply::Written(status, text, Vec::new()))
}

fn read<T>(
    answer: Result<String, Unreachable>,
    parse: impl Fn(&Json<'_>) -> Result<T, wire::Garbled>,
) -> Result<T, Problem> {
    let text = answer.map_err(|_| Problem::LaneUnreachable)?;
    let json = Json::parse(text.as_bytes()).map_err(|_| Problem::LaneUnreachable)?;
    parse(&json).map_err(|_| Problem::LaneUnreachable)
}
