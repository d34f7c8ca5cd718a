//! Lists of erasures.

use futures_util::future::join_all;

use super::ask_all;
use super::erasures::{due_by, in_order_of, told};
use super::orphans::every_lane;
use crate::callback;
use crate::callback::wire::Known;
use crate::delivery::lane::{Key, Record};
use crate::delivery::receipt::receipt;
use crate::delivery::wire::{self, Request};
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::edge::now;
use crate::list_query::Query;
use crate::period::Period;
use crate::problem::Problem;
use crate::receipt::Receipt;

/// A page of a list.
pub struct Page {
    /// The erasures on it.
    pub receipts: Vec<Receipt>,
    /// The `before` of the next page; `None` on the last one.
    pub next: Option<String>,
}

/// Erasures, newest first, and where the next page begins.
///
/// What is due is looked for among what came long enough ago; the lane of its platform knows whether it
/// was closed. Each lane lists its own; an erasure is shown where the newest of its deliveries that are asked
/// for stands, with what every lane knows of it.
///
/// # Errors
/// 404 where no lane is of the account that is asked for, 503 where a lane does not answer.
pub async fn list(
    environment: &Environment,
    lanes: &Lanes,
    query: &Query,
) -> Result<Page, Problem> {
    let mut all = every_lane(environment, lanes).await?;
    all.retain(|(name, _)| callback::source_of(name).is_none());
    let asked = |vendor: &str| query.vendor.as_ref().is_none_or(|name| name == vendor);
    if !all.iter().any(|(vendor, _)| asked(vendor)) {
        return Err(Problem::UnknownVendor);
    }
    // One more than is shown tells whether there are more.
    let (now, limit) = (now(), query.limit.saturating_add(1));
    let shortest = environment.senders.iter().map(|sender| sender.source.answer_within).min();
    let before = query.start(shortest.unwrap_or_default(), now);
    // The end of the period is part of the position.
    let slice = wire::Slice::new(query.source.clone(), Period { until: None, ..query.period });
    let mut keys: Vec<Key> = Vec::new();
    for state in query.states() {
        let list = wire::List { slice: slice.clone(), state, before: before.clone(), limit };
        let lists = all.iter().filter(|(vendor, _)| asked(vendor));
        let lists: Vec<Vec<Key>> = ask_all(lists, &Request::List(list)).await?;
        keys.extend(lists.into_iter().flatten());
    }
    keys.sort_unstable_by(|one, other| other.cmp(one));
    keys.dedup();
    let shown = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let more = keys.len() > shown;
    keys.truncate(shown);

    let found: Vec<Vec<Record>> = ask_all(all.iter(), &Request::Find(keys.clone())).await?;
    let names = all.iter().map(|(vendor, _)| vendor.as_str());
    let found: Vec<(&str, Vec<Record>)> = names.zip(found).collect();
    let mut receipts = Vec::new();
    for key in &keys {
        let of_key =
            |record: &&Record| record.source == key.source && record.request_id == key.request_id;
        let accounts = in_order_of(environment, &key.source);
        let is_known = |vendor: &str| accounts.iter().any(|account| account.name == vendor);
        // What is not configured any more comes last.
        let known = accounts
            .iter()
            .flat_map(|account| found.iter().filter(move |(vendor, _)| *vendor == account.name));
        let others = found.iter().filter(|(vendor, _)| !is_known(vendor));
        let parts = known
            .chain(others)
            .map(|(vendor, records)| (*vendor, records.iter().filter(of_key).cloned().collect()));
        let mut receipt = receipt(&key.source, &key.request_id, key.received_at, parts);
        receipt.due_by = due_by(environment, &receipt);
        let of_those = |(vendor, records): &(&str, Vec<Record>)| {
            let asked = query.vendor.as_ref().is_none_or(|name| name == vendor);
            let records = records.iter().filter(|record| asked && of_key(record));
            let records = records.filter(|record| query.is_about(record));
            records.map(|record| record.received_at).max()
        };
        let here = found.iter().filter_map(of_those).max() == Some(key.received_at);
        let is_due = query.is_due(receipt.state, receipt.due_by, now);
        if here && is_due && query.state.is_none_or(|state| receipt.state == state) {
            receipts.push(receipt);
        }
    }
    if query.due_within.is_some() {
        receipts = not_closed(environment, lanes, receipts).await?;
    }
    Ok(Page { receipts, next: keys.last().filter(|_| more).map(Query::cursor) })
}

/// Those of these erasures that no operator has closed.
///
/// # Errors
/// 503 where the lane of a platform does not answer.
async fn not_closed(
    environment: &Environment,
    lanes: &Lanes,
    receipts: Vec<Receipt>,
) -> Result<Vec<Receipt>, Problem> {
    let known = receipts.iter().map(|one| told(environment, lanes, &one.source, &one.request_id));
    let known = join_all(known).await.into_iter().collect::<Result<Vec<_>, Problem>>()?;
    let is_closed = |known: Option<Known>| known.is_some_and(|known| known.closed.is_some());
    let open = receipts.into_iter().zip(known).filter_map(|(receipt, known)| {
        let is_open = !is_closed(known);
        is_open.then_some(receipt)
    });
    Ok(open.collect())
}
