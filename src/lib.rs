//! # Erasure Relay
//!
//! The target of an erasure webhook: it proves that the webhook is genuine, and asks each vendor to
//! delete the person's data. One webhook flows one way through these rooms:
//!
//! ```text
//! edge        one HTTP request from its route to its reply; the only room that knows Cloudflare
//!  ├ relay        the configuration with its secrets put in
//!  ├ sender       one source: proves who sent a message, then reads it
//!  ├ signature    who sent it? on the raw bytes, before anything is parsed
//!  ├ source       what does it ask? a platform's body becomes an ErasureRequest
//!  ├ vendor       which calls does that need, and what do their answers mean?
//!  ├ delivery     when, how often, and what is answered? lanes store what waits
//!  ├ callback     what is the platform told later, and by which message?
//!  └ receipt      what is known of each call, without personal data; problem: all other answers
//! ```
//!
//! Below them: `erasure` (the request, a person's identifiers), `config` and `settings` (the
//! `[vars]` contract), `keys`, `receipt_keys`, `pseudonym` and `seal`, `list_query`, `note`, `secure_url`, and `json`, which
//! reads every text that comes from outside.
//! Everything but `edge` is plain Rust: clock and network come in as arguments.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

pub mod access;
pub mod activity;
pub mod alert;
pub mod audit_query;
pub mod callback;
pub mod config;
pub mod delivery;
pub mod derived_id;
#[cfg(feature = "edge")]
pub mod edge;
pub mod erasure;
pub mod export;
pub mod json;
pub mod keys;
pub mod list_query;
pub mod metrics;
pub mod note;
pub mod openapi;
pub mod period;
pub mod problem;
pub mod pseudonym;
pub mod receipt;
pub mod receipt_keys;
pub mod relay;
pub mod seal;
pub mod search;
pub mod secure_url;
pub mod sender;
pub mod settings;
pub mod signature;
pub mod source;
pub mod statistics;
pub mod status_page;
pub mod vendor;

#[cfg(feature = "edge")]
use worker::{Context, Env, ScheduleContext, ScheduledEvent, event, web_sys};

/// Called once in each Wasm instance.
#[cfg(feature = "edge")]
#[event(start)]
fn start() {
    edge::start();
}

/// Called for each HTTP request.
#[cfg(feature = "edge")]
#[event(fetch)]
async fn fetch(
    request: web_sys::Request,
    env: Env,
    context: Context,
) -> Result<web_sys::Response, worker::Error> {
    edge::handle(request, env, context).await
}

/// Called at intervals, by the cron trigger: an alarm of a lane may have been lost.
#[cfg(feature = "edge")]
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    edge::wake_lanes(&env).await;
}
