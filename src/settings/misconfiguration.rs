//! Problems of the configuration.

use std::fmt;

use serde::Serialize;

/// One problem of the configuration: `VENDORS.insider.partner_name: must be …`. It names settings
/// and secrets, and never shows a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Misconfiguration(String);

impl Misconfiguration {
    /// `message` says what the setting at `path` must be.
    pub fn new(path: &str, message: impl fmt::Display) -> Self {
        Self(format!("{path}: {message}"))
    }
}

impl fmt::Display for Misconfiguration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
