//! A platform: what is known of it, and what the configuration adds.

use super::answer::{Answer, Outcome, ReplyContext};
use super::mapping::{Mapping, Overrides};
use super::{Message, Refused, Unreadable};
use crate::json::{Json, Pointers};
use crate::settings::Settings;
use crate::signature::{DefaultSignature, Proven};

/// What is known of a platform: one constant in each platform's file.
pub struct PlatformSpec {
    /// How its messages are proven unless the configuration says otherwise.
    pub signature: DefaultSignature,
    /// How they are read.
    pub reader: Reader,
    /// What else must hold of a message before it is read, if anything.
    pub check: Option<Check>,
    /// The platform's own form of answer, `None` where it has none; the relay's own answer is sent
    /// where this returns none.
    pub answer: Option<fn(&ReplyContext<'_>) -> Option<Answer>>,
    /// A text that the answer needs and the configuration must have.
    pub answer_setting: Option<&'static str>,
}

/// Rejects a message, given what is read and what is proven.
pub struct Check {
    /// The JSON Pointers that it looks into. Nothing else of the message can be seen.
    pub looks_into: &'static [&'static str],
    /// The check.
    pub run: fn(&Json<'_>, &Proven) -> Result<(), Refused>,
}

/// How the messages of a platform are read.
pub enum Reader {
    /// By a function.
    Function {
        /// The JSON Pointers that it looks into. Nothing else of the message can be seen.
        looks_into: &'static [&'static str],
        /// The function.
        read: fn(&Json<'_>) -> Result<Message, Unreadable>,
    },
    /// By pointers, which the configuration may override.
    Mapped(Mapping),
}

/// A platform that sends webhooks, as it is configured.
pub struct Platform {
    spec: &'static PlatformSpec,
    overrides: Overrides,
    /// All that is read of a message.
    pointers: Pointers,
    answer_setting: String,
}

impl Platform {
    /// Reads the settings of a platform.
    pub fn configure(spec: &'static PlatformSpec, settings: &mut Settings<'_>) -> Option<Self> {
        let overrides = match &spec.reader {
            Reader::Function { .. } => Some(Overrides::default()),
            Reader::Mapped(mapping) => Overrides::configure(mapping, settings),
        };
        let answer_setting = match spec.answer_setting {
            Some(key) => settings.required_text(key)?.to_owned(),
            None => String::new(),
        };
        let overrides = overrides?;
        let checked = spec.check.as_ref().map(|check| check.looks_into).unwrap_or_default();
        let mut pointers: Pointers = checked.iter().copied().collect();
        match &spec.reader {
            Reader::Function { looks_into, .. } => {
                for pointer in *looks_into {
                    pointers.add(pointer);
                }
            }
            Reader::Mapped(mapping) => mapping.select(&overrides, &mut pointers),
        }
        Some(Self { spec, overrides, pointers, answer_setting })
    }

    /// Whether requests have no id of their own.
    pub fn derives_ids(&self) -> bool {
        match &self.spec.reader {
            Reader::Function { .. } => false,
            Reader::Mapped(mapping) => mapping.request_id(&self.overrides).is_none(),
        }
    }

    /// Reads an authentic body. An id that is derived is a digest, and not keyed yet.
    ///
    /// # Errors
    /// [`Refused`]: the body is not what was proven, or departs from the contract; then it names
    /// the JSON Pointer of the first value that does.
    pub fn read(&self, body: &[u8], proven: &Proven) -> Result<Message, Refused> {
        let text = self.text(body, proven);
        let json = self.pointers.parse(text).map_err(Unreadable::from)?;
        if let Some(check) = &self.spec.check {
            (check.run)(&json, proven)?;
        }
        Ok(match &self.spec.reader {
            Reader::Function { read, .. } => read(&json)?,
            Reader::Mapped(mapping) => mapping.read(&self.overrides, &json, text)?,
        })
    }

    /// What is read: the body, or the claims of a proof that contains the message.
    fn text<'a>(&self, body: &'a [u8], proven: &'a Proven) -> &'a [u8] {
        match (self.spec.signature, proven.claims.first()) {
            (DefaultSignature::SignedRequest | DefaultSignature::NestedJwt, Some(claims)) => claims,
            _ => body,
        }
    }

    /// The answer to a message in this platform's form; `None` where the relay's own is sent.
    pub fn answer(&self, source: &str, body: &[u8], outcome: Outcome<'_>) -> Option<Answer> {
        let answer = self.spec.answer?;
        answer(&ReplyContext { source, body, outcome, setting: &self.answer_setting })
    }
}
