//! One erasure: its receipt, and what an operator does about it.

use super::orphans::{add, orphans};
use super::{ask_all, unreachable};
use crate::callback::wire::{Ask, Known};
use crate::callback::{self, Closure};
use crate::config::Account;
use crate::delivery::lane::{Key, Record};
use crate::delivery::receipt::receipt;
use crate::delivery::shards::may_be_in;
use crate::delivery::wire::Request;
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::edge::now;
use crate::note::{Closing, Note};
use crate::problem::Problem;
use crate::pseudonym::Pseudonyms;
use crate::receipt::{Receipt, Timestamp};

/// The message that finds an erasure, with the history of each delivery, by its id, or by the pseudonym
/// that a log shows in its place.
pub fn by_shown_id(source: &str, request_id: &str) -> Request<'static> {
    if Pseudonyms::is_form(request_id) {
        Request::FindNamed(source.to_owned(), request_id.to_owned())
    } else {
        Request::find_whole(source, request_id)
    }
}

/// The receipt of one erasure, with what its platform was told.
pub async fn whole(
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

/// What is done about one erasure in each lane that may hold it.
pub enum Change {
    /// What can be tried again is, also what the platform could not be told.
    Replay,
    /// What waits or could be replayed is ended, with this note.
    Discard(Note),
    /// What needs attention is acknowledged, with this note, also what the platform could not be told.
    Acknowledge(Note),
}

/// Changes an erasure, and returns its receipt.
///
/// # Errors
/// 404, or 503 where a lane does not answer.
pub async fn change(
    environment: &Environment,
    lanes: &Lanes,
    source: &str,
    request_id: &str,
    change: Change,
) -> Result<Receipt, Problem> {
    let key = Key::of(source, request_id);
    let (message, is_of_messages) = match change {
        Change::Replay => (Request::Replay(vec![key]), true),
        Change::Discard(note) => (Request::Discard(key, note.into_text()), false),
        Change::Acknowledge(note) => (Request::Acknowledge(key, note.into_text()), true),
    };
    let receipt = one(environment, lanes, &message, source, request_id).await?;
    if let Some(callback) = environment.callback_of(source).filter(|_| is_of_messages) {
        let lane = lanes.first(&callback.client.account).map_err(unreachable)?;
        lane.exchange(&message).await.map_err(unreachable)?;
    }
    Ok(receipt)
}

/// Has the platform told what an operator has found out, where the vendors did not bring the request to
/// its end.
///
/// # Errors
/// 404, 409 where the platform is not told or knows the end already, 503 where a lane does not answer.
pub async fn close(
    environment: &Environment,
    lanes: &Lanes,
    source: &str,
    request_id: &str,
    closing: Closing,
) -> Result<(), Problem> {
    let find = Request::find(source, request_id);
    one(environment, lanes, &find, source, request_id).await?;
    let callback = environment.callback_of(source).ok_or(Problem::CannotClose)?;
    let lane = lanes.first(&callback.client.account).map_err(unreachable)?;
    let Closing { outcome, note } = closing;
    let closure = Closure { outcome, note: note.into_text(), at: now() };
    let message = callback::wire::Request::new(source, request_id, Ask::Close(closure));
    let closed: bool = lane.ask_callback(&message).await.map_err(unreachable)?;
    if closed { Ok(()) } else { Err(Problem::CannotClose) }
}

/// What the platform was told of an erasure; `None` where it is told nothing.
pub(super) async fn told(
    environment: &Environment,
    lanes: &Lanes,
    source: &str,
    request_id: &str,
) -> Result<Option<Known>, Problem> {
    let Some(callback) = environment.callback_of(source) else { return Ok(None) };
    let lane = lanes.first(&callback.client.account).map_err(unreachable)?;
    let message = callback::wire::Request::new(source, request_id, Ask::Find);
    lane.ask_callback(&message).await.map(Some).map_err(unreachable)
}

/// What the lanes answer about one erasure, as a receipt.
pub async fn one(
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
        let lanes = lanes.all(account).map_err(unreachable)?;
        asked.extend(lanes.into_iter().map(|lane| (account.name.clone(), lane)));
    }
    let mut orphans = orphans(environment, lanes).await?;
    let is_named = matches!(message, Request::FindNamed(..));
    orphans.retain(|place| {
        let may_hold = is_named || may_be_in(source, request_id, place.shard);
        callback::source_of(&place.vendor).is_none() && may_hold
    });
    add(lanes, orphans, &mut asked)?;
    let records: Vec<Vec<Record>> = ask_all(asked.iter(), message).await?;
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
pub(super) fn due_by(environment: &Environment, receipt: &Receipt) -> Option<Timestamp> {
    let sender = environment.senders.iter().find(|sender| sender.source.name == receipt.source);
    sender.map(|sender| receipt.received_at.after(sender.source.answer_within))
}

/// All accounts, those of the source first and in its order.
pub(super) fn in_order_of<'a>(environment: &'a Environment, source: &str) -> Vec<&'a Account> {
    let sender = environment.senders.iter().find(|sender| sender.source.name == source);
    let named = sender.map(|sender| sender.source.vendors.as_slice()).unwrap_or_default();
    let account = |name: &String| environment.vendors.iter().find(|one| one.account.name == *name);
    let first = named.iter().filter_map(account);
    let others = environment.vendors.iter().filter(|one| !named.contains(&one.account.name));
    first.chain(others).map(|vendor| &*vendor.account).collect()
}
