//! Lists of erasures.

use futures_util::future::join_all;

use super::erasures::{due_by, in_order_of, told};
use super::orphans::every_lane;
use super::{Asked, ask_all};
use crate::callback;
use crate::callback::wire::Known;
use crate::delivery::lane::{Key, Record};
use crate::delivery::receipt::receipt;
use crate::delivery::wire::{self, Request};
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::edge::now;
use crate::list_query::Query;
use crate::problem::Problem;
use crate::receipt::{Receipt, State};

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
/// 404 where no lane is of the account that is asked for, or nothing is of a source that is not configured;
/// 503 where a lane does not answer.
pub async fn list(
    environment: &Environment,
    lanes: &Lanes,
    query: &Query,
) -> Result<Page, Problem> {
    let all = vendor_lanes(environment, lanes).await?;
    let asked = asked(&all, query)?;
    // One more than is shown tells whether there are more.
    let mut list = narrowed(environment, query);
    list.limit = query.limit.saturating_add(1);
    let mut keys: Vec<Key> = Vec::new();
    for state in query.states() {
        let message = Request::List(wire::List { state, ..list.clone() });
        for listed in ask_all::<Vec<Key>>(asked.iter().copied(), &message).await? {
            keys.extend(listed);
        }
    }
    let next = cut(&mut keys, query.limit);
    let mut here = Vec::new();
    for Gathered { key, receipt, parts } in gather(environment, &all, &keys).await? {
        let mut newest = None;
        for (vendor, records) in parts {
            let is_asked = query.vendor.as_ref().is_none_or(|name| name == vendor);
            for record in records.iter().filter(|record| is_asked && query.is_about(record)) {
                newest = newest.max(Some(record.received_at));
            }
        }
        if newest == Some(key.received_at) {
            here.push(receipt);
        }
    }
    let receipts = matching(environment, lanes, query, here).await?;
    let source = query.source.as_deref().filter(|_| keys.is_empty());
    let is_configured = |name: &str| environment.senders.iter().any(|one| one.source.name == name);
    if source.is_some_and(|name| !is_configured(name)) {
        return Err(Problem::UnknownSource);
    }
    Ok(Page { receipts, next: next.as_ref().map(Query::cursor) })
}

/// The newest erasures, at most so many, whose platform a message could not reach and a person must look.
///
/// # Errors
/// 503 where a lane does not answer.
pub async fn undelivered(
    environment: &Environment,
    lanes: &Lanes,
    most: u32,
) -> Result<Vec<Receipt>, Problem> {
    let (platforms, vendors): (Vec<Asked>, Vec<Asked>) = every_lane(environment, lanes)
        .await?
        .into_iter()
        .partition(|(name, _)| callback::source_of(name).is_some());
    let list = wire::List { state: Some(State::Attention), limit: most, ..wire::List::default() };
    let listed: Vec<Vec<Key>> = ask_all(platforms.iter(), &Request::List(list)).await?;
    let mut keys: Vec<Key> = listed.into_iter().flatten().collect();
    cut(&mut keys, most);
    let gathered = gather(environment, &vendors, &keys).await?;
    Ok(gathered.into_iter().map(|one| one.receipt).collect())
}

/// The lanes of vendors, those that are not configured any more last.
///
/// # Errors
/// 503 where the directory does not answer.
pub(super) async fn vendor_lanes(
    environment: &Environment,
    lanes: &Lanes,
) -> Result<Vec<Asked>, Problem> {
    let mut all = every_lane(environment, lanes).await?;
    all.retain(|(name, _)| callback::source_of(name).is_none());
    Ok(all)
}

/// The lanes of the account that is asked for.
///
/// # Errors
/// 404 where there is none.
pub(super) fn asked<'a>(all: &'a [Asked], query: &Query) -> Result<Vec<&'a Asked>, Problem> {
    let is_asked = |vendor: &str| query.vendor.as_ref().is_none_or(|name| name == vendor);
    let asked: Vec<&Asked> = all.iter().filter(|(vendor, _)| is_asked(vendor)).collect();
    if asked.is_empty() { Err(Problem::UnknownVendor) } else { Ok(asked) }
}

