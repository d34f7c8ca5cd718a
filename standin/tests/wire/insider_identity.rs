//! The removal of one identifier, and what all routes share.

use standin::insider::{SOLE_IDENTIFIER, SUCCESS, WRONG_TOKEN};
use standin::{InsiderAccount, RecordedRequest, StandIn};

use crate::exchange::{altered, assert_mismatch, exchange};

const BODY: &str = r#"{"identifiers":{"email":"ann@example.org"}}"#;
const HEAD: &str = "\
    DELETE /api/user/v1/identity HTTP/1.1\r\n\
    Host: 127.0.0.1\r\n\
    X-PARTNER-NAME: mybrand\r\n\
    X-REQUEST-TOKEN: s3cret\r\n\
    Content-Type: application/json\r\n\
    CF-Worker: example.org\r\n\
    Connection: close\r\n";

const PRIVATE: &[&str] = &["s3cret", "other-token", "otherbrand", "ann", "6598765432", "xyz123"];

async fn stand_in() -> StandIn {
    let (partner_name, token) = ("mybrand".to_owned(), "s3cret".to_owned());
    StandIn::insider(InsiderAccount { partner_name, token }).await.expect("a port")
}

fn request(head: &str, body: &str) -> String {
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn the_documented_requests_succeed() {
    let insider = stand_in().await;
    for (body, identifier) in [
        (BODY, "ann@example.org"),
        (r#" { "identifiers" : {"phone_number":"+6598765432"} } "#, "+6598765432"),
        (r#"{"identifiers":{"phone_number":"+6598765"}}"#, "+6598765"),
        (r#"{"identifiers":{"phone_number":"+659876543212345"}}"#, "+659876543212345"),
        (r#"{"identifiers":{"uuid":"42"}}"#, "42"),
        (r#"{"identifiers":{"custom":{"user_loyalty_id":"xyz123"}}}"#, "xyz123"),
    ] {
        assert_eq!(exchange(&insider, request(HEAD, body)).await, (200, SUCCESS.to_owned()));
        let received: Vec<RecordedRequest> = insider.requests_for(identifier);
        assert_eq!(received.len(), 1, "{body}");
        assert_eq!(received[0].body, body.as_bytes());
    }
    let head = altered(HEAD, "CF-Worker", "Accept: */*\r\nCF-Worker");
    let chunked =
        format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    assert_eq!(exchange(&insider, format!("{head}{chunked}")).await.0, 200);
    assert_eq!(insider.mismatches(), Vec::<String>::new());
}

#[tokio::test]
async fn a_sole_identifier_gets_the_documented_error() {
    let insider = stand_in().await;
    insider.set_sole_identifier("ann@example.org");
    assert_eq!(exchange(&insider, request(HEAD, BODY)).await, (400, SOLE_IDENTIFIER.to_owned()));
    assert_eq!(insider.mismatches(), Vec::<String>::new());
}

#[tokio::test]
async fn every_mismatch_of_the_head_is_refused() {
    let insider = stand_in().await;
    const PATH: &str = "the path is not /api/user/v1/{identity, delete or anonymize}";
    const PARTNER: &str = "header x-partner-name: not the value it must have";
    const TYPE: &str = "header content-type: not the value it must have";
    for (from, to, mismatch) in [
        ("DELETE", "POST", "the method is not DELETE"),
        ("DELETE", "PATCH", "the method is not DELETE"),
        ("identity", "delete", "the method is not POST"),
        ("identity", "upsert", PATH),
        ("identity", "identity/", PATH),
        ("identity", "Identity", PATH),
        ("/api", "http://127.0.0.1/api", PATH),
        ("identity", "identity?email=ann", "the path is followed by a query"),
        ("X-PARTNER-NAME: mybrand\r\n", "", "header x-partner-name: missing"),
        ("X-PARTNER-NAME: mybrand", "X-PARTNER-NAME: MyBrand", PARTNER),
        ("X-PARTNER-NAME: mybrand", "X-PARTNER-NAME: otherbrand", PARTNER),
        (
            "X-PARTNER-NAME: ",
            "X-PARTNER-NAME: mybrand\r\nX-PARTNER-NAME: ",
            "header x-partner-name: more than once",
        ),
        ("X-REQUEST-TOKEN: s3cret\r\n", "", "header x-request-token: missing"),
        (
            "X-REQUEST-TOKEN: ",
            "X-REQUEST-TOKEN: s3cret\r\nX-REQUEST-TOKEN: ",
            "header x-request-token: more than once",
        ),
        ("s3cret", "", "header x-request-token: not of the documented form"),
        ("s3cret", "Bearer s3cret", "header x-request-token: not of the documented form"),
        ("Content-Type: application/json\r\n", "", "header content-type: missing"),
        ("application/json", "text/plain", TYPE),
        ("application/json", "application/json;charset=UTF-8", TYPE),
        (
            "Content-Type: ",
            "Content-Type: application/json\r\nContent-Type: ",
            "header content-type: more than once",
        ),
        ("CF-Worker: ", "Accept: text/html, ", "header accept: not a value it may have"),
        ("CF-Worker", "Authorization", "header authorization: not documented"),
        ("CF-Worker", "Accept-Language", "header accept-language: not documented"),
        ("CF-Worker", "Svix-Id", "header svix-id: not documented"),
        ("CF-Worker", "Cookie", "header cookie: not documented"),
    ] {
        let request = request(&altered(HEAD, from, to), BODY);
        assert_mismatch(&insider, request, 418, mismatch, PRIVATE).await;
    }
}

#[tokio::test]
async fn every_mismatch_of_the_body_is_refused() {
    let insider = stand_in().await;
    const ALONE: &str = "body: not an object of `identifiers` alone";
    const ONE: &str = "identifiers: not an object of one identifier";
    const ONE_CUSTOM: &str = "custom: not an object of one identifier";
    const KEY: &str = "identifiers: neither email, phone_number, uuid nor custom";
    const TEXT: &str = "identifiers: a value that is not a string";
    const PHONE: &str = "phone_number: not E.164";
    for (body, mismatch) in [
        ("", "body: not JSON"),
        ("email=ann@example.org", "body: not JSON"),
        (r#"{"identifiers":{"email":"ann@example.org"}}{}"#, "body: not JSON"),
        (r#"{"identifiers":{"email":"ann@example.org",}}"#, "body: not JSON"),
        (r#"[{"identifiers":{"email":"ann@example.org"}}]"#, ALONE),
        ("{}", ALONE),
        (r#"{"email":"ann@example.org"}"#, ALONE),
        (r#"{"insider_id":"1"}"#, ALONE),
        (r#"{"identifiers":{"email":"ann@example.org"},"insider_id":"1"}"#, ALONE),
        (r#"{"identifiers":{"uuid":"1"},"identifiers":{"uuid":"1"}}"#, ALONE),
        (r#"{"identifiers":{}}"#, ONE),
        (r#"{"identifiers":null}"#, ONE),
        (r#"{"identifiers":[{"uuid":"1"}]}"#, ONE),
        (r#"{"identifiers":{"uuid":"1","email":"ann@example.org"}}"#, ONE),
        (r#"{"identifiers":{"uuid":"1","uuid":"1"}}"#, ONE),
        (r#"{"identifiers":{"uuid":"1","custom":{}}}"#, ONE),
        (r#"{"identifiers":{"user_loyalty_id":"xyz123"}}"#, KEY),
        (r#"{"identifiers":{"Email":"ann@example.org"}}"#, KEY),
        (r#"{"identifiers":{"insider_id":"1"}}"#, KEY),
        (r#"{"identifiers":{"uuid":42}}"#, TEXT),
        (r#"{"identifiers":{"email":null}}"#, TEXT),
        (r#"{"identifiers":{"email":["ann@example.org"]}}"#, TEXT),
        (r#"{"identifiers":{"custom":"xyz123"}}"#, ONE_CUSTOM),
        (r#"{"identifiers":{"custom":{}}}"#, ONE_CUSTOM),
        (r#"{"identifiers":{"custom":{"a":"1","b":"2"}}}"#, ONE_CUSTOM),
        (r#"{"identifiers":{"custom":{"a":"1","a":"1"}}}"#, ONE_CUSTOM),
        (r#"{"identifiers":{"custom":{"":"1"}}}"#, "custom: the identifier's name is empty"),
        (r#"{"identifiers":{"custom":{"a":1.5}}}"#, TEXT),
        (r#"{"identifiers":{"custom":{"a":true}}}"#, TEXT),
        (r#"{"identifiers":{"custom":{"a":{"b":"1"}}}}"#, TEXT),
        (r#"{"identifiers":{"custom":{"a":""}}}"#, "custom: empty"),
        (r#"{"identifiers":{"uuid":""}}"#, "uuid: empty"),
        (r#"{"identifiers":{"email":"ann"}}"#, "email: not an email address"),
        (r#"{"identifiers":{"email":"@example.org"}}"#, "email: not an email address"),
        (r#"{"identifiers":{"email":"ann@"}}"#, "email: not an email address"),
        (r#"{"identifiers":{"phone_number":"6598765432"}}"#, PHONE),
        (r#"{"identifiers":{"phone_number":"+0659876543"}}"#, PHONE),
        (r#"{"identifiers":{"phone_number":"+65 9876 5432"}}"#, PHONE),
        (r#"{"identifiers":{"phone_number":"+659876"}}"#, PHONE),
        (r#"{"identifiers":{"phone_number":"+6598765432123456"}}"#, PHONE),
    ] {
        assert_mismatch(&insider, request(HEAD, body), 418, mismatch, PRIVATE).await;
    }
    let huge = format!("{BODY}{}", " ".repeat(5_000_000 - BODY.len()));
    let mismatch = "the request is larger than 5 MB";
    assert_mismatch(&insider, request(HEAD, &huge), 418, mismatch, PRIVATE).await;
}

#[tokio::test]
async fn a_wrong_token_gets_the_documented_answer() {
    let insider = stand_in().await;
    let request = request(&altered(HEAD, "s3cret", "other-token"), BODY);
    assert_eq!(exchange(&insider, &request).await, (401, WRONG_TOKEN.to_owned()));
    let mismatch = "the token is not this account's";
    assert_mismatch(&insider, request, 401, mismatch, PRIVATE).await;
}

#[tokio::test]
async fn a_partner_name_with_capitals_is_no_account() {
    let (partner_name, token) = ("MyBrand".to_owned(), "s3cret".to_owned());
    assert!(StandIn::insider(InsiderAccount { partner_name, token }).await.is_err());
}
