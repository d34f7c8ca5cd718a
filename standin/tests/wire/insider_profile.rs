//! The routes that reach a whole profile.

use standin::insider::{
    ANONYMIZE, CONTACT_ANONYMIZE, DELETE, NO_SUCH_USER, SOLE_IDENTIFIER, SUCCESS,
};
use standin::{Answer, InsiderAccount, StandIn};

use crate::exchange::{altered, assert_mismatch, exchange};

const BODY: &str = r#"{"identifiers":{"email":"ann@example.org"}}"#;

const PRIVATE: &[&str] = &["s3cret", "other-token", "ann", "xyz123", "i-99"];

async fn stand_in() -> StandIn {
    let (partner_name, token) = ("mybrand".to_owned(), "s3cret".to_owned());
    StandIn::insider(InsiderAccount { partner_name, token }).await.expect("a port")
}

fn request(line: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{line} HTTP/1.1\r\n\
         Host: 127.0.0.1\r\n\
         X-PARTNER-NAME: mybrand\r\n\
         X-REQUEST-TOKEN: s3cret\r\n\
         Content-Type: application/json\r\n\
         Connection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

fn post(path: &str, body: &str) -> String {
    request(&format!("POST {path}"), body)
}

#[tokio::test]
async fn the_documented_requests_succeed() {
    let insider = stand_in().await;
    for path in [DELETE, ANONYMIZE] {
        for (body, identifier) in [
            (BODY, "ann@example.org"),
            (r#"{"identifiers":{"phone_number":"+6598765432"}}"#, "+6598765432"),
            (r#"{"identifiers":{"uuid":"42"}}"#, "42"),
            (r#"{"identifiers":{"custom":{"user_loyalty_id":"xyz123"}}}"#, "xyz123"),
        ] {
            let before = insider.requests_for(identifier).len();
            let answer = exchange(&insider, post(path, body)).await;
            assert_eq!(answer, (200, SUCCESS.to_owned()), "{path} {body}");
            assert_eq!(insider.requests_for(identifier).len(), before + 1, "{path} {body}");
        }
        assert_eq!(insider.requests_to(path).len(), 4);
    }
    for path in [DELETE, CONTACT_ANONYMIZE] {
        let answer = exchange(&insider, post(path, r#"{"insider_id":"i-99"}"#)).await;
        assert_eq!(answer, (200, SUCCESS.to_owned()), "{path}");
    }
    assert_eq!(insider.mismatches(), Vec::<String>::new());
}

#[tokio::test]
async fn anonymize_has_a_route_for_each_name_of_a_profile() {
    let insider = stand_in().await;
    exchange(&insider, post(ANONYMIZE, r#"{"insider_id":"i-99"}"#)).await;
    exchange(&insider, post(CONTACT_ANONYMIZE, BODY)).await;
    assert_eq!(
        insider.mismatches(),
        [
            "request 1: body: not an object of `identifiers` alone",
            "request 2: body: not an object of `insider_id` alone"
        ]
    );
}

#[tokio::test]
async fn every_mismatch_is_refused() {
    let insider = stand_in().await;
    const PATH: &str = "the path is not /api/user/v1/{identity, delete or anonymize}";
    const ALONE: &str = "body: not an object of `identifiers` or `insider_id` alone";
    const NO_TEXT: &str = "insider_id: not a string";
    let path = DELETE;
    let good = post(path, BODY);
    let token = "header x-request-token: missing";
    for (request, mismatch) in [
        (request(&format!("DELETE {path}"), BODY), "the method is not POST"),
        (post(&format!("{path}/"), BODY), PATH),
        (post(&format!("{path}?email=ann"), BODY), "the path is followed by a query"),
        (altered(&good, "X-REQUEST-TOKEN: s3cret\r\n", ""), token),
        (post(path, ""), "body: not JSON"),
        (post(path, "{}"), ALONE),
        (post(path, r#"{"insider_id":"i-99","identifiers":{"uuid":"1"}}"#), ALONE),
        (post(path, r#"{"insider_id":"i-99","insider_id":"i-99"}"#), ALONE),
        (post(path, r#"{"users":[{"insider_id":"i-99"}]}"#), ALONE),
        (post(path, r#"{"insider_id":99}"#), NO_TEXT),
        (post(path, r#"{"insider_id":["i-99"]}"#), NO_TEXT),
        (post(path, r#"{"insider_id":""}"#), "insider_id: empty"),
        (
            post(path, r#"{"identifiers":{"insider_id":"i-99"}}"#),
            "identifiers: neither email, phone_number, uuid nor custom",
        ),
        (
            post(path, r#"{"identifiers":{"uuid":"1","email":"ann@example.org"}}"#),
            "identifiers: not an object of one identifier",
        ),
        (
            post(path, r#"{"identifiers":{"custom":{"a":"xyz123","b":"2"}}}"#),
            "custom: not an object of one identifier",
        ),
        (post(path, r#"{"identifiers":{"email":"ann"}}"#), "email: not an email address"),
    ] {
        assert_mismatch(&insider, request, 418, mismatch, PRIVATE).await;
    }
    let request = altered(&good, "s3cret", "other-token");
    let mismatch = "the token is not this account's";
    assert_mismatch(&insider, request, 401, mismatch, PRIVATE).await;
}

#[tokio::test]
async fn a_sole_identifier_does_not_keep_its_profile() {
    let insider = stand_in().await;
    insider.set_sole_identifier("ann@example.org");
    for (line, answer) in [
        ("DELETE /api/user/v1/identity", (400, SOLE_IDENTIFIER.to_owned())),
        ("POST /api/user/v1/delete", (200, SUCCESS.to_owned())),
        ("POST /api/user/v1/anonymize", (200, SUCCESS.to_owned())),
    ] {
        assert_eq!(exchange(&insider, request(line, BODY)).await, answer, "{line}");
    }
    assert_eq!(insider.mismatches(), Vec::<String>::new());
}

#[tokio::test]
async fn a_script_at_a_path_precedes_the_script() {
    let insider = stand_in().await;
    let missing = || Answer::json(404, NO_SUCH_USER);
    insider.script("ann@example.org", [Answer::status(500), Answer::status(429)]);
    insider.script_at(DELETE, "ann@example.org", [Answer::status(503), missing()]);
    for (path, status) in
        [(DELETE, 503), (ANONYMIZE, 500), (DELETE, 404), (ANONYMIZE, 429), (DELETE, 404)]
    {
        assert_eq!(exchange(&insider, post(path, BODY)).await.0, status);
    }
    let other = altered(BODY, "ann", "bob");
    assert_eq!(exchange(&insider, post(DELETE, &other)).await.0, 200, "of one identifier only");
    insider.script_at(DELETE, "ann@example.org", []);
    assert_eq!(exchange(&insider, post(DELETE, BODY)).await.0, 429, "an empty script is none");
}
