//! What an operator should know of a configuration that works.

use std::fmt;

use serde::Serialize;

use super::Misconfiguration;

/// What an operator should know of a configuration that works: it may do less than is expected, or
/// hold a value that only stands in an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Notice {
    text: Misconfiguration,
    #[serde(skip)]
    is_placeholder: bool,
}

impl Notice {
    /// What works and may not be meant so.
    pub fn new(text: Misconfiguration) -> Self {
        Self { text, is_placeholder: false }
    }

    /// A notice of the setting at `path`, where its value is one that documentation and the shipped
    /// `wrangler.toml` use as an example: such a value must not be deployed.
    pub(super) fn placeholder(path: &str, value: &str) -> Option<Self> {
        is_placeholder(value).then(|| Self {
            text: Misconfiguration::new(
                path,
                "is the placeholder of an example: set your own value",
            ),
            is_placeholder: true,
        })
    }

    /// Whether it is about a placeholder, which must not be deployed.
    pub fn is_placeholder(&self) -> bool {
        self.is_placeholder
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(formatter)
    }
}

/// Whether a value is one of the examples, or a URL whose domain is reserved for examples (RFC 2606).
fn is_placeholder(value: &str) -> bool {
    if ["mybrand", "mybrandtest", "my-sombra-audience"].contains(&value) {
        return true;
    }
    let Some((_, rest)) = value.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let reserved = ["example", "invalid", "example.com", "example.net", "example.org"];
    reserved.iter().any(|domain| {
        host.strip_suffix(domain).is_some_and(|sub| sub.is_empty() || sub.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_a_value_of_an_example() {
        for value in [
            "mybrand",
            "mybrandtest",
            "my-sombra-audience",
            "https://relay.example",
            "https://shop.example/deletion/{code}",
            "https://Example.com:8080/keys",
        ] {
            assert!(is_placeholder(value), "{value}");
        }
        for value in [
            "acme",
            "mybrand2",
            "https://notexample.com",
            "https://example.com.acme.dev",
            "https://unification.useinsider.com",
            "example.com",
            "http://127.0.0.1:8080",
            "",
        ] {
            assert!(!is_placeholder(value), "{value}");
        }
        let notice = Notice::placeholder("VENDORS.insider.partner_name", "mybrand").unwrap();
        assert!(notice.is_placeholder());
        assert_eq!(
            serde_json::to_string(&notice).unwrap(),
            "\"VENDORS.insider.partner_name: is the placeholder of an example: set your own value\""
        );
    }
}
