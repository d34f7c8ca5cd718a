//! The rooms that know the Workers runtime. Everything else is plain Rust.

mod body;
mod channel;
mod ingress;
mod isolate;
mod log;
mod reply;
mod secrets;
mod tokens;
mod transport;

pub use ingress::handle;
