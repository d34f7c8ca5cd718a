//! A body that holds several events: an array, of which each item is read as a message of its own.

use super::Unreadable;
use super::rule::check_pointer;
use crate::json::{WrongType, items};
use crate::settings::Settings;

/// How many events one body may hold: what HubSpot sends at most. All are stored while the platform
/// waits for its answer.
pub const MAX_EVENTS: usize = 100;

/// Where the array of events is: a JSON Pointer, empty for the body itself.
pub struct Place(String);

impl Place {
    /// Reads `events`: `"body"` or a JSON Pointer.
    pub fn configure(settings: &mut Settings<'_>) -> Option<Self> {
        if settings.text_is("events", "body") {
            return Some(Self(String::new()));
        }
        let text = settings.text("events")?;
        check_pointer(settings, "events", text).then(|| Self(text.to_owned()))
    }

    /// The text of each event. One object is one event.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn split<'a>(&self, text: &'a [u8]) -> Result<Vec<&'a [u8]>, Unreadable> {
        match items(text, &self.0)? {
            Some(events) if events.len() <= MAX_EVENTS => Ok(events),
            _ => Err(self.wrong().into()),
        }
    }

    fn wrong(&self) -> WrongType {
        let at = if self.0.is_empty() { "the body" } else { &self.0 };
        WrongType::new(at, "an array of at most 100 events")
    }
}
