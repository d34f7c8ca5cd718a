//! `GET /metrics`: the state of the lanes for a monitoring system.

use futures_util::future::join_all;

use super::reply::Reply;
use crate::delivery::directory::Place;
use crate::delivery::wire::Request;
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::edge::operator::orphans::orphans;
use crate::metrics;
use crate::problem::Problem;

/// The metrics as OpenMetrics. A lane that does not answer is shown as down, and hides no other.
///
/// # Errors
/// None that is known: what does not answer is a metric.
pub async fn answer(environment: &Environment, lanes: &Lanes) -> Result<Reply, Problem> {
    let further = orphans(environment, lanes).await;
    let has_directory = further.is_ok();
    let mut places = Vec::new();
    for client in environment.accounts() {
        let account = &client.account;
        places.extend((0..account.policy.shards).map(|shard| Place {
            vendor: account.name.clone(),
            shard,
            jurisdiction: account.policy.jurisdiction,
        }));
    }
    places.extend(further.unwrap_or_default());
    let asked = places.into_iter().map(async |place| {
        let lane = lanes.at(place.clone()).ok();
        let told = match lane {
            Some(lane) => lane.ask::<metrics::Samples>(&Request::Measure).await.ok(),
            None => None,
        };
        (place, told)
    });
    let told = join_all(asked).await;
    let text = metrics::text(super::VERSION, has_directory, &told);
    Ok(Reply::Typed(200, metrics::CONTENT_TYPE, text))
}
