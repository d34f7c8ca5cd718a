//! IAB's framework 1.0: what a requester checks in the answer to its request, the acknowledgement
//! (acJWT). Its framing is not documented; it is taken to be the token alone, as `application/jwt`.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rsa::PublicKeyComponents;
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;

/// An answer to a request.
pub struct Acknowledged<'a> {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`
    pub content_type: &'a str,
    /// The body.
    pub body: &'a str,
}

impl Acknowledged<'_> {
    /// The claims, where the answer to `request` is as documented: signed with a key of the recipient's
    /// `dsrdelete.json`.
    ///
    /// # Errors
    /// What departs from the documentation.
    pub fn claims(
        &self,
        request: &str,
        issuer: &str,
        dsrdelete: &Value,
    ) -> Result<Value, &'static str> {
        let part = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| "the encoding");
        let json = |text: &str| {
            let bytes = part(text)?;
            serde_json::from_slice::<Value>(&bytes).map_err(|_| "a part is not JSON")
        };
        expect(self.content_type == "application/jwt", "the content type")?;
        let parts: Vec<&str> = self.body.split('.').collect();
        let [header, claims, signature] = parts[..] else { return Err("the form of a token") };
        let signed = format!("{header}.{claims}");
        let (header, claims, signature) = (json(header)?, json(claims)?, part(signature)?);
        expect(members(&header) == ["alg", "kid", "typ"], "the members of the header")?;
        expect(header["typ"] == "JWT", "typ")?;
        let keys = dsrdelete["publicKey"].as_array().ok_or("no keys")?;
        let key = keys.iter().find(|key| key["kid"] == header["kid"]).ok_or("kid")?;
        verify(&header["alg"], key, signed.as_bytes(), &signature)?;
        let required = ["iat", "iss", "jti", "raResultCode", "rqJWT", "version"];
        let mut found = members(&claims);
        found.retain(|name| name != "raResultString");
        expect(found == required, "the members of the claims")?;
        expect(claims["version"] == "1.0", "version")?;
        expect(claims["rqJWT"] == request, "rqJWT")?;
        expect(claims["iss"] == issuer, "iss")?;
        expect(claims["iat"].is_i64(), "iat")?;
        expect(claims["jti"].as_str().is_some_and(|id| !id.is_empty()), "jti")?;
        expect(claims.get("raResultString").is_none_or(Value::is_string), "raResultString")?;
        let code = claims["raResultCode"].as_u64().filter(|code| *code <= 6);
        let code = code.ok_or("raResultCode")?;
        expect(self.status == if code == 0 { 202 } else { 400 }, "the status")?;
        Ok(claims)
    }
}

fn expect(is_right: bool, what: &'static str) -> Result<(), &'static str> {
    if is_right { Ok(()) } else { Err(what) }
}

fn members(json: &Value) -> Vec<String> {
    let names: BTreeSet<String> =
        json.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    names.into_iter().collect()
}

/// Verifies a signature with a JWK.
fn verify(
    algorithm: &Value,
    key: &Value,
    signed: &[u8],
    signature: &[u8],
) -> Result<(), &'static str> {
    let member = |name: &str| {
        let text = key[name].as_str().ok_or("a member of the key is missing")?;
        URL_SAFE_NO_PAD.decode(text).map_err(|_| "a member of the key")
    };
    let verified = match (algorithm.as_str(), key["kty"].as_str()) {
        (Some("RS256"), Some("RSA")) => {
            let key = PublicKeyComponents { n: member("n")?, e: member("e")? };
            key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
        }
        (Some("ES256"), Some("EC")) => {
            let point = [&[4][..], &member("x")?, &member("y")?].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
        }
        _ => return Err("alg is not the key's"),
    };
    verified.map_err(|_| "the signature")
}
