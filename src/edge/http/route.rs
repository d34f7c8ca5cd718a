//! Where a request goes.

use percent_encoding::percent_decode_str;

use super::dashboard::Page;
use crate::access::Access;
use crate::problem::Problem;

/// A route of the contract. Each is described in `docs/openapi.json`, which a test checks, but for the
/// dashboard's pages.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(strum::EnumCount))]
pub enum Route<'a> {
    /// `POST /webhooks/{source}`
    Webhook(&'a str),
    /// `POST /webhooks/{source}/requests`, where OpenDSR's controllers send a request
    Requests(&'a str),
    /// `GET` or `DELETE /webhooks/{source}/requests/{request_id}`
    RequestStatus(&'a str, String),
    /// `GET /webhooks/{source}/discovery`, where OpenDSR's controllers look what a processor takes
    Discovery(&'a str),
    /// `GET /discovery`: the same of the source whose processor has the domain that is asked
    DomainDiscovery,
    /// `GET /webhooks/{source}/certificate.pem`: the certificate that discovery names
    Certificate(&'a str),
    /// `GET /healthz`
    Health,
    /// `GET /.well-known/erasure-relay.json`
    ReceiptKeys,
    /// `GET /openapi.json`
    OpenApi,
    /// `GET /status/{code}`, for the person whom a request is about
    StatusPage(&'a str),
    /// One of the operator's.
    Operator(Operator<'a>),
    /// A page of the operator's dashboard; which methods it takes is known to it.
    Dashboard(Page<'a>),
}

/// The operator's routes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(strum::EnumCount))]
pub enum Operator<'a> {
    /// `GET /erasures/{source}/{request_id}`
    Find(&'a str, String),
    /// `POST /erasures/{source}/{request_id}/replay`
    Replay(&'a str, String),
    /// `POST /erasures/{source}/{request_id}/discard`
    Discard(&'a str, String),
    /// `POST /erasures/{source}/{request_id}/close`
    Close(&'a str, String),
    /// `POST /erasures/{source}/{request_id}/acknowledge`
    Acknowledge(&'a str, String),
    /// `GET /erasures`
    List,
    /// `POST /erasures/search`
    Search,
    /// `GET /export`
    Export,
    /// `GET /statistics`
    Statistics,
    /// `GET /activity`
    Activity,
    /// `GET /sources`
    Sources,
    /// `GET /lanes`
    Lanes,
    /// `GET /metrics`
    Metrics,
    /// `POST /lanes/{vendor}/resume`
    Resume(&'a str),
    /// `POST /lanes/{vendor}/move`
    Move(&'a str),
    /// `POST /lanes/{vendor}/discard`
    DiscardUnsendable(&'a str),
    /// `POST /lanes/{vendor}/replay`
    ReplayAll(&'a str),
    /// `POST /lanes/{vendor}/acknowledge`
    AcknowledgeAll(&'a str),
    /// `GET /audit`
    Audit,
}

impl Operator<'_> {
    /// What a token must allow for it.
    pub fn needs(&self) -> Access {
        match self {
            Self::Find(..)
            | Self::List
            | Self::Search
            | Self::Export
            | Self::Statistics
            | Self::Activity
            | Self::Sources
            | Self::Lanes
            | Self::Metrics
            | Self::Audit => Access::Read,
            Self::Replay(..)
            | Self::Discard(..)
            | Self::Close(..)
            | Self::Acknowledge(..)
            | Self::Resume(_)
            | Self::Move(_)
            | Self::DiscardUnsendable(_)
            | Self::ReplayAll(_)
            | Self::AcknowledgeAll(_) => Access::Act,
        }
    }
}

impl<'a> Route<'a> {
    /// The route of a method and a path.
    ///
    /// # Errors
    /// 404 or 405.
    pub fn of(method: &str, path: &'a str) -> Result<Self, Problem> {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let (route, allowed) = match segments[..] {
            ["webhooks", source] if !source.is_empty() => (Route::Webhook(source), "POST"),
            ["webhooks", source, "requests"] if !source.is_empty() => {
                (Route::Requests(source), "POST")
            }
            ["webhooks", source, "requests", id] if !source.is_empty() && !id.is_empty() => {
                (Route::RequestStatus(source, decode(id)?), "GET, DELETE")
            }
            ["webhooks", source, "discovery"] if !source.is_empty() => {
                (Route::Discovery(source), "GET, HEAD")
            }
            ["webhooks", source, "certificate.pem"] if !source.is_empty() => {
                (Route::Certificate(source), "GET, HEAD")
            }
            ["discovery"] => (Route::DomainDiscovery, "GET, HEAD"),
            ["healthz"] => (Route::Health, "GET, HEAD"),
            [".well-known", "erasure-relay.json"] => (Route::ReceiptKeys, "GET, HEAD"),
            ["openapi.json"] => (Route::OpenApi, "GET, HEAD"),
            ["status", code] if !code.is_empty() => (Route::StatusPage(code), "GET, HEAD"),
            ["erasures"] => (Route::Operator(Operator::List), "GET"),
            ["erasures", "search"] => (Route::Operator(Operator::Search), "POST"),
            ["erasures", source, id] => {
                (Route::Operator(Operator::Find(source, decode(id)?)), "GET")
            }
            ["erasures", source, id, "replay"] => {
                (Route::Operator(Operator::Replay(source, decode(id)?)), "POST")
            }
            ["erasures", source, id, "discard"] => {
                (Route::Operator(Operator::Discard(source, decode(id)?)), "POST")
            }
            ["erasures", source, id, "close"] => {
                (Route::Operator(Operator::Close(source, decode(id)?)), "POST")
            }
            ["export"] => (Route::Operator(Operator::Export), "GET"),
            ["statistics"] => (Route::Operator(Operator::Statistics), "GET"),
            ["activity"] => (Route::Operator(Operator::Activity), "GET"),
            ["erasures", source, id, "acknowledge"] => {
                (Route::Operator(Operator::Acknowledge(source, decode(id)?)), "POST")
            }
            ["audit"] => (Route::Operator(Operator::Audit), "GET"),
            ["sources"] => (Route::Operator(Operator::Sources), "GET"),
            ["lanes"] => (Route::Operator(Operator::Lanes), "GET"),
            ["metrics"] => (Route::Operator(Operator::Metrics), "GET"),
            ["lanes", vendor, "resume"] => (Route::Operator(Operator::Resume(vendor)), "POST"),
            ["lanes", vendor, "move"] => (Route::Operator(Operator::Move(vendor)), "POST"),
            ["lanes", vendor, "discard"] => {
                (Route::Operator(Operator::DiscardUnsendable(vendor)), "POST")
            }
            ["lanes", vendor, "replay"] => (Route::Operator(Operator::ReplayAll(vendor)), "POST"),
            ["lanes", vendor, "acknowledge"] => {
                (Route::Operator(Operator::AcknowledgeAll(vendor)), "POST")
            }
            _ => return Page::of(&segments).map(Route::Dashboard),
        };
        let fits = allowed.split(", ").any(|known| known == method);
        if fits { Ok(route) } else { Err(Problem::MethodNotAllowed(allowed)) }
    }
}

/// A segment of a path as text.
pub(super) fn decode(segment: &str) -> Result<String, Problem> {
    let text = percent_decode_str(segment).decode_utf8();
    text.map(|text| text.into_owned()).map_err(|_| Problem::NotFound)
}

/// The scheme and the authority of an absolute URL.
pub fn origin(url: &str) -> &str {
    let path = url.find("://").and_then(|at| url.get(at.saturating_add(3)..));
    let host = path.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let end = url.len().saturating_sub(path.unwrap_or_default().len()).saturating_add(host.len());
    url.get(..end).unwrap_or_default()
}

/// The path of an absolute URL, and what follows its `?`.
pub fn path_and_query(url: &str) -> (&str, &str) {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = after_scheme.find('/').and_then(|at| after_scheme.get(at..)).unwrap_or("/");
    let path = path.split('#').next().unwrap_or("/");
    path.split_once('?').unwrap_or((path, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_ends_before_the_path() {
        for url in
            ["https://h:1", "https://h:1/", "https://h:1/a/b?c", "https://h:1?c", "https://h:1#d"]
        {
            assert_eq!(origin(url), "https://h:1", "{url}");
        }
    }

    #[test]
    fn routes_by_method_and_path() {
        let route = |method, url| {
            Route::of(method, path_and_query(url).0).map_err(|problem| problem.status())
        };
        assert_eq!(route("POST", "https://h/webhooks/consent"), Ok(Route::Webhook("consent")));
        assert_eq!(route("POST", "https://h:1/webhooks/a?b=/c#d"), Ok(Route::Webhook("a")));
        assert_eq!(route("GET", "https://h/healthz"), Ok(Route::Health));
        let keys = "https://h/.well-known/erasure-relay.json";
        assert_eq!(route("HEAD", keys), Ok(Route::ReceiptKeys));
        assert_eq!(route("POST", keys), Err(405));
        assert_eq!(route("GET", "https://h/status/c?x#y"), Ok(Route::StatusPage("c")));
        assert_eq!(route("POST", "https://h/status/c"), Err(405));
        assert_eq!(route("GET", "https://h/status/"), Err(404));
        assert_eq!(route("POST", "https://h/webhooks/a/requests"), Ok(Route::Requests("a")));
        for method in ["GET", "DELETE"] {
            let status = Route::RequestStatus("a", "r 1".to_owned());
            assert_eq!(route(method, "https://h/webhooks/a/requests/r%201"), Ok(status));
        }
        let discovery = "https://h/webhooks/a/discovery";
        assert_eq!(route("GET", discovery), Ok(Route::Discovery("a")));
        assert_eq!(route("POST", discovery), Err(405));
        assert_eq!(route("GET", "https://h/discovery"), Ok(Route::DomainDiscovery));
        let certificate = "https://h/webhooks/a/certificate.pem";
        assert_eq!(route("HEAD", certificate), Ok(Route::Certificate("a")));
        assert_eq!(route("GET", "https://h/webhooks//discovery"), Err(404));
        let operator = |method, url| match route(method, url) {
            Ok(Route::Operator(operator)) => operator,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            operator("GET", "https://h/erasures/a/r%2F1"),
            Operator::Find("a", "r/1".to_owned())
        );
        assert_eq!(
            operator("POST", "https://h/erasures/a/r/replay"),
            Operator::Replay("a", "r".to_owned())
        );
        assert_eq!(
            operator("POST", "https://h/erasures/a/r/discard"),
            Operator::Discard("a", "r".to_owned())
        );
        assert_eq!(operator("GET", "https://h/erasures?state=done"), Operator::List);
        assert_eq!(operator("POST", "https://h/erasures/search"), Operator::Search);
        assert_eq!(operator("GET", "https://h/export?from=2026-01-01"), Operator::Export);
        assert_eq!(operator("GET", "https://h/statistics"), Operator::Statistics);
        assert_eq!(operator("GET", "https://h/activity"), Operator::Activity);
        assert_eq!(
            operator("POST", "https://h/erasures/a/r/acknowledge"),
            Operator::Acknowledge("a", "r".to_owned())
        );
        assert_eq!(operator("GET", "https://h/audit?limit=1"), Operator::Audit);
        assert_eq!(operator("POST", "https://h/lanes/v/replay"), Operator::ReplayAll("v"));
        assert_eq!(
            operator("POST", "https://h/lanes/v/acknowledge"),
            Operator::AcknowledgeAll("v")
        );
        assert_eq!(operator("GET", "https://h/lanes"), Operator::Lanes);
        assert_eq!(operator("GET", "https://h/sources"), Operator::Sources);
        assert_eq!(operator("POST", "https://h/lanes/v/resume"), Operator::Resume("v"));
        assert_eq!(operator("POST", "https://h/lanes/v/move?to=w"), Operator::Move("v"));
        assert_eq!(operator("POST", "https://h/lanes/v/discard"), Operator::DiscardUnsendable("v"));
        for (method, url) in [
            ("GET", "https://h/webhooks/consent"),
            ("POST", "https://h/healthz"),
            ("POST", "https://h/erasures"),
            ("GET", "https://h/erasures/search"),
            ("POST", "https://h/sources"),
            ("POST", "https://h/export"),
            ("POST", "https://h/statistics"),
            ("POST", "https://h/activity"),
            ("DELETE", "https://h/webhooks/a/requests"),
            ("POST", "https://h/webhooks/a/requests/r"),
            ("GET", "https://h/erasures/a/r/replay"),
            ("GET", "https://h/erasures/a/r/discard"),
            ("GET", "https://h/erasures/a/r/acknowledge"),
            ("POST", "https://h/audit"),
            ("GET", "https://h/lanes/v/replay"),
            ("GET", "https://h/lanes/v/acknowledge"),
            ("GET", "https://h/lanes/v/resume"),
            ("GET", "https://h/lanes/v/move"),
            ("GET", "https://h/lanes/v/discard"),
        ] {
            assert_eq!(route(method, url), Err(405), "{url}");
        }
        for url in [
            "https://h/webhooks",
            "https://h/webhooks/",
            "https://h/webhooks/a/b",
            "https://h/webhooks/a/",
            "https://h/webhooks//a",
            "https://h/webhooks//requests",
            "https://h/webhooks/a/requests/",
            "https://h/webhook/a",
            "https://h//webhooks/a",
            "https://h/lanes/v",
            "https://h/erasures/a/%ff",
        ] {
            assert_eq!(route("POST", url), Err(404), "{url}");
        }
    }

    #[test]
    fn a_url_has_a_path_and_a_query() {
        assert_eq!(path_and_query("https://h/a?b=c?d#e"), ("/a", "b=c?d"));
        assert_eq!(path_and_query("https://h"), ("/", ""));
    }
}
