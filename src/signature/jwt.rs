//! Signed tokens (JWT, RFC 7519), with public keys. The key decides the algorithm: `none`, an HMAC
//! keyed with the public key, and any other that the key is not for are refused.
//!
//! **A token covers its claims, not the body.** A platform that sends one beside a body must compare
//! the two, and still anybody who caught a token can send another body with the rest changed.

use std::time::Duration;

use super::encoding::Encoding;
use super::keyring::{Keyring, Keys, Signed};
use super::public_key::Algorithm;
use super::token::Place;
use super::{Incoming, Proven, Refusal};
use crate::json::Json;

/// How far clocks may be apart, in seconds.
const LEEWAY: i64 = 60;

/// What a token must say beside its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Where it is sent.
    pub place: Place,
    /// `aud` is this, or has it among others.
    pub audience: String,
    /// `scope` is this, where it is set.
    pub scope: Option<String>,
    /// `iss` is this, where it is set.
    pub issuer: Option<String>,
}

/// A token, taken apart. Nothing of it is proven.
pub(super) struct Token<'a> {
    key_id: Option<String>,
    algorithm: String,
    /// The claims, JSON.
    pub claims: Vec<u8>,
    message: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Takes a token in its compact form apart.
    pub fn parse(text: &'a str) -> Result<Self, Refusal> {
        let (message, signature) = text.rsplit_once('.').ok_or(Refusal::MalformedToken)?;
        let (header, claims) = message.split_once('.').ok_or(Refusal::MalformedToken)?;
        let decode = |part| Encoding::Base64Url.decode(part).ok_or(Refusal::MalformedToken);
        let header = decode(header)?;
        let header = Json::parse(&header).map_err(|_| Refusal::MalformedToken)?;
        let text = |name: &str| header.get(name).and_then(Json::as_text).map(str::to_owned);
        if header.get("crit").is_some() {
            return Err(Refusal::MalformedToken);
        }
        let algorithm = text("alg").ok_or(Refusal::MalformedToken)?;
        if !Algorithm::is_known(&algorithm) {
            return Err(Refusal::WrongAlgorithm);
        }
        Ok(Self {
            key_id: text("kid"),
            algorithm,
            claims: decode(claims)?,
            message: message.as_bytes(),
            signature: decode(signature)?,
        })
    }

    /// Proves who signed it.
    pub async fn prove(&self, keys: &Keys, keyring: &impl Keyring) -> Result<(), Refusal> {
        let signed = Signed {
            key_id: self.key_id.as_deref(),
            algorithm: &self.algorithm,
            message: self.message,
            signature: &self.signature,
        };
        keys.prove(&signed, keyring).await
    }
}

/// Checks the times that claims name: `iat`, which must be there and be no older than `oldest`
/// seconds, `exp` and `nbf`.
pub(super) fn check_times(claims: &Json<'_>, now: i64, oldest: i64) -> Result<(), Refusal> {
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(Json::Integer(time)) => Ok(Some(*time)),
        Some(_) => Err(Refusal::MalformedTimestamp),
    };
    let issued = time("iat")?.ok_or(Refusal::MalformedTimestamp)?;
    if issued > now.saturating_add(LEEWAY) {
        return Err(Refusal::InTheFuture);
    }
    if now.saturating_sub(issued) > oldest {
        return Err(Refusal::TooOld);
    }
    if time("exp")?.is_some_and(|end| now >= end.saturating_add(LEEWAY)) {
        return Err(Refusal::TooOld);
    }
    if time("nbf")?.is_some_and(|start| now < start.saturating_sub(LEEWAY)) {
        return Err(Refusal::InTheFuture);
    }
    Ok(())
}

/// Verifies the tokens of one source.
pub struct Verifier {
    expected: Expected,
    keys: Keys,
    tolerance_seconds: i64,
}

impl Verifier {
    /// Accepts tokens that say what is expected, signed with one of `keys`.
    pub fn new(expected: Expected, keys: Keys, tolerance: Duration) -> Self {
        let tolerance_seconds = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
        Self { expected, keys, tolerance_seconds }
    }

    /// Proves the claims of the token in the header. What needs no key is checked first: a message
    /// that is nobody's must not make the relay fetch keys.
    ///
    /// # Errors
    /// [`Refusal`]: the first check that failed.
    pub async fn verify(
        &self,
        message: &Incoming<'_>,
        now: i64,
        keyring: &impl Keyring,
    ) -> Result<Proven, Refusal> {
        let Place { header, prefix } = &self.expected.place;
        let value = message.headers.get(header).filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| Refusal::MissingHeader(header.clone()))?;
        let token = value.strip_prefix(prefix.as_str()).ok_or(Refusal::MalformedToken)?;
        let token = Token::parse(token)?;
        {
            let claims = Json::parse(&token.claims).map_err(|_| Refusal::MalformedToken)?;
            check_times(&claims, now, self.tolerance_seconds)?;
            self.check(&claims)?;
        }
        token.prove(&self.keys, keyring).await?;
        Ok(Proven { claims: vec![token.claims] })
    }

    fn check(&self, claims: &Json<'_>) -> Result<(), Refusal> {
        let is =
            |name: &str, expected: &str| claims.get(name).and_then(Json::as_text) == Some(expected);
        let Expected { audience, scope, issuer, .. } = &self.expected;
        let among = match claims.get("aud") {
            Some(Json::Array(all)) => all.iter().any(|one| one.as_text() == Some(audience)),
            _ => is("aud", audience),
        };
        if !among {
            return Err(Refusal::WrongAudience);
        }
        if scope.as_ref().is_some_and(|scope| !is("scope", scope)) {
            return Err(Refusal::WrongScope);
        }
        if issuer.as_ref().is_some_and(|issuer| !is("iss", issuer)) {
            return Err(Refusal::UnknownIssuer);
        }
        Ok(())
    }
}
