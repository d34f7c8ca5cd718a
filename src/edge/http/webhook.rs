//! A webhook: verified on its raw bytes, read, and delivered.

use futures_util::future::join_all;
use worker::web_sys::{Headers, Request};

use super::reply::Reply;
use super::route::origin;
use super::{Service, direct, durable, ignored};
use crate::callback::{self, Webhook};
use crate::config::leaves_profile;
use crate::delivery::direct::Conclusion;
use crate::delivery::wire;
use crate::edge::crypto::webcrypto;
use crate::edge::net::background::Background;
use crate::edge::net::message::{self, Length, header};
use crate::edge::operator::erasures;
use crate::edge::{log, now};
use crate::problem::Problem;
use crate::receipt::{Receipt, Timestamp};
use crate::sender::Sender;
use crate::signature::{Encoding, Incoming, Refusal};
use crate::source::{Answer, Form, Outcome, Received, Refused, ReplyContext, Stamp, StatusQuery};

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
    service: &Service,
    background: &Background,
) -> Result<Reply, Problem> {
    let sender = service.sender(source)?;
    let headers = request.headers();
    let body = read_body(request, &headers, sender.source.max_body_bytes).await?;
    let now = now();
    let get = |name: &str| header(&headers, name);
    let message = Incoming { method: "POST", url, headers: &get, body: &body };
    let keyring = service.environment.keyring.during(background);
    let received = sender.receive(&message, now.0.div_euclid(1000), &keyring).await;
    let mut reply = None;
    let result = match received {
        Ok(received) => {
            ignored::remember(source, &received.ignored);
            let callback = service.environment.callback_of(source);
            let webhook = Webhook { header: &get, body: &body };
            reply = callback.map(|known| known.callback.reply(&webhook));
            process(received, sender, service, now, background, reply.clone()).await
        }
        // Both signatures match: the platform may have an answer of its own.
        Err(Refused::NotAuthentic(Refusal::Stale)) => Err(refused(source, &Refusal::Stale)),
        Err(Refused::NotAuthentic(refusal)) => return Err(refused(source, &refusal)),
        Err(Refused::Unreadable(reason)) => {
            log::refused(source, &Refused::from(reason.clone()).to_string());
            Err(Problem::Malformed(reason.to_string()))
        }
    };
    let outcome = match &result {
        Ok(reply) => {
            reply.receipt().map_or(Outcome::Other(now), |(code, one)| Outcome::Taken(code, one))
        }
        Err(problem) => Outcome::Failed(problem.status(), problem.title()),
    };
    let receipt = match outcome {
        Outcome::Taken(_, receipt) => Some(receipt),
        Outcome::Other(_) | Outcome::Failed(..) => None,
    };
    let is_partial = is_partial(service, sender, receipt);
    let stored = receipt.filter(|_| service.lanes.is_some()).zip(reply.as_ref());
    let is_told_later = stored.is_some_and(|(receipt, reply)| {
        durable::is_told_later(&service.environment, &sender.source, receipt, reply)
    });
    let signer = service.environment.acknowledgement_signer(source);
    let (id, issued_at) = (signer.map(|_| unique_id()), now.0.div_euclid(1000));
    let stamp = signer.zip(sender.source.acknowledgement.as_ref()).zip(id.as_deref());
    let stamp =
        stamp.map(|((signer, by), id)| Stamp { by, algorithm: signer.algorithm(), id, issued_at });
    let context = ReplyContext {
        source,
        body: &body,
        outcome,
        is_partial,
        is_told_later,
        setting: "",
        answer_within: sender.source.answer_within,
        is_malformed: result.as_ref().is_err_and(is_malformed),
        knows_type: &|_| false,
        stamp,
        origin: origin(url),
    };
    match sender.source.platform.answer(context) {
        Some(answer) if answer.status == 204 => Ok(Reply::NoContent),
        Some(answer) => {
            let header = result.err().and_then(|problem| problem.header());
            written(answer, source, service, header.into_iter().collect()).await
        }
        None => result,
    }
}

/// Whether an identifier is of a kind that a vendor takes, in a form that cannot be used.
fn is_malformed(problem: &Problem) -> bool {
    let Problem::InsufficientIdentification(receipts) = problem else { return false };
    let mut deliveries = receipts.iter().flat_map(|receipt| &receipt.deliveries);
    deliveries.any(|delivery| delivery.identifier.is_some())
}

/// An id that nothing else has.
fn unique_id() -> String {
    let mut bytes = [0; 16];
    webcrypto::random(&mut bytes);
    Encoding::Hex.encode(&bytes)
}

