//! The relay's own canonical event, in a Standard Webhooks envelope:
//!
//! ```json
//! { "type": "privacy.erasure.requested", "timestamp": "2026-11-22T05:30:00Z",
//!   "data": { "request_id": "a7551968-d5d6-44b2-9831-815ac9017798",
//!     "subject": { "user_ids": ["u-1001", "u-1002"], "email": "sample@useinsider.com",
//!                  "phone_number": "+6598765432", "uuid": "42", "insider_id": null,
//!                  "custom": { "user_loyalty_id": "xyz123" } } } }
//! ```
//!
//! Every field of the subject is optional, and `user_id` is a list of one. Unknown fields are
//! ignored, so that a sender may add its own.

use super::Unreadable;
use super::platform::{PlatformSpec, Reader};
use super::rule::Condition;
use crate::erasure::{CustomName, ErasureRequest, Kind, RequestId, Subject};
use crate::json::{Json, Object, WrongType};
use crate::signature::DefaultSignature;

/// The type of event that asks for an erasure, unless the configuration names others. All others
/// are acknowledged and ignored.
pub const EVENT_TYPE: &str = "privacy.erasure.requested";

pub(super) const SPEC: PlatformSpec = PlatformSpec {
    signature: DefaultSignature::Preset("standard-webhooks"),
    erasure: &[Condition { at: "/type", is: &[EVENT_TYPE] }],
    always: &[],
    reader: Reader::Function {
        looks_into: &[
            "/data/request_id",
            "/data/subject/user_id",
            "/data/subject/user_ids",
            "/data/subject/email",
            "/data/subject/phone_number",
            "/data/subject/uuid",
            "/data/subject/insider_id",
            "/data/subject/custom",
        ],
        read,
    },
    check: None,
    told_of_unusable: true,
    answer: None,
    request_status: None,
    answer_setting: None,
};

fn read(event: &Json<'_>) -> Result<ErasureRequest, Unreadable> {
    let id = event.text_at("/data/request_id")?.and_then(RequestId::parse);
    let id = id.ok_or_else(|| WrongType::new("/data/request_id", RequestId::EXPECTED))?;
    Ok(ErasureRequest { id, id_is_derived: false, subject: subject(event, "/data/subject")? })
}

/// The person whose identifiers are `at` this JSON Pointer.
///
/// # Errors
/// What is wrong with them. Of what is there, only the pointer is repeated.
pub fn subject(event: &Json<'_>, at: &'static str) -> Result<Subject, WrongType> {
    let found = event.at(at)?.unwrap_or(&Json::Null);
    let Json::Object(person) = found else {
        return Err(WrongType::of(found, at, "an object"));
    };
    let mut reading = Reading { person, at, subject: Subject::default() };
    reading.one("user_id", Kind::UserId)?;
    reading.user_ids()?;
    reading.one("email", Kind::Email)?;
    reading.one("phone_number", Kind::PhoneNumber)?;
    reading.one("uuid", Kind::Uuid)?;
    reading.one("insider_id", Kind::InsiderId)?;
    reading.custom()?;
    Ok(reading.subject)
}

/// A person, as far as it has been read.
struct Reading<'a> {
    person: &'a Object<'a>,
    at: &'static str,
    subject: Subject,
}

