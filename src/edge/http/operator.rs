//! The operator's routes about erasures: receipts, lists, replay, discard.

use futures_util::future::join_all;
use serde::Serialize;

use super::lanes;
use super::reply::Reply;
use crate::callback::wire::{Ask, Known};
use crate::callback::{self, Closure};
use crate::config::Account;
use crate::delivery::lane::{IgnoredEvent, Key, Record};
use crate::delivery::receipt::receipt;
use crate::delivery::shards::may_be_in;
use crate::delivery::wire::{self, Request};
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::edge::now;
use crate::keys::StampedReceipt;
use crate::list_query::Query;
use crate::note::Closing;
use crate::problem::Problem;
use crate::pseudonym::Pseudonyms;
use crate::receipt::{Receipt, Timestamp};

/// `GET /erasures/{source}/{request_id}`: the receipt, signed as Standard Webhooks 1.0 has it. The id
/// may be the pseudonym that a log shows in its place.
///
/// # Errors
/// 404, or 503 where a lane does not answer.
pub async fn find(
    environment: &Environment,
    lanes: &Lanes,
    source: &str,
    request_id: &str,
) -> Result<Reply, Problem> {
    let message = if Pseudonyms::is_form(request_id) {
        Request::FindNamed(source.to_owned(), request_id.to_owned())
    } else {
        Request::find(source, request_id)
    };
    let receipt = whole(environment, lanes, &message, source, request_id).await?;
    let request_id = &receipt.request_id;
    let text = serde_json::to_string(&receipt).map_err(|_| Problem::Internal)?;
    let name = environment.keys.pseudonyms.as_ref().map(|names| names.of_request(request_id));
    let id = format!("receipt-{}", name.unwrap_or_default().replace(':', "-"));
    let stamped = StampedReceipt::new(id, now().0.div_euclid(1000), &text);
    let hmac = environment.keys.sign_receipt(&stamped);
    let ed25519 = match &environment.receipt_signer {
        Some(signer) => signer.sign(&stamped.signed()).await.map_err(|_| Problem::Internal)?,
        None => None,
    };
    let headers = stamped.headers(hmac, ed25519.as_deref());
    Ok(Reply::Written(200, text, headers))
}

/// The receipt of one erasure, with what its platform was told.
pub(super) async fn whole(
    environment: &Environment,
    lanes: &Lanes,
    message: &Request<'_>,
    source: &str,
    request_id: &str,
) -> Result<Receipt, Problem> {
    let mut receipt = one(environment, lanes, message, source, request_id).await?;
    if let Some(known) = told(environment, lanes, source, &receipt.request_id).await? {
        receipt.closed = known.closed.map(Into::into);
        receipt.reply_expires_at = known.reply_expires_at;
        receipt.callbacks = known.records.into_iter().map(Record::into_callback).collect();
    }
    Ok(receipt)
}

/// `GET /.well-known/erasure-relay.json`: the public keys of receipts, for everybody.
///
/// # Errors
/// 404 where there is none.
pub fn receipt_keys(environment: &Environment, is_durable: bool) -> Result<Reply, Problem> {
    let missing = if is_durable {
        "RECEIPT_SIGNING_KEY is not set"
    } else {
        "direct delivery stores no receipts that could be signed"
    };
    let signer = environment.receipt_signer.as_ref();
    let signer = signer.ok_or(Problem::NoReceiptKeys(missing))?;
    let text = serde_json::to_string(&signer.public).map_err(|_| Problem::Internal)?;
    let headers = vec![
        ("Cache-Control", "public, max-age=3600".to_owned()),
        ("Access-Control-Allow-Origin", "*".to_owned()),
    ];
    Ok(Reply::Written(200, text, headers))
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
    let message = Request::replay(source, request_id);
    let receipt = one(environment, lanes, &message, source, request_id).await?;
    if let Some(callback) = environment.callback_of(source) {
        let lane = lanes.first(&callback.client.account).map_err(|_| Problem::LaneUnreachable)?;
        lane.exchange(&message).await.map_err(|_| Problem::LaneUnreachable)?;
    }
    Ok(Reply::Receipts(202, vec![receipt]))
}

