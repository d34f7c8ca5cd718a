//! IAB Tech Lab's Data Deletion Request Framework 1.0: the body is a token of whoever passes the
//! request on (rqJWT), and in it is a token of the first party whose user asked (idJWT). Each is
//! verified with the keys of its own issuer, which the configuration must know.
//! (<https://github.com/InteractiveAdvertisingBureau/Data-Subject-Rights>)

use std::borrow::Cow;
use std::time::Duration;

use super::jwt::{Token, check_times};
use super::keyring::{KeyPlace, Keyring, Keys};
use super::{Incoming, Proven, Refusal};
use crate::json::{Json, Pointers};

/// Verifies the messages of one source.
pub struct Verifier {
    /// The keys of each issuer.
    issuers: Vec<(String, Keys)>,
    tolerance_seconds: i64,
}

impl Verifier {
    /// Trusts these issuers, whose keys are at these places.
    pub fn new(issuers: &[(String, KeyPlace)], tolerance: Duration) -> Self {
        let tolerance_seconds = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
        let published =
            |(issuer, place): &(String, KeyPlace)| (issuer.clone(), Keys::Published(place.clone()));
        Self { issuers: issuers.iter().map(published).collect(), tolerance_seconds }
    }

    /// Proves both tokens; the outer one's claims come first. The body is the token, or JSON that
    /// has it as `rqJWT`. A time that is not accepted is reported once both are proven
    /// ([`Refusal::Stale`]): the framework has an answer for it, which nobody else gets.
    ///
    /// # Errors
    /// [`Refusal`]: the first check that failed.
    pub async fn verify(
        &self,
        message: &Incoming<'_>,
        now: i64,
        keyring: &impl Keyring,
    ) -> Result<Proven, Refusal> {
        let outer = request(message.body).ok_or(Refusal::MalformedToken)?;
        let outer = Token::parse(&outer)?;
        let claims = Json::parse(&outer.claims).map_err(|_| Refusal::MalformedToken)?;
        let is_stale = is_stale(check_times(&claims, now, Some(self.tolerance_seconds)))?;
        let inner = claims.get("idJWT").and_then(Json::as_text).ok_or(Refusal::MalformedToken)?;
        let inner = Token::parse(inner)?;
        let about = Json::parse(&inner.claims).map_err(|_| Refusal::MalformedToken)?;
        // The first party may have signed long before; the request is what must be new.
        let is_stale = is_stale | self::is_stale(check_times(&about, now, Some(i64::MAX)))?;
        let issuers = [self.issuer(&claims)?, self.issuer(&about)?];
        if !same_person(&claims, &about) {
            return Err(Refusal::IdentityMismatch);
        }
        for (token, keys) in [&outer, &inner].into_iter().zip(issuers) {
            token.prove(keys, keyring).await?;
        }
        if is_stale {
            return Err(Refusal::Stale);
        }
        Ok(Proven { claims: vec![outer.claims.clone(), inner.claims] })
    }

    fn issuer(&self, claims: &Json<'_>) -> Result<&Keys, Refusal> {
        let issuer = claims.get("iss").and_then(Json::as_text);
        let known = self.issuers.iter().find(|(known, _)| Some(known.as_str()) == issuer);
        known.map(|(_, keys)| keys).ok_or(Refusal::UnknownIssuer)
    }
}

/// The outer token of a body.
pub fn request(body: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(body).ok()?;
    let pointers: Pointers = ["/rqJWT"].into_iter().collect();
    let wrapped = pointers.parse(body).ok();
    let wrapped = wrapped.as_ref().and_then(|json| json.get("rqJWT")).and_then(Json::as_text);
    Some(wrapped.map_or(Cow::Borrowed(text.trim()), |wrapped| Cow::Owned(wrapped.to_owned())))
}

/// The claims of the outer token of a body, which must have been proven.
pub fn claims(body: &[u8]) -> Option<Vec<u8>> {
    Token::parse(&request(body)?).ok().map(|token| token.claims)
}

/// Whether a check of times failed for the time alone.
fn is_stale(check: Result<(), Refusal>) -> Result<bool, Refusal> {
    match check {
        Ok(()) => Ok(false),
        Err(Refusal::TooOld | Refusal::InTheFuture) => Ok(true),
        Err(other) => Err(other),
    }
}

/// Both tokens name the same identifier, of the same type and format: the specification demands
/// `sub` of both.
fn same_person(outer: &Json<'_>, inner: &Json<'_>) -> bool {
    let member = |claims: &Json<'_>, name: &str| match claims.get("sub")?.get(name)? {
        Json::Text(text) => Some(text.to_string()),
        Json::Integer(number) => Some(number.to_string()),
        Json::LargeInteger(number) => Some(number.to_string()),
        _ => None,
    };
    let same = |name: &&str| member(outer, name) == member(inner, name);
    member(outer, "identifierValue").is_some()
        && ["identifierValue", "identifierType", "identifierFormat"].iter().all(same)
}
