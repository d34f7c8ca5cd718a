//! Which URLs and headers of a webhook are used. A platform may not sign its webhooks, so whoever knows
//! a webhook's token could otherwise have the relay call any address, with any header.

use http::Uri;
use http::uri::{Authority, Scheme};

use crate::secure_url::host_name;
use crate::settings::Settings;

/// The hosts that messages may go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts(Vec<Host>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// By `https` on port 443.
    Name(String),
    /// A host and a port on loopback, by plain `http`, for development.
    Loopback(String),
}

/// The maximum length of a URL or of a header's value, in bytes.
pub(super) const MAX_BYTES: usize = 8192;

/// How many headers of a webhook are repeated at most.
const MAX_HEADERS: usize = 20;

impl Hosts {
    /// Reads `hosts`, an array of host names.
    pub fn configure(settings: &mut Settings<'_>) -> Option<Self> {
        let names = settings.required_texts("hosts")?;
        let hosts: Option<Vec<Host>> = names.iter().map(|name| Host::parse(name)).collect();
        if hosts.is_none() {
            settings.problem("hosts", "must be host names, such as callbacks.example.com");
        }
        hosts.map(Self)
    }

    /// Whether a message may go to `url`: `https` on port 443, one of the hosts, no user, no IP
    /// address, no fragment, and nothing that a client would correct.
    pub fn allow(&self, url: &str) -> bool {
        let Ok(uri) = url.parse::<Uri>() else { return false };
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else { return false };
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\\#@".contains(&byte);
        if url.len() > MAX_BYTES || !url.bytes().all(plain) {
            return false;
        }
        let authority = authority.as_str().to_ascii_lowercase();
        self.0.iter().any(|host| match host {
            Host::Name(name) => {
                let rest = authority.strip_prefix(name.as_str());
                *scheme == Scheme::HTTPS && matches!(rest, Some("" | ":443"))
            }
            Host::Loopback(known) => *scheme == Scheme::HTTP && authority == *known,
        })
    }
}

/// Whether a message may go to `url` by what it is: the same as `Hosts::allow` says, but for the name
/// of the host.
pub fn is_destination(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let Some(authority) = uri.authority().map(Authority::as_str) else { return false };
    let host = match uri.scheme_str() {
        Some("http") => Host::parse(&format!("http://{authority}")),
        _ => Host::parse(authority.strip_suffix(":443").unwrap_or(authority)),
    };
    host.is_some_and(|host| Hosts(vec![host]).allow(url))
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        if let Some(authority) = text.strip_prefix("http://") {
            let (host, port) = authority.split_once(':')?;
            let is_loopback = matches!(host, "127.0.0.1" | "localhost");
            port.parse::<u16>().ok()?;
            return is_loopback.then(|| Self::Loopback(authority.to_owned()));
        }
        host_name(text).map(Self::Name)
    }
}

