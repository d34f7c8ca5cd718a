//! The rooms that know the Workers runtime. Everything else is plain Rust.

mod body;
mod channel;
mod flight;
mod ingress;
mod isolate;
mod keyring;
mod log;
mod reply;
mod secrets;
mod tokens;
mod transport;

use worker::js_sys::Date;

use crate::receipt::Timestamp;

pub use ingress::handle;

/// The runtime's clock. It stands still while the Worker computes, and moves on with each answer.
fn now() -> Timestamp {
    Timestamp(Date::now() as i64)
}
