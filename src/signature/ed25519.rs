//! Standard Webhooks' asymmetric signatures, `v1a`: Ed25519 over the same bytes as `v1`, in the
//! same headers. The relay holds a public key (`whpk_…`), which is no secret.

use std::rc::Rc;
use std::time::Duration;

use super::keyring::{Keyring, Keys, Signed};
use super::layout::Layout;
use super::presets;
use super::public_key::{Algorithm, PublicKey};
use super::{Incoming, Refusal};

/// Signatures that are verified: a rotation has two, and each costs a verification.
const MAX_SIGNATURES: usize = 8;

/// The length of a signature, in bytes (RFC 8032).
const SIGNATURE_BYTES: usize = 64;

/// Where the signatures are, and what they cover.
pub fn layout() -> Layout {
    let mut layout = presets::standard_webhooks().layout;
    layout.prefix = "v1a,".into();
    layout
}

/// Verifies the messages of one source.
pub struct Verifier {
    layout: Layout,
    keys: Keys,
    tolerance_seconds: i64,
}

impl Verifier {
    /// Accepts a signature made with any of `keys`.
    pub fn new(keys: Vec<PublicKey>, tolerance: Duration) -> Self {
        let tolerance_seconds = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
        Self { layout: layout(), keys: Keys::Fixed(Rc::new(keys)), tolerance_seconds }
    }

    /// Proves that the holder of a key sent `message` about now.
    ///
    /// # Errors
    /// [`Refusal`]: the first check that failed.
    pub async fn verify(
        &self,
        message: &Incoming<'_>,
        now: i64,
        keyring: &impl Keyring,
    ) -> Result<(), Refusal> {
        let envelope = self.layout.read(message.headers)?;
        self.layout.check_time(&envelope, now, self.tolerance_seconds)?;
        let mut signed = Vec::new();
        self.layout.signed(envelope.id(), envelope.timestamp(), message, |part| {
            signed.extend_from_slice(part);
        });
        let signatures = self.layout.signatures(&envelope)?;
        let whole = signatures.iter().filter(|signature| signature.len() == SIGNATURE_BYTES);
        for signature in whole.take(MAX_SIGNATURES) {
            let algorithm = Algorithm::Ed25519;
            let signed = Signed { key_id: None, algorithm, message: &signed, signature };
            if self.keys.prove(&signed, keyring).await.is_ok() {
                return Ok(());
            }
        }
        Err(Refusal::Mismatch)
    }
}
