//! What an operator sees and does, as data: the API writes it as JSON, and the dashboard as pages.
//!
//! ```text
//! act       every action, with its row in the audit trail
//! audit     the audit trail
//! erasures  one erasure: its receipt, replay, discard, close, acknowledge
//! list      erasures by source, state, account and date
//! search    erasures by person, id, or a vendor's answer
//! walk      every erasure of a period, some at a time
//! export    their receipts as a file
//! statistics what became of them, and what has come in lately
//! due       alerts of erasures that must be answered soon
//! lanes     each lane's status, and what is done to all that it holds
//! sources   events that were no erasures
//! orphans   lanes that are not configured any more
//! ```

pub mod act;
pub mod audit;
pub mod due;
pub mod erasures;
pub mod export;
pub mod lanes;
pub mod list;
pub mod orphans;
pub mod search;
pub mod sources;
pub mod statistics;
mod walk;

use futures_util::future::join_all;
use serde::de::DeserializeOwned;

use super::lane::client::{Lane, Message, Unreachable};
use crate::delivery::wire::Request;
use crate::problem::Problem;

/// A lane, and the name of its account.
pub type Asked = (String, Lane);

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

/// The same with a message for each lane.
///
/// # Errors
/// 503 where one does not answer.
async fn ask_each<T: DeserializeOwned>(asks: Vec<(&Lane, Message)>) -> Result<Vec<T>, Problem> {
    exchange_with_each(asks).await.into_iter().map(read).collect()
}

async fn exchange_with_all(
    lanes: Vec<&Lane>,
    message: &Request<'_>,
) -> Vec<Result<Vec<u8>, Unreachable>> {
    let Ok(message) = Message::of(message) else {
        return lanes.iter().map(|_| Err(Unreachable)).collect();
    };
    exchange_with_each(lanes.into_iter().map(|lane| (lane, message.clone())).collect()).await
}

/// Apart from those who read the answers, so that it is compiled once for all types.
async fn exchange_with_each(asks: Vec<(&Lane, Message)>) -> Vec<Result<Vec<u8>, Unreachable>> {
    join_all(asks.iter().map(|(lane, message)| lane.send(message))).await
}
