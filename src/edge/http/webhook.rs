//! A webhook: verified on its raw bytes, read, and delivered.

use worker::web_sys::{Headers, Request};

use super::reply::Reply;
use super::{direct, durable};
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::edge::net::message::{self, header};
use crate::edge::{log, now};
use crate::problem::Problem;
use crate::signature::{Incoming, Refusal};
use crate::source::{Outcome, Refused};

/// Answers `POST /webhooks/{source}`.
///
/// # Errors
/// What the sender is told where nothing was done.
pub async fn handle(
    request: &Request,
    url: &str,
    source: &str,
    environment: &Environment,
    lanes: Option<&Lanes>,
) -> Result<Reply, Problem> {
    let mut senders = environment.senders.iter();
    let sender = senders.find(|sender| sender.source.name == source);
    let sender = sender.ok_or(Problem::UnknownSource)?;
    let headers = request.headers();
    let body = read_body(request, &headers, sender.source.max_body_bytes).await?;
    let now = now();
    let get = |name: &str| header(&headers, name);
    let message = Incoming { method: "POST", url, headers: &get, body: &body };
    let received = sender.receive(&message, now.0.div_euclid(1000), &environment.keyring).await;
    let result = match received {
        Ok(Some(erasure)) => match lanes {
            Some(lanes) => {
                durable::deliver(&erasure, &sender.source, environment, lanes, now).await
            }
            None => direct::deliver(&erasure, &sender.source, environment, now).await,
        },
        Ok(None) => Ok(Reply::NoContent),
        Err(refused) => {
            log::refused(source, &refused.to_string());
            match refused {
                Refused::NotAuthentic(Refusal::KeysUnavailable) => {
                    return Err(Problem::CannotVerify);
                }
                Refused::NotAuthentic(_) => return Err(Problem::NotAuthentic),
                Refused::Unreadable(reason) => Err(Problem::Malformed(reason.to_string())),
            }
        }
    };
    let outcome = match &result {
        Ok(reply) => {
            reply.receipt().map_or(Outcome::Other, |(code, one)| Outcome::Taken(code, one))
        }
        Err(problem) => Outcome::Failed(problem.status(), problem.title()),
    };
    match sender.source.platform.answer(source, &body, outcome) {
        Some(answer) => {
            let header = result.err().and_then(|problem| problem.header());
            Ok(Reply::Written(answer.status, answer.json, header.into_iter().collect()))
        }
        None => result,
    }
}

/// The raw bytes of the body. The length is checked on what is announced, which spares the reading,
/// and on what comes, which cannot lie.
pub(super) async fn read_body(
    request: &Request,
    headers: &Headers,
    limit: u32,
) -> Result<Vec<u8>, Problem> {
    let limit_bytes = usize::try_from(limit).unwrap_or(usize::MAX);
    let announced =
        header(headers, "content-length").and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit_bytes) {
        return Err(Problem::TooLarge(limit));
    }
    let body = message::read(request, headers, limit_bytes).await;
    let body = body.map_err(|_| Problem::Malformed("the body broke off".to_owned()))?;
    if body.truncated { Err(Problem::TooLarge(limit)) } else { Ok(body.bytes) }
}
