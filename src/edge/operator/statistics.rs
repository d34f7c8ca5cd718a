//! What became of the requests of a period, and what has come in lately.

use std::rc::Rc;

use serde::Serialize;

use super::ask_all;
use super::orphans::every_lane;
use super::walk::{Erasure, Walk};
use crate::activity::{self, Counts, Hour};
use crate::delivery::directory::Place;
use crate::delivery::wire::Request;
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::edge::now;
use crate::export::Query;
use crate::problem::Problem;
use crate::receipt::Timestamp;
use crate::statistics::{Report, Statistics};

/// Counts what came in a period.
///
/// # Errors
/// As [`Walk::begin`] and [`Walk::next`].
pub async fn statistics(
    environment: &Rc<Environment>,
    lanes: &Lanes,
    query: &Query,
) -> Result<Report, Problem> {
    let mut walk = Walk::begin(environment, lanes, query.source.clone(), query.period).await?;
    let configured = environment.senders.iter().map(|sender| sender.source.name.clone());
    let is_asked = |name: &String| query.source.as_ref().is_none_or(|source| source == name);
    let mut statistics = Statistics::of(configured.filter(is_asked));
    while let Some(erasures) = walk.next().await? {
        for Erasure { receipt, is_partial } in erasures {
            statistics.add(&receipt, is_partial);
        }
    }
    Ok(statistics.report(query.period))
}

/// What has come in lately.
#[derive(Serialize)]
pub struct Activity {
    /// When the first hour began.
    pub since: Timestamp,
    /// Each lane, those of platforms and those that are not configured any more last.
    pub lanes: Vec<LaneActivity>,
}

/// What has come in lately in one lane.
#[derive(Serialize)]
pub struct LaneActivity {
    /// The account.
    pub vendor: String,
    /// Which of its lanes.
    pub shard: u32,
    /// The last 24 hours, the present one included.
    pub hours: Vec<Hour>,
}

/// What has come in within the last 24 hours, by lane and hour.
///
/// # Errors
/// 503 where a lane does not answer.
pub async fn activity(environment: &Environment, lanes: &Lanes) -> Result<Activity, Problem> {
    let all = every_lane(environment, lanes).await?;
    let since = activity::since(now());
    let counted: Vec<Vec<Counts>> = ask_all(all.iter(), &Request::Activity(since.0)).await?;
    let mut lanes = Vec::new();
    for ((vendor, lane), counts) in all.iter().zip(counted) {
        let shard = Place::parse(lane.name()).map_or(0, |place| place.shard);
        let hours = counts.into_iter().map(Hour::from).collect();
        lanes.push(LaneActivity { vendor: vendor.clone(), shard, hours });
    }
    Ok(Activity { since, lanes })
}
