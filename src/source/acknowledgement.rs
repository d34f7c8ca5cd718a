//! IAB's acknowledgement (acJWT): the answer to a request as a signed token, in which the recipient
//! repeats the request (Data Deletion Request Framework 1.0, "Acknowledgement").

use serde::Serialize;

use crate::json;
use crate::secure_url::host_name;
use crate::settings::{SecretName, Settings};
use crate::signature::Encoding;
use crate::signature::public_key::Algorithm;

/// The version of the framework.
pub(super) const VERSION: &str = "1.0";

/// What the operator signs acknowledgements with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The operator's domain (eTLD+1), where `dsrdelete.json` is.
    pub issuer: String,
    /// The `kid` of the public key in `dsrdelete.json`.
    pub key_id: String,
    /// The private key, PKCS #8 in PEM.
    pub key: SecretName,
}

impl Acknowledgement {
    /// Reads the table `acknowledgement`: `issuer`, `key` and `key_id`.
    pub fn configure(settings: &mut Settings<'_>) -> Option<Self> {
        let mut table = settings.table("acknowledgement")?;
        let issuer = table.required_text("issuer").and_then(host_name);
        if issuer.is_none() && table.has("issuer") {
            table.problem("issuer", "must be a domain, such as example.com");
        }
        let key = table.required_secret("key");
        let key_id = table.required_text("key_id").map(str::to_owned);
        table.finish();
        Some(Self { issuer: issuer?, key_id: key_id?, key: key? })
    }
}

/// What one acknowledgement needs beside the request and its result.
#[derive(Clone, Copy)]
pub struct Stamp<'a> {
    /// What the operator configured.
    pub by: &'a Acknowledgement,
    /// The key's algorithm.
    pub algorithm: Algorithm,
    /// The id of this acknowledgement, which no other has.
    pub id: &'a str,
    /// When it is signed, in seconds since the Unix epoch.
    pub issued_at: i64,
}

#[derive(Serialize)]
struct Header<'a> {
    typ: &'static str,
    alg: &'static str,
    kid: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Claims<'a> {
    version: &'static str,
    #[serde(rename = "rqJWT")]
    request: &'a str,
    jti: &'a str,
    iss: &'a str,
    iat: i64,
    ra_result_code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    ra_result_string: Option<&'static str>,
}

impl Stamp<'_> {
    /// The acknowledgement of a request as it is signed: header and claims in the compact form of a JWS
    /// (RFC 7515, 5.1), without the signature.
    pub(super) fn unsigned(&self, request: &str, code: u8, text: Option<&'static str>) -> String {
        let Acknowledgement { issuer, key_id, .. } = self.by;
        let header = Header { typ: "JWT", alg: self.algorithm.jwt_name(), kid: key_id };
        let claims = Claims {
            version: VERSION,
            request,
            jti: self.id,
            iss: issuer,
            iat: self.issued_at,
            ra_result_code: code,
            ra_result_string: text,
        };
        let encode = |json: String| Encoding::Base64Url.encode(json.as_bytes());
        let (header, claims) = (json::to_string(&header), json::to_string(&claims));
        format!("{}.{}", encode(header), encode(claims))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;
    use crate::settings::{Findings, Misconfiguration};

    fn configure(settings: &str) -> (Option<Acknowledgement>, Vec<String>) {
        let json = Json::parse(settings.as_bytes()).unwrap();
        let findings = Findings::default();
        let mut settings = Settings::new("S".into(), &json, &findings).unwrap();
        let read = Acknowledgement::configure(&mut settings);
        settings.finish();
        (read, findings.into_problems().iter().map(Misconfiguration::to_string).collect())
    }

    #[test]
    fn an_acknowledgement_needs_an_issuer_and_a_named_key() {
        assert_eq!(configure("{}"), (None, vec![]));
        let good = r#"{"acknowledgement":{"issuer":"Example.com","key":"DDRF_KEY","key_id":"k1"}}"#;
        let (read, problems) = configure(good);
        assert_eq!(problems, Vec::<String>::new());
        let read = read.unwrap();
        assert_eq!((read.issuer.as_str(), read.key.as_str()), ("example.com", "DDRF_KEY"));
        let missing =
            ["issuer", "key", "key_id"].map(|key| format!("S.acknowledgement.{key}: must be set"));
        assert_eq!(configure(r#"{"acknowledgement":{}}"#), (None, missing.to_vec()));
        let (read, problems) = configure(&good.replace("Example.com", "https://example.com"));
        assert_eq!(read, None);
        assert_eq!(problems, ["S.acknowledgement.issuer: must be a domain, such as example.com"]);
    }

    #[test]
    fn the_bytes_that_are_signed() {
        let (by, _) =
            configure(r#"{"acknowledgement":{"issuer":"a.example","key":"K","key_id":"k1"}}"#);
        let by = by.unwrap();
        let stamp = Stamp { by: &by, algorithm: Algorithm::Es256, id: "ac-1", issued_at: 7 };
        let decoded = |text: &str| {
            let parts = text.split('.').map(|part| Encoding::Base64Url.decode(part).unwrap());
            let texts = parts.map(|part| String::from_utf8(part).unwrap());
            texts.collect::<Vec<_>>()
        };
        assert_eq!(
            decoded(&stamp.unsigned("rq", 0, None)),
            [
                r#"{"typ":"JWT","alg":"ES256","kid":"k1"}"#,
                concat!(
                    r#"{"version":"1.0","rqJWT":"rq","jti":"ac-1","iss":"a.example","iat":7,"#,
                    r#""raResultCode":0}"#
                ),
            ]
        );
        let claims = decoded(&stamp.unsigned("rq", 6, Some("old")));
        assert!(claims[1].ends_with(r#""raResultCode":6,"raResultString":"old"}"#), "{claims:?}");
    }
}
