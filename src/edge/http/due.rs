//! Alerts of erasures that must be answered soon, or should have been, at each run of the cron trigger.

use futures_util::future::join_all;

use super::operator;
use super::reply::Reply;
use crate::alert::due;
use crate::delivery::alert::Alert;
use crate::delivery::wire::Request;
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::edge::{log, now};
use crate::erasure::RequestId;
use crate::list_query::Query;
use crate::problem::Problem;

/// How many erasures one page has, and how many pages are looked at. Each erasure may be a request to the
/// lane of its platform, and the platform allows 1,000 for each run.
const PAGE: u32 = 50;
const PAGES: u32 = 4;

/// Raises them. The lane of the alerts sends one for each source and day.
///
/// # Errors
/// Where a lane does not answer.
pub async fn raise(environment: &Environment, lanes: &Lanes) -> Result<(), Problem> {
    let Some(client) = &environment.alerts else { return Ok(()) };
    let at = now();
    let mut alerts: Vec<Alert> = Vec::new();
    let mut before = String::new();
    for _ in 0..PAGES {
        let days = due::SOON.as_secs() / 86_400;
        let query = format!("due_within_days={days}&limit={PAGE}&before={before}");
        let query = Query::parse(&query).map_err(|_| Problem::Internal)?;
        let Reply::List(receipts, next) = operator::list(environment, lanes, &query).await? else {
            break;
        };
        due::add(&mut alerts, &receipts, at, &|id| name(environment, id));
        let is_long_ago =
            !receipts.is_empty() && receipts.iter().all(|receipt| due::is_long_ago(receipt, at));
        let Some(next) = next.filter(|_| !is_long_ago) else { break };
        before = next;
    }
    let lane = lanes.first(&client.account).map_err(|_| Problem::LaneUnreachable)?;
    let messages: Vec<Request<'_>> = alerts.into_iter().map(Request::Alert).collect();
    let taken = join_all(messages.iter().map(|message| lane.exchange(message))).await;
    let taken: Result<Vec<_>, _> = taken.into_iter().collect();
    taken.map(drop).map_err(|_| Problem::LaneUnreachable)
}

/// A request's id as logs show it.
fn name(environment: &Environment, id: &str) -> String {
    let names = environment.keys.pseudonyms.as_ref();
    RequestId::parse(id).map(|id| log::name(&id, names)).unwrap_or_default()
}
