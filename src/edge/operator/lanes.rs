//! Each lane's status, and what an operator does to all that it holds.

use serde::Serialize;

use super::orphans::{configured, every_lane, orphans};
use super::{Asked, ask_all, exchange_with_all, read, unreachable};
use crate::config::Account;
use crate::delivery::audit;
use crate::delivery::directory::Place;
use crate::delivery::lane::Status;
use crate::delivery::wire::Request;
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::edge::now;
use crate::note::Note;
use crate::problem::Problem;
use crate::receipt::Outcome;

/// How many rows one message between lanes holds at most.
const PAGE: u32 = 250;

/// How many pages one request of the operator looks at at most. Each is a handful of requests
/// to lanes, of which the platform allows 1,000 for each request.
const PAGES: u32 = 20;

/// Each lane's status, and what was done.
#[derive(Default, Serialize)]
pub struct Statuses {
    /// How many rows were moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<u32>,
    /// How many rows were ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discarded: Option<u32>,
    /// How many rows are tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replayed: Option<u32>,
    /// How many rows were acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<u32>,
    /// Whether there is more to do: the request must be sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more: Option<bool>,
    /// The lanes.
    pub lanes: Vec<Status>,
}

impl Statuses {
    async fn of(lanes: &[Asked]) -> Result<Self, Problem> {
        let lanes = ask_all(lanes.iter(), &Request::Status).await?;
        Ok(Self { lanes, ..Self::default() })
    }
}

/// Every lane.
///
/// # Errors
/// 503 where a lane does not answer.
pub async fn show(environment: &Environment, lanes: &Lanes) -> Result<Statuses, Problem> {
    Statuses::of(&every_lane(environment, lanes).await?).await
}

/// Each lane's account and status; `None` where it does not answer. Where the directory does not answer,
/// these are the lanes that are configured.
pub async fn statuses_of_all(
    environment: &Environment,
    lanes: &Lanes,
) -> Vec<(String, Option<Status>)> {
    let all = match every_lane(environment, lanes).await {
        Ok(all) => all,
        Err(_) => configured(environment, lanes).unwrap_or_default(),
    };
    let asked = all.iter().map(|(_, lane)| lane).collect();
    let answers = exchange_with_all(asked, &Request::Status).await;
    let vendors = all.into_iter().map(|(vendor, _)| vendor);
    vendors.zip(answers.into_iter().map(|answer| read(answer).ok())).collect()
}

/// Closes the breakers of an account's lanes.
///
/// # Errors
/// 404 where no account has this name, 503 where a lane does not answer.
pub async fn resume(
    environment: &Environment,
    lanes: &Lanes,
    vendor: &str,
) -> Result<Statuses, Problem> {
    let account = account(environment, vendor)?;
    let all = lanes.all(account).map_err(unreachable)?;
    let all: Vec<Asked> = all.into_iter().map(|lane| (account.name.clone(), lane)).collect();
    let lanes = ask_all(all.iter(), &Request::Resume).await?;
    Ok(Statuses { lanes, ..Statuses::default() })
}

/// Moves what the lanes of `vendor` cannot send to the lanes of `to` where it belongs. Of an orphaned lane
/// that is all that it holds. What `to` cannot make stays. May be repeated at any time, also after it failed
/// midway.
///
/// # Errors
/// 404 where there is no such account, 503 where a lane does not answer.
pub async fn move_rows(
    environment: &Environment,
    lanes: &Lanes,
    vendor: &str,
    to: &str,
) -> Result<Statuses, Problem> {
    let from = of_vendor(environment, lanes, vendor).await?;
    let to = account(environment, to)?;
    let calls = to.vendor.calls().iter().map(|kind| kind.name.to_owned()).collect();
    let page = Request::Page(calls, to.policy.shards, PAGE);
    let (mut moved, mut pages) = (0_u32, PAGES);
    for (_, old) in &from {
        while pages > 0 {
            let page: Option<(u32, String)> = read(old.exchange(&page).await)?;
            let Some((shard, rows)) = page else { break };
            pages = pages.saturating_sub(1);
            let (vendor, jurisdiction) = (to.name.clone(), to.policy.jurisdiction);
            let new = lanes.at(Place { vendor, shard, jurisdiction }).map_err(unreachable)?;
            new.exchange(&Request::Adopt(rows.clone())).await.map_err(unreachable)?;
            let forgotten: u32 = read(old.exchange(&Request::Forget(rows)).await)?;
            moved = moved.saturating_add(forgotten);
        }
    }
    let statuses = Statuses::of(&from).await?;
    Ok(Statuses { moved: Some(moved), more: Some(pages == 0), ..statuses })
}

