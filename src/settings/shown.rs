//! Which values a problem repeats.

use crate::json::Json;

/// `, not 731`: what was found in the place of a number or a word. A text that may be a secret is not
/// repeated: one that is long, or has several digits or an upper-case letter after a lower-case one.
pub(crate) fn shown(value: &Json<'_>) -> Option<String> {
    const LONGEST: usize = 32;
    match value {
        Json::Integer(number) => Some(format!(", not {number}")),
        Json::Bool(value) => Some(format!(", not {value}")),
        Json::Text(text) => {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" -_.".contains(&byte);
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            let mixed = text.as_bytes().windows(2).any(|pair| match pair {
                [one, next] => one.is_ascii_lowercase() && next.is_ascii_uppercase(),
                _ => false,
            });
            let begins = text.starts_with(|first: char| first.is_ascii_alphanumeric());
            let is_word = begins && text.len() <= LONGEST && text.bytes().all(plain) && digits <= 3;
            (is_word && !mixed).then(|| format!(", not \"{text}\""))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        let of = |text: &'static str| shown(&Json::Text(text.into()));
        for word in ["fax", "standard-webhook", "Profile", "v1.2", "my shop"] {
            assert_eq!(of(word), Some(format!(", not \"{word}\"")));
        }
        for secret in [
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "1a2b3c4e5d6f",
            "shpss_0123456789abcdef",
            "correctHorse",
            "a/b+c=",
            "-----BEGIN PRIVATE KEY-----",
        ] {
            assert_eq!(of(secret), None, "{secret}");
        }
        assert_eq!(shown(&Json::Integer(731)).as_deref(), Some(", not 731"));
        assert_eq!(shown(&Json::Null), None);
    }
}
