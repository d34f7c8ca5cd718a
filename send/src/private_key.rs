//! Private keys, and tokens signed with them.

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RSA_PKCS1_SHA256,
};
use serde_json::{Value, json};

/// What stands around a private key in a PEM text.
const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// A key to sign with.
pub struct PrivateKey {
    pair: Pair,
    /// Its `kid`, where it has one.
    pub id: Option<String>,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Rsa(rsa::KeyPair),
}

impl PrivateKey {
    /// Makes a key for the algorithm of this name in a JWT: `EdDSA`, `ES256` or `ES384`.
    ///
    /// # Errors
    /// For any other name.
    pub fn generate(algorithm: &str) -> Result<Self> {
        Self::parse(&Self::generate_pem(algorithm)?)
    }

    /// Makes such a key as a PEM text (PKCS#8).
    ///
    /// # Errors
    /// For any other name.
    pub fn generate_pem(algorithm: &str) -> Result<String> {
        let random = SystemRandom::new();
        let made = match algorithm {
            "EdDSA" => Ed25519KeyPair::generate_pkcs8(&random),
            "ES256" => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random),
            "ES384" => EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random),
            other => bail!("no key can be made for {other}"),
        };
        let der = STANDARD.encode(made.map_err(|_| anyhow!("no randomness"))?.as_ref());
        Ok(format!("{BEGIN}\n{der}\n{END}\n"))
    }

    /// Reads `-----BEGIN PRIVATE KEY-----` (PKCS#8), or `whsk_` and base64.
    ///
    /// # Errors
    /// Where it is neither, or of a kind that is not known.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if let Some(seed) = text.strip_prefix("whsk_") {
            let bytes = STANDARD.decode(seed).context("whsk_ is not followed by base64")?;
            let seed = bytes.get(..32).context("whsk_ holds too little")?;
            let pair = Ed25519KeyPair::from_seed_unchecked(seed);
            let pair = pair.map_err(|_| anyhow!("whsk_ does not hold a seed"))?;
            return Ok(Self { pair: Pair::Ed25519(pair), id: None });
        }
        let pem = text.strip_prefix(BEGIN);
        let pem = pem.and_then(|rest| rest.strip_suffix(END));
        let pem = pem.context("a private key starts with -----BEGIN PRIVATE KEY----- or whsk_")?;
        let base64: String = pem.chars().filter(|char| !char.is_whitespace()).collect();
        Self::parse_der(&STANDARD.decode(base64).context("the private key is not base64")?)
    }

    fn parse_der(der: &[u8]) -> Result<Self> {
        let random = SystemRandom::new();
        let pair = if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            Pair::Ed25519(pair)
        } else if let Ok(pair) =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random)
        {
            Pair::P256(pair)
        } else if let Ok(pair) =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der, &random)
        {
            Pair::P384(pair)
        } else if let Ok(pair) = rsa::KeyPair::from_pkcs8(der) {
            Pair::Rsa(pair)
        } else {
            bail!("the private key must be an Ed25519, P-256, P-384 or RSA key in PKCS#8");
        };
        Ok(Self { pair, id: None })
    }

    /// The same key with a `kid`.
    #[must_use]
    pub fn named(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }

    /// The algorithm's name in a JWT.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Ed25519(_) => "EdDSA",
            Pair::P256(_) => "ES256",
            Pair::P384(_) => "ES384",
            Pair::Rsa(_) => "RS256",
        }
    }

    /// A signature; of an ECDSA key the two numbers, one after the other.
    ///
    /// # Errors
    /// Where the machine gives no randomness.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let random = SystemRandom::new();
        let failed = |_| anyhow!("not signed");
        Ok(match &self.pair {
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::P256(pair) | Pair::P384(pair) => {
                pair.sign(&random, message).map_err(failed)?.as_ref().to_vec()
            }
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(failed)?;
                signature
            }
        })
    }

    /// A signed token with these claims.
    ///
    /// # Errors
    /// As [`sign`](Self::sign).
    pub fn jwt(&self, claims: &Value) -> Result<String> {
        let mut header = json!({ "typ": "JWT", "alg": self.algorithm() });
        if let Some(id) = &self.id {
            header["kid"] = json!(id);
        }
        self.jwt_with(&header, claims)
    }

    /// A signed token with any header, however wrong.
    ///
    /// # Errors
    /// As [`sign`](Self::sign).
    pub fn jwt_with(&self, header: &Value, claims: &Value) -> Result<String> {
        let encode = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = self.sign(message.as_bytes())?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The public key as a JWK.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let point = |curve: &str, pair: &EcdsaKeyPair| {
            let point = pair.public_key().as_ref();
            let (x, y) = point[1..].split_at(point.len() / 2);
            json!({ "kty": "EC", "crv": curve, "x": text(x), "y": text(y) })
        };
        let mut jwk = match &self.pair {
            Pair::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) })
            }
            Pair::P256(pair) => point("P-256", pair),
            Pair::P384(pair) => point("P-384", pair),
            Pair::Rsa(pair) => {
                let public = rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "n": text(&public.n), "e": text(&public.e) })
            }
        };
        if let Some(id) = &self.id {
            jwk["kid"] = json!(id);
        }
        jwk
    }

    /// The public key of an Ed25519 key as Standard Webhooks writes it, `whpk_…`.
    ///
    /// # Errors
    /// For any other key.
    pub fn whpk(&self) -> Result<String> {
        match &self.pair {
            Pair::Ed25519(pair) => Ok(format!("whpk_{}", STANDARD.encode(pair.public_key()))),
            _ => bail!("whpk_ is for Ed25519 keys alone"),
        }
    }

    /// The public key as PEM, for curves.
    ///
    /// # Errors
    /// For an RSA key.
    pub fn public_pem(&self) -> Result<String> {
        let (prefix, key): (&str, &[u8]) = match &self.pair {
            Pair::Ed25519(pair) => ("MCowBQYDK2VwAyEA", pair.public_key().as_ref()),
            Pair::P256(pair) => {
                ("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgA=", pair.public_key().as_ref())
            }
            Pair::P384(pair) => ("MHYwEAYHKoZIzj0CAQYFK4EEACIDYgA=", pair.public_key().as_ref()),
            Pair::Rsa(_) => bail!("not for RSA keys"),
        };
        let der = [&STANDARD.decode(prefix)?, key].concat();
        let (begin, end) = ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----");
        Ok(format!("{begin}\n{}\n{end}\n", STANDARD.encode(der)))
    }
}
