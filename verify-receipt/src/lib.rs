//! Verifies a receipt that was kept, with the public key alone: what `cargo xtask verify-receipt` does.
//!
//! A kept receipt is the answer of `GET /erasures/{source}/{request_id}` with its headers, as
//! `curl --include` writes it. Its age does not matter.

use anyhow::{Context, Result, anyhow, bail, ensure};
use erasure_relay::receipt_keys::{Algorithm, ReceiptKey, ReceiptKeys, Status};
use erasure_relay::secure_url::SecureUrl;
use erasure_relay::signature::public_key::PublicKey;
use erasure_relay::signature::{Incoming, ed25519};
use ring::signature::{ED25519, UnparsedPublicKey};

/// The longest document of keys that is read, in bytes.
const MAX_DOCUMENT_BYTES: u64 = 64 * 1024;

/// The length of an Ed25519 public key, in bytes. SubjectPublicKeyInfo ends with it.
const KEY_BYTES: usize = 32;

/// An answer as it was kept: its headers, and the raw bytes of its body.
pub struct KeptReceipt<'a> {
    headers: Vec<(String, &'a str)>,
    body: &'a [u8],
}

impl<'a> KeptReceipt<'a> {
    /// Reads what `curl --include` wrote: the status line, the headers, an empty line, the body. The
    /// heads of a proxy or of an interim answer before it are skipped.
    ///
    /// # Errors
    /// Where it is something else, or the receipt is not signed.
    pub fn parse(kept: &'a [u8]) -> Result<Self> {
        let mut rest = kept;
        loop {
            ensure!(
                rest.starts_with(b"HTTP/"),
                "the file must hold the headers and the body, as curl --include writes them"
            );
            let (head, body) = split(rest).context("no empty line ends the headers")?;
            let head = str::from_utf8(head).context("the headers are not text")?;
            let headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
            let headers: Vec<_> = headers
                .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
                .collect();
            if headers.iter().any(|(name, _)| name == "webhook-signature") {
                return Ok(Self { headers, body });
            }
            if !body.starts_with(b"HTTP/") {
                let status = head.split_whitespace().nth(1).unwrap_or_default();
                ensure!(
                    status.starts_with('2'),
                    "the file holds no receipt but an answer with the status {status}: ask for it again, \
                     by curl with --fail-with-body"
                );
                bail!(
                    "the receipt has no header webhook-signature: neither RECEIPT_SIGNING_KEY nor \
                     RECEIPT_SECRET was set"
                );
            }
            rest = body;
        }
    }

    fn header(&self, name: &str) -> Option<String> {
        let mut of_name = self.headers.iter().filter(|(known, _)| known == name);
        let value = of_name.next()?.1.to_owned();
        of_name.next().is_none().then_some(value)
    }

    /// The first of `keys` whose signature the receipt has, and when it was signed, in seconds since
    /// the Unix epoch.
    ///
    /// # Errors
    /// Where there is none: the receipt was changed, or signed with another key.
    pub fn verify<'k>(&self, keys: &'k [ReceiptKey]) -> Result<(&'k ReceiptKey, i64)> {
        let headers = |name: &str| self.header(name);
        let layout = ed25519::layout();
        let envelope = layout.read(&headers).map_err(|refusal| anyhow!("{refusal}"))?;
        let signatures = layout.signatures(&envelope).map_err(|_| {
            anyhow!("the receipt has no v1a signature: RECEIPT_SIGNING_KEY was not set")
        })?;
        let message = Incoming { method: "", url: "", headers: &headers, body: self.body };
        let mut signed = Vec::new();
        layout.signed(envelope.id(), envelope.timestamp(), &message, |part| {
            signed.extend_from_slice(part);
        });
        for key in keys {
            let Algorithm::Ed25519 = key.algorithm;
            let public = PublicKey::parse_whpk(&key.public_key);
            let public = public.with_context(|| format!("{} is no public key", key.id))?;
            let bytes = public.spki.last_chunk::<KEY_BYTES>().context("the key is too short")?;
            let verifier = UnparsedPublicKey::new(&ED25519, bytes);
            if signatures.iter().any(|tag| verifier.verify(&signed, tag).is_ok()) {
                let at = envelope.timestamp().parse().context("webhook-timestamp is no number")?;
                return Ok((key, at));
            }
        }
        bail!("NOT VERIFIED: the receipt was changed, or signed with another key")
    }

    /// The receipt itself.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.body
    }
}

/// The head before the first empty line, and what follows it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    // An editor or a mail program may have changed the line ends of the head.
    let ends = [&b"\r\n\r\n"[..], b"\n\n"].into_iter().filter_map(|end| {
        let at = bytes.windows(end.len()).position(|window| window == end)?;
        Some((at, at.checked_add(end.len())?))
    });
    let (at, after) = ends.min()?;
    Some((bytes.get(..at)?, bytes.get(after..)?))
}

