//! A controller's callback endpoint of OpenDSR 2.0 (specification, sections 8.5 to 8.8): the signature
//! is verified over the raw body with the certificate of the processor, before anything is read.

use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::Value;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::{Contract, Message};

/// The domain of the processor that the endpoint knows.
pub const OPENDSR_DOMAIN: &str = "opendsr.relay.example";

/// The authority that issued the processor's certificate, in PEM.
const AUTHORITY: &str = include_str!("opendsr/authority.pem");

/// The certificate that the processor publishes, in PEM. Its private key is the relay's.
pub const OPENDSR_CERTIFICATE: &str = include_str!("opendsr/certificate.pem");

/// The contract of a status callback.
pub const OPENDSR: Contract = opendsr;

/// What departs from the specification in a signed body: the two headers, by `header`, which finds one
/// by its lower-case name.
#[must_use]
pub fn opendsr_signature(header: &dyn Fn(&str) -> Option<String>, body: &[u8]) -> Option<String> {
    let domain = header("x-opendsr-processor-domain");
    if domain.as_deref() != Some(OPENDSR_DOMAIN) {
        return Some("x-opendsr-processor-domain".to_owned());
    }
    let signature = header("x-opendsr-signature").and_then(|text| decode_base64(&text));
    let Some(signature) = signature else {
        return Some("x-opendsr-signature must be base64".to_owned());
    };
    let verified = verify(body, &signature);
    verified.err().map(|error| format!("the signature or its certificate: {error}"))
}

fn opendsr(message: &Message) -> Vec<String> {
    let mut mismatches = Vec::new();
    let header = |name: &str| message.header(name).map(str::to_owned);
    let unsigned = opendsr_signature(&header, &message.body);
    let mut expect = |is_right: bool, what: &str| {
        if !is_right {
            mismatches.push(format!("OpenDSR: {what}"));
        }
    };
    if let Some(what) = &unsigned {
        expect(false, what);
    }
    expect(message.method == "POST", "the method must be POST");
    expect(message.header("content-type") == Some("application/json"), "content-type");
    let old = ["x-opengdpr-processor-domain", "x-opengdpr-signature"];
    expect(old.iter().all(|name| message.header(name).is_none()), "a header of version 1");
    let body = message.json();
    let known = [
        "controller_id",
        "expected_completion_time",
        "status_callback_url",
        "subject_request_id",
        "request_status",
        "results_url",
        "results_count",
    ];
    let members = body.as_object();
    let only = members.is_some_and(|all| all.keys().all(|key| known.contains(&key.as_str())));
    expect(only, "the members of the body");
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    expect(!text("controller_id").is_empty(), "controller_id");
    expect(is_time(text("expected_completion_time")), "expected_completion_time");
    // The URL that the controller gave, which is the one that is called.
    let host = message.header("host").unwrap_or_default();
    let url = format!("http://{host}{}", message.target);
    expect(text("status_callback_url") == url, "status_callback_url");
    expect(is_uuid(text("subject_request_id")), "subject_request_id");
    let statuses = ["pending", "in_progress", "completed", "cancelled"];
    expect(statuses.contains(&text("request_status")), "request_status");
    let count = body.get("results_count");
    expect(count.is_none_or(Value::is_u64), "results_count");
    mismatches
}

/// Verifies the certificate (issued by the authority, for the domain, valid now), and a signature with
/// its key: RSASSA-PKCS1-v1_5 with SHA-256.
fn verify(body: &[u8], signature: &[u8]) -> Result<(), webpki::Error> {
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes());
    let (Ok(authority), Ok(certificate)) = (der(AUTHORITY), der(OPENDSR_CERTIFICATE)) else {
        return Err(webpki::Error::BadDer);
    };
    let anchor = anchor_from_trusted_cert(&authority)?;
    let certificate = EndEntityCert::try_from(&certificate)?;
    let rsa = webpki::ring::RSA_PKCS1_2048_8192_SHA256;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = UnixTime::since_unix_epoch(now.unwrap_or(Duration::ZERO));
    let usage = KeyUsage::server_auth(); // the certificate names none, and so has any
    certificate.verify_for_usage(&[rsa], &[anchor], &[], now, usage, None, None)?;
    let name = ServerName::try_from(OPENDSR_DOMAIN).map_err(|_| webpki::Error::BadDer)?;
    certificate.verify_is_valid_for_subject_name(&name)?;
    certificate.verify_signature(rsa, body, signature)
}

/// A time of RFC 3339, with a zone.
fn is_time(text: &str) -> bool {
    let form = |char: char| if char.is_ascii_digit() { '0' } else { char };
    let text: String = text.chars().map(form).collect();
    let rest = text.strip_prefix("0000-00-00T00:00:00").unwrap_or("?");
    let rest = rest.strip_prefix('.').map_or(rest, |rest| rest.trim_start_matches('0'));
    matches!(rest, "Z" | "+00:00" | "-00:00")
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    let is_digit = |char: char| matches!(char, '0'..='9' | 'a'..='f' | '-');
    groups == [8, 4, 4, 4, 12] && text.chars().all(is_digit)
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By OpenSSL: `openssl dgst -sha256 -sign rsa-2048.pem`, of the body below.
    const SIGNATURE: &str = include_str!("opendsr/signature.txt");
    const BODY: &str = include_str!("opendsr/body.json");

    fn message(change: impl FnOnce(&mut Message)) -> Vec<String> {
        let header = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let headers = [
            ("host", "127.0.0.1:8080"),
            ("content-type", "application/json"),
            ("x-opendsr-processor-domain", OPENDSR_DOMAIN),
            ("x-opendsr-signature", SIGNATURE.trim()),
        ];
        let mut message = Message {
            method: "POST".to_owned(),
            target: "/opendsr/callbacks".to_owned(),
            headers: headers.map(header).to_vec(),
            body: BODY.as_bytes().to_vec(),
            status: 0,
        };
        change(&mut message);
        opendsr(&message)
    }

    #[test]
    fn what_departs_is_refused() {
        assert_eq!(message(|_| {}), Vec::<String>::new());
        let set = |at: usize, value: &'static str| {
            move |message: &mut Message| message.headers[at].1 = value.to_owned()
        };
        assert!(!message(|message| message.body.push(b' ')).is_empty());
        assert!(!message(|message| message.method = "PUT".to_owned()).is_empty());
        assert!(!message(|message| message.target = "/other".to_owned()).is_empty());
        assert!(!message(set(1, "text/plain")).is_empty());
        assert!(!message(set(2, "evil.example")).is_empty());
        assert!(!message(set(3, "?")).is_empty());
        assert!(!message(set(3, "AAAA")).is_empty());
        let unsigned = |message: &mut Message| message.headers.truncate(3);
        assert_eq!(message(unsigned), ["OpenDSR: x-opendsr-signature must be base64"]);
    }

    #[test]
    fn times_have_a_zone() {
        for good in
            ["2026-12-22T05:30:00Z", "2026-12-22T05:30:00.123Z", "2026-12-22T05:30:00+00:00"]
        {
            assert!(is_time(good), "{good}");
        }
        for bad in ["", "2026-12-22", "2026-12-22T05:30:00", "2026-12-22T05:30:00.1", "1795325400"]
        {
            assert!(!is_time(bad), "{bad}");
        }
    }
}
