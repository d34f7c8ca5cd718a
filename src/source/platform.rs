//! A platform: what is known of it, and what the configuration adds.

use super::answer::{Answer, Outcome, Told};
use super::mapping::{Changes, Mapping};
use super::{Message, Refused, Unreadable};
use crate::json::Json;
use crate::settings::Settings;
use crate::signature::{Proven, Usual};

/// What is known of a platform: one constant in each platform's file.
pub struct Definition {
    /// How its messages are proven unless the configuration says otherwise.
    pub signature: Usual,
    /// How they are read.
    pub read: Read,
    /// What else must hold of a message before it is read: `None` where nothing must.
    pub check: Option<Check>,
    /// What the platform wants to hear: `None` where the relay's own answer will do.
    pub answer: Option<fn(&Told<'_>) -> Option<Answer>>,
    /// A text that the answer needs and the configuration must have.
    pub answer_setting: Option<&'static str>,
}

/// Refuses a message, given what is read and what is proven.
pub type Check = fn(&Json<'_>, &Proven) -> Result<(), Refused>;

/// How the messages of a platform are read.
pub enum Read {
    /// By a function of its own, which looks into these members.
    Own(&'static [&'static str], fn(&Json<'_>) -> Result<Message, Unreadable>),
    /// By pointers, which the configuration may change.
    Mapped(Mapping),
}

/// A platform that sends webhooks, as it is configured.
pub struct Platform {
    definition: &'static Definition,
    changes: Changes,
    answer_setting: String,
}

impl Platform {
    /// Reads the settings of a platform.
    pub fn configure(definition: &'static Definition, settings: &mut Settings<'_>) -> Option<Self> {
        let changes = match &definition.read {
            Read::Own(..) => Some(Changes::default()),
            Read::Mapped(mapping) => Changes::configure(mapping, settings),
        };
        let answer_setting = match definition.answer_setting {
            Some(key) => settings.required_text(key)?.to_owned(),
            None => String::new(),
        };
        Some(Self { definition, changes: changes?, answer_setting })
    }

    /// Reads an authentic body.
    ///
    /// # Errors
    /// [`Refused`]: the body is not what was proven, or departs from the contract; then it names
    /// the JSON Pointer of the first value that does.
    pub fn read(&self, body: &[u8], proven: &Proven) -> Result<Message, Refused> {
        let text = self.text(body, proven);
        let wanted = |key: &str| match self.definition.read {
            Read::Own(members, _) => members.contains(&key),
            Read::Mapped(_) => true,
        };
        let json = Json::parse_members(text, &wanted).map_err(Unreadable::from)?;
        if let Some(check) = self.definition.check {
            check(&json, proven)?;
        }
        Ok(match &self.definition.read {
            Read::Own(_, read) => read(&json)?,
            Read::Mapped(mapping) => mapping.read(&self.changes, &json, text)?,
        })
    }

    /// What is read: the body, or what a proof carries in its place.
    fn text<'a>(&self, body: &'a [u8], proven: &'a Proven) -> &'a [u8] {
        match (self.definition.signature, proven.claims.first()) {
            (Usual::SignedRequest | Usual::NestedJwt, Some(claims)) => claims,
            _ => body,
        }
    }

    /// What this platform wants to hear of what became of a message; `None` where the relay's own
    /// answer will do.
    pub fn answer(&self, source: &str, body: &[u8], outcome: Outcome<'_>) -> Option<Answer> {
        let answer = self.definition.answer?;
        answer(&Told { source, body, outcome, setting: &self.answer_setting })
    }
}
