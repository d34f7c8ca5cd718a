//! The Durable Object of a lane, and the Worker's way to it.
//!
//! ```text
//! client    asks a lane
//! object    the Durable Object: its events, its storage, its alarm
//! operations, sending   what it does when it is asked, and the calls that it makes
//! registration          has the directory know the lane
//! notices               has the lanes of platforms know what has changed
//! alerts                hands alerts to their lane, which sends them
//! tickets               what the lane of a platform has its platform told
//! waiters   those who wait for an answer
//! sql       its SQLite
//! ```

mod alerts;
pub mod client;
mod fault;
mod notices;
mod object;
mod operations;
mod registration;
mod sending;
mod sql;
mod tickets;
mod waiters;
