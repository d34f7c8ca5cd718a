//! Alerts: signed events to a URL of the operator's, about lanes and deadlines.
//!
//! To a lane, that URL is an account like a vendor's: alerts are stored before they are sent, and sent
//! with retry, pace, breaker and deadline. Here is what is configured, what an alert says, and what the
//! answer means; [`crate::delivery::alert`] has what is raised. No clock, no I/O.
//!
//! ```text
//! trigger in a lane ──► row of the lane ──┐
//! cron trigger ──► due ───────────────────┴─► the alerts' lane ──► event ──► endpoint
//! ```

pub mod due;
mod endpoint;
mod event;

pub use endpoint::{Alerts, EXPECTED, Url, VARIABLE};
pub use event::{name_and_body, part, request};
