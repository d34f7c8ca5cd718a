//! The way in: one HTTP request from its route to its reply.

use std::rc::Rc;

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Request, Response};

use super::isolate::Isolate;
use super::lanes::Lanes;
use super::message::{self, Headers, Message};
use super::reply::Reply;
use super::route::{Operator, Route, path_and_query};
use super::runtime::{Context, Env};
use super::{direct, durable, log, now, operator};
use crate::list_query::Query;
use crate::problem::Problem;
use crate::signature::{Incoming, Refusal};
use crate::source::{Outcome, Refused};

/// Answers one request.
///
/// # Errors
/// Where the runtime refuses to build a response.
pub async fn handle(request: Request, env: Env, context: Context) -> Result<Response, JsValue> {
    let reply = answer(&request, &env, context).await.unwrap_or_else(Reply::Problem);
    reply.into_response().or_else(|_| {
        log::internal("the response could not be written");
        Reply::Problem(Problem::Internal).into_response()
    })
}

async fn answer(request: &Request, env: &Env, context: Context) -> Result<Reply, Problem> {
    let url = request.url();
    let (path, query) = path_and_query(&url);
    let route = Route::of(&request.method(), path)?;
    let isolate = Isolate::get(env).await.map_err(|problems| match route {
        Route::Health => Problem::NotConfigured(problems),
        // The caller is not the operator: no more than that there is a problem.
        Route::Webhook(_) | Route::Operator(_) => Problem::NotConfigured(Vec::new()),
    })?;
    let lanes = isolate.lanes.as_ref();
    match route {
        Route::Health => Ok(Reply::Healthy(lanes.is_some(), isolate.unset.clone())),
        Route::Webhook(source) => {
            let came = Came { request, url: &url, context };
            webhook(&came, source, &isolate, lanes).await
        }
        Route::Operator(wanted) => {
            // Without a token, or anything stored, these routes do not exist.
            let lanes = lanes.filter(|_| isolate.keys.has_operator()).ok_or(Problem::NotFound)?;
            let presented = request.unchecked_ref::<Message>().headers().get("authorization");
            if !isolate.keys.is_operator(&presented.unwrap_or_default()) {
                return Err(Problem::NotOperator);
            }
            operate(wanted, query, &isolate, lanes).await
        }
    }
}

async fn operate(
    wanted: Operator<'_>,
    query: &str,
    isolate: &Isolate,
    lanes: &Lanes,
) -> Result<Reply, Problem> {
    match wanted {
        Operator::Find(source, id) => operator::find(isolate, lanes, source, &id).await,
        Operator::Replay(source, id) => operator::replay(isolate, lanes, source, &id).await,
        Operator::List => {
            let query = Query::parse(query);
            let query = query.map_err(|wrong| Problem::Malformed(wrong.to_owned()))?;
            operator::list(isolate, lanes, &query).await
        }
        Operator::Lanes => operator::lanes(isolate, lanes).await,
        Operator::Resume(vendor) => operator::resume(isolate, lanes, vendor).await,
    }
}

/// Has every lane look whether it has something to do.
pub async fn wake_lanes(env: &Env) {
    let Ok(isolate) = Isolate::get(env).await else { return };
    let Some(lanes) = &isolate.lanes else { return };
    if operator::wake(&isolate, lanes).await.is_err() {
        log::internal("a lane could not be woken");
    }
}

/// A request, and the runtime's side of it.
struct Came<'a> {
    request: &'a Request,
    url: &'a str,
    context: Context,
}

async fn webhook(
    Came { request, url, context }: &Came<'_>,
    source: &str,
    isolate: &Rc<Isolate>,
    lanes: Option<&Lanes>,
) -> Result<Reply, Problem> {
    let mut senders = isolate.senders.iter();
    let sender = senders.find(|sender| sender.source.name == source);
    let sender = sender.ok_or(Problem::UnknownSource)?;
    let message: &Message = request.unchecked_ref();
    let headers = message.headers();
    let body = read_body(message, &headers, sender.source.max_body_bytes).await?;
    let now = now();
    let header = |name: &str| headers.get(name);
    let message = Incoming { method: "POST", url, headers: &header, body: &body };
    let received = sender.receive(&message, now.0.div_euclid(1000), &isolate.keyring).await;
    let became = match received {
        Ok(Some(erasure)) => match lanes {
            Some(lanes) => {
                durable::deliver(&erasure, &sender.source, isolate, lanes, context, now).await
            }
            None => direct::deliver(&erasure, &sender.source, isolate, now).await,
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
    let outcome = match &became {
        Ok(reply) => {
            reply.receipt().map_or(Outcome::Other, |(code, one)| Outcome::Taken(code, one))
        }
        Err(problem) => Outcome::Failed(problem.status(), problem.title()),
    };
    match sender.source.platform.answer(source, &body, outcome) {
        Some(answer) => {
            let header = became.err().and_then(|problem| problem.header());
            Ok(Reply::Written(answer.status, answer.json, header.into_iter().collect()))
        }
        None => became,
    }
}

/// The raw bytes of the body. The length is checked on what is announced, which spares the reading,
/// and on what comes, which cannot lie.
async fn read_body(message: &Message, headers: &Headers, limit: u32) -> Result<Vec<u8>, Problem> {
    let limit_bytes = usize::try_from(limit).unwrap_or(usize::MAX);
    let announced = headers.get("content-length").and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit_bytes) {
        return Err(Problem::TooLarge(limit));
    }
    let body = message::read(message, headers, limit_bytes).await;
    let body = body.map_err(|_| Problem::Malformed("the body broke off".to_owned()))?;
    if body.truncated { Err(Problem::TooLarge(limit)) } else { Ok(body.bytes) }
}
