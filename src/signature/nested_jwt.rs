//! IAB Tech Lab's Data Deletion Request Framework 1.0: the body is a token of whoever passes the
//! request on (rqJWT), and in it is a token of the first party whose user asked (idJWT). Each is
//! verified with the keys of its own issuer, which the configuration must know.
//! (<https://github.com/InteractiveAdvertisingBureau/Data-Subject-Rights>)

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
    /// has it as `rqJWT`.
    ///
    /// # Errors
    /// [`Refusal`]: the first check that failed.
    pub async fn verify(
        &self,
        message: &Incoming<'_>,
        now: i64,
        keyring: &impl Keyring,
    ) -> Result<Proven, Refusal> {
        let outer = std::str::from_utf8(message.body).map_err(|_| Refusal::MalformedToken)?;
        let pointers: Pointers = ["/rqJWT"].into_iter().collect();
        let wrapped = pointers.parse(message.body).ok();
        let wrapped = wrapped.as_ref().and_then(|json| json.get("rqJWT")).and_then(Json::as_text);
        let outer = Token::parse(wrapped.unwrap_or(outer.trim()))?;
        let claims = Json::parse(&outer.claims).map_err(|_| Refusal::MalformedToken)?;
        check_times(&claims, now, Some(self.tolerance_seconds))?;
        let inner = claims.get("idJWT").and_then(Json::as_text).ok_or(Refusal::MalformedToken)?;
        let inner = Token::parse(inner)?;
        let about = Json::parse(&inner.claims).map_err(|_| Refusal::MalformedToken)?;
        // The first party may have signed long before; the request is what must be new.
        check_times(&about, now, Some(i64::MAX))?;
        let issuers = [self.issuer(&claims)?, self.issuer(&about)?];
        if !same_person(&claims, &about) {
            return Err(Refusal::IdentityMismatch);
        }
        for (token, keys) in [&outer, &inner].into_iter().zip(issuers) {
            token.prove(keys, keyring).await?;
        }
        Ok(Proven { claims: vec![outer.claims.clone(), inner.claims] })
    }

    fn issuer(&self, claims: &Json<'_>) -> Result<&Keys, Refusal> {
        let issuer = claims.get("iss").and_then(Json::as_text);
        let known = self.issuers.iter().find(|(known, _)| Some(known.as_str()) == issuer);
        known.map(|(_, keys)| keys).ok_or(Refusal::UnknownIssuer)
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
