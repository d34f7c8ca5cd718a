//! Instacart Connect, as its page "Create a user data deletion request" has it:
//! `POST /v2/fulfillment/users/{user_id}/privacy_request`, without a body.

use super::answer::Answer;
use super::inspection::{Inspection, JSON, Verdict};
use super::journal::Recorded;

/// The page's response example: "User data deletion request created".
pub const SUCCESS: &str = r#"{"success":true}"#;

/// The page's only error ("User not found for the provided ID": 400, code 1001, meta `user_id`), in
/// the single form of Instacart's page on error codes, where `meta` stands beside `error`.
pub const USER_NOT_FOUND: &str =
    r#"{"error":{"message":"User Not Found","code":1001},"meta":{"key":"user_id"}}"#;

/// The account that the stand-in knows.
#[derive(Clone)]
pub struct InstacartAccount {
    /// The bearer token.
    pub token: String,
    /// `X-Retailer-Id`, "required for multi-banner retailers": demanded if set, else refused.
    pub retailer_id: Option<String>,
}

/// The languages that the page on request headers lists for `Accept-Language`.
const LANGUAGES: &[&str] = &["en-US", "en-CA", "fr-CA"];

/// The page's headers, and those of Instacart's page on request headers.
const HEADERS: &[&str] = &["accept", "accept-language", "authorization", "content-type"];

const RETAILER_HEADER: &str = "x-retailer-id";

/// Holds a request against the page.
pub(super) fn inspect(account: &InstacartAccount, request: &Recorded) -> Verdict {
    let mut inspection = Inspection::of(request);
    inspection.method("POST");
    let user_id = user_id(&mut inspection);

    // The request examples send all three, Content-Type too, although there is no body.
    inspection.header("accept", JSON);
    inspection.header("content-type", JSON);
    inspection.token("authorization", "Bearer ", &account.token);
    inspection.optional_header("accept-language", LANGUAGES);
    let mut documented = HEADERS.to_vec();
    if let Some(retailer_id) = &account.retailer_id {
        inspection.header(RETAILER_HEADER, retailer_id);
        documented.push(RETAILER_HEADER);
    }
    inspection.no_headers_besides(&documented);

    // "Request: None."
    if !request.body.is_empty() {
        inspection.depart("there is a body");
    }
    // "401: Ensure that the access token is valid"; the body of that answer is not documented.
    inspection.verdict(user_id, Answer::status(401))
}

/// Reads `{user_id}`, which is one segment of the path: "Any unique identifier, such as a login
/// name, loyalty ID, or email address". So whatever RFC 3986 does not call unreserved must be
/// percent-encoded, and what URL normalisation turns into another path is no user id.
fn user_id(inspection: &mut Inspection) -> Option<String> {
    let segment = inspection
        .path()
        .strip_prefix("/v2/fulfillment/users/")
        .and_then(|rest| rest.strip_suffix("/privacy_request"));
    let Some(segment) = segment else {
        inspection.depart("the path is not /v2/fulfillment/users/{user_id}/privacy_request");
        return None;
    };
    if segment.contains('/') {
        inspection.depart("user_id: more than one segment of the path");
        return None;
    }
    if !segment.bytes().all(|byte| is_unreserved(byte) || byte == b'%') {
        inspection.depart("user_id: a character that must be percent-encoded is not");
    }
    let Some(user_id) = percent_decoded(segment) else {
        inspection.depart("user_id: not percent-encoded UTF-8");
        return None;
    };
    if matches!(user_id.as_str(), "" | "." | "..") {
        inspection.depart("user_id: empty, or one that URL normalisation removes");
    }
    Some(user_id)
}

