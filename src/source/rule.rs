//! Which messages of a source are erasures.

use std::borrow::Cow;

use super::event::EventName;
use crate::json::{Json, Pointers, WrongType};
use crate::settings::Settings;

/// What must hold of an erasure.
pub struct Condition {
    /// A JSON Pointer.
    pub at: &'static str,
    /// The value there is one of these. Where there are none, it can be anything, `null` included.
    pub is: &'static [&'static str],
}

/// The rule of one source.
pub struct Rule {
    /// The platform's own, which `configured` replaces.
    own: &'static [Condition],
    /// The platform's, which the configuration cannot change.
    always: &'static [Condition],
    configured: Option<Configured>,
}

/// The setting `erasure`.
enum Configured {
    /// `"always"`: every message is an erasure.
    Always,
    /// The value at this JSON Pointer is one of these.
    Where(String, Vec<String>),
}

impl Rule {
    /// Reads `erasure`, which must be set where the platform has no rule of its `own`.
    pub(super) fn configure(
        own: &'static [Condition],
        always: &'static [Condition],
        settings: &mut Settings<'_>,
    ) -> Option<Self> {
        let configured = if own.is_empty() || settings.has("erasure") {
            Some(Configured::read(settings)?)
        } else {
            None
        };
        Some(Self { own, always, configured })
    }

    /// Adds every pointer that [`ignores`](Self::ignores) looks into.
    pub(super) fn select(&self, pointers: &mut Pointers) {
        if let Some(Configured::Where(at, _)) = &self.configured {
            pointers.add(at);
        }
        for condition in self.conditions() {
            match condition.is {
                [] => pointers.add_presence(condition.at),
                _ => pointers.add(condition.at),
            }
        }
    }

    /// The name of the event where it is no erasure; `None` for an erasure.
    ///
    /// # Errors
    /// [`WrongType`] where the message does not say what it is: it may be an erasure, and must not
    /// be acknowledged as something else.
    pub(super) fn ignores(&self, json: &Json<'_>) -> Result<Option<EventName>, WrongType> {
        if let Some(Configured::Where(at, is)) = &self.configured {
            let value = value_at(json, at)?;
            if !is.iter().any(|known| *known == value) {
                return Ok(Some(EventName::new(&value)));
            }
        }
        for condition in self.conditions() {
            let name = match condition.is {
                [] if is_present(json, condition.at)? => continue,
                [] => EventName::UNNAMED,
                is => {
                    let value = value_at(json, condition.at)?;
                    if is.contains(&&*value) {
                        continue;
                    }
                    EventName::new(&value)
                }
            };
            return Ok(Some(name));
        }
        Ok(None)
    }

    fn conditions(&self) -> impl Iterator<Item = &Condition> {
        let own = if self.configured.is_some() { &[] } else { self.own };
        own.iter().chain(self.always)
    }
}

impl Configured {
    /// `{ at = "/event", is = ["customer.deleted"] }`, or `"always"`.
    fn read(settings: &mut Settings<'_>) -> Option<Self> {
        if !settings.has_table("erasure") {
            let always = settings.required_choice("erasure", &[("always", ())]);
            return always.map(|()| Self::Always);
        }
        let mut table = settings.table("erasure")?;
        if !table.has("at") {
            table.problem("at", "must be set");
        }
        let at = pointer(&mut table, "at");
        if !table.has("is") {
            table.problem("is", "must be set");
        }
        let is = table.texts("is");
        table.finish();
        Some(Self::Where(at?, is?.into_iter().map(str::to_owned).collect()))
    }
}

/// The JSON Pointer `key`, if it is set.
pub fn pointer(settings: &mut Settings<'_>, key: &'static str) -> Option<String> {
    let text = settings.text(key)?;
    check_pointer(settings, key, text).then(|| text.to_owned())
}

/// Whether `text`, which the setting `key` has, is a JSON Pointer.
pub(super) fn check_pointer(settings: &Settings<'_>, key: &str, text: &str) -> bool {
    let fits = text.starts_with('/');
    if !fits {
        settings.problem(key, "must be a JSON Pointer, such as /customer/id");
    }
    fits
}

/// Whether there is a value at `pointer`, `null` included.
fn is_present(json: &Json<'_>, pointer: &str) -> Result<bool, WrongType> {
    let Some((holder, key)) = pointer.rsplit_once('/') else { return Ok(false) };
    Ok(json.at(holder)?.is_some_and(|holder| holder.get(key).is_some()))
}

fn value_at<'a>(json: &'a Json<'_>, pointer: &str) -> Result<Cow<'a, str>, WrongType> {
    let found = json.at(pointer)?.unwrap_or(&Json::Null);
    found.scalar().ok_or_else(|| WrongType::of(found, pointer, "a string"))
}
