//! Instacart's call and answers, row by row.

use proptest::prelude::*;

use super::*;
use crate::vendor::tests::{answer, call, configured, problems, subject};

const MINIMAL: &str = r#"{"auth":{"token":"INSTACART_TOKEN"}}"#;
const NOT_FOUND: &str =
    r#"{"error":{"message":"User Not Found","code":1001},"meta":{"key":"user_id"}}"#;

fn vendor() -> Box<dyn Vendor> {
    configured(configure, MINIMAL)
}

fn judge(answer: &Answer) -> Verdict {
    vendor().judge(&call("privacy_request"), answer)
}

fn urls(user_ids: &[&str]) -> Vec<String> {
    let vendor = vendor();
    let ids: Vec<_> = user_ids.iter().map(|id| (Kind::UserId, *id)).collect();
    let steps = vendor.plan(&subject(&ids));
    let urls = steps.iter().map(|step| match step {
        Step::Unusable { detail, .. } => (*detail).to_owned(),
        Step::Call(call) => {
            let request = vendor.request(call);
            assert_eq!((request.method, request.body), (Method::POST, None));
            request.url
        }
    });
    urls.collect()
}

#[test]
fn asks_exactly_as_the_vendors_page_does() {
    let at = "https://connect.instacart.com/v2/fulfillment/users";
    assert_eq!(
        urls(&["u-1001", "a/b?c#d%é ..", "~.-_", "...", "%2e%2e"]),
        [
            format!("{at}/u-1001/privacy_request"),
            format!("{at}/a%2Fb%3Fc%23d%25%C3%A9%20../privacy_request"),
            format!("{at}/~.-_/privacy_request"),
            format!("{at}/.../privacy_request"),
            format!("{at}/%252e%252e/privacy_request"),
        ]
    );
    let settings = r#"{"base_url":"http://127.0.0.1:1/","retailer_id":"r1",
        "accept_language":"fr-CA","auth":{"token":"T"}}"#;
    let headers = configured(configure, settings).headers(&"t0ken".into());
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (*name, value.expose_secret())).collect();
    assert_eq!(
        headers,
        [
            ("Accept", "application/json"),
            ("Authorization", "Bearer t0ken"),
            ("Content-Type", "application/json"),
            ("X-Retailer-Id", "r1"),
            ("Accept-Language", "fr-CA")
        ]
    );
}

#[test]
fn a_user_id_that_is_no_segment_is_shown_and_not_sent() {
    assert_eq!(urls(&[".", ".."]), ["cannot be a segment of a URL's path"; 2]);
    assert_eq!(urls(&[]), ["the request names no user_id"]);
    assert_eq!(urls(&["", " "]), ["the request names no user_id"]);
}