/// `POST /erasures/{source}/{request_id}/close`: the platform is told what an operator has found out,
/// where the vendors did not bring the request to its end.
///
/// # Errors
/// 404 where the platform is not told, 409 where it knows the end already, 503 where a lane does not
/// answer.
pub async fn close(
    environment: &Environment,
    lanes: &Lanes,
    source: &str,
    request_id: &str,
    closing: Closing,
) -> Result<Reply, Problem> {
    let callback = environment.callback_of(source).ok_or(Problem::UnknownErasure)?;
    let lane = lanes.first(&callback.client.account).map_err(|_| Problem::LaneUnreachable)?;
    let Closing { outcome, note } = closing;
    let closure = Closure { outcome, note: note.as_str().to_owned(), at: now() };
    let message = callback::wire::Request::new(source, request_id, Ask::Close(closure));
    let closed: bool = lane.ask_callback(&message).await.map_err(|_| Problem::LaneUnreachable)?;
    if !closed {
        return Err(Problem::CannotClose);
    }
    find(environment, lanes, source, request_id).await
}

/// What the platform was told of an erasure; `None` where it is told nothing.
async fn told(
    environment: &Environment,
    lanes: &Lanes,
    source: &str,
    request_id: &str,
) -> Result<Option<Known>, Problem> {
    let Some(callback) = environment.callback_of(source) else { return Ok(None) };
    let lane = lanes.first(&callback.client.account).map_err(|_| Problem::LaneUnreachable)?;
    let message = callback::wire::Request::new(source, request_id, Ask::Find);
    lane.ask_callback(&message).await.map(Some).map_err(|_| Problem::LaneUnreachable)
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
    let receipt = one(environment, lanes, &message, source, request_id).await?;
    Ok(Reply::Receipts(200, vec![receipt]))
}

/// `GET /erasures`
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
) -> Result<Reply, Problem> {
    let mut all = lanes::every_lane(environment, lanes).await?;
    all.retain(|(name, _)| callback::source_of(name).is_none());
    let asked = |vendor: &str| query.vendor.as_ref().is_none_or(|name| name == vendor);
    if !all.iter().any(|(vendor, _)| asked(vendor)) {
        return Err(Problem::UnknownVendor);
    }
    // One more than is shown tells whether there are more.
    let (now, limit) = (now(), query.limit.saturating_add(1));
    let shortest = environment.senders.iter().map(|sender| sender.source.answer_within).min();
    let before = query.start(shortest.unwrap_or_default(), now);
    let mut keys: Vec<Key> = Vec::new();
    for state in query.states() {
        let list = wire::List { state, before: before.clone(), limit };
        let lists = all.iter().filter(|(vendor, _)| asked(vendor));
        let lists: Vec<Vec<Key>> = lanes::ask_all(lists, &Request::List(list)).await?;
        keys.extend(lists.into_iter().flatten());
    }
    keys.sort_unstable_by(|one, other| other.cmp(one));
    keys.dedup();
    let shown = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let more = keys.len() > shown;
    keys.truncate(shown);

    let found: Vec<Vec<Record>> = lanes::ask_all(all.iter(), &Request::Find(keys.clone())).await?;
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
    Ok(Reply::List(receipts, keys.last().filter(|_| more).map(Query::cursor)))
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

/// The answer of `GET /sources`.
#[derive(Serialize)]
struct Sources<'a> {
    sources: Vec<SourceStatus<'a>>,
}

#[derive(Serialize)]
struct SourceStatus<'a> {
    source: &'a str,
    ignored: Vec<IgnoredStatus>,
}

/// Events of one name that were no erasures.
#[derive(Serialize)]
struct IgnoredStatus {
    event: String,
    count: i64,
    first_at: Timestamp,
    last_at: Timestamp,
}

