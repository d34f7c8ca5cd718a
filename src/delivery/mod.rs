//! When a vendor is called, and what the platform is told: pure, the time is an argument.

pub mod breaker;
pub mod database;
pub mod direct;
pub mod lane;
mod pacer;
mod patience;
pub mod policy;
pub mod retry;
pub mod wire;
