//! Token requests, and how long tokens are valid.

use serde_json::Value;
use standin::instacart::{INVALID_CLIENT, SUCCESS, TOKEN};
use standin::{Answer, InstacartAccount, StandIn};

use crate::exchange::{altered, assert_mismatch, exchange};

const HEAD: &str = "\
    POST /v2/oauth/token HTTP/1.1\r\n\
    Host: 127.0.0.1\r\n\
    Accept: application/json\r\n\
    Content-Type: application/json\r\n\
    CF-Worker: example.org\r\n\
    Connection: close\r\n";

const BODY: &str = r#"{"client_id":"first","client_secret":"s3cret",
    "grant_type":"client_credentials","scope":"connect:fulfillment"}"#;

const PRIVATE: &[&str] = &["first", "s3cret", "second", "0ther", "token-1"];

const INVALID: &str = "the client and its secret are not this account's";

fn account(scope: Option<&str>) -> InstacartAccount {
    InstacartAccount::with_clients(&[("first", "s3cret"), ("second", "0ther")], scope)
}

async fn stand_in() -> StandIn {
    StandIn::instacart(account(Some("connect:fulfillment"))).await.expect("a port")
}

fn request(head: &str, body: &str) -> String {
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn deletion(token: &str) -> String {
    format!(
        "POST /v2/fulfillment/users/u-1/privacy_request HTTP/1.1\r\n\
         Host: 127.0.0.1\r\n\
         Accept: application/json\r\n\
         Authorization: Bearer {token}\r\n\
         Content-Type: application/json\r\n\
         Connection: close\r\n\r\n"
    )
}

/// Asks for a token with `body`, which must be answered with one.
async fn granted(instacart: &StandIn, body: &str) -> Value {
    let (status, response) = exchange(instacart, request(HEAD, body)).await;
    assert_eq!(status, 200, "{body}: {response}");
    serde_json::from_str(&response).expect("JSON")
}

async fn token(instacart: &StandIn) -> String {
    granted(instacart, BODY).await["access_token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn a_client_is_issued_valid_tokens() {
    let instacart = stand_in().await;
    let second = altered(&altered(BODY, "first", "second"), "s3cret", "0ther");
    let mut tokens = Vec::new();
    for (number, body) in [BODY, BODY, &second].into_iter().enumerate() {
        assert_eq!(instacart.tokens_issued(), number);
        let response = granted(&instacart, body).await;
        assert_eq!(response.as_object().map(|members| members.len()), Some(4), "{response}");
        assert_eq!(
            (&response["token_type"], &response["expires_in"]),
            (&"Bearer".into(), &86_400.into())
        );
        assert!(response["created_at"].as_u64().is_some_and(|time| time > 1_600_000_000));
        tokens.push(response["access_token"].as_str().expect("a token").to_owned());
    }
    for token in &tokens {
        assert_eq!(tokens.iter().filter(|other| *other == token).count(), 1);
        let answer = exchange(&instacart, deletion(token)).await;
        assert_eq!(answer, (200, SUCCESS.to_owned()));
    }
    assert_eq!((instacart.requests_to(TOKEN).len(), instacart.requests_for("u-1").len()), (3, 3));
    assert!(instacart.requests_to(TOKEN).iter().all(|request| request.identifier.is_none()));
    assert_eq!(instacart.mismatches(), Vec::<String>::new());
}

#[tokio::test]
async fn a_scope_is_named_where_one_is_expected() {
    const FULFILLMENT: &str = r#","scope":"connect:fulfillment""#;
    let (other, none) =
        (altered(BODY, "connect:fulfillment", "connect:ian"), altered(BODY, FULFILLMENT, ""));
    let instacart = stand_in().await;
    for (body, mismatch) in
        [(&other, "scope: not the value it must have"), (&none, "scope: missing")]
    {
        assert_mismatch(&instacart, request(HEAD, body), 418, mismatch, PRIVATE).await;
    }
    let instacart = StandIn::instacart(account(None)).await.expect("a port");
    for body in [BODY, &other, &none, &altered(BODY, "connect:fulfillment", "connect:a,connect:b")]
    {
        granted(&instacart, body).await;
    }
    let body = altered(BODY, "connect:fulfillment", "connect:a connect:b");
    assert_mismatch(&instacart, request(HEAD, &body), 418, "scope: white space", PRIVATE).await;
    let body = altered(BODY, "\"connect:fulfillment\"", "null");
    assert_mismatch(&instacart, request(HEAD, &body), 418, "scope: not a string", PRIVATE).await;
}

#[tokio::test]
async fn every_mismatch_of_the_head_is_refused() {
    let instacart = stand_in().await;
    const PATH: &str = "the path is not /v2/fulfillment/users/{user_id}/privacy_request";
    for (from, to, mismatch) in [
        ("POST", "PUT", "the method is not POST"),
        ("POST", "GET", "the method is not POST"),
        ("token", "token?scope=a", "the path is followed by a query"),
        ("token", "token?", "the path is followed by a query"),
        ("Accept: application/json\r\n", "", "header accept: missing"),
        ("Accept: application/json", "Accept: */*", "header accept: not the value it must have"),
        ("Content-Type: application/json\r\n", "", "header content-type: missing"),
        (
            "Content-Type: application/json",
            "Content-Type: application/x-www-form-urlencoded",
            "header content-type: not the value it must have",
        ),
        (
            "Content-Type: ",
            "Content-Type: application/json\r\nContent-Type: ",
            "header content-type: more than once",
        ),
        ("CF-Worker", "Authorization", "header authorization: not documented"),
        ("CF-Worker", "X-Retailer-Id", "header x-retailer-id: not documented"),
        ("CF-Worker", "Accept-Language", "header accept-language: not documented"),
    ] {
        let request = request(&altered(HEAD, from, to), BODY);
        assert_mismatch(&instacart, request, 418, mismatch, PRIVATE).await;
    }
    let elsewhere = altered(HEAD, "oauth/token", "oauth/token/");
    assert_eq!(exchange(&instacart, request(&elsewhere, BODY)).await.0, 418);
    let last = instacart.requests().pop().expect("a request");
    assert!(last.mismatches.contains(&PATH.to_owned()), "{last:?}");
    assert_eq!(instacart.tokens_issued(), 0);
}

#[tokio::test]
async fn credentials_in_the_query_get_the_documented_status() {
    let instacart = stand_in().await;
    for query in ["client_id=first", "a=b&client_secret=s3cret"] {
        let head = altered(HEAD, "token", &format!("token?{query}"));
        let mismatch = "the path is followed by a query";
        let recorded =
            assert_mismatch(&instacart, request(&head, BODY), 403, mismatch, PRIVATE).await;
        let shown = format!("{recorded:?}");
        assert!(PRIVATE.iter().all(|private| !shown.contains(private)), "{shown}");
    }
}

#[tokio::test]
async fn every_mismatch_of_the_body_is_refused() {
    let instacart = stand_in().await;
    const MEMBER: &str = "body: a member that this grant type does not have";
    const GRANT: &str = "grant_type: not client_credentials";
    for (from, to, mismatch) in [
        (BODY, "", "body: not JSON"),
        (BODY, "client_id=first&client_secret=s3cret", "body: not JSON"),
        (BODY, r#"["first","s3cret"]"#, "body: not an object"),
        ("}", r#","code":"1"}"#, MEMBER),
        ("}", r#","s3cret":"s3cret"}"#, MEMBER),
        (r#""client_id":"first","#, "", "client_id: missing"),
        (r#""client_secret":"s3cret","#, "", "client_secret: missing"),
        (r#""grant_type":"client_credentials","#, "", "grant_type: missing"),
        ("\"first\"", r#""first","client_id":"first""#, "client_id: more than once"),
        ("\"s3cret\"", r#""s3cret","client_secret":"s3cret""#, "client_secret: more than once"),
        ("}", r#","grant_type":"client_credentials"}"#, "grant_type: more than once"),
        ("}", r#","scope":"connect:fulfillment"}"#, "scope: more than once"),
        ("\"first\"", "1", "client_id: not a string"),
        ("\"s3cret\"", r#"["s3cret"]"#, "client_secret: not a string"),
        ("\"connect:fulfillment\"", "null", "scope: not a string"),
        ("first", "", "client_id: empty"),
        ("s3cret", "", "client_secret: empty"),
        ("connect:fulfillment", "", "scope: empty"),
        ("\"client_credentials\"", "\"authorization_code\"", GRANT),
        ("\"client_credentials\"", "\"Client_Credentials\"", GRANT),
    ] {
        let body = altered(BODY, from, to);
        assert_mismatch(&instacart, request(HEAD, &body), 418, mismatch, PRIVATE).await;
    }
    assert_eq!(instacart.tokens_issued(), 0);
}

#[tokio::test]
async fn a_wrong_client_is_refused_and_kept() {
    let instacart = stand_in().await;
    for body in [
        altered(BODY, "first", "third"),
        altered(BODY, "first", "First"),
        altered(BODY, "s3cret", "S3cret"),
        altered(BODY, "s3cret", "0ther"), // of the second client
    ] {
        assert_mismatch(&instacart, request(HEAD, &body), 401, INVALID, PRIVATE).await;
    }
    let (_, body) = exchange(&instacart, request(HEAD, &altered(BODY, "first", "third"))).await;
    assert_eq!(body, INVALID_CLIENT);
    let with_token = StandIn::instacart(InstacartAccount::with_token("s3cret")).await;
    let with_token = with_token.expect("a port");
    assert_mismatch(&with_token, request(HEAD, BODY), 401, INVALID, PRIVATE).await;
}

#[tokio::test]
async fn a_client_that_the_test_disables_is_refused_without_a_mismatch() {
    let instacart = stand_in().await;
    let before = token(&instacart).await;
    instacart.disable_client("first");
    for body in [BODY, &altered(BODY, "s3cret", "0ther")] {
        let answer = exchange(&instacart, request(HEAD, body)).await;
        assert_eq!(answer, (401, INVALID_CLIENT.to_owned()));
    }
    granted(&instacart, &altered(&altered(BODY, "first", "second"), "s3cret", "0ther")).await;
    assert_eq!(exchange(&instacart, deletion(&before)).await.0, 200, "its tokens stay valid");
    assert_eq!(instacart.tokens_issued(), 2);
    assert_eq!(instacart.mismatches(), Vec::<String>::new());
    let faulty = altered(BODY, "client_credentials", "password");
    assert_eq!(
        exchange(&instacart, request(HEAD, &faulty)).await.0,
        418,
        "another mismatch as well"
    );
}

#[tokio::test]
async fn a_token_that_was_valid_gets_the_401_only() {
    let instacart = stand_in().await;
    let revoked = token(&instacart).await;
    instacart.revoke_tokens();
    instacart.set_token_lifetime(0);
    let expired = granted(&instacart, BODY).await;
    assert_eq!(expired["expires_in"], 0);
    instacart.set_token_lifetime(3600);
    let good = granted(&instacart, BODY).await;
    assert_eq!(good["expires_in"], 3600);
    instacart.script("u-1", [Answer::status(202), Answer::Success]);
    let text = |response: &Value| response["access_token"].as_str().expect("a token").to_owned();
    for (token, status) in [(revoked, 401), (text(&expired), 401), (text(&good), 202)] {
        assert_eq!(exchange(&instacart, deletion(&token)).await.0, status, "{token}");
    }
    assert_eq!(instacart.mismatches(), Vec::<String>::new());
    for never_issued in ["s3cret", "token-1-0000000000000000"] {
        let mismatch = "the token is not this account's";
        assert_mismatch(&instacart, deletion(never_issued), 401, mismatch, PRIVATE).await;
    }
}

#[tokio::test]
async fn token_requests_have_a_script() {
    let instacart = stand_in().await;
    let busy = || Answer::status(429).with_header("Retry-After", "7");
    instacart.script_token_requests([busy(), Answer::html(503), Answer::Success]);
    assert_mismatch(&instacart, request(HEAD, "{"), 418, "body: not JSON", PRIVATE).await;
    for (status, issued) in [(429, 0), (503, 0), (200, 1), (200, 2)] {
        assert_eq!(exchange(&instacart, request(HEAD, BODY)).await.0, status);
        assert_eq!(instacart.tokens_issued(), issued);
    }
    let good = token(&instacart).await;
    instacart.script_token_requests([busy()]);
    assert_eq!(exchange(&instacart, deletion(&good)).await.0, 200, "for token requests only");
    instacart.script("u-1", [Answer::status(500)]);
    for _ in 0..2 {
        assert_eq!(exchange(&instacart, request(HEAD, BODY)).await.0, 429, "the last one repeats");
    }
    instacart.script_token_requests([]);
    assert_eq!(exchange(&instacart, request(HEAD, BODY)).await.0, 200, "an empty script is none");
}

#[tokio::test]
async fn an_accounts_own_headers_are_allowed() {
    let account = account(None).for_retailer("r-7").in_language("fr-CA");
    let instacart = StandIn::instacart(account).await.expect("a port");
    let own = "X-Retailer-Id: r-7\r\nAccept-Language: fr-CA\r\nConnection";
    for head in [HEAD, &altered(HEAD, "Connection", own)] {
        assert_eq!(exchange(&instacart, request(head, BODY)).await.0, 200, "{head}");
    }
    for (other, mismatch) in [
        ("X-Retailer-Id: r-8", "header x-retailer-id: not a value it may have"),
        ("Accept-Language: en-CA", "header accept-language: not a value it may have"),
    ] {
        let head = altered(HEAD, "Connection", &format!("{other}\r\nConnection"));
        assert_mismatch(&instacart, request(&head, BODY), 418, mismatch, PRIVATE).await;
    }
}

#[tokio::test]
async fn debug_output_keeps_credentials_back() {
    let instacart = stand_in().await;
    token(&instacart).await;
    let shown = format!("{:?}", instacart.requests());
    assert!(shown.contains(TOKEN) && !shown.contains("s3cret"), "{shown}");
}
