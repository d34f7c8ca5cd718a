//! OpenDSR 2.0: a status callback to every URL of the request's `status_callback_urls` on every change
//! of its status (<https://github.com/opengdpr/OpenDSR/blob/master/specification.md>, section 8). The
//! request need not be signed: the host of each must be one of `hosts`.
//!
//! | the erasure | `request_status` |
//! |---|---|
//! | waits | `in_progress` |
//! | is done | `completed` |
//! | no vendor has the person | `completed`, with `results_count` 0 |
//! | is done, and leaves a profile (`partial_erasure`) | `in_progress` |
//! | names nobody whom a vendor takes | `in_progress` |
//! | needs a person, or has failed | `in_progress` |
//!
//! There is no word for a failure. `pending` is never said, since the vendors are asked at once, and
//! `cancelled` never, since a request can be cancelled only while it is `pending`.
//!
//! Each message is signed with the processor's private key: RSASSA-PKCS1-v1_5 with SHA-256 over the raw
//! body, in base64. The certificate of the key is published under the address of the source, where
//! `/discovery` names it. The names of the headers in version 1 (`X-OpenGDPR-…`) are not sent.

use secrecy::SecretString;
use serde::Serialize;

use super::hosts::Hosts;
use super::{Callback, Progress, Reply, Standing, Target, Webhook, Word};
use crate::json::{self, Json};
use crate::receipt::{Outcome, Timestamp};
use crate::secure_url::host_name;
use crate::settings::Settings;
use crate::signature::Encoding;
use crate::signature::private_key::Certificate;
use crate::vendor::{Answer, Auth, CallKind, Pace, Verdict};

/// The version of the specification.
const API_VERSION: &str = "2.0";

const STATUS: &[CallKind] = &[CallKind {
    name: "status_callback",
    pace: Pace { calls: 600, per_seconds: 60 },
    reaches_person: false,
}];

struct OpenDsr {
    auth: Auth,
    hosts: Hosts,
    processor: Processor,
}

/// The processor, as the controller knows it: the relay's operator.
pub struct Processor {
    /// The domain on which requests are received, and which the certificate is for.
    pub domain: String,
    /// The certificate of the signing key in PEM, as it is published.
    pub certificate: String,
}

/// Reads `hosts`, `domain`, `key` and `certificate`.
pub(super) fn configure(settings: &mut Settings<'_>) -> Option<Box<dyn Callback>> {
    let hosts = Hosts::configure(settings);
    let domain = settings.required_text("domain");
    let domain = domain.and_then(|text| {
        let name = host_name(text);
        if name.is_none() {
            settings.problem("domain", "must be a host name, such as opendsr.example.com");
        }
        name
    });
    let key = settings.required_secret("key");
    let pem = settings.required_text("certificate");
    let certificate = pem.and_then(|text| {
        let certificate = Certificate::parse(text);
        if certificate.is_none() {
            settings.problem("certificate", Certificate::EXPECTED);
        }
        certificate
    });
    let auth = Auth::PrivateKey { key: key?, certificate: certificate? };
    let processor = Processor { domain: domain?, certificate: pem?.to_owned() };
    Some(Box::new(OpenDsr { auth, hosts: hosts?, processor }))
}

#[derive(Serialize)]
struct StatusCallback<'a> {
    controller_id: &'a str,
    expected_completion_time: Timestamp,
    status_callback_url: &'a str,
    subject_request_id: &'a str,
    request_status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    results_count: Option<u32>,
}

#[derive(Serialize)]
struct Discovery<'a> {
    api_version: &'static str,
    supported_identities: Vec<SupportedIdentity<'a>>,
    supported_subject_request_types: [&'static str; 1],
    processor_certificate: String,
}

#[derive(Serialize)]
struct SupportedIdentity<'a> {
    identity_type: &'a str,
    identity_format: &'static str,
}

impl Processor {
    /// The answer to `/discovery` (section 6) of a source that reads these types of identities. The
    /// certificate must be on the same domain.
    pub fn discovery(&self, source: &str, identity_types: &[&str]) -> String {
        let raw = |identity_type| SupportedIdentity { identity_type, identity_format: "raw" };
        json::to_string(&Discovery {
            api_version: API_VERSION,
            supported_identities: identity_types.iter().copied().map(raw).collect(),
            supported_subject_request_types: ["erasure"],
            processor_certificate: format!(
                "https://{}/webhooks/{source}/certificate.pem",
                self.domain
            ),
        })
    }
}

impl Callback for OpenDsr {
    fn auth(&self) -> &Auth {
        &self.auth
    }

