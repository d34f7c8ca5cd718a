//! URLs that secrets are sent to.

use std::cell::Cell;

use url::{Host, Url};

/// An absolute URL with `https`, or with plain `http` on loopback (`localhost`, `127.0.0.1`,
/// `[::1]`), without user, query and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecureUrl(String);

impl SecureUrl {
    /// What the URL must be, as a problem of the configuration says it.
    pub const EXPECTED: &'static str =
        "must be an https URL (http on loopback only) without user, query or fragment";

    /// Reads `text`, which must be a valid URL (<https://url.spec.whatwg.org>): what a browser would
    /// correct, such as spaces or backslashes, is rejected.
    pub fn parse(text: &str) -> Option<Self> {
        let valid = Cell::new(true);
        let violation = |_| valid.set(false);
        let url = Url::options().syntax_violation_callback(Some(&violation)).parse(text).ok()?;
        let loopback = match url.host()? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address == std::net::Ipv4Addr::LOCALHOST,
            Host::Ipv6(address) => address == std::net::Ipv6Addr::LOCALHOST,
        };
        let secure = url.scheme() == "https" || url.scheme() == "http" && loopback;
        let user = !url.username().is_empty() || url.password().is_some();
        let plain = !user && url.query().is_none() && url.fragment().is_none();
        (valid.get() && secure && plain).then(|| Self(url.into()))
    }

    /// The URL in its normal form. This is what is requested, not the text that was read.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secure_url_is_https_or_on_loopback() {
        for (good, normal) in [
            ("https://connect.instacart.com", "https://connect.instacart.com/"),
            ("https://h:8443/base/", "https://h:8443/base/"),
            ("https://H:443/a/../B", "https://h/B"),
            ("https://h/%41", "https://h/%41"),
            ("https://b\u{fc}cher.example", "https://xn--bcher-kva.example/"),
            ("http://127.0.0.1:1/", "http://127.0.0.1:1/"),
            ("http://[::1]:1", "http://[::1]:1/"),
            ("HTTP://localhost", "http://localhost/"),
        ] {
            assert_eq!(SecureUrl::parse(good).unwrap().as_str(), normal, "{good}");
        }
        for bad in [
            "",
            "connect.instacart.com",
            "http://connect.instacart.com",
            "http://127.0.0.1.example.com",
            "http://127.0.0.1@example.com",
            "http://127.0.0.2",
            "http://localhost.",
            "https://user@h",
            "https://@h",
            "https://:password@h",
            "https://h/?q",
            "https://h/?",
            "https://h/#f",
            "https://h/#",
            "ftp://h",
            "/path",
            "https://",
            "https:///path",
            "https:h",
            "https://h:x/",
            "https://h:65536/",
            "https://[::1",
            "https://[]",
            "https://a:b:1/",
            "https://h/a b",
            "https://h/%zz",
            "https://h\\@i/",
            " https://h",
            "https://h\n",
        ] {
            assert!(SecureUrl::parse(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_secure_url_is_secure_to_other_parsers(
            text in "(https?|HTTP)://(h|a\\.example|localhost|127\\.0\\.0\\.1|\\[::1\\]|[a-z@:%\\[\\].#?\\\\-]{0,6})(:[0-9]{1,5})?[/a-z0-9._~@?# %-]{0,8}",
        ) {
            if let Some(secure) = SecureUrl::parse(&text) {
                let uri: http::Uri = secure.as_str().parse().unwrap();
                let loopback = ["localhost", "127.0.0.1", "[::1]"].contains(&uri.host().unwrap());
                prop_assert!(uri.scheme_str() == Some("https") || loopback, "{text}");
                prop_assert!(uri.query().is_none() && !text.contains('#'), "{text}");
                prop_assert!(!uri.authority().unwrap().as_str().contains('@'), "{text}");
                // Reading it again changes nothing.
                prop_assert_eq!(SecureUrl::parse(secure.as_str()), Some(secure), "{}", text);
            }
        }
    }
}
