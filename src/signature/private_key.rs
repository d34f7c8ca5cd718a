//! The operator's private keys, for what the relay signs in the operator's name: PKCS #8 in PEM
//! (RFC 5208, RFC 7468). **The key decides the algorithm**, as for public keys. The runtime signs.

use secrecy::{ExposeSecret, SecretSlice, SecretString};
use thiserror::Error;

use super::encoding::decode_base64;
use super::public_key::{Algorithm, P256_ALGORITHM, PublicKey, RSA_ALGORITHM, open};

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// The secret cannot be used as a private key. The message never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "must be one private key in PKCS #8 (-----BEGIN PRIVATE KEY-----): RSA of 2048 to 8192 bits, or P-256"
)]
pub struct BadPrivateKey;

/// A private key.
pub struct PrivateKey {
    /// The only algorithm that it is good for: `RS256` or `ES256`.
    pub algorithm: Algorithm,
    /// The public key of an RSA key, as certificates hold it.
    public: Option<Vec<u8>>,
    pkcs8: SecretSlice<u8>,
}

impl PrivateKey {
    /// Reads a PEM text. Its line ends may be written as `\n`, since not every place of secrets keeps
    /// lines.
    ///
    /// # Errors
    /// [`BadPrivateKey`]
    pub fn parse(secret: &SecretString) -> Result<Self, BadPrivateKey> {
        let text = secret.expose_secret().trim_ascii();
        let base64 = text.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
        let base64 = base64.ok_or(BadPrivateKey)?.replace("\\n", "");
        let base64: SecretString = base64.split_ascii_whitespace().collect::<String>().into();
        let pkcs8 = decode_base64(base64.expose_secret()).ok_or(BadPrivateKey)?.into();
        Self::from_der(pkcs8).ok_or(BadPrivateKey)
    }

    fn from_der(pkcs8: SecretSlice<u8>) -> Option<Self> {
        let (info, rest) = open(0x30, pkcs8.expose_secret())?;
        let (_version, info) = open(0x02, info)?;
        let (algorithm, public) = match info.strip_prefix(RSA_ALGORITHM) {
            Some(info) => {
                let (key, _) = open(0x30, open(0x04, info)?.0)?;
                let (modulus, numbers) = open(0x02, open(0x02, key)?.1)?;
                let (exponent, _) = open(0x02, numbers)?;
                (Algorithm::Rs256, Some(PublicKey::rsa(modulus, exponent)?.spki))
            }
            None => {
                open(0x04, info.strip_prefix(P256_ALGORITHM)?)?;
                (Algorithm::Es256, None)
            }
        };
        rest.is_empty().then_some(Self { algorithm, public, pkcs8 })
    }

    /// The key in PKCS #8, as the runtime imports it.
    pub fn pkcs8(&self) -> &SecretSlice<u8> {
        &self.pkcs8
    }

    /// Whether a certificate of X.509 is about this key, which is an RSA key.
    pub fn is_of(&self, certificate: &Certificate) -> bool {
        let public = self.public.as_deref().filter(|public| !public.is_empty());
        public.is_some_and(|key| certificate.0.windows(key.len()).any(|part| part == key))
    }
}

/// A certificate of X.509 in DER. Whether it is valid is for those who get it to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate(Vec<u8>);

impl Certificate {
    /// What the text must be, as a problem of the configuration says it.
    pub const EXPECTED: &'static str =
        "must be a certificate in PEM (-----BEGIN CERTIFICATE-----), those of its issuers after it";

    /// Reads the first certificate of a PEM text.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_ascii().strip_prefix("-----BEGIN CERTIFICATE-----")?;
        let (base64, _) = text.split_once("-----END CERTIFICATE-----")?;
        let der = decode_base64(&base64.split_ascii_whitespace().collect::<String>())?;
        let (_, rest) = open(0x30, &der)?;
        rest.is_empty().then_some(())?;
        Some(Self(der))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RSA: &str = include_str!("../../tests/keys/rsa-2048.pem");
    const CERTIFICATE: &str = include_str!("../../standin/src/platform/opendsr/certificate.pem");

    fn parse(text: &str) -> Result<PrivateKey, BadPrivateKey> {
        PrivateKey::parse(&text.into())
    }

    #[test]
    fn a_key_decides_its_algorithm() {
        let p256 = send::PrivateKey::generate_pem("ES256").unwrap();
        for (text, algorithm) in [
            (RSA.to_owned(), Algorithm::Rs256),
            (RSA.trim().replace('\n', "\\n"), Algorithm::Rs256),
            (RSA.replace('\n', "\r\n"), Algorithm::Rs256),
            (p256, Algorithm::Es256),
        ] {
            assert_eq!(parse(&text).ok().unwrap().algorithm, algorithm);
        }
        let key = parse(RSA).ok().unwrap();
        assert!(ring::rsa::KeyPair::from_pkcs8(key.pkcs8().expose_secret()).is_ok());
    }

    #[test]
    fn what_is_no_key_is_rejected_and_never_shown() {
        let [p384, ed25519] = ["ES384", "EdDSA"].map(send::PrivateKey::generate_pem);
        let short = RSA.replace("A", "");
        for text in [
            "",
            "-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----",
            &RSA.replace("PRIVATE", "RSA PRIVATE"),
            &format!("{RSA}{RSA}"),
            &short,
            &p384.unwrap(),
            &ed25519.unwrap(),
        ] {
            let error = parse(text).err().unwrap_or_else(|| panic!("{text}"));
            assert!(error.to_string().starts_with("must be one private key in PKCS #8"));
        }
    }

    #[test]
    fn a_certificate_is_of_one_key() {
        let certificate = Certificate::parse(CERTIFICATE).unwrap();
        assert!(parse(RSA).ok().unwrap().is_of(&certificate));
        let p256 = send::PrivateKey::generate_pem("ES256").unwrap();
        assert!(!parse(&p256).ok().unwrap().is_of(&certificate));
        // Another RSA key: the last digits of the modulus differ.
        let other = Certificate(certificate.0.iter().map(|byte| byte ^ 1).collect());
        assert!(!parse(RSA).ok().unwrap().is_of(&other));
        for bad in ["", RSA, "-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----"] {
            assert_eq!(Certificate::parse(bad), None, "{bad}");
        }
    }
}
