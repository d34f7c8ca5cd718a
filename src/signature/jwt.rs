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
    /// `scope`, or else `scp`, has these among others, where they are set.
    pub scope: Option<String>,
    /// `iss` is this, where it is set.
    pub issuer: Option<String>,
    /// How long it is accepted.
    pub lifetime: Lifetime,
}

/// A token, taken apart. Nothing of it is proven.
pub(super) struct Token<'a> {
    key_id: Option<String>,
    algorithm: Algorithm,
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
        Ok(Self {
            key_id: text("kid"),
            algorithm: Algorithm::parse(&algorithm).ok_or(Refusal::WrongAlgorithm)?,
            claims: decode(claims)?,
            message: message.as_bytes(),
            signature: decode(signature)?,
        })
    }

    /// Proves who signed it.
    pub async fn prove(&self, keys: &Keys, keyring: &impl Keyring) -> Result<(), Refusal> {
        let signed = Signed {
            key_id: self.key_id.as_deref(),
            algorithm: self.algorithm,
            message: self.message,
            signature: &self.signature,
        };
        keys.prove(&signed, keyring).await
    }
}

/// How long a token is accepted. Where it has an `exp`, that holds in both cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// For the tolerance of the source after `iat`, which must be there.
    IssuedAt,
    /// Until `exp`, which must be there.
    Expiry,
}

/// Checks the times that claims name: `iat`, `exp` and `nbf`. `oldest` is in seconds; where there is
/// none, the token must have an `exp`.
pub(super) fn check_times(claims: &Json<'_>, now: i64, oldest: Option<i64>) -> Result<(), Refusal> {
    let [issued, end, start] = ["iat", "exp", "nbf"].map(|name| numeric_date(claims, name));
    let (issued, end, start) = (issued?, end?, start?);
    match oldest {
        Some(_) if issued.is_none() => return Err(Refusal::MissingClaim("iat")),
        None if end.is_none() => return Err(Refusal::MissingClaim("exp")),
        _ => {}
    }
    let latest = now.saturating_add(LEEWAY);
    if issued.is_some_and(|issued| issued > latest) || start.is_some_and(|start| start > latest) {
        return Err(Refusal::InTheFuture);
    }
    let age = issued.map(|issued| now.saturating_sub(issued));
    if age.zip(oldest).is_some_and(|(age, oldest)| age > oldest)
        || end.is_some_and(|end| now >= end.saturating_add(LEEWAY))
    {
        return Err(Refusal::TooOld);
    }
    Ok(())
}

/// A time in JSON: seconds since the Unix epoch, with or without a fraction (`NumericDate`, RFC 7519,
/// section 2), which is cut off. `null` is as good as none.
pub(super) fn numeric_date(json: &Json<'_>, name: &str) -> Result<Option<i64>, Refusal> {
    match json.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Integer(time)) => Ok(Some(*time)),
        Some(Json::LargeInteger(_)) => Ok(Some(i64::MAX)),
        Some(Json::Number(time)) => Ok(Some(time.floor() as i64)), // saturates
        Some(_) => Err(Refusal::MalformedTimestamp),
    }
}

/// Whether the claim `name` holds every one of the `expected` scopes, which spaces separate. It is a
/// text of scopes (RFC 8693, section 4.2) or an array of them.
fn has_scopes(claims: &Json<'_>, name: &str, expected: &str) -> bool {
    let granted: Vec<&str> = match claims.get(name) {
        Some(Json::Text(list)) => list.split(' ').collect(),
        Some(Json::Array(all)) => all.iter().filter_map(Json::as_text).collect(),
        _ => Vec::new(),
    };
    expected.split(' ').all(|scope| granted.contains(&scope))
}

/// Verifies the tokens of one source.
pub struct Verifier {
    expected: Expected,
    keys: Keys,
    /// `None` where `exp` alone says it.
    oldest: Option<i64>,
}

impl Verifier {
    /// Accepts tokens that say what is expected, signed with one of `keys`.
    pub fn new(expected: Expected, keys: Keys, tolerance: Duration) -> Self {
        let tolerance = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
        let oldest = (expected.lifetime == Lifetime::IssuedAt).then_some(tolerance);
        Self { expected, keys, oldest }
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
        let place = &self.expected.place;
        let value = message.headers.get(&place.header).filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| Refusal::MissingHeader(place.header.clone()))?;
        let token = place.credentials(&value).ok_or(Refusal::MalformedToken)?;
        let token = Token::parse(token)?;
        {
            let claims = Json::parse(&token.claims).map_err(|_| Refusal::MalformedToken)?;
            check_times(&claims, now, self.oldest)?;
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
        let absent = matches!(claims.get("scope"), None | Some(Json::Null));
        let named = if absent { "scp" } else { "scope" };
        if scope.as_ref().is_some_and(|scope| !has_scopes(claims, named, scope)) {
            return Err(Refusal::WrongScope);
        }
        if issuer.as_ref().is_some_and(|issuer| !is("iss", issuer)) {
            return Err(Refusal::UnknownIssuer);
        }
        Ok(())
    }
}
