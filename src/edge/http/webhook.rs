//! A webhook: verified on its raw bytes, read, and delivered.

use worker::web_sys::{Headers, Request};

use super::reply::Reply;
use super::{direct, durable};
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::edge::net::background::Background;
use crate::edge::net::message::{self, Length, header};
use crate::edge::{log, now};
use crate::problem::Problem;
use crate::signature::{Incoming, Refusal};
use crate::source::{Outcome, Refused};

/// When a platform is to send again what cannot be verified, since its keys cannot be fetched; in
/// seconds.
const KEYS_RETRY: u64 = 60;

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
    background: &Background,
) -> Result<Reply, Problem> {
    let mut senders = environment.senders.iter();
    let sender = senders.find(|sender| sender.source.name == source);
    let sender = sender.ok_or(Problem::UnknownSource)?;
    let headers = request.headers();
    let body = read_body(request, &headers, sender.source.max_body_bytes).await?;
    let now = now();
    let get = |name: &str| header(&headers, name);
    let message = Incoming { method: "POST", url, headers: &get, body: &body };
    let keyring = environment.keyring.during(background);
    let received = sender.receive(&message, now.0.div_euclid(1000), &keyring).await;
    let result = match received {
        Ok(Some(erasure)) => match lanes {
            Some(lanes) => {
                durable::deliver(&erasure, &sender.source, environment, lanes, now).await
            }
            None => direct::deliver(&erasure, &sender.source, environment, now, background).await,
        },
        Ok(None) => Ok(Reply::NoContent),
        Err(refused) => {
            log::refused(source, &refused.to_string());
            match refused {
                Refused::NotAuthentic(Refusal::KeysUnavailable) => {
                    return Err(Problem::CannotVerify(KEYS_RETRY));
                }
                Refused::NotAuthentic(Refusal::RenewalIn(seconds)) => {
                    return Err(Problem::CannotVerify(seconds));
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
    let malformed = |reason: &str| Problem::Malformed(reason.to_owned());
    let announced = message::announced(headers);
    match announced {
        Some(Length::Malformed) => return Err(malformed("Content-Length must be one number")),
        Some(Length::Bytes(length)) if length > u64::from(limit) => {
            return Err(Problem::TooLarge(limit));
        }
        Some(Length::Bytes(_)) | None => {}
    }
    let body = message::read(request, announced, limit).await;
    let body = body.map_err(|_| malformed("the body broke off"))?;
    if body.truncated { Err(Problem::TooLarge(limit)) } else { Ok(body.bytes) }
}
