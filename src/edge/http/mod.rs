//! One HTTP request, from its route to its reply.
//!
//! ```text
//! route            which route it is
//! webhook          verified, read, then delivered: durable or direct
//! ignored          events that are no erasures are counted
//! api              the operator's routes
//! receipts         signed receipts, and the keys that verify them
//! discovery        what an OpenDSR processor publishes
//! status           the page on which a person sees the state of their request
//! health           whether all is well
//! metrics          the lanes' state for a monitoring system
//! openapi          what can be asked
//! reply            the answer as it is written
//! ```

mod api;
mod direct;
mod discovery;
mod durable;
mod health;
mod ignored;
mod metrics;
mod openapi;
mod receipts;
mod reply;
mod route;
mod status;
mod webhook;

use std::cell::OnceCell;
use std::rc::Rc;

use worker::{Context, Env, Error, web_sys};

use super::environment::{self, Environment};
use super::lane::client::Lanes;
use super::net::background::Background;
use super::net::cancellation::unless_cancelled;
use super::net::message::header;
use super::{log, operator, startup};
use crate::config::Delivery;
use crate::delivery::audit::{Way, Who};
use crate::problem::{Disclosure, Problem};
use crate::sender::Sender;
use crate::settings::Misconfiguration;
use reply::Reply;
use route::{Route, path_and_query};

/// The release.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What requests are answered with, kept between them.
struct Service {
    environment: Rc<Environment>,
    /// `None` where delivery is direct.
    lanes: Option<Lanes>,
}

thread_local! {
    static SERVICE: OnceCell<Rc<Service>> = const { OnceCell::new() };
}

impl Service {
    async fn get(env: &Env) -> Result<Rc<Self>, Vec<Misconfiguration>> {
        if let Some(ready) = SERVICE.with(|service| service.get().cloned()) {
            return Ok(ready);
        }
        let environment = Environment::get(env).await?;
        let lanes = match environment.delivery {
            Delivery::Durable => {
                let unbound = || vec![Misconfiguration::new(environment::LANES, "is not bound")];
                Some(Lanes::bound(env, environment::LANES).ok_or_else(unbound)?)
            }
            Delivery::Direct => None,
        };
        let made = Rc::new(Self { environment, lanes });
        Ok(SERVICE.with(|service| service.get_or_init(|| made).clone()))
    }

    /// The source of this name.
    fn sender(&self, source: &str) -> Result<&Sender, Problem> {
        let mut senders = self.environment.senders.iter();
        senders.find(|sender| sender.source.name == source).ok_or(Problem::UnknownSource)
    }
}

/// Answers one request. Where its sender hangs up, everything is dropped that is done for it alone;
/// what the lanes do goes on, and so does what others wait for.
///
/// # Errors
/// Where the runtime refuses to build a response.
pub async fn handle(
    request: web_sys::Request,
    env: Env,
    context: Context,
) -> Result<web_sys::Response, Error> {
    startup::prepare();
    let background = Background::Request(Rc::new(context));
    let answer = unless_cancelled(request.signal(), answer(&request, &env, &background)).await;
    // Nobody reads the answer to a request that was cancelled; it must not be one that acknowledges.
    let reply = answer.unwrap_or(Err(Problem::Internal)).unwrap_or_else(Reply::Problem);
    let response = reply.into_response().or_else(|_| {
        log::internal("the response could not be written");
        Reply::Problem(Problem::Internal).into_response()
    });
    Ok(response?)
}

async fn answer(
    request: &web_sys::Request,
    env: &Env,
    background: &Background,
) -> Result<Reply, Problem> {
    let url = request.url();
    let (path, query) = path_and_query(&url);
    let route = Route::of(&request.method(), path)?;
    if route == Route::OpenApi {
        return Ok(openapi::answer());
    }
    let authorization = || header(&request.headers(), "authorization").unwrap_or_default();
    let service = match (Service::get(env).await, &route) {
        (Ok(service), _) => service,
        (Err(problems), Route::Health) => {
            let is_operator = environment::is_operator(env, &authorization()).await;
            let count = Disclosure::Count(problems.len());
            let told = if is_operator { Disclosure::All(problems) } else { count };
            return Err(Problem::NotConfigured(told));
        }
        (Err(_), _) => return Err(Problem::NotConfigured(Disclosure::Nothing)),
    };
    let Service { environment, lanes } = &*service;
    match route {
        Route::Health => {
            let is_operator = environment.keys.tokens.access(&authorization()).is_some();
            health::answer(environment, lanes.as_ref(), is_operator).await
        }
        Route::OpenApi => Ok(openapi::answer()),
        Route::ReceiptKeys => receipts::keys(environment, lanes.is_some()),
        Route::StatusPage(code) => Ok(status::page(&service, code).await),
        Route::Discovery(source) => discovery::of_source(&service, source),
        Route::DomainDiscovery => discovery::of_domain(&service, &url),
        Route::Certificate(source) => discovery::certificate(&service, source),
        Route::Requests(source)
            if service.sender(source)?.source.platform.request_status().is_none() =>
        {
            Err(Problem::NotFound)
        }
        Route::Webhook(source) | Route::Requests(source) => {
            let reply = webhook::handle(request, &url, source, &service, background).await;
            ignored::count(&service, background);
            reply
        }
        Route::RequestStatus(source, id) => {
            webhook::status(request, &url, source, &id, &service, background).await
        }
        Route::Operator(wanted) => {
            // Without a token, or anything stored, these routes do not exist.
            let lanes = lanes.as_ref().filter(|_| environment.keys.tokens.has_operator());
            let lanes = lanes.ok_or(Problem::NotFound)?;
            let token =
                environment.keys.tokens.holder(&authorization()).ok_or(Problem::NotOperator)?;
            if token.access() < wanted.needs() {
                return Err(Problem::ReadOnly);
            }
            let who = Who { token, by: Way::Api };
            api::answer(request, wanted, query, environment, lanes, who).await
        }
    }
}

/// Has every lane look whether it has something to do: an alarm may have been lost.
pub async fn wake_lanes(env: &Env) {
    startup::prepare();
    let Ok(service) = Service::get(env).await else { return };
    let Some(lanes) = &service.lanes else { return };
    if operator::lanes::wake(&service.environment, lanes).await.is_err() {
        log::internal("a lane could not be woken");
    }
    if operator::due::raise(&service.environment, lanes).await.is_err() {
        log::internal("it could not be looked which erasures are due");
    }
}
