//! The rooms that know the Workers runtime. Everything else is plain Rust.

mod channel;
mod direct;
mod durable;
mod entry;
mod flight;
mod ingress;
mod interned;
mod isolate;
mod join;
mod keyring;
mod lane;
mod lanes;
mod log;
mod message;
mod operator;
mod reply;
mod route;
mod runtime;
mod secrets;
mod settled;
mod sql;
mod task;
mod tokens;
mod transport;

use js_sys::Date;

use crate::receipt::Timestamp;

pub use entry::{fetch, scheduled};
pub use ingress::handle;
pub use runtime::{Context, Env};

/// Calls that the runtime lets one invocation, or one object, have under way at once.
const CONNECTIONS: usize = 6;

/// The runtime's clock. It stands still while the Worker computes, and moves on with each answer.
fn now() -> Timestamp {
    Timestamp(Date::now() as i64)
}
