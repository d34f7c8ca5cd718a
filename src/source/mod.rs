//! What each platform sends: one file per platform.
//!
//! A platform's file says how its messages are proven, which of them ask for an erasure, whose
//! data is meant, and how the platform is answered. Most of that is data, which `rule` and `mapping`
//! read; `custom` is a platform whose data is in the configuration.

mod acknowledgement;
mod answer;
#[cfg(test)]
mod answer_tests;
mod custom;
mod datagrail;
mod event;
mod events;
#[cfg(test)]
mod events_tests;
mod fides;
mod handshake;
mod iab_ddrf;
mod kertos;
mod ketch;
mod mapping;
#[cfg(test)]
mod mapping_tests;
mod meta;
mod opendsr;
mod platform;
mod rule;
mod segment;
mod shopify;
pub mod standard_webhooks;
#[cfg(test)]
mod tests;
mod transcend;

use thiserror::Error;

use crate::erasure::ErasureRequest;
use crate::json::{Malformed, WrongType};
use crate::signature::Refusal;

pub use acknowledgement::{Acknowledgement, Stamp};
pub use answer::{Answer, Form, Outcome, ReplyContext, StatusQuery};
pub use event::EventName;
pub use platform::{Check, Platform, PlatformSpec, Reader};
pub use rule::pointer;

/// Every platform by its name in the configuration.
pub const ALL: &[(&str, &PlatformSpec)] = &[
    ("custom", &custom::SPEC),
    ("datagrail-drop", &datagrail::DROP),
    ("datagrail-dsr", &datagrail::DSR),
    ("fides", &fides::SPEC),
    ("iab-ddrf", &iab_ddrf::SPEC),
    ("kertos", &kertos::SPEC),
    ("ketch", &ketch::SPEC),
    ("meta", &meta::SPEC),
    ("opendsr", &opendsr::SPEC),
    ("segment", &segment::SPEC),
    ("shopify", &shopify::SPEC),
    ("standard-webhooks", &standard_webhooks::SPEC),
    ("transcend", &transcend::SPEC),
];

/// What an authentic message holds: one event, or several.
#[derive(Debug, Default)]
pub struct Received {
    /// The requests to erase a person's data, each id once. An id that is derived is a bare digest
    /// here, which [`Sender`](crate::sender::Sender) replaces.
    pub erasures: Vec<ErasureRequest>,
    /// The other events, with which there is nothing to do.
    pub ignored: Vec<EventName>,
    /// Why the first of several events cannot be read, where one cannot.
    pub unreadable: Option<Unreadable>,
}

/// Why a message is not processed.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// It does not prove who sent it.
    #[error("not authentic: {0}")]
    NotAuthentic(#[from] Refusal),
    /// It is authentic but cannot be read.
    #[error("unreadable: {0}")]
    Unreadable(#[from] Unreadable),
}

/// Why an authentic body cannot be read. It names the place, never the content.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// Not JSON, or JSON with a repeated key.
    #[error("the body {0}")]
    Malformed(#[from] Malformed),
    /// JSON, but not what the platform's contract says.
    #[error("{0}")]
    WrongType(#[from] WrongType),
    /// A form instead of JSON.
    #[error("the body is a form, not JSON: set the sender's content type to application/json")]
    Form,
    /// Several events where one is read.
    #[error(
        "the body must be one event, or an array of one (a custom source reads several with its setting events)"
    )]
    SeveralEvents,
    /// One of several events, counted from zero.
    #[error("event {0}: {1}")]
    Event(usize, Box<Unreadable>),
}
