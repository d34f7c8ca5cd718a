//! What each platform sends: one file per platform.
//!
//! A platform's file reads an authentic body and answers one question: whose data is to be erased?

pub mod standard_webhooks;

use thiserror::Error;

use crate::erasure::ErasureRequest;
use crate::json::{Json, Malformed, WrongType};
use crate::settings::Settings;
use crate::signature::Usual;

/// What is known of a platform: one constant in each platform's file.
pub struct Definition {
    /// How its messages are proven unless the configuration says otherwise.
    pub signature: Usual,
    /// Reads an authentic body.
    pub read: fn(&Json<'_>) -> Result<Message, Unreadable>,
}

/// A platform that sends webhooks, as it is configured.
pub struct Platform(&'static Definition);

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
    pub const ALL: &[(&str, &'static Definition)] =
        &[("standard-webhooks", &standard_webhooks::DEFINITION)];

    /// Reads the settings of a platform.
    pub fn configure(definition: &'static Definition, _: &mut Settings<'_>) -> Option<Self> {
        Some(Self(definition))
    }

    /// Reads an authentic body.
    ///
    /// # Errors
    /// [`Unreadable`], naming the JSON Pointer of the first value that departs from the contract.
    pub fn read(&self, body: &[u8]) -> Result<Message, Unreadable> {
        (self.0.read)(&Json::parse(body)?)
    }
}
