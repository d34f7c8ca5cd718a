//! Whether an answer that confirms says something else as well.

use crate::json::Json;

/// What the name of a member holds that is there when something failed.
const FAILURES: [&str; 6] = ["error", "fail", "reject", "exception", "invalid", "denied"];

/// Members that say whether, or how often, it went well.
const SUCCESSES: [&str; 4] = ["success", "successful", "succeeded", "ok"];

/// Members that say in words, or by a status, how it went.
const REPORTS: [&str; 9] = [
    "status",
    "state",
    "result",
    "outcome",
    "message",
    "detail",
    "code",
    "statuscode",
    "status_code",
];

/// What such words hold when it went wrong.
const BAD_WORDS: [&str; 17] = [
    "fail",
    "error",
    "reject",
    "exception",
    "invalid",
    "denied",
    "refus",
    "forbid",
    "unauthori",
    "unable",
    "cannot",
    "not found",
    "no such",
    "not enabled",
    "unsuccessful",
    "cancel",
    "abort",
];

/// Whether a member of `answer`, however deep, says that the request failed: an error that is not
/// empty, a bad status or bad words, or that there was no success. Names are compared without case.
pub fn contradicts(answer: &Json<'_>) -> bool {
    match answer {
        Json::Array(items) => items.iter().any(contradicts),
        Json::Object(members) => members.iter().any(|(name, value)| {
            let name = name.to_ascii_lowercase();
            let is_failure = FAILURES.iter().any(|word| name.contains(word)) && !is_nothing(value);
            let is_bad = REPORTS.contains(&name.as_str()) && is_bad(value);
            let is_no_success = SUCCESSES.contains(&name.as_str()) && is_nothing(value);
            is_failure || is_bad || is_no_success || contradicts(value)
        }),
        _ => false,
    }
}

/// Null, false, zero, blank, or empty; also a list or an object of such values.
fn is_nothing(value: &Json<'_>) -> bool {
    match value {
        Json::Null | Json::Bool(false) | Json::Integer(0) => true,
        Json::Text(text) => matches!(text.trim(), "" | "0" | "false"),
        Json::Array(items) => items.iter().all(is_nothing),
        Json::Object(members) => members.iter().all(|(_, value)| is_nothing(value)),
        _ => false,
    }
}

/// Words that report a failure, or a number that is not the status of a success.
fn is_bad(value: &Json<'_>) -> bool {
    match value {
        Json::Text(text) => {
            let text = text.trim().to_ascii_lowercase();
            let number = text.parse::<i64>().is_ok_and(|number| number >= 300);
            number || text == "false" || BAD_WORDS.iter().any(|word| text.contains(word))
        }
        Json::Integer(number) => *number >= 300,
        Json::Bool(truth) => !truth,
        Json::LargeInteger(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_beside_a_success_contradicts() {
        for member in [
            r#""error":{"message":"x"}"#,
            r#""error":"x""#,
            r#""error":true"#,
            r#""error":1001"#,
            r#""Error":"x""#,
            r#""errors":["x"]"#,
            r#""errors":{"a":"b"}"#,
            r#""errors":[{"code":1}]"#,
            r#""error_code":1001"#,
            r#""errorMessage":"x""#,
            r#""has_errors":true"#,
            r#""error":"\ud800""#,
            r#""error":1.5"#,
            r#""error":"x","error":null"#,
            r#""failed":1"#,
            r#""failures":["x"]"#,
            r#""fail":{"errors":["x"]}"#,
            r#""data":{"successful":{"count":0},"fail":{"errors":["x"]}}"#,
            r#""data":[{"error":"x"}]"#,
            r#""data":{"success":false}"#,
            r#""data":{"success":"false"}"#,
            r#""rejected":true"#,
            r#""status":"failed""#,
            r#""status":"FAILURE""#,
            r#""status":"error""#,
            r#""status":400"#,
            r#""status":"500""#,
            r#""statusCode":403"#,
            r#""state":"rejected""#,
            r#""result":false"#,
            r#""code":1001"#,
            r#""message":"User Not Found""#,
            r#""message":"Access Denied.""#,
        ] {
            let text = format!(r#"{{"success":true,{member}}}"#);
            assert!(contradicts(&Json::parse_leniently(text.as_bytes()).unwrap()), "{text}");
        }
    }

    #[test]
    fn nothing_and_good_news_contradict_nothing() {
        for member in [
            r#""error":null"#,
            r#""error":false"#,
            r#""error":"""#,
            r#""error":{}"#,
            r#""error_code":0"#,
            r#""errors":[]"#,
            r#""errors":{}"#,
            r#""errors":null"#,
            r#""errors":{"email":[]}"#,
            r#""failed":0"#,
            r#""status":"success""#,
            r#""status":"ok""#,
            r#""status":"queued""#,
            r#""status":200"#,
            r#""status":"202""#,
            r#""result":true"#,
            r#""message":"received""#,
            r#""data":{"successful":{"count":1},"fail":{}}"#,
            r#""new":{"x":[1,"\ud800",1e999]}"#,
            r#""x":1,"x":2"#,
        ] {
            let text = format!(r#"{{"success":true,{member}}}"#);
            assert!(!contradicts(&Json::parse_leniently(text.as_bytes()).unwrap()), "{text}");
        }
    }
}
