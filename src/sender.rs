//! Receives the messages of one source: verifies who sent one, then reads it.

use crate::config::Source;
use crate::derived_id::IdKey;
use crate::signature::keyring::Keyring;
use crate::signature::{Incoming, Proven, Refusal, Verifier};
use crate::source::{Received, Refused};

/// One source and its verifiers.
pub struct Sender {
    /// The configuration.
    pub source: Source,
    proof: Verifier,
    also: Option<Verifier>,
    id_key: IdKey,
}

impl Sender {
    /// A source whose messages must pass `proof`, and `also` if there is one. Ids that its requests
    /// do not have are made with `id_key`.
    pub fn new(source: Source, proof: Verifier, also: Option<Verifier>, id_key: IdKey) -> Self {
        Self { source, proof, also, id_key }
    }

    /// Verifies who sent `message`, then reads it. `now` is in seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`Refused`]
    pub async fn receive(
        &self,
        message: &Incoming<'_>,
        now: i64,
        keyring: &impl Keyring,
    ) -> Result<Received, Refused> {
        let proven = self.verify(message, now, keyring).await?;
        let mut received = self.source.platform.read(message.body, &proven)?;
        for request in received.erasures.iter_mut().filter(|request| request.id_is_derived) {
            request.id = self.id_key.id(request.id.as_str().as_bytes());
        }
        Ok(received)
    }