/// RFC 3986, section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Decodes every `%XX`; `None` where a `%` is not followed by two hexadecimal digits, or where the
/// result is not UTF-8.
fn percent_decoded(segment: &str) -> Option<String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = segment.bytes();
    let mut decoded = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => digit(bytes.next()?)? * 16 + digit(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::super::StandIn;
    use super::super::testing::{altered, assert_departs, exchange};
    use super::*;

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

    async fn stand_in(retailer_id: Option<&str>) -> StandIn {
        let retailer_id = retailer_id.map(str::to_owned);
        StandIn::instacart(InstacartAccount { token: "s3cret".to_owned(), retailer_id })
            .await
            .expect("a port")
    }

    #[tokio::test]
    async fn the_documented_request_succeeds() {
        let instacart = stand_in(None).await;
        let in_english =
            altered(REQUEST, "Connection", "Accept-Language: en-CA\r\nUser-Agent: x\r\nConnection");
        for request in [
            REQUEST,
            &in_english,
            &altered(REQUEST, "Content-Length: 0\r\n", ""),
            &altered(
                REQUEST,
                "Content-Length: 0\r\n\r\n",
                "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            ),
        ] {
            assert_eq!(exchange(&instacart, request).await, (200, SUCCESS.to_owned()));
        }
        assert_eq!(instacart.departures(), Vec::<String>::new());
        assert_eq!(instacart.requests_for("ann@example.org").len(), 4);
    }

    #[tokio::test]
    async fn an_unknown_user_gets_the_documented_error() {
        let instacart = stand_in(None).await;
        instacart.unknown("ann@example.org");
        for _ in 0..2 {
            assert_eq!(exchange(&instacart, REQUEST).await, (400, USER_NOT_FOUND.to_owned()));
        }
        let other = altered(REQUEST, "ann%40example.org", "u-1001");
        assert_eq!(exchange(&instacart, other).await.0, 200);
        assert_eq!(instacart.departures(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn every_departure_is_refused() {
        let instacart = stand_in(None).await;
        const PATH: &str = "the path is not /v2/fulfillment/users/{user_id}/privacy_request";
        const RAW: &str = "user_id: a character that must be percent-encoded is not";
        const UNDECODABLE: &str = "user_id: not percent-encoded UTF-8";
        const NORMALISED: &str = "user_id: empty, or one that URL normalisation removes";
        const FORM: &str = "header authorization: not of the documented form";
        for (from, to, departure) in [
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
            (
                "Accept: application/json",
                "Accept: */*",
                "header accept: not the value it must have",
            ),
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
            (
                "CF-Worker: ",
                "Accept-Language: de-DE, ",
                "header accept-language: not a value it may have",
            ),
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
            assert_departs(&instacart, request, 418, departure, PRIVATE).await;
        }
    }

    #[tokio::test]
    async fn a_wrong_token_gets_the_documented_status() {
        let instacart = stand_in(None).await;
        let request = altered(REQUEST, "s3cret", "other-token");
        let departure = "the token is not this account's";
        assert_departs(&instacart, request, 401, departure, PRIVATE).await;
        let request = altered(&altered(REQUEST, "s3cret", "other-token"), "POST", "PUT");
        assert_eq!(exchange(&instacart, request).await.0, 418, "another fault besides");
    }

    #[tokio::test]
    async fn a_retailer_id_is_demanded_where_one_is_expected() {
        let instacart = stand_in(Some("r-7")).await;
        let request = altered(REQUEST, "CF-Worker: example.org", "X-Retailer-Id: r-7");
        assert_eq!(exchange(&instacart, &request).await.0, 200);
        for (to, departure) in [
            ("", "header x-retailer-id: missing"),
            ("X-Retailer-Id: r-8\r\n", "header x-retailer-id: not the value it must have"),
            (
                "X-Retailer-Id: r-7\r\nX-Retailer-Id: r-7\r\n",
                "header x-retailer-id: more than once",
            ),
        ] {
            let request = altered(&request, "X-Retailer-Id: r-7\r\n", to);
            assert_departs(&instacart, request, 418, departure, PRIVATE).await;
        }
    }
}
