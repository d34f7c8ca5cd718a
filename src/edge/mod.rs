//! The rooms that know the Workers runtime. Everything else is plain Rust.

mod body;
mod channel;
mod direct;
mod durable;
mod flight;
mod ingress;
mod isolate;
mod join;
mod keyring;
mod lane;
mod lanes;
mod log;
mod operator;
mod reply;
mod route;
mod secrets;
mod sql;
mod tokens;
mod transport;

use worker::js_sys::Date;

use crate::receipt::Timestamp;

pub use ingress::{handle, wake_lanes};

/// Calls that the runtime lets one invocation, or one object, have under way at once.
const CONNECTIONS: usize = 6;

/// The runtime's clock. It stands still while the Worker computes, and moves on with each answer.
fn now() -> Timestamp {
    Timestamp(Date::now() as i64)
}