    /// Verifies who sent `message`.
    ///
    /// # Errors
    /// [`Refusal`]
    pub async fn verify(
        &self,
        message: &Incoming<'_>,
        now: i64,
        keyring: &impl Keyring,
    ) -> Result<Proven, Refusal> {
        if let Some(also) = &self.also {
            also.verify(message, now, keyring).await?;
        }
        self.proof.verify(message, now, keyring).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::json::Json;
    use crate::relay::Relay;
    use crate::signature::presets::standard_webhooks;
    use crate::signature::sign::Outgoing;
    use crate::signature::testing::{Published, now};

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ERASURE: &[u8] =
        br#"{"type":"privacy.erasure.requested","data":{"request_id":"r-1","subject":{}}}"#;

    fn sender(settings: &str) -> Sender {
        let vendors = r#"{"insider":{"api":"insider","partner_name":"b","erase":"identity","auth":{"token":"A"}}}"#;
        let source = format!(r#"{{"s":{{"platform":"standard-webhooks",{settings}}}}}"#);
        let json = [source.as_str(), vendors].map(|text| Json::parse(text.as_bytes()).unwrap());
        let config = Config::parse(&json[0], &json[1]).ok().unwrap();
        let secrets = ["A", "B"].map(|name| (name.to_owned(), SECRET.into()));
        let relay = Relay::assemble(config, &secrets.into(), false).ok().unwrap();
        relay.senders.into_iter().next().unwrap()
    }

    fn receive(sender: &Sender, token: &str, body: &[u8]) -> Result<Option<String>, Refused> {
        let message = Outgoing { id: "m", timestamp: 1000, method: "POST", url: "", body };
        let mut headers = standard_webhooks().sign(&SECRET.into(), &message).unwrap();
        headers.push(("x-relay-key".to_owned(), token.to_owned()));
        let get = |name: &str| {
            headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        let message = Incoming { method: "POST", url: "", headers: &get, body };
        let received = now(sender.receive(&message, 1000, &Published::default()))?;
        Ok(received.erasures.first().map(|request| request.id.as_str().to_owned()))
    }

    #[test]
    fn nothing_is_read_before_it_is_proven() {
        let sender = sender(r#""secrets":["A"]"#);
        let none = |_: &str| None;
        let message = Incoming { method: "POST", url: "", headers: &none, body: b"not JSON" };
        let refused = now(sender.receive(&message, 0, &Published::default())).err().unwrap();
        let missing = Refusal::MissingHeader("webhook-id".into());
        assert_eq!(refused, Refused::NotAuthentic(missing));
        assert!(matches!(receive(&sender, "", b"not JSON"), Err(Refused::Unreadable(_))));
        assert_eq!(receive(&sender, "", br#"{"type":"other"}"#), Ok(None));
        assert_eq!(receive(&sender, "", ERASURE), Ok(Some("r-1".to_owned())));
    }

    /// The id that a request of a platform without ids has, with this PSEUDONYM_KEY.
    fn derived(key: Option<&str>, settings: &str, body: &[u8]) -> Result<String, Vec<String>> {
        let vendors = r#"{"insider":{"api":"insider","partner_name":"b","erase":"identity","auth":{"token":"A"}}}"#;
        let source = format!(r#"{{"s":{{"platform":"custom","erasure":"always",{settings}}}}}"#);
        let json = [source.as_str(), vendors].map(|text| Json::parse(text.as_bytes()).unwrap());
        let config = Config::parse(&json[0], &json[1]).ok().unwrap();
        let mut secrets = vec![("A".to_owned(), SECRET.into()), ("B".to_owned(), TOKEN.into())];
        secrets.extend(key.map(|key| ("PSEUDONYM_KEY".to_owned(), key.into())));
        let relay = Relay::assemble(config, &secrets, false);
        let relay = relay.map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let sender = &relay.senders[0];
        let get = |name: &str| (name == "x-key").then(|| TOKEN.to_owned());
        let message = Incoming { method: "POST", url: "", headers: &get, body };
        let received = now(sender.receive(&message, 1000, &Published::default()));
        let request = received.unwrap().erasures.remove(0);
        assert!(request.id_is_derived && sender.source.repeat_days == 30);
        Ok(request.id.as_str().to_owned())
    }

    const TOKEN: &str = "a-token-of-the-platform";

    #[test]
    fn a_derived_id_is_keyed() {
        const BODY: &[u8] = br#"{"email":"jane@example.com"}"#;
        let settings = r#""signature":{"token":"x-key"},"secrets":["B"],
                          "identifiers":{"email":"/email"}"#;
        let id = |key: Option<&str>, body: &[u8]| derived(key, settings, body).unwrap();
        let keyed = id(Some("a key of 16 bytes or more"), BODY);
        assert_eq!(keyed, id(Some("a key of 16 bytes or more"), BODY));
        assert_ne!(keyed, id(Some("another key of some length"), BODY));
        assert_ne!(keyed, id(Some("a key of 16 bytes or more"), br#"{"email":"x@example.com"}"#));
        // Direct delivery may have no key: then the platform's own secret is one.
        let own = id(None, BODY);
        assert_eq!((own.len(), &own), (32, &id(None, BODY)));
        use sha2::Digest;
        let bare = crate::signature::to_hex(&sha2::Sha256::digest(BODY));
        for id in [keyed, own] {
            assert!(!bare.contains(&id));
        }
        let published = r#""signature":"standard-webhooks-ed25519",
            "keys":["whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g="],
            "identifiers":{"email":"/email"}"#;
        assert_eq!(
            derived(None, published, BODY).unwrap_err(),
            ["SOURCES.s.request_id: must be set, or else the secret PSEUDONYM_KEY: ids are made \
              with a secret"]
        );
    }

    #[test]
    fn both_proofs_are_needed_where_two_are_configured() {
        let sender = sender(r#""secrets":["A"],"also":{"token":"x-relay-key","secrets":["B"]}"#);
        assert_eq!(receive(&sender, SECRET, ERASURE), Ok(Some("r-1".to_owned())));
        let wrong = Refusal::WrongToken("x-relay-key".into());
        assert_eq!(receive(&sender, "x", ERASURE), Err(wrong.into()));
        let missing = Refusal::MissingHeader("x-relay-key".into());
        assert_eq!(receive(&sender, "", ERASURE), Err(missing.into()));
        let none = |name: &str| (name == "x-relay-key").then(|| SECRET.to_owned());
        let message = Incoming { method: "POST", url: "", headers: &none, body: ERASURE };
        let missing = Refusal::MissingHeader("webhook-id".into());
        let refused = now(sender.receive(&message, 1000, &Published::default()));
        assert_eq!(refused.err(), Some(missing.into()));
    }
}
