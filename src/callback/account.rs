//! A callback as a vendor account, so that a lane delivers its messages.

use std::rc::Rc;

use http::Method;
use secrecy::SecretString;

use super::{Callback, KINDS, Message, Target, Word};
use crate::erasure::{CustomName, Identifier, Kind, Subject};
use crate::receipt::Timestamp;
use crate::settings::Settings;
use crate::vendor::{Answer, Auth, Call, CallKind, Request, Step, Vendor, Verdict};

/// What begins the names of the accounts of callbacks. The names of vendors' accounts cannot have it.
const MARK: char = '@';

/// The kind of identifier in whose place a message is sealed.
const MESSAGE: &str = "message";

/// The account that tells the platform of a source.
pub fn account_name(source: &str) -> String {
    format!("{MARK}{source}")
}

/// The source whose platform an account tells; `None` for an account of a vendor.
pub fn source_of(account: &str) -> Option<&str> {
    account.strip_prefix(MARK)
}

/// A callback, and the way its messages are sent.
pub type Configured = (Rc<dyn Callback>, Box<dyn Vendor>);

/// Reads the table `callback` of a source of `platform`.
pub fn configure(platform: &str, settings: &mut Settings<'_>) -> Option<Configured> {
    let named = |kind: &str| KINDS.iter().find(|(name, _)| *name == kind).map(|(_, read)| *read);
    let default = named(platform).or_else(|| named("event"))?;
    let callback: Rc<dyn Callback> = settings.choice("kind", default, KINDS)?(settings)?.into();
    Some((callback.clone(), Box::new(Messages(callback))))
}

/// Sends the messages of a callback.
struct Messages(Rc<dyn Callback>);

impl Vendor for Messages {
    fn auth(&self) -> &Auth {
        self.0.auth()
    }

    fn headers(&self, token: &SecretString) -> Vec<(&'static str, SecretString)> {
        self.0.headers(token)
    }

    /// Messages come from tickets, and not from a person's identifiers.
    fn plan(&self, _: &Subject) -> Vec<Step> {
        Vec::new()
    }

    fn calls(&self) -> &'static [CallKind] {
        self.0.message()
    }

    fn request(&self, call: &Call) -> Request {
        let message = Message::of(call).unwrap_or_default();
        let secret = |(name, value): (String, String)| (name, value.into());
        Request {
            method: Method::from_bytes(message.method.as_bytes()).unwrap_or(Method::POST),
            url: message.url,
            headers: message.headers.into_iter().map(secret).collect(),
            body: Some(message.body),
        }
    }

    fn sign(&self, call: &Call, request: &mut Request, token: &SecretString, now: Timestamp) {
        let id = Message::of(call).unwrap_or_default().id;
        self.0.sign(request, &id, token, now.0.div_euclid(1000));
    }

    fn signed_headers(&self, signature: &[u8]) -> Vec<(&'static str, String)> {
        self.0.signed_headers(signature)
    }

    fn judge(&self, _: &Call, answer: &Answer) -> Verdict {
        self.0.judge(answer)
    }
}

impl Message {
    /// The message that bears `word` to a target, with its body. `id` names it.
    pub(super) fn new(id: String, word: &Word, target: &Target, body: String) -> Self {
        let Target { url, headers } = target.clone();
        Self { id, method: word.method.to_owned(), url, headers, body }
    }

    /// The message as a call of this name.
    pub(super) fn into_call(self, name: &'static str) -> Option<Call> {
        let text = serde_json::to_string(&self).ok()?;
        let kind = Kind::Custom(CustomName::parse(MESSAGE)?);
        let identifier = Identifier::restore(kind, text);
        Some(Call { name, identifier, alternatives: Vec::new() })
    }

    /// The message of a call. `None` where a later version wrote it otherwise.
    fn of(call: &Call) -> Option<Self> {
        serde_json::from_slice(call.identifier.expose().as_bytes()).ok()
    }
}
