//! Erasures of a person, of a vendor's answer, or of an id that a log or an alert shows.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::list::{Gathered, Page, asked, cut, gather, matching, slice, start, vendor_lanes};
use super::{Asked, unreachable};
use crate::delivery::lane::{Found, Key};
use crate::delivery::wire::{self, Request};
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::list_query::Query;
use crate::problem::Problem;
use crate::search::Search;

/// How often one request asks a lane to go on, at most.
const ROUNDS: usize = 10;

/// How many requests to lanes that may be together. The platform allows 1,000 for each request.
const REQUESTS: usize = 500;

/// A page of what is found, newest first. Each lane looks at a bounded number of rows, so a page may hold
/// fewer erasures than `limit`, or none, and not be the last one. An erasure whose webhook was repeated after
/// a lane had been out of reach may be on two pages.
///
/// # Errors
/// 404 where no lane is of the account that is asked for, 503 where a lane does not answer.
pub async fn search(
    environment: &Environment,
    lanes: &Lanes,
    search: Search,
) -> Result<Page, Problem> {
    let pseudonyms = environment.keys.pseudonyms.as_ref().ok_or(Problem::Internal)?;
    let Search { sought, query } = search;
    let all = vendor_lanes(environment, lanes).await?;
    let asked = asked(&all, &query)?;
    let search = wire::Search {
        term: sought.term(pseudonyms),
        slice: slice(&query),
        before: start(environment, &query),
        limit: query.limit,
    };
    let rounds = REQUESTS.checked_div(asked.len()).unwrap_or_default().clamp(1, ROUNDS);
    let looked = asked.into_iter().map(|lane| look(lane, search.clone(), rounds));
    let looked = join_all(looked).await.into_iter().collect::<Result<Vec<Found>, Problem>>()?;
    // Every lane has looked at what came later than this.
    let mut next = looked.iter().filter_map(|found| found.next.clone()).max();
    let mut keys: Vec<Key> = looked.into_iter().flat_map(|found| found.keys).collect();
    keys.retain(|key| next.as_ref().is_none_or(|next| next <= key));
    next = cut(&mut keys, query.limit).or(next);
    let mut known = BTreeSet::new();
    keys.retain(|key| known.insert((key.source.clone(), key.request_id.clone())));
    let found = gather(environment, &all, &keys).await?;
    let receipts = found.into_iter().map(|Gathered { receipt, .. }| receipt).collect();
    let receipts = matching(environment, lanes, &query, receipts).await?;
    Ok(Page { receipts, next: next.as_ref().map(Query::cursor) })
}

/// Has one lane look, until it has found a page, has looked at everything, or was asked often enough.
async fn look(
    (_, lane): &Asked,
    mut search: wire::Search,
    rounds: usize,
) -> Result<Found, Problem> {
    let limit = usize::try_from(search.limit).unwrap_or(usize::MAX);
    let mut all = Found::default();
    for _ in 0..rounds {
        let found: Found = lane.ask(&Request::Search(search.clone())).await.map_err(unreachable)?;
        all.keys.extend(found.keys);
        all.next = found.next;
        if all.next.is_none() || all.keys.len() >= limit {
            break;
        }
        search.before = all.next.clone();
    }
    Ok(all)
}
