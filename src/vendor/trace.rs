//! The vendor's id of its answer, as long as it says nothing of the person.

use std::iter::once;

use base64ct::{Base64UrlUnpadded, Encoding};

use super::{Answer, Call};
use crate::signature::to_hex;

/// The shortest part of an identifier that is looked for by itself.
const MIN_PART: usize = 4;

/// The last digits of a phone number that are the same with and without its prefixes.
const SUBSCRIBER_DIGITS: usize = 7;

impl Answer {
    /// Reads the vendor's id of its answer: at most 64 ASCII letters, digits and `._:=-`. A value
    /// that holds an identifier of `call` is rejected, however it is spelled: in another case, with
    /// other separators, in part, its digits alone, in hexadecimal or in Base64.
    pub fn parse_trace(value: &str, call: &Call) -> Option<String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:=-".contains(&byte);
        let fits = (1..=64).contains(&value.len()) && value.bytes().all(plain);
        let mut identifiers = once(&call.identifier).chain(&call.alternatives);
        let is_personal = identifiers.any(|one| names(value, one.expose()));
        (fits && !is_personal).then(|| value.to_owned())
    }
}

/// Whether `trace` holds `identifier`.
fn names(trace: &str, identifier: &str) -> bool {
    let lower = identifier.to_ascii_lowercase();
    let plain = kept(&lower, |char| char.is_ascii_alphanumeric());
    let digits = kept(identifier, |char| char.is_ascii_digit());
    let shown = kept(&trace.to_ascii_lowercase(), |char| char.is_ascii_alphanumeric());
    let parts = lower.split(|char: char| !char.is_ascii_alphanumeric());
    let mut parts = parts.filter(|part| part.len() >= MIN_PART).chain(once(plain.as_str()));
    if parts.any(|part| !part.is_empty() && shown.contains(part)) {
        return true;
    }
    let subscriber = digits.len().checked_sub(SUBSCRIBER_DIGITS).and_then(|at| digits.get(at..));
    let shown_digits = kept(trace, |char| char.is_ascii_digit());
    if subscriber.is_some_and(|number| shown_digits.contains(number)) {
        return true;
    }
    let spellings = [identifier, &lower, &plain, &digits];
    spellings.into_iter().filter(|spelling| spelling.len() >= MIN_PART).any(|spelling| {
        let hex = to_hex(spelling.as_bytes());
        shown.contains(&hex) || (0..3).any(|offset| holds_base64(trace, spelling, offset))
    })
}

fn kept(text: &str, is_kept: impl Fn(&char) -> bool) -> String {
    text.chars().filter(is_kept).collect()
}

/// Whether `trace` holds Base64 of a text in which `spelling` begins `offset` bytes after a group of
/// three. The characters at both ends depend on what is around it, so they are not compared.
fn holds_base64(trace: &str, spelling: &str, offset: usize) -> bool {
    let mut bytes = vec![0; offset];
    bytes.extend_from_slice(spelling.as_bytes());
    let encoded = Base64UrlUnpadded::encode_string(&bytes);
    let start = offset.saturating_mul(8).div_ceil(6);
    let end = bytes.len().saturating_mul(8) / 6;
    encoded.get(start..end).is_some_and(|inner| trace.contains(inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::erasure::Kind;
    use crate::vendor::tests::subject;

    fn trace(value: &str, identifier: &str) -> Option<String> {
        let subject = subject(&[(Kind::Uuid, "another-one"), (Kind::UserId, identifier)]);
        let mut identifiers = subject.identifiers().cloned();
        let first = identifiers.next().unwrap();
        let call = Call { name: "erase", identifier: first, alternatives: identifiers.collect() };
        Answer::parse_trace(value, &call)
    }

    #[test]
    fn a_trace_is_an_id_of_some_characters() {
        for value in [
            "8d1f0c9b7a6e5d4c-SIN",
            "a7551968-d5d6-44b2-9831-815ac9017798",
            "Root=1-67891233-abcdef012345678912345678",
            "req_01JD8Q2ZK3VYX7N5",
        ] {
            for identifier in ["u-1001", "sample@useinsider.com", "+6598765432", "Жанна"] {
                assert_eq!(trace(value, identifier).as_deref(), Some(value), "{identifier}");
            }
        }
        for value in ["", "/v2/users/7", "jane@example.com", "a%40b", "a b", &"a".repeat(65)] {
            assert_eq!(trace(value, "u-1001"), None, "{value}");
        }
    }

    #[test]
    fn a_trace_that_holds_an_identifier_in_any_spelling_is_rejected() {
        for (identifier, traces) in [
            ("u-1001", &["u-1001", "x-u-1001", "U-1001", "req.u1001", "u.1001.x", "id-1001"][..]),
            ("42", &["42", "req-42-7"]),
            (
                "+6598765432",
                &[
                    "req-6598765432",
                    "65-9876-5432",
                    "req-098765432",
                    "65.98765432",
                    "req:3635393837363534333200",
                    "2b36353938373635343332",
                    "KzY1OTg3NjU0MzI",
                    "NjU5ODc2NTQzMg==",
                ],
            ),
            (
                "Sample@UseInsider.com",
                &[
                    "req-sample-useinsider-com",
                    "SAMPLE.7",
                    "x-useinsider",
                    "sample=40useinsider.com",
                    "U2FtcGxlQFVzZUluc2lkZXIuY29t",
                    "c2FtcGxlQHVzZWluc2lkZXIuY29t",
                    "73616d706c6540757365696e73696465722e636f6d",
                    "73616D706C6540757365696E73696465722E636F6D",
                    "IDpzYW1wbGVAdXNlaW5zaWRlci5jb20", // " :" is before it
                    "eHNhbXBsZUB1c2VpbnNpZGVyLmNvbQ",  // "x" is before it
                ],
            ),
            ("Жанна", &["0JbQsNC90L3QsA", "d096d0b0d0bdd0bdd0b0"]),
        ] {
            for value in traces {
                assert_eq!(trace(value, identifier), None, "{value} of {identifier}");
            }
        }
        assert_eq!(trace("req-another-one", "x@example.com"), None);
    }
}