/// What the lanes list: from the position on that the query begins with, which tells the end of its period as
/// well.
pub(super) fn narrowed(environment: &Environment, query: &Query) -> wire::List {
    let shortest = environment.senders.iter().map(|sender| sender.source.answer_within).min();
    wire::List {
        source: query.source.clone(),
        from: query.period.from,
        until: None,
        state: None,
        after: query.start(shortest.unwrap_or_default(), now()),
        limit: query.limit,
    }
}

/// Sorts the keys of several lanes, keeps those of one page, and tells after which key the next one begins.
pub(super) fn cut(keys: &mut Vec<Key>, limit: u32) -> Option<Key> {
    keys.sort_unstable();
    keys.dedup();
    keys.reverse();
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = keys.len() > shown;
    keys.truncate(shown);
    keys.last().filter(|_| more).cloned()
}

/// What all lanes know of an erasure.
pub(super) struct Gathered<'a> {
    /// Where it was found.
    pub key: Key,
    /// Its receipt.
    pub receipt: Receipt,
    /// The records of each lane, by account.
    parts: Vec<(&'a str, Vec<Record>)>,
}

/// Asks all lanes for these erasures.
///
/// # Errors
/// 503 where a lane does not answer.
pub(super) async fn gather<'a>(
    environment: &Environment,
    all: &'a [Asked],
    keys: &[Key],
) -> Result<Vec<Gathered<'a>>, Problem> {
    let found: Vec<Vec<Record>> = ask_all(all.iter(), &Request::Find(keys.to_vec())).await?;
    let mut gathered = Vec::new();
    for key in keys {
        let mut parts = Vec::new();
        for ((vendor, _), records) in all.iter().zip(&found) {
            let own = records.iter().filter(|one| one.is_of(&key.source, &key.request_id));
            let own: Vec<Record> = own.cloned().collect();
            if !own.is_empty() {
                parts.push((vendor.as_str(), own));
            }
        }
        let receipt = receipt_of(environment, key, &parts);
        gathered.push(Gathered { key: key.clone(), receipt, parts });
    }
    Ok(gathered)
}

/// The receipt that what each account's lanes know adds up to: in the order of the source's accounts, and
/// what is not configured any more last.
pub(super) fn receipt_of(
    environment: &Environment,
    key: &Key,
    parts: &[(&str, Vec<Record>)],
) -> Receipt {
    let accounts = in_order_of(environment, &key.source);
    let mut ordered = Vec::new();
    for account in &accounts {
        ordered.extend(parts.iter().filter(|(vendor, _)| *vendor == account.name).cloned());
    }
    let is_known = |vendor: &str| accounts.iter().any(|account| account.name == vendor);
    ordered.extend(parts.iter().filter(|(vendor, _)| !is_known(vendor)).cloned());
    let mut receipt = receipt(&key.source, &key.request_id, key.received_at, ordered);
    receipt.due_by = due_by(environment, &receipt);
    receipt
}

/// Those of these erasures that are in the state that is asked for, and due.
///
/// # Errors
/// 503 where the lane of a platform does not answer.
pub(super) async fn matching(
    environment: &Environment,
    lanes: &Lanes,
    query: &Query,
    mut receipts: Vec<Receipt>,
) -> Result<Vec<Receipt>, Problem> {
    let now = now();
    receipts.retain(|receipt| {
        let is_due = query.is_due(receipt.state, receipt.due_by, now);
        is_due && query.state.is_none_or(|state| receipt.state == state)
    });
    if query.due_within.is_none() {
        return Ok(receipts);
    }
    not_closed(environment, lanes, receipts).await
}

/// Those of these erasures that no operator has closed.
///
/// # Errors
/// 503 where the lane of a platform does not answer.
pub async fn not_closed(
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
