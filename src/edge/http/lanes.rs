//! The operator's routes about lanes, and what the cron trigger does.
//!
//! A lane that the configuration does not name any more is orphaned: it does not send, and is found by
//! the directory alone. Operators see it beside the others, and move or discard what it holds.

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use worker::Delay;

use super::reply::Reply;
use crate::config::Account;
use crate::delivery::directory::Place;
use crate::delivery::wire::Request;
use crate::edge::environment::Environment;
use crate::edge::lane::client::{Lane, Lanes, Unreachable};
use crate::edge::{log, now};
use crate::problem::Problem;
use crate::receipt::Timestamp;

/// How many rows one message between lanes holds at most.
const PAGE: u32 = 250;

/// How many pages one request of the operator moves or discards at most. Each is a handful of requests
/// to lanes, of which the platform allows 1,000 for each request.
const PAGES: u32 = 20;

/// How long an isolate relies on what the directory said. Only a deployment makes a lane an orphan.
const KNOWN_FOR: Duration = Duration::from_secs(60);

/// How long a webhook waits for the directory, beside its lanes.
const LOOK_UP: Duration = Duration::from_secs(1);

/// What the directory said, and when.
type Known = (Timestamp, Rc<Vec<Place>>);

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// A lane, and the name of its account.
pub type Asked = (String, Lane);

/// The answer of the routes about lanes: each one's [`Status`](crate::delivery::lane::Status), as the
/// lane wrote it.
#[derive(Serialize)]
struct Statuses {
    /// How many rows were moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<u32>,
    /// How many rows were ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    discarded: Option<u32>,
    /// Whether there is more to move or to end: the request must be sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
    lanes: Vec<Box<RawValue>>,
}

/// `GET /lanes`
///
/// # Errors
/// 503 where a lane does not answer.
pub async fn show(environment: &Environment, lanes: &Lanes) -> Result<Reply, Problem> {
    statuses(200, &every_lane(environment, lanes).await?, None, None, None).await
}

/// Each lane's account, and its status as far as `T` reads it; `None` where it does not answer. Where
/// the directory does not answer, these are the lanes that are configured.
pub async fn statuses_of_all<T: DeserializeOwned>(
    environment: &Environment,
    lanes: &Lanes,
) -> Vec<(String, Option<T>)> {
    let all = match every_lane(environment, lanes).await {
        Ok(all) => all,
        Err(_) => configured(environment, lanes).unwrap_or_default(),
    };
    let asked = all.iter().map(|(_, lane)| lane).collect();
    let answers = exchange_with_all(asked, &Request::Status).await;
    let vendors = all.into_iter().map(|(vendor, _)| vendor);
    vendors.zip(answers.into_iter().map(|answer| read(answer).ok())).collect()
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
    let account = account(environment, vendor)?;
    let all = lanes.all(account).map_err(unreachable)?;
    let all: Vec<Asked> = all.into_iter().map(|lane| (account.name.clone(), lane)).collect();
    let lanes = ask_all(all.iter(), &Request::Resume).await?;
    Reply::json(202, &Statuses { moved: None, discarded: None, more: None, lanes })
}

/// `POST /lanes/{vendor}/move?to={vendor}`: what the lanes of `vendor` cannot send goes to the lanes
/// of `to` where it belongs. Of an orphaned lane that is all that it holds. What `to` cannot make stays.
/// May be repeated at any time, also after it failed midway.
///
/// # Errors
/// 404 where there is no such account, 503 where a lane does not answer.
pub async fn move_rows(
    environment: &Environment,
    lanes: &Lanes,
    vendor: &str,
    to: &str,
) -> Result<Reply, Problem> {
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
    statuses(200, &from, Some(moved), None, Some(pages == 0)).await
}

/// `POST /lanes/{vendor}/discard?call={call}`: ends what waits in the lanes of `vendor` and cannot be
/// sent, of one call or of all.
///
/// # Errors
/// 404 where there is no such account, 503 where a lane does not answer.
pub async fn discard(
    environment: &Environment,
    lanes: &Lanes,
    vendor: &str,
    call: Option<String>,
    note: &str,
) -> Result<Reply, Problem> {
    let all = of_vendor(environment, lanes, vendor).await?;
    let message = Request::DiscardUnsendable(call, note.to_owned(), PAGE);
    let (mut discarded, mut pages) = (0_u32, PAGES);
    for (_, lane) in &all {
        while pages > 0 {
            let ended: u32 = read(lane.exchange(&message).await)?;
            discarded = discarded.saturating_add(ended);
            if ended < PAGE {
                break;
            }
            pages = pages.saturating_sub(1);
        }
    }
    statuses(200, &all, None, Some(discarded), Some(pages == 0)).await
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
    let woken: Result<Vec<_>, _> = woken.into_iter().collect();
    woken.map(drop).map_err(unreachable)
}

