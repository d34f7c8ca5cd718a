//! Meta's signed request: a form field `signed_request` with
//! `base64url(signature).base64url(JSON)`, HMAC-SHA256 with the app secret over the second part as
//! it was sent (<https://developers.facebook.com/docs/development/create-an-app/app-dashboard/data-deletion-callback>).
//!
//! What is proven is the JSON. Its `issued_at`, where it has one, must be within the tolerance.

use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::encoding::Encoding;
use super::hmac::{Key, matches};
use super::jwt::numeric_date;
use super::layout::check_age;
use super::{Proven, Refusal};
use crate::json::Json;

const FIELD: &str = "signed_request=";

/// Verifies the messages of one source.
pub struct Verifier {
    keys: Vec<Key>,
    tolerance_seconds: i64,
}

impl Verifier {
    /// Accepts a signature made with any of `keys`; without one it refuses every message.
    pub fn new(keys: Vec<Key>, tolerance: Duration) -> Self {
        let tolerance_seconds = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
        Self { keys, tolerance_seconds }
    }

    /// Proves that a holder of a secret signed the request in the form `body`.
    ///
    /// `now` is in seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`Refusal`]: the first check that failed.
    pub fn verify(&self, body: &[u8], now: i64) -> Result<Proven, Refusal> {
        let form = std::str::from_utf8(body).map_err(|_| Refusal::MalformedSignedRequest)?;
        let mut fields = form.trim().split('&').filter_map(|field| field.strip_prefix(FIELD));
        let request = fields.next().filter(|_| fields.next().is_none());
        let request = request.ok_or(Refusal::MalformedSignedRequest)?;
        // A form may write any character as %XX: the dot, and the padding, which Meta leaves out.
        let request = percent_decode_str(request).decode_utf8_lossy();
        let parts = request.split_once('.').ok_or(Refusal::MalformedSignedRequest)?;
        let (signature, payload) = (parts.0.trim_end_matches('='), parts.1);
        let presented: Vec<_> = Encoding::Base64Url.decode(signature).into_iter().collect();
        let tag = |key: &Key| key.tag(&|take| take(payload.as_bytes()));
        matches(&self.keys.iter().map(tag).collect::<Vec<_>>(), &presented)?;
        let json = Encoding::Base64Url.decode(payload).ok_or(Refusal::MalformedSignedRequest)?;
        self.check(&json, now)?;
        Ok(Proven { claims: vec![json] })
    }

    /// Checks what the payload says of itself.
    fn check(&self, payload: &[u8], now: i64) -> Result<(), Refusal> {
        let json = Json::parse(payload).map_err(|_| Refusal::MalformedSignedRequest)?;
        if json.get("algorithm").and_then(Json::as_text) != Some("HMAC-SHA256") {
            return Err(Refusal::UnknownVersion);
        }
        // Signed alike: a log-in, which lies in the person's browser, or a page.
        if ["code", "oauth_token", "page", "app_data"].iter().any(|key| json.get(key).is_some()) {
            return Err(Refusal::WrongScope);
        }
        // Of what does not expire, `expires` is 0.
        if numeric_date(&json, "expires")?.is_some_and(|end| end != 0 && now > end) {
            return Err(Refusal::TooOld);
        }
        match numeric_date(&json, "issued_at")? {
            None => Ok(()),
            Some(issued) => check_age(now, issued, self.tolerance_seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_100;
    const PAYLOAD: &str =
        r#"{"algorithm":"HMAC-SHA256","issued_at":1700000000,"user_id":"1000000001"}"#;

    fn key() -> Key {
        Key::new(b"app secret of the tests").unwrap()
    }

    fn verify(form: &str) -> Result<Proven, Refusal> {
        Verifier::new(vec![key()], Duration::from_secs(300)).verify(form.as_bytes(), NOW)
    }

    fn signed(payload: &str) -> String {
        let payload = Encoding::Base64Url.encode(payload.as_bytes());
        let tag = key().tag(&|take| take(payload.as_bytes()));
        format!("signed_request={}.{payload}", Encoding::Base64Url.encode(&tag))
    }

    #[test]
    fn the_payload_is_proven() {
        let proven = verify(&signed(PAYLOAD)).unwrap();
        assert_eq!(proven.claims, [PAYLOAD.as_bytes()]);
        assert!(verify(&format!("other=1&{}\n", signed(PAYLOAD))).is_ok());
        assert!(verify(&signed(r#"{"algorithm":"HMAC-SHA256"}"#)).is_ok());
        let encode = |form: &str| form.replace('.', "%2E").replace('-', "%2d").replace('_', "%5F");
        let request = signed(PAYLOAD);
        let (field, value) = request.split_once('=').unwrap();
        assert!(verify(&format!("{field}={}", encode(value))).is_ok());
        assert!(verify(&format!("{field}={}", encode(value).replacen("%2E", "%3D%2E", 1))).is_ok());
    }

    #[test]
    fn everything_else_is_refused() {
        let good = signed(PAYLOAD);
        let malformed = Err(Refusal::MalformedSignedRequest);
        assert_eq!(verify(""), malformed);
        assert_eq!(verify("signed_request="), malformed);
        assert_eq!(verify(&format!("{good}&{good}")), malformed);
        assert_eq!(verify(&good.replace('.', ".x")), Err(Refusal::Mismatch));
        assert_eq!(verify(&good.replace("signed_request=", "signed_request=x")), mismatch());
        assert_eq!(verify(&signed("not JSON")), malformed);
        let none = PAYLOAD.replace("HMAC-SHA256", "none");
        assert_eq!(verify(&signed(&none)), Err(Refusal::UnknownVersion));
        assert_eq!(verify(&signed("{}")), Err(Refusal::UnknownVersion));
        let at = |issued: &str| verify(&signed(&PAYLOAD.replace("1700000000", issued)));
        assert_eq!(at("1699999799"), Err(Refusal::TooOld));
        assert_eq!(at("1700000401"), Err(Refusal::InTheFuture));
        assert_eq!(at("1699999799.9"), Err(Refusal::TooOld));
        assert_eq!(at("\"1700000000\""), Err(Refusal::MalformedTimestamp));
        let until = |end: &str| {
            verify(&signed(
                &PAYLOAD.replace("\"user_id\"", &format!("\"expires\":{end},\"user_id\"")),
            ))
        };
        assert_eq!(until("1700000099"), Err(Refusal::TooOld));
        assert_eq!(until("1700000099.5"), Err(Refusal::TooOld));
        assert_eq!(until("\"soon\""), Err(Refusal::MalformedTimestamp));
        for end in ["0", "null", "1700000100", "1.7000002e9"] {
            assert!(until(end).is_ok(), "{end}");
        }
        for issued in ["1700000000.25", "1.7e9", "null"] {
            assert!(at(issued).is_ok(), "{issued}");
        }
    }

    fn mismatch() -> Result<Proven, Refusal> {
        Err(Refusal::Mismatch)
    }
}
