//! Receives the messages of one source: verifies who sent one, then reads it.

use crate::config::Source;
use crate::erasure::ErasureRequest;
use crate::signature::keyring::Keyring;
use crate::signature::{Incoming, Verifier};
use crate::source::{Message, Refused};

/// One source and its verifiers.
pub struct Sender {
    /// The configuration.
    pub source: Source,
    proof: Verifier,
    also: Option<Verifier>,
}

impl Sender {
    /// A source whose messages must pass `proof`, and `also` if there is one.
    pub fn new(source: Source, proof: Verifier, also: Option<Verifier>) -> Self {
        Self { source, proof, also }
    }

    /// Verifies who sent `message`, then reads it; `None` where it is no erasure. `now` is in seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`Refused`]
    pub async fn receive(
        &self,
        message: &Incoming<'_>,
        now: i64,
        keyring: &impl Keyring,
    ) -> Result<Option<ErasureRequest>, Refused> {
        if let Some(also) = &self.also {
            also.verify(message, now, keyring).await?;
        }
        let proven = self.proof.verify(message, now, keyring).await?;
        match self.source.platform.read(message.body, &proven)? {
            Message::Erasure(request) => Ok(Some(request)),
            Message::Other => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::json::Json;
    use crate::relay::Relay;
    use crate::signature::Refusal;
    use crate::signature::presets::standard_webhooks;
    use crate::signature::sign::Outgoing;
    use crate::signature::testing::{Published, now};

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ERASURE: &[u8] =
        br#"{"type":"privacy.erasure.requested","data":{"request_id":"r-1","subject":{}}}"#;

    fn sender(settings: &str) -> Sender {
        let vendors = r#"{"insider":{"api":"insider","partner_name":"b","auth":{"token":"A"}}}"#;
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
        Ok(received.map(|request| request.id.as_str().to_owned()))
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
