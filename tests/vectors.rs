//! Published signatures, and self-made ones after published formulas: `vectors/webhooks.json` says
//! which is which. Every vector of a scheme that the relay knows must verify, and must not once its
//! body, its id or its time differs.

use std::collections::BTreeMap;
use std::time::Duration;

use erasure_relay::signature::Refusal;
use erasure_relay::signature::standard_webhooks::{Key, Verifier};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    name: String,
    scheme: String,
    secret: String,
    headers: BTreeMap<String, String>,
    body: String,
    valid: bool,
}

impl Vector {
    fn verify(&self, headers: &BTreeMap<String, String>, body: &str) -> Result<(), Refusal> {
        let key = Key::parse(&self.secret.as_str().into()).expect("a usable secret");
        let verifier = Verifier::new(vec![key], Duration::from_secs(300));
        let get = |name: &str| headers.get(name).cloned();
        verifier.verify(&get, body.as_bytes(), self.sent())
    }

    fn sent(&self) -> i64 {
        self.headers["webhook-timestamp"].parse().expect("seconds")
    }
}

fn vectors(scheme: &str) -> Vec<Vector> {
    let all: Vec<Vector> =
        serde_json::from_str(include_str!("vectors/webhooks.json")).expect("vectors");
    all.into_iter().filter(|vector| vector.scheme == scheme).collect()
}

#[test]
fn standard_webhooks_v1() {
    let vectors = vectors("standard_webhooks_v1");
    assert!(vectors.len() >= 2, "the vectors are not there");
    for vector in vectors {
        let name = &vector.name;
        assert_eq!(vector.verify(&vector.headers, &vector.body).is_ok(), vector.valid, "{name}");
        let changed = format!("{} ", vector.body);
        assert_eq!(vector.verify(&vector.headers, &changed), Err(Refusal::Mismatch), "{name}");
        for (header, value) in [
            ("webhook-id", "msg_other".to_owned()),
            ("webhook-timestamp", (vector.sent() + 1).to_string()),
        ] {
            let mut headers = vector.headers.clone();
            headers.insert(header.to_owned(), value);
            assert_eq!(vector.verify(&headers, &vector.body), Err(Refusal::Mismatch), "{name}");
        }
    }
}