/// The headers of a webhook that its messages repeat: `Authorization`, and those that begin with `X-`.
/// `None` where one of them is another or cannot be sent: then the credential may be wrong as well.
pub fn allowed_headers<'a>(
    headers: impl Iterator<Item = (&'a str, &'a str)>,
) -> Option<Vec<(String, String)>> {
    let mut allowed = Vec::new();
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        // What every message has anyway.
        if matches!(name.as_str(), "content-type" | "accept") {
            continue;
        }
        let is_known = name == "authorization" || name.starts_with("x-");
        let is_token = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let is_plain = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if !is_known || !is_token || !is_plain || value.len() > MAX_BYTES {
            return None;
        }
        allowed.push((name, value.to_owned()));
    }
    (allowed.len() <= MAX_HEADERS).then_some(allowed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hosts(names: &[&str]) -> Option<Hosts> {
        names.iter().map(|name| Host::parse(name)).collect::<Option<_>>().map(Hosts)
    }

    #[test]
    fn a_message_goes_to_a_configured_host_and_nowhere_else() {
        let hosts = hosts(&["callbacks.ketch.example", "http://127.0.0.1:8080"]).unwrap();
        for good in [
            "https://callbacks.ketch.example/a?b=c",
            "https://CALLBACKS.ketch.example:443/",
            "http://127.0.0.1:8080/callback",
        ] {
            assert!(hosts.allow(good), "{good}");
        }
        for bad in [
            "http://callbacks.ketch.example/",
            "https://callbacks.ketch.example:8443/",
            "https://callbacks.ketch.example.evil.example/",
            "https://evil.callbacks.ketch.example/",
            "https://user@callbacks.ketch.example/",
            "https://callbacks.ketch.example@evil.example/",
            "https://callbacks.ketch.example\\@evil.example/",
            "https://evil.example/#callbacks.ketch.example",
            "https://callbacks.ketch.example/ x",
            "https://callbacks.ketch.example/\r\nX: y",
            "https://[::1]/",
            "https://127.0.0.1/",
            "http://127.0.0.1:80/",
            "http://localhost:8080/",
            "https://169.254.169.254/latest",
            "ftp://callbacks.ketch.example/",
            "//callbacks.ketch.example/",
            "/callback",
            "",
        ] {
            assert!(!hosts.allow(bad), "{bad}");
        }
    }

    #[test]
    fn a_host_is_a_name() {
        for bad in
            ["", "ketch", "127.0.0.1", "1.2", "a..b", "[::1]", "*.ketch.com", "a.b/c", "a.b:1"]
        {
            assert_eq!(hosts(&[bad]), None, "{bad}");
        }
        for bad in ["http://ketch.com:80", "http://127.0.0.1", "http://127.0.0.1:x"] {
            assert_eq!(hosts(&[bad]), None, "{bad}");
        }
    }

    #[test]
    fn a_destination_is_a_public_name_by_https_or_on_loopback() {
        for good in [
            "https://hooks.example.com/services/T0/B0/x",
            "https://hooks.example.com:443/a?sig=b%2Fc",
            "https://HOOKS.example.com",
            "http://127.0.0.1:8080/alerts",
            "http://localhost:1/",
        ] {
            assert!(is_destination(good), "{good}");
        }
        for bad in [
            "",
            "hooks.example.com",
            "http://hooks.example.com/",
            "https://hooks.example.com:8443/",
            "https://user@hooks.example.com/",
            "https://hooks.example.com/#f",
            "https://hooks.example.com/ x",
            "https://hooks.example.com\\@evil.example/",
            "https://hooks.example.com/\r\nX: y",
            "https://hooks/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://169.254.169.254/latest",
            "http://127.0.0.1/",
            "http://127.0.0.2:80/",
            "ftp://hooks.example.com/",
            "//hooks.example.com/",
        ] {
            assert!(!is_destination(bad), "{bad}");
        }
    }

    #[test]
    fn headers_are_a_credential_and_nothing_else() {
        let allowed = |headers: &[(&'static str, &'static str)]| {
            allowed_headers(headers.iter().copied()).map(|all| all.len())
        };
        assert_eq!(allowed(&[("Authorization", "Bearer a"), ("X-Trace", "1")]), Some(2));
        assert_eq!(allowed(&[("Content-Type", "application/json")]), Some(0));
        for (name, value) in [
            ("Host", "evil.example"),
            ("Cookie", "a=b"),
            ("Content-Length", "0"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "close"),
            ("X-A\r\nHost", "b"),
            ("X-A", "b\r\nHost: c"),
            ("X-A", "b\u{e9}"),
        ] {
            assert_eq!(allowed(&[(name, value)]), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_url_panics_or_leads_elsewhere(url: String, path in "[ -~]{0,40}") {
            let hosts = hosts(&["h.example"]).unwrap();
            let _ = hosts.allow(&url);
            let url = format!("https://{path}");
            if hosts.allow(&url) {
                let read = url::Url::parse(&url).unwrap();
                prop_assert_eq!(read.host_str(), Some("h.example"));
                prop_assert_eq!(read.port_or_known_default(), Some(443));
                prop_assert_eq!(read.username(), "");
            }
        }
    }
}
