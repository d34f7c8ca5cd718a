//! HTTP messages and exchanges, for those who come in and those who are called.

pub mod background;
pub mod cancellation;
pub mod exchange;
mod length;
pub mod message;
pub mod promise;
pub mod single_flight;
pub mod stream;
