//! URLs that secrets are sent to, and names of hosts.

use std::net::{IpAddr, Ipv6Addr};

use http::Uri;
use http::uri::Scheme;

/// An absolute URL with `https`, or with plain `http` on loopback (`localhost`, `127.0.0.1`,
/// `[::1]`), without user, query and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecureUrl(String);

impl SecureUrl {
    /// What the URL must be, as a problem of the configuration says it.
    pub const EXPECTED: &'static str =
        "must be an https URL (http on loopback only) without user, query or fragment";

    /// Reads `text`, which must be a URI (RFC 3986) that needs no correction: no spaces, backslashes
    /// or characters beyond ASCII.
    ///
    /// The crate `url` would read it as browsers do, and brings 85 KB (gzipped) of tables for
    /// international names.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let (scheme, authority) = (uri.scheme()?, uri.authority()?);
        let loopback = matches!(authority.host(), "localhost" | "127.0.0.1" | "[::1]");
        let secure = *scheme == Scheme::HTTPS || *scheme == Scheme::HTTP && loopback;
        let host = match authority.host().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))
        {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => !authority.host().is_empty() && !authority.host().contains(['[', ']']),
        };
        let port =
            authority.host().len() == authority.as_str().len() || authority.port_u16().is_some();
        let other = |byte: u8| b"@?#\\".contains(&byte) || !byte.is_ascii_graphic();
        let whole = text.split('%').skip(1).all(|rest| {
            rest.as_bytes()
                .first_chunk::<2>()
                .is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
        });
        let plain = whole && host && port && !text.bytes().any(other);
        (secure && plain).then(|| Self(text.to_owned()))
    }

    /// The URL as it was read.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a host in lower case; `None` where the text is an address, or anything else.
pub fn host_name(text: &str) -> Option<String> {
    let name = text.to_ascii_lowercase();
    let is_label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(plain) && !label.starts_with('-')
    };
    let is_name = name.contains('.') && name.split('.').all(is_label);
    // The last label of a name is no number, or else browsers and servers read an address.
    let is_number = name.rsplit('.').next()?.bytes().all(|byte| byte.is_ascii_digit());
    (is_name && !is_number && name.parse::<IpAddr>().is_err()).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secure_url_is_https_or_on_loopback() {
        for good in [
            "https://connect.instacart.com",
            "https://h:8443/base/",
            "https://h/%41",
            "https://xn--bcher-kva.example/",
            "http://127.0.0.1:1/",
            "http://[::1]:1",
            "HTTP://localhost",
        ] {
            assert_eq!(SecureUrl::parse(good).unwrap().as_str(), good);
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
            "https://h:",
            "https://b\u{fc}cher.example",
        ] {
            assert!(SecureUrl::parse(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_secure_url_is_secure_to_other_parsers(
            text in "(https?|HTTP)://(h|a\\.example|localhost|127\\.0\\.0\\.1|\\[::1\\]|[a-z@:%\\[\\].#?\\\\-]{0,6})(:[0-9]{1,5})?[/a-z0-9._~@?# %-]{0,8}",
        ) {
            if SecureUrl::parse(&text).is_some() {
                // As the runtime reads it; where it does not, nothing is sent.
                let Ok(url) = text.parse::<url::Url>() else { return Ok(()) };
                let loopback = ["localhost", "127.0.0.1", "[::1]"].contains(&url.host_str().unwrap());
                prop_assert!(url.scheme() == "https" || loopback, "{text}");
                prop_assert!(url.query().is_none() && url.fragment().is_none(), "{text}");
                prop_assert!(url.username().is_empty() && url.password().is_none(), "{text}");
            }
        }
    }
}
