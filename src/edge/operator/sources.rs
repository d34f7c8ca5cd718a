//! What the sources sent that was no erasure.

use serde::Serialize;

use super::{ask_all, unreachable};
use crate::delivery::lane::IgnoredEvent;
use crate::delivery::wire::Request;
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::problem::Problem;
use crate::receipt::Timestamp;

/// A source, and what it sent that was no erasure.
#[derive(Serialize)]
pub struct SourceStatus<'a> {
    /// The source.
    pub source: &'a str,
    /// The events, by name.
    pub ignored: Vec<IgnoredStatus>,
}

/// Events of one name that were no erasures.
#[derive(Serialize)]
pub struct IgnoredStatus {
    /// The event's name.
    pub event: String,
    /// How many came.
    pub count: i64,
    /// When the first one came.
    pub first_at: Timestamp,
    /// When the last one came.
    pub last_at: Timestamp,
}

/// Which events of each source were no erasures. The first account of a source
/// counts them; every account is asked, since another one may have been the first.
///
/// # Errors
/// 503 where a lane does not answer.
pub async fn sources<'a>(
    environment: &'a Environment,
    lanes: &Lanes,
) -> Result<Vec<SourceStatus<'a>>, Problem> {
    let mut first = Vec::new();
    for vendor in &environment.vendors {
        let lane = lanes.first(&vendor.account).map_err(unreachable)?;
        first.push((vendor.account.name.clone(), lane));
    }
    let counted: Vec<Vec<IgnoredEvent>> = ask_all(first.iter(), &Request::ListIgnored).await?;
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
    Ok(sources)
}
