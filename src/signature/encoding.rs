//! How bytes are written as text: in signatures and in secrets.

use base64ct::{Base64, Base64Unpadded, Base64UrlUnpadded, Encoding as _};

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal; written in lower case, read in both.
    Hex,
    /// The standard alphabet; written with padding, read with or without.
    Base64,
    /// The alphabet for URLs, with or without padding.
    Base64Url,
}

impl Encoding {
    /// Every encoding by its name in the configuration.
    pub const ALL: &[(&str, Encoding)] =
        &[("hex", Encoding::Hex), ("base64", Encoding::Base64), ("base64url", Encoding::Base64Url)];

    /// The bytes that `text` stands for, `None` where it stands for none.
    pub fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Encoding::Hex => from_hex(text),
            Encoding::Base64 => decode_base64(text),
            Encoding::Base64Url => Base64UrlUnpadded::decode_vec(unpadded(text)?).ok(),
        }
    }

    /// `bytes` as text.
    pub fn encode(self, bytes: &[u8]) -> String {
        match self {
            Encoding::Hex => to_hex(bytes),
            Encoding::Base64 => Base64::encode_string(bytes),
            Encoding::Base64Url => Base64UrlUnpadded::encode_string(bytes),
        }
    }
}

/// Reads base64 with or without padding: senders and the reference libraries of Standard Webhooks
/// write both.
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    Base64Unpadded::decode_vec(unpadded(text)?).ok()
}

/// Base64 without its padding, of which there may be less than the full one.
fn unpadded(text: &str) -> Option<&str> {
    let bare = text.trim_end_matches('=');
    (text.len() <= bare.len().next_multiple_of(4)).then_some(bare)
}

/// `bytes` in lower-case hexadecimal.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    bytes.collect::<Option<Vec<u8>>>().filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let bytes: Vec<u8> = (0..=255).collect();
        for (name, encoding) in Encoding::ALL {
            assert_eq!(encoding.decode(&encoding.encode(&bytes)), Some(bytes.clone()), "{name}");
            assert_eq!(encoding.decode("?"), None, "{name}");
        }
        assert_eq!(Encoding::Hex.decode("0aFF"), Some(vec![10, 255]));
        assert_eq!(Encoding::Hex.decode("0aF"), None);
        assert_eq!(Encoding::Hex.decode("+1"), None);
        for text in ["+/8", "+/8="] {
            assert_eq!(Encoding::Base64.decode(text), Some(vec![251, 255]), "{text}");
        }
        for text in ["-_8", "-_8="] {
            assert_eq!(Encoding::Base64Url.decode(text), Some(vec![251, 255]), "{text}");
        }
        for text in ["-_8", "+/8==", "+/8 ", "+/9", "+=/8", "="] {
            assert_eq!(Encoding::Base64.decode(text), None, "{text}");
        }
        assert_eq!(Encoding::Base64Url.decode("+/8"), None);
    }
}