/// Every lane that holds something and is not configured.
///
/// # Errors
/// 503 where the directory does not answer.
pub async fn orphans(environment: &Environment, lanes: &Lanes) -> Result<Vec<Place>, Problem> {
    let mut places = lanes.registered().await.map_err(unreachable)?;
    places.retain(|place| {
        let account = account(environment, &place.vendor).ok();
        place.orphaned(account.map(|account| &account.policy)).is_some()
    });
    Ok(places)
}

/// The same as far as this isolate knows, for webhooks: looked up at most once a minute, and not
/// waited for longer than a second. Where the directory does not answer, nothing new is known.
pub async fn known_orphans(environment: &Environment, lanes: &Lanes) -> Rc<Vec<Place>> {
    let fresh = KNOWN.with_borrow_mut(|(known_at, known)| {
        let is_fresh = now() < known_at.after(KNOWN_FOR);
        if !is_fresh {
            // Those that come meanwhile use what is known.
            *known_at = now();
        }
        is_fresh.then(|| known.clone())
    });
    if let Some(known) = fresh {
        return known;
    }
    let looked_up = pin!(orphans(environment, lanes));
    match select(looked_up, pin!(Delay::from(LOOK_UP))).await {
        Either::Left((Ok(places), _)) => KNOWN.set((now(), Rc::new(places))),
        Either::Left((Err(_), _)) | Either::Right(_) => {
            log::internal("the directory of the lanes does not answer");
        }
    }
    KNOWN.with_borrow(|(_, known)| known.clone())
}

/// Adds the lanes at `places`.
///
/// # Errors
/// 503 where the runtime does not have one.
pub fn add(lanes: &Lanes, places: Vec<Place>, to: &mut Vec<Asked>) -> Result<(), Problem> {
    for place in places {
        let vendor = place.vendor.clone();
        to.push((vendor, lanes.at(place).map_err(unreachable)?));
    }
    Ok(())
}

/// Every lane, those that are not configured any more last.
///
/// # Errors
/// 503 where the directory does not answer.
pub async fn every_lane(environment: &Environment, lanes: &Lanes) -> Result<Vec<Asked>, Problem> {
    let mut all = configured(environment, lanes)?;
    add(lanes, orphans(environment, lanes).await?, &mut all)?;
    Ok(all)
}

fn configured(environment: &Environment, lanes: &Lanes) -> Result<Vec<Asked>, Problem> {
    let mut all = Vec::new();
    for vendor in environment.accounts() {
        let of_account = lanes.all(&vendor.account).map_err(unreachable)?;
        all.extend(of_account.into_iter().map(|lane| (vendor.account.name.clone(), lane)));
    }
    Ok(all)
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

async fn statuses(
    status: u16,
    of: &[Asked],
    moved: Option<u32>,
    discarded: Option<u32>,
    more: Option<bool>,
) -> Result<Reply, Problem> {
    let lanes = ask_all(of.iter(), &Request::Status).await?;
    Reply::json(status, &Statuses { moved, discarded, more, lanes })
}

/// Reads what a lane answered.
fn read<T: DeserializeOwned>(answer: Result<Vec<u8>, Unreachable>) -> Result<T, Problem> {
    let answer = answer.map_err(unreachable)?;
    serde_json::from_slice(&answer).map_err(|_| Problem::LaneUnreachable)
}

fn unreachable(_: Unreachable) -> Problem {
    Problem::LaneUnreachable
}

/// Asks these lanes at the same time.
///
/// # Errors
/// 503 where one does not answer.
pub async fn ask_all<'a, T: DeserializeOwned>(
    lanes: impl Iterator<Item = &'a Asked>,
    message: &Request<'_>,
) -> Result<Vec<T>, Problem> {
    let answers = exchange_with_all(lanes.map(|(_, lane)| lane).collect(), message).await;
    answers.into_iter().map(read).collect()
}

/// Apart from [`ask_all`], so that it is compiled once for all types.
async fn exchange_with_all(
    lanes: Vec<&Lane>,
    message: &Request<'_>,
) -> Vec<Result<Vec<u8>, Unreachable>> {
    join_all(lanes.into_iter().map(|lane| lane.exchange(message))).await
}
