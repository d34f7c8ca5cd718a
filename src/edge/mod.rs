//! The rooms that know the Workers runtime. Everything else is plain Rust.
//!
//! ```text
//! http         one HTTP request, from its route to its reply
//! operator     what an operator sees and does, as data
//! lane         the Durable Object of a lane, and the Worker's way to it
//! environment  the configuration with its secrets, ready to work
//! vendor       the calls of one vendor account: tokens, requests, answers
//! crypto       WebCrypto, and the keys of those who sign
//! net          HTTP messages and exchanges
//! analytics    data points of Workers Analytics Engine
//! log          the Worker's log; startup: what a Wasm instance begins with
//! ```
//!
//! Each imports only from those below it.

mod analytics;
mod crypto;
mod environment;
mod http;
mod lane;
mod log;
mod net;
mod operator;
mod startup;
mod vendor;

use worker::Date;

use crate::receipt::Timestamp;

pub use http::{handle, wake_lanes};
pub use startup::start;

/// The runtime's clock. It stands still while the Worker computes, and goes on with each I/O.
fn now() -> Timestamp {
    Timestamp(i64::try_from(Date::now().as_millis()).unwrap_or(i64::MAX))
}
