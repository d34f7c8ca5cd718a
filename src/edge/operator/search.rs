//! Erasures of a person, of a vendor's answer, or of an id that a log or an alert shows.

use super::list::{Gathered, Page, asked, cut, gather, matching, narrowed, vendor_lanes};
use super::{Asked, ask_each, unreachable};
use crate::delivery::lane::{Found, Key};
use crate::delivery::wire::{List, Request, Term};
use crate::edge::environment::Environment;
use crate::edge::lane::client::{Lanes, Message};
use crate::list_query::Query;
use crate::problem::Problem;
use crate::receipt::Receipt;
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
    let term = sought.term(pseudonyms);
    let list = narrowed(environment, &query);
    let rounds = REQUESTS.checked_div(asked.len()).unwrap_or_default().clamp(1, ROUNDS);
    let looked = look(&asked, term, &list, rounds).await?;
    // Every lane has looked at what came later than this.
    let mut next = None;
    for (_, lane_next) in &looked {
        next = lane_next.clone().max(next);
    }
    let mut keys: Vec<Key> = looked.into_iter().flat_map(|(keys, _)| keys).collect();
    keys.retain(|key| next.as_ref().is_none_or(|next| next <= key));
    next = cut(&mut keys, query.limit).or(next);
    let mut receipts: Vec<Receipt> = Vec::new();
    for Gathered { receipt, .. } in gather(environment, &all, &keys).await? {
        let is_it =
            |one: &Receipt| one.request_id == receipt.request_id && one.source == receipt.source;
        if !receipts.iter().any(is_it) {
            receipts.push(receipt);
        }
    }
    let receipts = matching(environment, lanes, &query, receipts).await?;
    Ok(Page { receipts, next: next.as_ref().map(Query::cursor) })
}

/// Has each lane look, until it has found a page, has looked at everything, or was asked often enough.
async fn look(
    asked: &[&Asked],
    term: Term,
    list: &List,
    rounds: usize,
) -> Result<Vec<Found>, Problem> {
    let limit = usize::try_from(list.limit).unwrap_or(usize::MAX);
    let mut looked: Vec<Found> = asked.iter().map(|_| (Vec::new(), list.after.clone())).collect();
    for round in 0..rounds {
        let mut going_on = Vec::new();
        let mut asks = Vec::new();
        for (((_, lane), (keys, next)), number) in asked.iter().zip(&looked).zip(0_usize..) {
            if round == 0 || next.is_some() && keys.len() < limit {
                let list = List { after: next.clone(), ..list.clone() };
                let message = Message::of(&Request::Search(term.clone(), list));
                asks.push((lane, message.map_err(unreachable)?));
                going_on.push(number);
            }
        }
        if asks.is_empty() {
            break;
        }
        let found: Vec<Found> = ask_each(asks).await?;
        for (number, (further, next)) in going_on.into_iter().zip(found) {
            if let Some((keys, known)) = looked.get_mut(number) {
                keys.extend(further);
                *known = next;
            }
        }
    }
    Ok(looked)
}
