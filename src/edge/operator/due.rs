//! Alerts of erasures that must be answered soon, or should have been, at each run of the cron trigger.

use super::list::list;
use super::unreachable;
use crate::alert::{self, due};
use crate::delivery::alert::Alert;
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::edge::{log, now};
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
        let page = list(environment, lanes, &query).await?;
        due::add(&mut alerts, &page.receipts, at);
        let mut receipts = page.receipts.iter();
        let is_over = receipts.len() > 0 && receipts.all(|receipt| due::is_long_ago(receipt, at));
        let Some(next) = page.next.filter(|_| !is_over) else { break };
        before = next;
    }
    let lane = lanes.first(&client.account).map_err(unreachable)?;
    for alert in alerts {
        let request_id = alert.request_id.as_deref();
        let shown = request_id.map(|id| log::name_of(id, environment.keys.pseudonyms.as_ref()));
        let taken = lane.exchange(&alert::request(&alert, shown)).await;
        taken.map_err(unreachable)?;
    }
    Ok(())
}
