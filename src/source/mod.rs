//! What each platform sends: one file per platform.
//!
//! A platform's file reads an authentic body and answers one question: whose data is to be erased?

pub mod standard_webhooks;

use thiserror::Error;

use crate::erasure::ErasureRequest;
use crate::json::{Json, Malformed, WrongType};

/// A platform that sends webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// The canonical event, for every sender that can choose what it sends.
    StandardWebhooks,
}

/// What an authentic message means.
#[derive(Debug)]
pub enum Message {
    /// A person's data is to be erased.
    Erasure(ErasureRequest),
    /// Something else happened; there is nothing to do.
    Other,
}

/// Why an authentic body cannot be understood. It names the place, never the content.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// Not JSON at all.
    #[error("the body {0}")]
    Malformed(#[from] Malformed),
    /// JSON, but not what the platform's contract says.
    #[error("{0}")]
    WrongType(#[from] WrongType),
}

impl Platform {
    /// Every platform by its name in the configuration.
    pub const ALL: &[(&str, Platform)] = &[("standard-webhooks", Platform::StandardWebhooks)];

    /// Reads an authentic body.
    ///
    /// # Errors
    /// [`Unreadable`], naming the JSON Pointer of the first value that departs from the contract.
    pub fn read(self, body: &[u8]) -> Result<Message, Unreadable> {
        let json = Json::parse(body)?;
        match self {
            Platform::StandardWebhooks => Ok(standard_webhooks::read(&json)?),
        }
    }
}
