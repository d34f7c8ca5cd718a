//! A platform: what is known of it, and what the configuration adds.

use std::borrow::Cow;

use super::answer::{Answer, ReplyContext, StatusQuery};
use super::event::EventName;
use super::events::Place;
use super::mapping::{Mapping, Overrides};
use super::rule::{Condition, Rule};
use super::{Received, Refused, Unreadable, handshake};
use crate::erasure::ErasureRequest;
use crate::json::{Json, Pointers};
use crate::settings::Settings;
use crate::signature::{DefaultSignature, Proven};

/// What is known of a platform: one constant in each platform's file.
pub struct PlatformSpec {
    /// How its messages are proven unless the configuration says otherwise.
    pub signature: DefaultSignature,
    /// All of these hold of an erasure, unless the configuration says otherwise (`erasure`). Empty
    /// where the configuration must say it: there it describes the messages.
    pub erasure: &'static [Condition],
    /// All of these hold of an erasure, whatever the configuration says.
    pub always: &'static [Condition],
    /// How its erasures are read.
    pub reader: Reader,
    /// What else must hold of a message before it is read, if anything.
    pub check: Option<Check>,
    /// Whether the sender can act on the answer that no vendor can use the request (422). Where it
    /// cannot, durable delivery answers that the request was taken, and the receipt tells the
    /// operator.
    pub told_of_unusable: bool,
    /// The platform's own form of answer, `None` where it has none; the relay's own answer is sent
    /// where this returns none.
    pub answer: Option<fn(&ReplyContext<'_>) -> Option<Answer>>,
    /// Answers a question about an erasure that came earlier, at `/requests/{request_id}`; `None`
    /// where the platform asks none.
    pub request_status: Option<fn(&StatusQuery<'_>) -> Answer>,
    /// The setting with the URL of a page on which the person sees the state, where the answer names
    /// one; without it, that is the relay's own page. The id of the request is the code of the page,
    /// and so it is always made from the message and cannot be guessed.
    pub answer_setting: Option<&'static str>,
}

/// Rejects a message, given what is read and what is proven.
pub struct Check {
    /// The JSON Pointers that it looks into. Nothing else of the message can be seen.
    pub looks_into: &'static [&'static str],
    /// The check.
    pub run: fn(&Json<'_>, &Proven) -> Result<(), Refused>,
}

/// How the erasures of a platform are read.
pub enum Reader {
    /// By a function.
    Function {
        /// The JSON Pointers that it looks into. Nothing else of the message can be seen.
        looks_into: &'static [&'static str],
        /// The function.
        read: fn(&Json<'_>) -> Result<ErasureRequest, Unreadable>,
    },
    /// By pointers, which the configuration may override.
    Mapped(Mapping),
}

/// A platform that sends webhooks, as it is configured.
pub struct Platform {
    spec: &'static PlatformSpec,
    rule: Rule,
    /// Where the events are, for a body that may hold several.
    events: Option<Place>,
    overrides: Overrides,
    /// All that is read of an event.
    pointers: Pointers,
    answer_setting: String,
}

/// One event of a message.
enum Event {
    Erasure(ErasureRequest),
    Other(EventName),
}

impl Platform {
    /// Reads the settings of a platform.
    pub fn configure(spec: &'static PlatformSpec, settings: &mut Settings<'_>) -> Option<Self> {
        let rule = Rule::configure(spec.erasure, spec.always, settings);
        let described = spec.erasure.is_empty();
        let events = described.then(|| Place::configure(settings)).flatten();
        let overrides = match &spec.reader {
            Reader::Function { .. } => Overrides::default(),
            Reader::Mapped(mapping) => Overrides::configure(mapping, described, settings),
        };
        let answer_setting = match spec.answer_setting {
            Some(key) => {
                if overrides.has_request_id() {
                    settings.problem("request_id", "must not be set: the id is a code, and secret");
                }
                settings.text(key).unwrap_or_default().to_owned()
            }
            None => String::new(),
        };
        let rule = rule?;
        let checked = spec.check.as_ref().map(|check| check.looks_into).unwrap_or_default();
        let mut pointers: Pointers = checked.iter().copied().collect();
        rule.select(&mut pointers);
        match &spec.reader {
            Reader::Function { looks_into, .. } => {
                for pointer in *looks_into {
                    pointers.add(pointer);
                }
            }
            Reader::Mapped(mapping) => mapping.select(&overrides, &mut pointers),
        }
        Some(Self { spec, rule, events, overrides, pointers, answer_setting })
    }

    /// Whether requests have no id of their own.
    pub fn derives_ids(&self) -> bool {
        match &self.spec.reader {
            Reader::Function { .. } => false,
            Reader::Mapped(mapping) => mapping.request_id(&self.overrides).is_none(),
        }
    }

    /// Whether the sender can act on the answer that no vendor can use a request.
    pub fn is_told_of_unusable(&self) -> bool {
        self.spec.told_of_unusable
    }

    /// Reads an authentic body. Of one that holds several events, those that can be read are read,
    /// whatever the others are. An id that is derived is a digest, and not keyed yet.
    ///
    /// # Errors
    /// [`Refused`]: the body is not what was proven, or departs from the contract; then it names
    /// the JSON Pointer of the first value that does.
    pub fn read(&self, body: &[u8], proven: &Proven) -> Result<Received, Refused> {
        let text = self.text(body, proven);
        let mut received = Received::default();
        if self.spec.erasure.is_empty() && handshake::is_empty(&text) {
            received.ignored.push(EventName::PING);
            return Ok(received);
        }
        let Some(place) = &self.events else {
            received.add(self.read_event(&text, proven)?);
            return Ok(received);
        };
        for (index, event) in place.split(&text)?.into_iter().enumerate() {
            match self.read_event(event, proven) {
                Ok(event) => received.add(event),
                Err(Refused::Unreadable(reason)) => {
                    let reason = Unreadable::Event(index, Box::new(reason));
                    received.unreadable.get_or_insert(reason);
                }
                Err(refused) => return Err(refused),
            }
        }
        Ok(received)
    }

    fn read_event(&self, text: &[u8], proven: &Proven) -> Result<Event, Refused> {
        let json =
            self.pointers.parse(text).map_err(|malformed| handshake::not_json(text, malformed))?;
        if let Some(check) = &self.spec.check {
            (check.run)(&json, proven)?;
        }
        if let Reader::Mapped(_) = &self.spec.reader {
            one_event(&json)?;
        }
        match self.rule.ignores(&json) {
            Ok(None) => {}
            Ok(Some(name)) => return Ok(Event::Other(name)),
            Err(_) if self.is_ping(text, &json) => return Ok(Event::Other(EventName::PING)),
            Err(wrong) => return Err(Unreadable::from(wrong).into()),
        }
        Ok(Event::Erasure(match &self.spec.reader {
            Reader::Function { read, .. } => read(&json)?,
            Reader::Mapped(mapping) => mapping.read(&self.overrides, &json, text)?,
        }))
    }

    /// Whether an event that does not say what it is, as the configuration describes it, is a test
    /// of the connection.
    fn is_ping(&self, text: &[u8], json: &Json<'_>) -> bool {
        let Reader::Mapped(mapping) = &self.spec.reader else { return false };
        let about = mapping.subject(&self.overrides, json);
        let names_nobody = about.is_ok_and(|subject| subject.identifiers().next().is_none());
        self.spec.erasure.is_empty() && handshake::is_ping(text, names_nobody)
    }

    /// What is read: the body, or the claims of a proof that contains the message.
    fn text<'a>(&self, body: &'a [u8], proven: &'a Proven) -> Cow<'a, [u8]> {
        match (self.spec.signature, proven.claims.first()) {
            (DefaultSignature::SignedRequest | DefaultSignature::NestedJwt, Some(claims)) => {
                Cow::Borrowed(claims)
            }
            _ => handshake::payload(body),
        }
    }

    /// The answer to a message in this platform's form; `None` where the relay's own is sent.
    pub fn answer(&self, context: ReplyContext<'_>) -> Option<Answer> {
        let answer = self.spec.answer?;
        let knows_type = &|name: &str| self.identity_types().contains(&name);
        answer(&ReplyContext { setting: &self.answer_setting, knows_type, ..context })
    }

    /// Whether answers may be signed acknowledgements.
    pub fn is_acknowledged(spec: &PlatformSpec) -> bool {
        spec.signature == DefaultSignature::NestedJwt
    }

    /// The types of identifiers that are read, as the platform names them.
    pub fn identity_types(&self) -> Vec<&str> {
        match &self.spec.reader {
            Reader::Function { .. } => Vec::new(),
            Reader::Mapped(mapping) => mapping.identity_types(&self.overrides),
        }
    }

    /// Whether its requests can be looked up on a page of state by whoever has the code.
    pub fn has_status_page(&self) -> bool {
        self.spec.answer_setting.is_some()
    }

    /// The setting that must name a page where the relay has none; `None` where there is a page, or
    /// where none is needed.
    pub fn needs_page(&self) -> Option<&'static str> {
        self.spec.answer_setting.filter(|_| self.answer_setting.is_empty())
    }

    /// How this platform is told of an erasure that came earlier; `None` where it does not ask.
    pub fn request_status(&self) -> Option<fn(&StatusQuery<'_>) -> Answer> {
        self.spec.request_status
    }
}

impl Received {
    /// Adds an event. Two erasures of one id are one, of both persons' identifiers.
    fn add(&mut self, event: Event) {
        let erasure = match event {
            Event::Other(name) => return self.ignored.push(name),
            Event::Erasure(erasure) => erasure,
        };
        match self.erasures.iter_mut().find(|known| known.id == erasure.id) {
            Some(known) => {
                for one in erasure.subject.identifiers() {
                    known.subject.add(one.kind().clone(), one.expose());
                }
            }
            None => self.erasures.push(erasure),
        }
    }
}

/// A pointer to the first event of an array would lose the others.
fn one_event(json: &Json<'_>) -> Result<(), Unreadable> {
    match json {
        Json::Array(events) if events.len() != 1 => Err(Unreadable::SeveralEvents),
        _ => Ok(()),
    }
}