/// An answer in the platform's form, with these headers; signed where the operator has a key for the
/// platform's messages.
async fn written(
    answer: Answer,
    source: &str,
    service: &Service,
    mut headers: Vec<(&'static str, String)>,
) -> Result<Reply, Problem> {
    let environment = &service.environment;
    let Answer { status, text, form } = answer;
    if form == Form::UnsignedToken {
        let signer = environment.acknowledgement_signer(source).ok_or(Problem::Internal)?;
        let signature = signer.sign(text.as_bytes()).await.map_err(|_| Problem::Internal)?;
        let token = format!("{text}.{}", Encoding::Base64Url.encode(&signature));
        return Ok(Reply::Typed(status, "application/jwt", token));
    }
    if let Some(callback) = environment.callback_of(source) {
        let signed = callback.client.signed_headers(text.as_bytes()).await;
        headers.extend(signed.map_err(|_| Problem::Internal)?);
    }
    Ok(Reply::Written(status, text, headers))
}

/// Answers `GET` and `DELETE /webhooks/{source}/requests/{request_id}`, for platforms that ask for
/// the status of an erasure, or cancel it.
///
/// # Errors
/// What the sender is told where it is not authentic, or a lane does not answer.
pub async fn status(
    request: &Request,
    url: &str,
    source: &str,
    request_id: &str,
    service: &Service,
    background: &Background,
) -> Result<Reply, Problem> {
    let sender = service.sender(source)?;
    let ask = sender.source.platform.request_status().ok_or(Problem::NotFound)?;
    let headers = request.headers();
    let get = |name: &str| header(&headers, name);
    let method = request.method();
    let message = Incoming { method: &method, url, headers: &get, body: &[] };
    let seconds = now().0.div_euclid(1000);
    let keyring = service.environment.keyring.during(background);
    let verified = sender.verify(&message, seconds, &keyring).await;
    verified.map_err(|refusal| refused(source, &refusal))?;
    let receipt = match &service.lanes {
        None => None,
        Some(lanes) => {
            let message = wire::Request::find(source, request_id);
            let environment = &service.environment;
            let found = erasures::whole(environment, lanes, &message, source, request_id).await;
            match found {
                Err(Problem::UnknownErasure) => None,
                found => Some(found?),
            }
        }
    };
    let (cancels, receipt) = (method == "DELETE", receipt.as_ref());
    let is_partial = is_partial(service, sender, receipt);
    let query = StatusQuery { source, cancels, is_partial, receipt };
    written(ask(&query), source, service, Vec::new()).await
}

/// Whether an erasure leaves a profile of the person, and its source does not count that as fulfilled.
pub(super) fn is_partial(service: &Service, sender: &Sender, receipt: Option<&Receipt>) -> bool {
    let accounts = service.environment.vendors.iter().map(|client| client.account.as_ref());
    !sender.source.accepts_partial_erasure
        && receipt.is_some_and(|receipt| leaves_profile(accounts, &receipt.deliveries))
}

/// Logs why a message is not authentic.
fn refused(source: &str, refusal: &Refusal) -> Problem {
    log::refused(source, &Refused::from(refusal.clone()).to_string());
    match refusal {
        Refusal::KeysUnavailable => Problem::CannotVerify(KEYS_RETRY),
        Refusal::RenewalIn(seconds) => Problem::CannotVerify(*seconds),
        _ => Problem::NotAuthentic,
    }
}

/// Delivers every erasure of a message, side by side.
async fn process(
    received: Received,
    sender: &Sender,
    service: &Service,
    now: Timestamp,
    background: &Background,
    reply: Option<callback::Reply>,
) -> Result<Reply, Problem> {
    let (source, environment) = (&sender.source, &service.environment);
    let delivered = join_all(received.erasures.iter().map(async |erasure| match &service.lanes {
        Some(lanes) => {
            durable::deliver(erasure, source, environment, lanes, now, reply.clone()).await
        }
        None => Ok(direct::deliver(erasure, source, environment, now, background).await),
    }));
    let delivered: Vec<(Receipt, Conclusion)> =
        delivered.await.into_iter().collect::<Result<_, Problem>>()?;
    let is_told = service.lanes.is_none() || source.platform.is_told_of_unusable();
    let reply = conclude(delivered, is_told)?;
    match received.unreadable {
        None => Ok(reply),
        Some(reason) => {
            // The others are delivered; sent again, they are the same erasures.
            log::refused(&source.name, &Refused::from(reason.clone()).to_string());
            Err(Problem::Malformed(reason.to_string()))
        }
    }
}

/// The answer to a message with these erasures. `is_told` says whether the sender can act on the
/// answer that no vendor can use them.
fn conclude(delivered: Vec<(Receipt, Conclusion)>, is_told: bool) -> Result<Reply, Problem> {
    if delivered.is_empty() {
        return Ok(Reply::NoContent);
    }
    let (receipts, conclusions): (Vec<Receipt>, Vec<Conclusion>) = delivered.into_iter().unzip();
    let pause = |conclusion: &Conclusion| match conclusion {
        Conclusion::TryAgain(pause) => Some(*pause),
        _ => None,
    };
    if let Some(pause) = conclusions.iter().filter_map(pause).max() {
        return Err(Problem::TryAgain(receipts, pause.as_secs()));
    }
    let is_unusable = |conclusion: &Conclusion| *conclusion == Conclusion::Unusable;
    if is_told && conclusions.iter().all(is_unusable) {
        return Err(Problem::InsufficientIdentification(receipts));
    }
    let status = if conclusions.contains(&Conclusion::Waiting) { 202 } else { 200 };
    Ok(Reply::Receipts(status, receipts))
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