    fn headers(&self, _: &SecretString) -> Vec<(&'static str, SecretString)> {
        vec![("Content-Type", "application/json".into())]
    }

    fn message(&self) -> &'static [CallKind] {
        STATUS
    }

    fn reply(&self, webhook: &Webhook<'_>) -> Reply {
        let json = webhook.json();
        let Some(Json::Array(urls)) = json.get("status_callback_urls") else {
            return Reply::default();
        };
        let mut targets: Vec<Target> = Vec::new();
        for url in urls.iter().filter_map(Json::as_text).filter(|url| self.hosts.allow(url)) {
            if targets.iter().all(|known| known.url != url) {
                targets.push(Target { url: url.to_owned(), headers: Vec::new() });
            }
        }
        Reply { targets, context: None }
    }

    /// The answer to the request names no status, so the first one is told as well.
    fn word(&self, progress: &Progress<'_>) -> Option<Word> {
        let is_last = matches!(progress.standing, Standing::Done | Standing::Absent);
        let text = if is_last { "completed" } else { "in_progress" }.to_owned();
        Some(Word { text, is_last, method: "POST", body: String::new() })
    }

    fn body(&self, progress: &Progress<'_>, word: &Word, target: &Target) -> String {
        let Progress { receipt, standing, now, .. } = progress;
        let by = if word.is_last { None } else { receipt.due_by };
        json::to_string(&StatusCallback {
            controller_id: &receipt.source,
            expected_completion_time: by.unwrap_or(*now),
            status_callback_url: &target.url,
            subject_request_id: &receipt.request_id,
            request_status: &word.text,
            results_count: (*standing == Standing::Absent).then_some(0),
        })
    }

    fn signed_headers(&self, signature: &[u8]) -> Vec<(&'static str, String)> {
        vec![
            ("X-OpenDSR-Processor-Domain", self.processor.domain.clone()),
            ("X-OpenDSR-Signature", Encoding::Base64.encode(signature)),
        ]
    }

    fn processor(&self) -> Option<&Processor> {
        Some(&self.processor)
    }

    /// A 409 is documented nowhere: it does not say that the controller has closed the request.
    fn judge(&self, answer: &Answer) -> Verdict {
        match answer.status {
            409 => answer.means(Outcome::Rejected, "the platform rejects the message"),
            _ => super::judge(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{progress, webhook};
    use super::*;
    use crate::settings::{Findings, Misconfiguration};

    const CERTIFICATE: &str = include_str!("../../standin/src/platform/opendsr/certificate.pem");

    fn settings(change: impl FnOnce(&mut serde_json::Value)) -> String {
        let mut settings = serde_json::json!({
            "hosts": ["controller.example"],
            "domain": "opendsr.relay.example",
            "key": "OPENDSR_KEY",
            "certificate": CERTIFICATE,
        });
        change(&mut settings);
        settings.to_string()
    }

    fn read(settings: &str) -> Result<Box<dyn Callback>, Vec<String>> {
        let json = Json::parse(settings.as_bytes()).unwrap();
        let findings = Findings::default();
        let mut settings = Settings::new("C".into(), &json, &findings).unwrap();
        let callback = configure(&mut settings);
        settings.finish();
        let problems = findings.into_problems();
        callback.ok_or_else(|| problems.iter().map(Misconfiguration::to_string).collect())
    }

    fn configured() -> Box<dyn Callback> {
        read(&settings(|_| {})).ok().unwrap()
    }

    #[test]
    fn each_end_has_its_word_and_no_failure_is_completed() {
        use Outcome::*;
        let callback = configured();
        for (standing, outcomes, status, count) in [
            (Standing::UnderWay, &[Scheduled][..], "in_progress", None),
            (Standing::UnderWay, &[], "in_progress", None),
            (Standing::UnderWay, &[Blocked], "in_progress", None),
            (Standing::Done, &[Accepted, AlreadyAbsent], "completed", None),
            (Standing::Absent, &[AlreadyAbsent], "completed", Some(0)),
            (Standing::Partial, &[Accepted], "in_progress", None),
            (Standing::Unidentified, &[InsufficientIdentification], "in_progress", None),
            (Standing::Attention, &[Rejected], "in_progress", None),
            (Standing::Attention, &[Uncertain], "in_progress", None),
            (Standing::Attention, &[Exhausted], "in_progress", None),
            (Standing::Failed, &[NotErased], "in_progress", None),
        ] {
            let url = "https://controller.example/callbacks";
            let target = Target { url: url.to_owned(), headers: Vec::new() };
            let (word, body) = progress(standing, outcomes, |progress| {
                let word = callback.word(progress).unwrap();
                let body = callback.body(progress, &word, &target);
                (word, body)
            });
            assert_eq!((word.text.as_str(), word.is_last), (status, status == "completed"));
            let mut expected = serde_json::json!({
                "controller_id": "consent",
                "expected_completion_time": "1970-01-01T00:00:00Z",
                "status_callback_url": url,
                "subject_request_id": "r",
                "request_status": status,
            });
            if let Some(count) = count {
                expected["results_count"] = serde_json::json!(count);
            }
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body, expected, "{standing:?}");
        }
    }

    #[test]
    fn a_callback_goes_to_configured_hosts_alone() {
        let callback = configured();
        let reply = |urls: serde_json::Value| {
            let body = serde_json::json!({ "status_callback_urls": urls }).to_string();
            webhook(&[], body.as_bytes(), |webhook| callback.reply(webhook))
        };
        let urls = serde_json::json!([
            "https://controller.example/a",
            "https://controller.example/b?c=d",
            "https://controller.example/a",
            "http://controller.example/a",
            "https://controller.example:8443/a",
            "https://evil.example/",
            "https://169.254.169.254/latest",
            "https://user@controller.example/",
            "https://controller.example@evil.example/",
            "https://controller.example/\r\nX: y",
            7,
            null,
        ]);
        let targets = reply(urls).targets;
        let found: Vec<&str> = targets.iter().map(|target| target.url.as_str()).collect();
        assert_eq!(found, ["https://controller.example/a", "https://controller.example/b?c=d"]);
        assert!(targets.iter().all(|target| target.headers.is_empty()));
        for none in [
            serde_json::json!([]),
            serde_json::json!("https://controller.example/"),
            serde_json::Value::Null,
        ] {
            assert!(reply(none).targets.is_empty());
        }
        assert!(webhook(&[], b"no JSON", |webhook| callback.reply(webhook)).targets.is_empty());
    }

    #[test]
    fn discovery_names_the_certificate_on_the_same_domain() {
        let callback = configured();
        let processor = callback.processor().unwrap();
        assert_eq!(
            processor.discovery("dsr", &["email", "phone_number"]),
            concat!(
                r#"{"api_version":"2.0","supported_identities":["#,
                r#"{"identity_type":"email","identity_format":"raw"},"#,
                r#"{"identity_type":"phone_number","identity_format":"raw"}],"#,
                r#""supported_subject_request_types":["erasure"],"#,
                r#""processor_certificate":"#,
                r#""https://opendsr.relay.example/webhooks/dsr/certificate.pem"}"#
            )
        );
        assert_eq!(processor.certificate, CERTIFICATE);
        let headers = callback.signed_headers(b"\xff\xfe");
        let domain = ("X-OpenDSR-Processor-Domain", "opendsr.relay.example".to_owned());
        assert_eq!(headers, [domain, ("X-OpenDSR-Signature", "//4=".to_owned())]);
    }

    #[test]
    fn a_rejected_callback_needs_a_person() {
        let callback = configured();
        let judge = |status| {
            let (body, retry_after, trace) = (Vec::new(), None, None);
            callback.judge(&Answer { status, body, truncated: false, retry_after, trace }).outcome
        };
        for (status, outcome) in [
            (200, Outcome::Accepted),
            (202, Outcome::Accepted),
            (204, Outcome::Accepted),
            (302, Outcome::Blocked),
            (400, Outcome::Rejected),
            (401, Outcome::Blocked),
            (403, Outcome::Blocked),
            (404, Outcome::Rejected),
            (409, Outcome::Rejected),
            (429, Outcome::Scheduled),
            (503, Outcome::Scheduled),
        ] {
            assert_eq!(judge(status), outcome, "{status}");
        }
    }

    #[test]
    fn settings_are_checked() {
        let set = |key: &'static str, value: &'static str| {
            settings(|settings| settings[key] = serde_json::json!(value))
        };
        let problems = |settings: &str| read(settings).err().unwrap();
        assert_eq!(
            problems("{}"),
            ["hosts", "domain", "key", "certificate"].map(|key| format!("C.{key}: must be set"))
        );
        for bad in ["https://opendsr.relay.example", "10.0.0.1", "relay", "a b.example"] {
            assert_eq!(
                problems(&set("domain", bad)),
                ["C.domain: must be a host name, such as opendsr.example.com"],
                "{bad}"
            );
        }
        for bad in ["https://relay.example/cert.pem", "-----BEGIN CERTIFICATE-----"] {
            let expected = format!("C.certificate: {}", Certificate::EXPECTED);
            assert_eq!(problems(&set("certificate", bad)), [expected], "{bad}");
        }
    }
}