/// The keys that `key` names: `whpk_…` itself, a URL of the published document, or a file with
/// either.
///
/// # Errors
/// Where it cannot be read.
pub fn keys(key: &str) -> Result<Vec<ReceiptKey>> {
    if key.starts_with("whpk_") {
        return document(key);
    }
    if key.contains("://") {
        let url = SecureUrl::parse(key).context("the URL must be https, without a query")?;
        let mut answer = ureq::get(url.as_str()).call().context("the keys cannot be fetched")?;
        let body = answer.body_mut().with_config().limit(MAX_DOCUMENT_BYTES);
        return document(&body.read_to_string().context("the keys cannot be fetched")?);
    }
    document(&std::fs::read_to_string(key).with_context(|| format!("cannot read {key}"))?)
}

/// Reads `whpk_…`, or the published document.
fn document(text: &str) -> Result<Vec<ReceiptKey>> {
    let text = text.trim();
    if text.starts_with("whpk_") {
        let key = PublicKey::parse_whpk(text).context("whpk_ is not followed by a key")?;
        let bytes = key.spki.last_chunk::<KEY_BYTES>().context("the key is too short")?;
        return Ok(vec![ReceiptKey::ed25519(bytes, Status::Current)]);
    }
    let document: ReceiptKeys = serde_json::from_str(text)
        .context("neither whpk_… nor the document of /.well-known/erasure-relay.json")?;
    Ok(document.receipt_keys)
}

#[cfg(test)]
mod tests {
    use erasure_relay::signature::Encoding;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    const BODY: &str = "{\"request_id\":\"r-1\",\"note\":\"a\\n\\nb\"}";

    fn kept(line: &str, version: &str) -> (Vec<u8>, String) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let tag = pair.sign(format!("receipt-k1-0a.1795325400.{BODY}").as_bytes());
        let tag = Encoding::Base64.encode(tag.as_ref());
        let head = [
            "HTTP/2 200",
            "Content-Type: application/json",
            "Webhook-Id: receipt-k1-0a",
            "webhook-timestamp: 1795325400",
            &format!("webhook-signature: v1,AAAA {version},{tag}"),
        ];
        let key = format!("whpk_{}", Encoding::Base64.encode(pair.public_key().as_ref()));
        (format!("{}{line}{line}{BODY}", head.join(line)).into_bytes(), key)
    }

    #[test]
    fn a_receipt_is_verified_with_the_public_key_however_it_was_kept() {
        for line in ["\r\n", "\n"] {
            let (kept, key) = kept(line, "v1a");
            let proxied = [b"HTTP/1.1 200 Connection established\r\n\r\n", &kept[..]].concat();
            for kept in [kept, proxied] {
                let receipt = KeptReceipt::parse(&kept).unwrap();
                let keys = keys(&key).unwrap();
                let (by, at) = receipt.verify(&keys).unwrap();
                assert_eq!((by.public_key.as_str(), at), (key.as_str(), 1_795_325_400));
                assert_eq!(receipt.body(), BODY.as_bytes());
            }
        }
    }

    #[test]
    fn any_other_byte_is_not_verified() {
        let (kept, key) = kept("\r\n", "v1a");
        let keys = keys(&key).unwrap();
        let text = String::from_utf8(kept.clone()).unwrap();
        for signed in ["receipt-k1-0a", "1795325400", text.split("v1a,").nth(1).unwrap()] {
            let start = text.find(signed).unwrap();
            for index in start..start + signed.len() {
                let mut changed = kept.clone();
                changed[index] ^= 1;
                let receipt = KeptReceipt::parse(&changed);
                // A line's end may be written in two ways.
                let is_end = b"\r\n".contains(&kept[index]);
                assert!(is_end || receipt.unwrap().verify(&keys).is_err(), "byte {index}");
            }
        }
        let appended = [&kept[..], b"\n"].concat();
        assert!(KeptReceipt::parse(&appended).unwrap().verify(&keys).is_err());
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = |kept: &[u8]| {
            let keys = keys(&super::tests::kept("\n", "v1a").1).unwrap();
            let parsed = KeptReceipt::parse(kept).and_then(|it| it.verify(&keys).map(drop));
            parsed.unwrap_err().to_string()
        };
        assert!(error(BODY.as_bytes()).contains("curl --include"));
        assert!(error(b"HTTP/2 200\r\n\r\n{}").contains("webhook-signature"));
        let proxied = b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/2 401 \r\na: b\r\n\r\n{}";
        assert!(error(proxied).contains("status 401"), "{}", error(proxied));
        assert!(error(&kept("\r\n", "v1").0).contains("no v1a signature"));
        assert!(keys("whpk_AAAA").is_err() && document("{}").is_err());
        assert!(keys("http://example.com/keys.json").is_err());
    }
}
