//! Acme's page, rule by rule.

use standin::StandIn;
use standin::acme::{AcmeAccount, QUEUED};

use crate::exchange::{altered, assert_mismatch, exchange};

const HEAD: &str = "\
    POST /v1/erasures HTTP/1.1\r\n\
    Host: 127.0.0.1\r\n\
    Authorization: Bearer s3cret\r\n\
    Content-Type: application/json\r\n\
    Connection: close\r\n";
const BODY: &str = r#"{"email":"ann@example.org"}"#;

fn request(head: &str, body: &str) -> String {
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn only_the_documented_request_succeeds() {
    let acme = StandIn::start(AcmeAccount { token: "s3cret".to_owned() }).await.expect("a port");
    assert_eq!(exchange(&acme, request(HEAD, BODY)).await, (202, QUEUED.to_owned()));
    assert_eq!(acme.requests_for("ann@example.org").len(), 1);
    for (from, to, status, mismatch) in [
        ("POST", "PUT", 418, "the method is not POST"),
        ("erasures", "erasure", 418, "the path is not /v1/erasures"),
        ("erasures", "erasures?x=1", 418, "the path is followed by a query"),
        ("s3cret", "other", 401, "the token is not this account's"),
        ("Bearer", "Basic", 418, "header authorization: not of the documented form"),
        ("application/json", "text/plain", 418, "header content-type: not the value it must have"),
        ("Connection", "X-Api: 1\r\nConnection", 418, "header x-api: not documented"),
    ] {
        let request = request(&altered(HEAD, from, to), BODY);
        assert_mismatch(&acme, request, status, mismatch, &["s3cret", "ann"]).await;
    }
    for (body, mismatch) in [
        ("", "body: not JSON"),
        (r#"{"email":"ann@example.org","phone":"+1"}"#, "body: not an object of `email` alone"),
        (r#"{"phone":"ann@example.org"}"#, "body: not an object of `email` alone"),
        (r#"{"email":["ann@example.org"]}"#, "email: not a string"),
        (r#"{"email":""}"#, "email: empty"),
    ] {
        assert_mismatch(&acme, request(HEAD, body), 418, mismatch, &["s3cret", "ann"]).await;
    }
}
