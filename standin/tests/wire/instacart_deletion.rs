//! Deletion requests.

use standin::instacart::{SUCCESS, USER_NOT_FOUND};
use standin::{InstacartAccount, StandIn};

use crate::exchange::{altered, assert_mismatch, exchange};

const REQUEST: &str = "\
    POST /v2/fulfillment/users/ann%40example.org/privacy_request HTTP/1.1\r\n\
    Host: 127.0.0.1\r\n\
    Accept: application/json\r\n\
    Authorization: Bearer s3cret\r\n\
    Content-Type: application/json\r\n\
    Connection: close\r\n\
    CF-Worker: example.org\r\n\
    Content-Length: 0\r\n\r\n";

const PRIVATE: &[&str] = &["s3cret", "other-token", "ann", "u-1001"];

fn account() -> InstacartAccount {
    InstacartAccount::with_token("s3cret")
}

async fn stand_in(account: InstacartAccount) -> StandIn {
    StandIn::instacart(account).await.expect("a port")
}

#[tokio::test]
async fn the_documented_request_succeeds() {
    let instacart = stand_in(account()).await;
    for request in [
        REQUEST,
        &altered(REQUEST, "Connection", "User-Agent: x\r\nConnection"),
        &altered(REQUEST, "Content-Length: 0\r\n", ""),
        &altered(
            REQUEST,
            "Content-Length: 0\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
    ] {
        assert_eq!(exchange(&instacart, request).await, (200, SUCCESS.to_owned()));
    }
    assert_eq!(instacart.mismatches(), Vec::<String>::new());
    assert_eq!(instacart.requests_for("ann@example.org").len(), 4);
}

#[tokio::test]
async fn an_unknown_user_gets_the_documented_error() {
    let instacart = stand_in(account()).await;
    instacart.set_unknown_user("ann@example.org");
    for _ in 0..2 {
        assert_eq!(exchange(&instacart, REQUEST).await, (400, USER_NOT_FOUND.to_owned()));
    }
    let other = altered(REQUEST, "ann%40example.org", "u-1001");
    assert_eq!(exchange(&instacart, other).await.0, 200);
    assert_eq!(instacart.mismatches(), Vec::<String>::new());
}

#[tokio::test]
async fn every_mismatch_is_refused() {
    let instacart = stand_in(account()).await;
    const PATH: &str = "the path is not /v2/fulfillment/users/{user_id}/privacy_request";
    const RAW: &str = "user_id: a character that must be percent-encoded is not";
    const UNDECODABLE: &str = "user_id: not percent-encoded UTF-8";
    const NORMALISED: &str = "user_id: empty, or one that URL normalisation removes";
    const FORM: &str = "header authorization: not of the documented form";
    for (from, to, mismatch) in [
        ("POST", "PUT", "the method is not POST"),
        ("POST", "DELETE", "the method is not POST"),
        ("POST", "post", "the method is not POST"),
        ("/v2", "/v1", PATH),
        ("/v2", "//v2", PATH),
        ("/v2", "http://127.0.0.1/v2", PATH),
        ("fulfillment", "fulfillment_sandbox", PATH),
        ("fulfillment", "Fulfillment", PATH),
        ("privacy_request", "privacy_request/", PATH),
        ("/privacy_request", "", PATH),
        ("users/ann%40example.org/", "users/", PATH),
        ("privacy_request", "privacy_request?a=b", "the path is followed by a query"),
        ("privacy_request", "privacy_request?", "the path is followed by a query"),
        ("ann%40", "ann/", "user_id: more than one segment of the path"),
        ("ann%40", "ann@", RAW),
        ("ann%40", "ann+", RAW),
        ("ann%40", "ann:", RAW),
        ("ann%40", "ann\u{e9}", RAW),
        ("ann%40", "ann%4-", UNDECODABLE),
        ("ann%40", "ann%4g", UNDECODABLE),
        ("ann%40example.org", "ann%", UNDECODABLE),
        ("ann%40", "ann%E9", UNDECODABLE),
        ("ann%40example.org", "", NORMALISED),
        ("ann%40example.org", ".", NORMALISED),
        ("ann%40example.org", "%2E%2e", NORMALISED),
        ("Accept: application/json\r\n", "", "header accept: missing"),
        ("Accept: ", "Accept: */*\r\nAccept: ", "header accept: more than once"),
        ("Accept: application/json", "Accept: */*", "header accept: not the value it must have"),
        ("Content-Type: application/json\r\n", "", "header content-type: missing"),
        (
            "Content-Type: ",
            "Content-Type: application/json\r\nContent-Type: ",
            "header content-type: more than once",
        ),
        (
            "Content-Type: application/json",
            "Content-Type: application/json; charset=utf-8",
            "header content-type: not the value it must have",
        ),
        ("Authorization: Bearer s3cret\r\n", "", "header authorization: missing"),
        (
            "Authorization: ",
            "Authorization: Bearer s3cret\r\nAuthorization: ",
            "header authorization: more than once",
        ),
        ("Bearer s3cret", "s3cret", FORM),
        ("Bearer s3cret", "Bearer", FORM),
        ("Bearer s3cret", "bearer s3cret", FORM),
        ("Bearer s3cret", "Bearer  s3cret", FORM),
        ("Bearer s3cret", "Basic s3cret", FORM),
        ("CF-Worker", "X-Retailer-Id", "header x-retailer-id: not documented"),
        ("CF-Worker", "Webhook-Signature", "header webhook-signature: not documented"),
        ("CF-Worker", "Cookie", "header cookie: not documented"),
        ("CF-Worker", "Accept-Language", "header accept-language: not documented"),
        ("Content-Length: 0\r\n\r\n", "Content-Length: 2\r\n\r\n{}", "there is a body"),
        (
            "Content-Length: 0\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            "there is a body",
        ),
        (
            "Content-Length: 0\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n",
            "trailers after the body",
        ),
    ] {
        let request = altered(REQUEST, from, to);
        assert_mismatch(&instacart, request, 418, mismatch, PRIVATE).await;
    }
}

#[tokio::test]
async fn a_wrong_token_gets_the_documented_status() {
    let instacart = stand_in(account()).await;
    let request = altered(REQUEST, "s3cret", "other-token");
    let mismatch = "the token is not this account's";
    assert_mismatch(&instacart, request, 401, mismatch, PRIVATE).await;
    let request = altered(&altered(REQUEST, "s3cret", "other-token"), "POST", "PUT");
    assert_eq!(exchange(&instacart, request).await.0, 418, "another mismatch as well");
}

#[tokio::test]
async fn an_accounts_own_headers_are_required() {
    for (account, name, good, bad) in [
        (account().for_retailer("r-7"), "x-retailer-id", "r-7", "r-8"),
        (account().in_language("fr-CA"), "accept-language", "fr-CA", "en-CA"),
        (account().in_language("fr-CA"), "accept-language", "fr-CA", "fr-CA, en-CA"),
    ] {
        let instacart = stand_in(account).await;
        let line = format!("{name}: {good}\r\n");
        let request = altered(REQUEST, "CF-Worker: example.org\r\n", &line);
        assert_eq!(exchange(&instacart, &request).await.0, 200);
        for (to, mismatch) in [
            (String::new(), "missing"),
            (format!("{name}: {bad}\r\n"), "not the value it must have"),
            (format!("{line}{line}"), "more than once"),
        ] {
            let mismatch = format!("header {name}: {mismatch}");
            let request = altered(&request, &line, &to);
            assert_mismatch(&instacart, request, 418, &mismatch, PRIVATE).await;
        }
    }
}

#[tokio::test]
async fn a_language_that_is_not_documented_is_no_account() {
    assert!(StandIn::instacart(account().in_language("de-DE")).await.is_err());
}
