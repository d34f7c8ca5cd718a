//! When a vendor is called, and what the platform is told: pure, the time is an argument.

pub mod alert;
pub mod audit;
pub mod breaker;
mod call_guard;
pub mod database;
pub mod direct;
pub mod directory;
pub mod dispatcher;
pub mod jurisdiction;
pub mod lane;
pub mod merge;
mod pacer;
pub mod policy;
pub mod receipt;
pub mod retry;
pub mod shards;
pub mod wire;