#[test]
fn every_row_of_the_table() {
    use Outcome::*;
    let nested = format!(r#"{{"error":{{"message":"m","code":9999,"errors":[{NOT_FOUND}]}}}}"#);
    let two = nested.replace("[", r#"[{"error":{"message":"x","code":1001}},"#);
    for (status, body, outcome) in [
        (200, r#"{"success":true}"#, Accepted),
        (200, r#"{"success":true,"new":{}}"#, Accepted),
        (200, r#"{"success":"true"}"#, Uncertain),
        (200, r#"{"success":false}"#, Uncertain),
        (200, r#"{"success":true,"success":false}"#, Uncertain),
        (200, r#"{"success":true,"error":{"message":"x"}}"#, Uncertain),
        (200, r#"{"success":true,"error":"x"}"#, Uncertain),
        (200, r#"{"success":true,"errors":[{"error":{"code":1}}]}"#, Uncertain),
        (200, r#"{"success":true,"status":"failed"}"#, Uncertain),
        (200, r#"{"success":true,"error":null,"errors":[],"status":"ok"}"#, Accepted),
        (200, r#"{"success":true,"x":"\ud83d","y":1e999,"z":1,"z":2}"#, Accepted),
        (200, r#"{"success":true,"success":true}"#, Uncertain),
        (200, "\u{feff}{\"success\":true}", Accepted),
        (200, r#"{"success":"\ud800"}"#, Uncertain),
        (200, "<html>", Uncertain),
        (200, "", Uncertain),
        (201, r#"{"success":true}"#, Uncertain),
        (204, "", Uncertain),
        (301, "", Blocked),
        (400, NOT_FOUND, AlreadyAbsent),
        (400, &NOT_FOUND.to_lowercase(), AlreadyAbsent),
        (400, &nested, AlreadyAbsent),
        (400, &two, Rejected),
        (400, &NOT_FOUND.replace("User Not Found", "Feature not found for user"), Rejected),
        (400, &NOT_FOUND.replace("User", "Feature"), Rejected),
        (400, &NOT_FOUND.replace("Found", "Found For Feature"), Rejected),
        (400, &NOT_FOUND.replace("Found", "Found."), Rejected),
        (400, &NOT_FOUND.replace("User Not Found", "Not Found"), Rejected),
        (400, &NOT_FOUND.replacen('{', r#"{"success":false,"#, 1), AlreadyAbsent),
        (400, &NOT_FOUND.replacen('{', r#"{"success":true,"#, 1), Rejected),
        (400, &NOT_FOUND.replacen('{', r#"{"errors":{"x":1},"#, 1), Rejected),
        (
            400,
            &NOT_FOUND.replacen('{', r#"{"errors":[],"x":"\ud800","y":1,"y":2,"#, 1),
            AlreadyAbsent,
        ),
        (400, &format!("\u{feff}{NOT_FOUND}"), AlreadyAbsent),
        (400, &NOT_FOUND.replacen('{', r#"{"meta":{"key":"user_id"},"#, 1), Rejected),
        (400, &NOT_FOUND.replace("1001", "1002"), Rejected),
        (400, &NOT_FOUND.replace("1001", "null"), Rejected),
        (400, &NOT_FOUND.replace("Found", "Linked"), Rejected),
        (400, &NOT_FOUND.replace("user_id", "email"), Rejected),
        (400, &NOT_FOUND.replace("user_id", "feature_flag"), Blocked),
        (400, r#"{"error":{"message":"Feature not enabled for this client"}}"#, Blocked),
        (400, r#"{"error":"invalid_request"}"#, Rejected),
        (400, "User Not Found user_id 1001", Rejected),
        (400, r#"{"message":"User Not Found","code":1001,"meta":{"key":"user_id"}}"#, Rejected),
        (400, &nested.replace("9999", "1001"), Rejected),
        (400, &nested.replace("\"m\"", "\"Feature not enabled\"").replace("9999", "1001"), Blocked),
        (400, &format!(r#"{{"errors":[{NOT_FOUND}]}}"#), Rejected),
        (400, &NOT_FOUND.replacen('{', r#"{"errors":[{}],"#, 1), Rejected),
        (401, NOT_FOUND, Blocked),
        (403, "", Blocked),
        (404, NOT_FOUND, Blocked),
        (408, "", Scheduled),
        (418, "", Rejected),
        (429, "", Scheduled),
        (500, NOT_FOUND, Scheduled),
        (503, "", Scheduled),
    ] {
        let verdict = judge(&answer(status, body));
        assert_eq!(verdict.outcome, outcome, "{status} {body}");
        assert_eq!(verdict.status, Some(status));
    }
}

#[test]
fn a_cut_answer_confirms_nothing() {
    let mut cut = answer(200, r#"{"success":true}"#);
    cut.truncated = true;
    assert_eq!(judge(&cut).outcome, Outcome::Uncertain);
}

#[test]
fn a_wrong_configuration_is_named() {
    assert_eq!(problems(configure, MINIMAL), Vec::<String>::new());
    let client = r#"{"auth":{"client_id":"A","client_secret":"B","scope":"connect:x",
        "second":{"client_id":"C","client_secret":"D"}}}"#;
    assert_eq!(problems(configure, client), Vec::<String>::new());
    let both = r#"{"auth":{"token":"T","client_id":"A","client_secret":"B"}}"#;
    assert_eq!(problems(configure, both), ["V.auth.token: must not be set beside client_id"]);
    let wrong = r#"{"base_url":"http://example.com","retailer_id":"a b","accept_language":"de",
        "auth":{"client_id":"A","second":{}}}"#;
    let problems = problems(configure, wrong);
    let paths: Vec<_> = problems.iter().filter_map(|text| text.split(':').next()).collect();
    assert_eq!(
        paths,
        [
            "V.base_url",
            "V.retailer_id",
            "V.accept_language",
            "V.auth.client_secret",
            "V.auth.second.client_id",
            "V.auth.second.client_secret"
        ]
    );
}

proptest! {
    #[test]
    fn no_other_answer_is_good(status in 200u16..600, body: String) {
        prop_assert!(!judge(&answer(status, &body)).outcome.is_good());
    }

    /// Answers in the vendor's own words, well put together or not.
    #[test]
    fn only_the_documented_answers_are_good(
        status in prop::sample::select(vec![200u16, 201, 204, 302, 400, 401, 403, 404, 500]),
        code in prop::sample::select(vec!["1001", "9999", "null", "\"1001\"", "1002"]),
        message in prop::sample::select(vec![
            "User Not Found", "user not found", "User Not Linked", "Feature not enabled", "",
        ]),
        key in prop::sample::select(vec!["user_id", "feature_flag", "email"]),
        inside: bool,
        success in prop::sample::select(vec!["true", "false", "\"true\"", "1", "null"]),
        entries in 0usize..3,
    ) {
        let meta = format!(r#""meta":{{"key":"{key}"}}"#);
        let error = format!(r#""message":"{message}","code":{code}"#);
        let entry = if inside {
            format!(r#"{{"error":{{{error},{meta}}}}}"#)
        } else {
            format!(r#"{{"error":{{{error}}},{meta}}}"#)
        };
        let nested = vec![entry.clone(); entries].join(",");
        let nested = format!(r#"{{"error":{{"code":9999,"errors":[{nested}]}}}}"#);
        let confirmed = format!(r#"{{"success":{success}}}"#);
        let is_not_found = status == 400
            && code == "1001"
            && key == "user_id"
            && message.to_lowercase() == "user not found";
        for (body, absent) in
            [(&entry, is_not_found), (&nested, is_not_found && entries == 1), (&confirmed, false)]
        {
            let outcome = judge(&answer(status, body)).outcome;
            prop_assert_eq!(outcome == Outcome::AlreadyAbsent, absent);
            let accepted = status == 200 && body == r#"{"success":true}"#;
            prop_assert_eq!(outcome == Outcome::Accepted, accepted);
        }
    }

    #[test]
    fn a_user_id_reaches_the_vendor_as_one_segment(id: String) {
        let person = subject(&[(Kind::UserId, &id)]);
        let sent = person.identifiers().next().map_or("", |id| id.expose());
        prop_assume!(!["", ".", ".."].contains(&sent));
        let url = urls(&[&id]).remove(0);
        let path = url.strip_prefix("https://connect.instacart.com/").unwrap();
        let segments: Vec<&str> = path.split('/').collect();
        prop_assert_eq!(segments.len(), 5);
        let decoded = percent_encoding::percent_decode_str(segments[3]).decode_utf8().unwrap();
        prop_assert_eq!(decoded, sent);
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
        prop_assert!(segments[3].bytes().all(unreserved));
    }
}