impl Reading<'_> {
    fn one(&mut self, field: &str, kind: Kind) -> Result<(), WrongType> {
        match self.person.get(field) {
            None | Some(Json::Null) => {}
            Some(Json::Text(value)) => self.subject.add(kind, value),
            Some(other) => {
                return Err(WrongType::of(other, format!("{}/{field}", self.at), "a string"));
            }
        }
        Ok(())
    }

    fn user_ids(&mut self) -> Result<(), WrongType> {
        let wrong = |path: &str, found: &Json<'_>, expected| {
            Err(WrongType::of(found, format!("{}/user_ids{path}", self.at), expected))
        };
        let items = match self.person.get("user_ids") {
            None | Some(Json::Null) => return Ok(()),
            Some(Json::Array(items)) if items.len() <= Subject::MAX_VALUES => items,
            Some(other) => return wrong("", other, "an array of at most 100 strings"),
        };
        for (index, item) in items.iter().enumerate() {
            match item.as_text() {
                Some(value) => self.subject.add(Kind::UserId, value),
                None => return wrong(&format!("/{index}"), item, "a string"),
            }
        }
        Ok(())
    }

    fn custom(&mut self) -> Result<(), WrongType> {
        let wrong = |path: &str, found: &Json<'_>, expected| {
            Err(WrongType::of(found, format!("{}/custom{path}", self.at), expected))
        };
        let members = match self.person.get("custom") {
            None | Some(Json::Null) => return Ok(()),
            Some(Json::Object(members)) if members.len() <= Subject::MAX_VALUES => members,
            Some(other) => return wrong("", other, "an object of at most 100 strings"),
        };
        for (key, value) in members.iter() {
            let Some(name) = CustomName::parse(key) else {
                // A name that does not fit is not repeated: it may be personal data.
                let expected = "an object with names of 1 to 64 of A-Z a-z 0-9 _ -";
                return wrong("", &Json::Null, expected);
            };
            match value {
                Json::Null => {}
                Json::Text(value) => self.subject.add(Kind::Custom(name), value),
                _ => return wrong(&format!("/{}", name.as_str()), value, "a string"),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_as;
    use super::super::{Received, Refused};
    use super::*;

    fn read(body: &str) -> Result<Received, Refused> {
        read_as("standard-webhooks", body.as_bytes())
    }

    fn erasure(data: &str) -> Result<Vec<(String, String)>, String> {
        let body = format!(r#"{{"type":"{EVENT_TYPE}","data":{data}}}"#);
        let read = read(&body).map_err(|error| error.to_string().replace("unreadable: ", ""))?;
        let identifiers = read.erasures[0].subject.identifiers();
        let shown =
            |one: &crate::erasure::Identifier| (one.kind().to_string(), one.expose().to_owned());
        Ok(identifiers.map(shown).collect())
    }

    fn subject(subject: &str) -> Result<Vec<(String, String)>, String> {
        erasure(&format!(r#"{{"request_id":"r-1","subject":{subject}}}"#))
    }

    #[test]
    fn reads_the_whole_contract() {
        let all = subject(
            r#"{"user_id":"u-1000","user_ids":["u-1001","u-1002"],"email":"sample@useinsider.com",
                "phone_number":"+6598765432","uuid":"42","insider_id":null,"unknown":[1],
                "custom":{"user_loyalty_id":"xyz123","other":null}}"#,
        );
        let expected = [
            ("user_id", "u-1000"),
            ("user_id", "u-1001"),
            ("user_id", "u-1002"),
            ("email", "sample@useinsider.com"),
            ("phone_number", "+6598765432"),
            ("uuid", "42"),
            ("custom.user_loyalty_id", "xyz123"),
        ];
        assert_eq!(all.unwrap(), expected.map(|(kind, value)| (kind.into(), value.into())));
        assert_eq!(subject("{}"), Ok(vec![]));
    }

    #[test]
    fn other_events_are_not_erasures() {
        for other in ["privacy.access.requested", &EVENT_TYPE.to_uppercase()] {
            let read = read(&format!(r#"{{"type":"{other}"}}"#)).unwrap();
            assert_eq!((read.erasures.len(), read.ignored[0].as_str()), (0, other));
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_pointer() {
        for (body, error) in [
            ("[]", "the body must be an object"),
            ("{}", "/type must be a string"),
            (r#"{"type":[]}"#, "/type must be a string"),
        ] {
            assert_eq!(read(body).unwrap_err().to_string(), format!("unreadable: {error}"));
        }
        let id = format!("/data/request_id must be {}", RequestId::EXPECTED);
        for (data, error) in [
            ("[]", "/data must be an object"),
            ("{}", &id),
            (r#"{"request_id":""}"#, &id),
            (r#"{"request_id":7}"#, "/data/request_id must be a string"),
            (r#"{"request_id":"r"}"#, "/data/subject must be an object"),
            (r#"{"request_id":"r","subject":"s"}"#, "/data/subject must be an object"),
        ] {
            assert_eq!(erasure(data).unwrap_err(), error);
        }
        for (fields, pointer) in [
            (r#"{"user_id":7}"#, "/data/subject/user_id must be a string"),
            (
                r#"{"user_ids":"u"}"#,
                "/data/subject/user_ids must be an array of at most 100 strings",
            ),
            (r#"{"user_ids":["u",7]}"#, "/data/subject/user_ids/1 must be a string"),
            (r#"{"email":["e"]}"#, "/data/subject/email must be a string"),
            (r#"{"uuid":42}"#, "/data/subject/uuid must be a string"),
            (r#"{"custom":[]}"#, "/data/subject/custom must be an object of at most 100 strings"),
            (r#"{"custom":{"loyalty":1}}"#, "/data/subject/custom/loyalty must be a string"),
        ] {
            assert_eq!(subject(fields).unwrap_err(), pointer);
        }
        let personal = subject(r#"{"custom":{"jane@example.com":"x"}}"#).unwrap_err();
        assert!(personal.starts_with("/data/subject/custom must be") && !personal.contains("jane"));
    }

    #[test]
    fn too_many_values_are_rejected() {
        let ids = |count: usize| format!(r#"{{"user_ids":["u"{}]}}"#, r#","v""#.repeat(count - 1));
        assert_eq!(subject(&ids(Subject::MAX_VALUES)).map(|ids| ids.len()), Ok(2));
        assert!(subject(&ids(Subject::MAX_VALUES + 1)).unwrap_err().contains("at most 100"));
    }

    #[test]
    fn what_cannot_be_read_is_rejected_where_it_is_read() {
        let read = |body: &[u8]| read_as("standard-webhooks", body);
        let rejected = read(b"{\"type\":\"\xff\"}").unwrap_err().to_string();
        assert_eq!(rejected, "unreadable: the body is not JSON (line 1, column 10)");
        assert!(read(b"{\"type\":\"other\",\"x\":\"\xff\"}").is_ok());
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for value in [r#""thanks \ud83d""#, "1e999", "18446744073709551616", &deep] {
            let unread = format!(r#"{{"email":"a@example.com","note":{value}}}"#);
            assert_eq!(subject(&unread).unwrap().len(), 1, "{value}");
            for (field, pointer) in [
                (format!(r#""email":{value}"#), "/data/subject/email"),
                (format!(r#""user_ids":["u",{value}]"#), "/data/subject/user_ids/1"),
                (format!(r#""custom":{{"a":{value}}}"#), "/data/subject/custom/a"),
            ] {
                let error = subject(&format!("{{{field}}}")).unwrap_err();
                assert!(error.starts_with(&format!("{pointer} must be ")), "{error}");
                assert_eq!(error.contains("lone surrogates"), value.contains("thanks"), "{error}");
            }
        }
        let id = erasure(r#"{"request_id":"\ud800","subject":{}}"#).unwrap_err();
        assert_eq!(id, "/data/request_id must be valid Unicode: UTF-8, without lone surrogates");
    }

    #[test]
    fn identifiers_lose_what_cannot_be_seen_at_their_ends() {
        let found = subject(
            r#"{"user_ids":["u-1\n","\u200bu-1"," "],"email":"\ufeffa@example.com\u00a0"}"#,
        );
        let expected = [("user_id", "u-1"), ("email", "a@example.com")];
        assert_eq!(found.unwrap(), expected.map(|(kind, value)| (kind.into(), value.into())));
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        let body = "\u{feff}{\"type\":\"other\"}";
        assert!(read(body).is_ok());
    }
}
