//! The way in: one HTTP request from its route to its reply.

use futures_util::future::join_all;
use worker::Env;
use worker::js_sys::Uint8Array;
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen_futures::JsFuture;
use worker::web_sys::{Request, Response};

use super::isolate::Isolate;
use super::reply::Reply;
use super::{body, log, now};
use crate::config::Source;
use crate::delivery::direct::{self, Conclusion};
use crate::erasure::ErasureRequest;
use crate::problem::Problem;
use crate::receipt::Timestamp;
use crate::signature::{Incoming, Refusal};
use crate::source::{Outcome, Refused};
use crate::vendor::Call;

/// Answers one request.
///
/// # Errors
/// Where the runtime refuses to build a response.
pub async fn handle(request: Request, env: Env) -> Result<Response, JsValue> {
    let reply = answer(&request, &env).await.unwrap_or_else(Reply::Problem);
    reply.into_response().or_else(|_| {
        log::internal("the response could not be written");
        Reply::Problem(Problem::Internal).into_response()
    })
}

async fn answer(request: &Request, env: &Env) -> Result<Reply, Problem> {
    let url = request.url();
    let route = Route::of(&request.method(), path(&url))?;
    let isolate = Isolate::get(env).await.map_err(|problems| match route {
        Route::Health => Problem::NotConfigured(problems),
        // The caller is not the operator: no more than that there is a problem.
        Route::Webhook(_) => Problem::NotConfigured(Vec::new()),
    })?;
    match route {
        Route::Health => Ok(Reply::Healthy(isolate.unset.clone())),
        Route::Webhook(source) => webhook(request, &url, source, &isolate).await,
    }
}

async fn webhook(
    request: &Request,
    url: &str,
    source: &str,
    isolate: &Isolate,
) -> Result<Reply, Problem> {
    let mut senders = isolate.senders.iter();
    let sender = senders.find(|sender| sender.source.name == source);
    let sender = sender.ok_or(Problem::UnknownSource)?;
    let body = read_body(request, sender.source.max_body_bytes).await?;
    let now = now();
    let headers = request.headers();
    let header = |name: &str| headers.get(name).ok().flatten();
    let message = Incoming { method: "POST", url, headers: &header, body: &body };
    let received = sender.receive(&message, now.0.div_euclid(1000), &isolate.keyring).await;
    let became = match received {
        Ok(Some(erasure)) => deliver(&erasure, &sender.source, isolate, now).await,
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
        Some(answer) => Ok(Reply::Platform(answer, became.err().and_then(|one| one.header()))),
        None => became,
    }
}

async fn deliver(
    erasure: &ErasureRequest,
    source: &Source,
    isolate: &Isolate,
    received_at: Timestamp,
) -> Result<Reply, Problem> {
    let runs = source.vendors.iter().filter_map(|name| {
        let mut channels = isolate.channels.iter();
        let channel = channels.find(|channel| channel.account.name == *name)?;
        let vendor = channel.account.vendor.as_ref();
        let names = isolate.pseudonyms.as_ref();
        let send = async |call: &Call| channel.send(call).await;
        Some(direct::run(name, vendor, &erasure.subject, names, send, received_at))
    });
    let runs = join_all(runs).await;
    let (receipt, conclusion) =
        direct::conclude(erasure.id.as_str(), &source.name, received_at, runs);
    log::erasure(&erasure.id, &receipt, isolate.pseudonyms.as_ref());
    match conclusion {
        Conclusion::Final => Ok(Reply::Receipt(receipt)),
        Conclusion::Unusable => Err(Problem::InsufficientIdentification(receipt)),
        Conclusion::TryAgain(pause) => Err(Problem::TryAgain(receipt, pause.as_secs())),
    }
}

/// The raw bytes of the body. The length is checked on what is announced, which spares the reading,
/// and on what comes, which cannot lie.
async fn read_body(request: &Request, limit: u32) -> Result<Vec<u8>, Problem> {
    let too_large = || Problem::TooLarge(limit);
    let broken = |_| Problem::Malformed("the body broke off".to_owned());
    let limit_bytes = usize::try_from(limit).unwrap_or(usize::MAX);
    let announced = request.headers().get("content-length").ok().flatten();
    let bytes = match announced.and_then(|length| length.parse::<usize>().ok()) {
        Some(length) if length > limit_bytes => return Err(too_large()),
        Some(_) => {
            let buffer = request.array_buffer().map_err(broken)?;
            Uint8Array::new(&JsFuture::from(buffer).await.map_err(broken)?).to_vec()
        }
        None => {
            let body = body::read(request.body(), limit_bytes).await.map_err(broken)?;
            if body.truncated {
                return Err(too_large());
            }
            body.bytes
        }
    };
    if bytes.len() > limit_bytes { Err(too_large()) } else { Ok(bytes) }
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route<'a> {
    /// `POST /webhooks/{source}`
    Webhook(&'a str),
    /// `GET /healthz`
    Health,
}

impl<'a> Route<'a> {
    fn of(method: &str, path: &'a str) -> Result<Self, Problem> {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let (route, methods): (Self, &[&str]) = match segments[..] {
            ["webhooks", source] if !source.is_empty() => (Route::Webhook(source), &["POST"]),
            ["healthz"] => (Route::Health, &["GET", "HEAD"]),
            _ => return Err(Problem::NotFound),
        };
        if methods.contains(&method) {
            Ok(route)
        } else {
            Err(Problem::MethodNotAllowed(match route {
                Route::Webhook(_) => "POST",
                Route::Health => "GET, HEAD",
            }))
        }
    }
}

/// The path of an absolute URL.
fn path(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = after_scheme.find('/').and_then(|at| after_scheme.get(at..)).unwrap_or("/");
    path.split(['?', '#']).next().unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_by_method_and_path() {
        let route = |method, url| Route::of(method, path(url)).map_err(|problem| problem.status());
        assert_eq!(route("POST", "https://h/webhooks/consent"), Ok(Route::Webhook("consent")));
        assert_eq!(route("POST", "https://h:1/webhooks/a?b=/c#d"), Ok(Route::Webhook("a")));
        assert_eq!(route("GET", "https://h/healthz"), Ok(Route::Health));
        assert_eq!(route("GET", "https://h/webhooks/consent"), Err(405));
        assert_eq!(route("POST", "https://h/healthz"), Err(405));
        for url in [
            "https://h",
            "https://h/",
            "https://h/webhooks",
            "https://h/webhooks/",
            "https://h/webhooks/a/b",
            "https://h//webhooks/a",
            "https://h/erasures",
        ] {
            assert_eq!(route("POST", url), Err(404), "{url}");
        }
    }
}
