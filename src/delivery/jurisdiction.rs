//! Where a lane's data may be stored and processed.

use serde::{Deserialize, Serialize};

use crate::settings::Settings;

/// A jurisdiction of Durable Objects
/// (<https://developers.cloudflare.com/durable-objects/reference/data-location/>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Jurisdiction {
    /// The European Union.
    Eu,
    /// FedRAMP-compliant data centers.
    Fedramp,
}

impl Jurisdiction {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Eu, Self::Fedramp];

    /// Reads `jurisdiction`; `None` where it is not set.
    pub fn configure(settings: &mut Settings<'_>) -> Option<Self> {
        let choices = [("eu", Some(Self::Eu)), ("fedramp", Some(Self::Fedramp))];
        settings.choice("jurisdiction", None, &choices).flatten()
    }

    /// The one of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The platform's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eu => "eu",
            Self::Fedramp => "fedramp",
        }
    }
}
