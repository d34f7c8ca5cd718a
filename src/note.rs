//! The body of an operator's discard: `{"note": "…"}`, the reason that receipts and the log show.

use crate::json::Json;
use crate::receipt::ClosureOutcome;

/// The maximum length of a note, in bytes.
const MAX_BYTES: usize = 200;

/// The maximum length of the body, in bytes: a note in which JSON escapes every character.
pub const MAX_BODY_BYTES: u32 = 2048;

/// Why deliveries are ended. It is stored and logged as it is, so it must hold no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note(String);

/// How an operator closes a request: the body `{"outcome": "…", "note": "…"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// What the platform is told.
    pub outcome: ClosureOutcome,
    /// Why.
    pub note: Note,
}

impl Closing {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// What is wrong with it. The message repeats nothing of the body.
    pub fn parse(body: &[u8]) -> Result<Self, &'static str> {
        const EXPECTED: &str = "the body must be {\"outcome\": \"…\", \"note\": \"…\"}, and the outcome one of: completed, not_found, failed";
        let json = Json::parse(body).map_err(|_| EXPECTED)?;
        let Json::Object(members) = &json else { return Err(EXPECTED) };
        let text = |name| members.get(name).and_then(Json::as_text).ok_or(EXPECTED);
        let outcome = text("outcome")?.parse().map_err(|_| EXPECTED)?;
        let note = Note::of(text("note")?)?;
        if members.len() > 2 { Err(EXPECTED) } else { Ok(Self { outcome, note }) }
    }
}

impl Note {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// What is wrong with it. The message repeats nothing of the body.
    pub fn parse(body: &[u8]) -> Result<Self, &'static str> {
        const EXPECTED: &str = "the body must be {\"note\": \"…\"}";
        let json = Json::parse(body).map_err(|_| EXPECTED)?;
        let Json::Object(members) = &json else { return Err(EXPECTED) };
        let note = members.get("note").and_then(Json::as_text).ok_or(EXPECTED)?;
        if members.len() > 1 { Err(EXPECTED) } else { Self::of(note) }
    }

    /// Reads the text of a note.
    ///
    /// # Errors
    /// What is wrong with it. The message repeats nothing of the text.
    pub fn of(text: &str) -> Result<Self, &'static str> {
        let note = text.trim();
        if note.is_empty() || note.len() > MAX_BYTES || !note.chars().all(is_printable) {
            return Err("note must be a text of 1 to 200 bytes that can be printed");
        }
        Ok(Self(note.to_owned()))
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.0
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// No control character, and none that is invisible or changes the direction of a text (Unicode's
/// general categories Cf, Zl and Zp in the blocks where they are used).
fn is_printable(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Option<String> {
        Note::parse(body.as_bytes()).ok().map(|note| note.as_str().to_owned())
    }

    #[test]
    fn a_note_is_a_short_printable_text() {
        let text = |body: &str| parse(body);
        assert_eq!(
            text(r#"{"note":" handled by e-mail, ticket 12 "}"#).unwrap(),
            "handled by e-mail, ticket 12"
        );
        assert_eq!(text(r#"{"note":"erledigt – é 😀"}"#).unwrap(), "erledigt – é 😀");
        let longest = "x".repeat(MAX_BYTES);
        assert_eq!(text(&format!(r#"{{"note":"{longest}"}}"#)), Some(longest.clone()));
        let escaped = "\\u0078".repeat(MAX_BYTES);
        let body = format!(r#"{{"note":"{escaped}"}}"#);
        assert!(body.len() <= MAX_BODY_BYTES as usize);
        assert_eq!(text(&body), Some(longest.clone()));
        for wrong in [
            "",
            "null",
            "[]",
            "{}",
            r#""note""#,
            r#"{"note":null}"#,
            r#"{"note":7}"#,
            r#"{"note":["x"]}"#,
            r#"{"note":""}"#,
            r#"{"note":" \t"}"#,
            r#"{"note":"x","vendor":"y"}"#,
            r#"{"note":"x","note":"y"}"#,
            r#"{"note":"a\u0000b"}"#,
            r#"{"note":"a\nb"}"#,
            r#"{"note":"a\u202eb"}"#,
            r#"{"note":"a\u2028b"}"#,
            r#"{"note":"\ufeff"}"#,
            &format!(r#"{{"note":"{longest}x"}}"#),
        ] {
            assert_eq!(text(wrong), None, "{wrong}");
        }
        assert!(Note::parse(b"{\"note\":\"\xff\"}").is_err());
    }
}