/// `GET /sources`: which events of each source were no erasures. The first account of a source
/// counts them; every account is asked, since another one may have been the first.
///
/// # Errors
/// 503 where a lane does not answer.
pub async fn sources(environment: &Environment, lanes: &Lanes) -> Result<Reply, Problem> {
    let mut first = Vec::new();
    for vendor in &environment.vendors {
        let lane = lanes.first(&vendor.account).map_err(|_| Problem::LaneUnreachable)?;
        first.push((vendor.account.name.clone(), lane));
    }
    let counted: Vec<Vec<IgnoredEvent>> =
        lanes::ask_all(first.iter(), &Request::ListIgnored).await?;
    let mut sources: Vec<SourceStatus<'_>> = environment
        .senders
        .iter()
        .map(|sender| SourceStatus { source: &sender.source.name, ignored: Vec::new() })
        .collect();
    for (source, event, count, first_at, last_at) in counted.into_iter().flatten() {
        let (first_at, last_at) = (Timestamp(first_at), Timestamp(last_at));
        let Some(of) = sources.iter_mut().find(|of| of.source == source) else { continue };
        match of.ignored.iter_mut().find(|known| known.event == event) {
            Some(known) => {
                known.count = known.count.saturating_add(count);
                known.first_at = known.first_at.min(first_at);
                known.last_at = known.last_at.max(last_at);
            }
            None => of.ignored.push(IgnoredStatus { event, count, first_at, last_at }),
        }
    }
    Reply::json(200, &Sources { sources })
}

/// What the lanes answer about one erasure, as a receipt.
pub(super) async fn one(
    environment: &Environment,
    lanes: &Lanes,
    message: &Request<'_>,
    source: &str,
    request_id: &str,
) -> Result<Receipt, Problem> {
    // Every shard is asked, since there may have been fewer when the erasure came, and every lane that
    // is not configured any more and may hold it.
    let mut asked = Vec::new();
    for account in in_order_of(environment, source) {
        let lanes = lanes.all(account).map_err(|_| Problem::LaneUnreachable)?;
        asked.extend(lanes.into_iter().map(|lane| (account.name.clone(), lane)));
    }
    let mut orphans = lanes::orphans(environment, lanes).await?;
    let is_named = matches!(message, Request::FindNamed(..));
    orphans.retain(|place| {
        let may_hold = is_named || may_be_in(source, request_id, place.shard);
        callback::source_of(&place.vendor).is_none() && may_hold
    });
    lanes::add(lanes, orphans, &mut asked)?;
    let records: Vec<Vec<Record>> = lanes::ask_all(asked.iter(), message).await?;
    let Some(first) = records.iter().flatten().next() else {
        return Err(Problem::UnknownErasure);
    };
    let request_id = first.request_id.clone();
    let parts = asked.iter().map(|(vendor, _)| vendor.as_str()).zip(records);
    let mut receipt = receipt(source, &request_id, Timestamp(i64::MAX), parts);
    receipt.due_by = due_by(environment, &receipt);
    Ok(receipt)
}

/// By when an erasure must be answered: `answer_days` of its source after its first webhook. A source
/// that is not configured any more has no such time.
fn due_by(environment: &Environment, receipt: &Receipt) -> Option<Timestamp> {
    let sender = environment.senders.iter().find(|sender| sender.source.name == receipt.source);
    sender.map(|sender| receipt.received_at.after(sender.source.answer_within))
}

/// All accounts, those of the source first and in its order.
fn in_order_of<'a>(environment: &'a Environment, source: &str) -> Vec<&'a Account> {
    let sender = environment.senders.iter().find(|sender| sender.source.name == source);
    let named = sender.map(|sender| sender.source.vendors.as_slice()).unwrap_or_default();
    let account = |name: &String| environment.vendors.iter().find(|one| one.account.name == *name);
    let first = named.iter().filter_map(account);
    let others = environment.vendors.iter().filter(|one| !named.contains(&one.account.name));
    first.chain(others).map(|vendor| &*vendor.account).collect()
}