/// What is done to all that the lanes of an account hold.
pub enum Bulk {
    /// What waits and cannot be sent is ended, of one call or of all, with this note.
    DiscardUnsendable(Option<String>, Note),
    /// What can be tried again is, of one outcome or of all. What a person has acknowledged is left alone,
    /// and so is what fails again meanwhile.
    Replay(Option<Outcome>),
    /// What needs attention is acknowledged, of one outcome or of all, with this note.
    Acknowledge(Option<Outcome>, Note),
}

/// Changes what the lanes of `vendor` hold, page by page. Nothing is tried again in a lane that is not
/// configured.
///
/// # Errors
/// 404 where there is no such account, 503 where a lane does not answer.
pub async fn change(
    environment: &Environment,
    lanes: &Lanes,
    vendor: &str,
    change: Bulk,
) -> Result<Statuses, Problem> {
    let all = if let Bulk::Replay(_) = change {
        let mut all = configured(environment, lanes)?;
        all.retain(|(name, _)| name == vendor);
        all
    } else {
        of_vendor(environment, lanes, vendor).await?
    };
    if all.is_empty() {
        return Err(Problem::UnknownVendor);
    }
    let mut done = Statuses::default();
    let (message, count) = match change {
        Bulk::DiscardUnsendable(call, note) => {
            (Request::DiscardUnsendable(call, note.into_text(), PAGE), &mut done.discarded)
        }
        Bulk::Replay(outcome) => (Request::ReplayAll(outcome, now(), PAGE), &mut done.replayed),
        Bulk::Acknowledge(outcome, note) => {
            (Request::AcknowledgeAll(outcome, note.into_text(), PAGE), &mut done.acknowledged)
        }
    };
    let (mut changed, mut pages) = (0_u32, PAGES);
    for (_, lane) in &all {
        while pages > 0 {
            let of_page: u32 = read(lane.exchange(&message).await)?;
            changed = changed.saturating_add(of_page);
            if of_page < PAGE {
                break;
            }
            pages = pages.saturating_sub(1);
        }
    }
    *count = Some(changed);
    done.more = Some(pages == 0);
    done.lanes = ask_all(all.iter(), &Request::Status).await?;
    Ok(done)
}

/// Every lane of this name, configured or not.
async fn of_vendor(
    environment: &Environment,
    lanes: &Lanes,
    vendor: &str,
) -> Result<Vec<Asked>, Problem> {
    let mut all = every_lane(environment, lanes).await?;
    all.retain(|(name, _)| name == vendor);
    if all.is_empty() { Err(Problem::UnknownVendor) } else { Ok(all) }
}

fn account<'a>(environment: &'a Environment, name: &str) -> Result<&'a Account, Problem> {
    environment.client(name).map(|client| &*client.account).ok_or(Problem::UnknownVendor)
}

/// Has every lane look whether it has something to do, since an alarm may have been lost, and log
/// what it cannot send; and removes orphaned lanes that hold nothing.
///
/// # Errors
/// Where a lane does not answer.
pub async fn wake(environment: &Environment, lanes: &Lanes) -> Result<(), Problem> {
    let all = configured(environment, lanes)?;
    let woken = exchange_with_all(all.iter().map(|(_, lane)| lane).collect(), &Request::Wake).await;
    for place in orphans(environment, lanes).await? {
        let lane = lanes.at(place.clone()).map_err(unreachable)?;
        lane.exchange(&Request::Wake).await.map_err(unreachable)?;
        if read(lane.exchange(&Request::Dispose).await)? {
            let directory = lanes.directory().map_err(unreachable)?;
            let message = Request::Unregister(place.to_string());
            directory.exchange(&message).await.map_err(unreachable)?;
        }
    }
    let directory = lanes.directory().map_err(unreachable)?;
    let clean = Request::Audit(audit::Ask::Clean);
    directory.exchange(&clean).await.map_err(unreachable)?;
    let woken: Result<Vec<_>, _> = woken.into_iter().collect();
    woken.map(drop).map_err(unreachable)
}
