//! HTTP messages and exchanges, for those who come in and those who are called.

pub mod exchange;
pub mod message;
pub mod single_flight;
