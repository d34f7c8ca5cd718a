//! Insider's calls and answers, row by row.

use proptest::prelude::*;

use super::*;
use crate::erasure::CustomName;
use crate::vendor::insider::identifier::MAX_BODY_BYTES;
use crate::vendor::tests::{answer, call, configured, problems, subject};

const MINIMAL: &str =
    r#"{"partner_name":"mybrand","erase":"identity","auth":{"token":"INSIDER_TOKEN"}}"#;

fn vendor() -> Box<dyn Vendor> {
    configured(configure, MINIMAL)
}

fn requests(identifiers: &[(Kind, &str)]) -> Vec<(String, String)> {
    requests_of(vendor(), identifiers)
}

fn requests_of(vendor: Box<dyn Vendor>, identifiers: &[(Kind, &str)]) -> Vec<(String, String)> {
    let steps = vendor.plan(&subject(identifiers));
    let calls = steps.iter().map(|step| match step {
        Step::Unusable { identifier, detail } => {
            let kind = identifier.as_ref().map(Identifier::kind);
            (format!("{kind:?}"), (*detail).to_owned())
        }
        Step::Call(call) => {
            let request = vendor.request(call);
            (format!("{} {}", request.method, request.url), request.body.unwrap())
        }
    });
    calls.collect()
}

#[test]
fn asks_exactly_as_the_vendors_page_does() {
    let custom = Kind::Custom(CustomName::parse("user_loyalty_id").unwrap());
    let url = "DELETE https://unification.useinsider.com/api/user/v1/identity".to_owned();
    let sent = requests(&[
        (Kind::UserId, "u-1"),
        (Kind::Email, " sample@useinsider.com"),
        (Kind::PhoneNumber, "+6598765432"),
        (Kind::Uuid, "42"),
        (Kind::InsiderId, "i-1"),
        (custom, "xyz\"123"),
    ]);
    let bodies = [
        r#"{"identifiers":{"email":"sample@useinsider.com"}}"#,
        r#"{"identifiers":{"phone_number":"+6598765432"}}"#,
        r#"{"identifiers":{"custom":{"user_loyalty_id":"xyz\"123"}}}"#,
        r#"{"identifiers":{"uuid":"42"}}"#,
    ];
    assert_eq!(sent, bodies.map(|body| (url.clone(), body.to_owned())));
    let headers = vendor().headers(&"1a2b3c4e5d6f".into());
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (*name, value.expose_secret())).collect();
    assert_eq!(
        headers,
        [
            ("X-PARTNER-NAME", "mybrand"),
            ("X-REQUEST-TOKEN", "1a2b3c4e5d6f"),
            ("Content-Type", "application/json")
        ]
    );
}

#[test]
fn a_whole_profile_is_one_call_by_its_best_name() {
    let all = [
        (Kind::Email, "sample@useinsider.com"),
        (Kind::PhoneNumber, "555"),
        (Kind::InsiderId, "i-1"),
        (Kind::Uuid, "42"),
    ];
    for (erase, path, path_by_id) in [
        ("profile", "user/v1/delete", "user/v1/delete"),
        ("anonymize", "user/v1/anonymize", "contact/v1/anonymize"),
    ] {
        let settings = MINIMAL.replace(r#""erase":"identity""#, &format!(r#""erase":"{erase}""#));
        let sent = |people: &[(Kind, &str)]| requests_of(configured(configure, &settings), people);
        let url = |path| format!("POST https://unification.useinsider.com/api/{path}");
        let by_id = (url(path_by_id), r#"{"insider_id":"i-1"}"#.to_owned());
        assert_eq!(sent(&all), [by_id]); // the phone number is not needed
        let unusable = ("Some(PhoneNumber)".into(), "is not in E.164 format".into());
        assert_eq!(sent(&[all[1].clone()]), [unusable]);
        let uuid = r#"{"identifiers":{"uuid":"42"}}"#.to_owned();
        assert_eq!(sent(&[all[0].clone(), all[3].clone()]), [(url(path), uuid)]);
    }
}

#[test]
fn an_identifier_beyond_the_vendors_limit_is_not_sent() {
    let long = "x".repeat(MAX_BODY_BYTES);
    assert_eq!(requests(&[(Kind::Uuid, &long)])[0].1, "is too long for the vendor");
}

#[test]
fn an_unusable_identifier_is_shown_and_not_sent() {
    for number in ["555-625-1199", "6598765432", "+0123456789", "+123456", "+1234567890123456"] {
        let sent = requests(&[(Kind::PhoneNumber, number)]);
        assert_eq!(sent, [("Some(PhoneNumber)".into(), "is not in E.164 format".into())]);
    }
    assert_eq!(requests(&[(Kind::UserId, "u-1")])[0].0, "None");
}

const SOLE: &str =
    r#"{"error":"you cannot delete the sole identifier specified for a user: bad request"}"#;
const NO_SUCH_USER: &str = r#"{"error":"no such user for these identifiers: no data"}"#;

#[test]
fn every_row_of_the_table() {
    use Outcome::*;
    for (status, body, outcome) in [
        (200, "", Accepted),
        (204, "", Accepted),
        (200, "{}", Accepted),
        (200, r#"{"success":true}"#, Accepted),
        (200, r#"{"success":false}"#, Uncertain),
        (200, r#"{"success":"true"}"#, Uncertain),
        (200, r#"{"success":true,"error":"x"}"#, Uncertain),
        (200, r#"{"success":true,"error":{"code":1}}"#, Uncertain),
        (200, r#"{"success":true,"errors":["x"]}"#, Uncertain),
        (200, r#"{"success":true,"status":"failed"}"#, Uncertain),
        (200, r#"{"success":true,"message":"Partner token authentication failed."}"#, Uncertain),
        (200, r#"{"success":true,"data":{"fail":{"errors":["x"]}}}"#, Uncertain),
        (200, r#"{"success":true,"success":false}"#, Uncertain),
        (200, r#"{"success":true,"error":null,"errors":[]}"#, Accepted),
        (200, r#"{"success":true,"data":{"successful":{"count":1},"fail":{}}}"#, Accepted),
        (200, r#"{"success":true,"x":"\ud83d","y":1e999,"z":1,"z":2}"#, Accepted),
        (200, "\u{feff}{}", Accepted),
        (200, "\u{feff}", Accepted),
        (200, r#"{"\ud800":1}"#, Uncertain),
        (200, r#"{"x":1,"x":2}"#, Uncertain),
        (400, "\u{feff}{\"error\":\"x sole identifier\",\"y\":\"\\ud800\",\"y\":1}", NotErased),
        (200, r#"{"message":"Partner token authentication failed."}"#, Uncertain),
        (200, r#"{"data":{"successful":{"count":0},"fail":{"errors":["x"]}}}"#, Uncertain),
        (202, "", Uncertain),
        (206, "{}", Uncertain),
        (200, r#"{"error":"x: bad request"}"#, Uncertain),
        (200, "<html>", Uncertain),
        (200, "[]", Uncertain),
        (301, "", Blocked),
        (400, SOLE, NotErased),
        (400, r#"{"error":"no valid identifier: bad request"}"#, Blocked),
        (400, r#"{"success":false,"message":"Partner is invalid."}"#, Blocked),
        (400, r#"{"error":"content type must be application/json"}"#, Blocked),
        (400, r#"{"error":"other: bad request"}"#, Rejected),
        (400, "<html>sole identifier</html>", Rejected),
        (401, r#"{"success":false,"message":"Partner token authentication failed."}"#, Blocked),
        (403, r#"{"success":false,"message":"Access Denied."}"#, Blocked),
        (403, r#"{"message":"Too many attempts, please slow down"}"#, Scheduled),
        (403, "<html>", Scheduled),
        (403, "\u{feff} <html>", Scheduled),
        (403, "", Blocked),
        (403, "Forbidden", Blocked),
        (400, r#"{"error":null,"message":"sole identifier"}"#, NotErased),
        (404, r#"{"error":"page not found"}"#, Blocked),
        (404, "<html>no such user</html>", Blocked),
        (408, "", Scheduled),
        (418, "", Rejected),
        (429, r#"{"error":"rejected: too many requests"}"#, Scheduled),
        (500, SOLE, Scheduled),
        (520, "<html>", Scheduled),
    ] {
        for name in [IDENTITY, PROFILE, ANONYMIZE] {
            let verdict = vendor().judge(&call(name), &answer(status, body));
            assert_eq!(verdict.outcome, outcome, "{name} {status} {body}");
            assert_eq!(verdict.status, Some(status));
        }
    }
}

#[test]
fn no_such_user_is_believed_where_it_is_documented() {
    let judge = |settings: &str, name| {
        let vendor = configured(configure, settings);
        vendor.judge(&call(name), &answer(404, NO_SUCH_USER)).outcome
    };
    let trusting = MINIMAL.replacen('{', r#"{"no_such_user":"already_absent","#, 1);
    for (name, careful) in [
        (ANONYMIZE, Outcome::AlreadyAbsent),
        (PROFILE, Outcome::Rejected),
        (IDENTITY, Outcome::Rejected),
    ] {
        assert_eq!(judge(MINIMAL, name), careful);
        assert_eq!(judge(&trusting, name), Outcome::AlreadyAbsent);
    }
}

#[test]
fn no_such_user_is_believed_in_the_documented_words_alone() {
    let shouted = NO_SUCH_USER.to_uppercase().replace("ERROR", "error");
    let odd = NO_SUCH_USER.replace('}', r#","x":"\ud800","y":1,"y":2}"#);
    for (body, outcome) in [
        (NO_SUCH_USER, Outcome::AlreadyAbsent),
        (&shouted, Outcome::AlreadyAbsent),
        (&odd, Outcome::AlreadyAbsent),
        (&format!("\u{feff}{NO_SUCH_USER}"), Outcome::AlreadyAbsent),
        (&NO_SUCH_USER.replace('}', r#","success":false}"#), Outcome::AlreadyAbsent),
        (&NO_SUCH_USER.replace('}', r#","success":true}"#), Outcome::Rejected),
        (&NO_SUCH_USER.replace(": no data", ""), Outcome::Rejected),
        (&NO_SUCH_USER.replace("no such user", "perhaps no such user"), Outcome::Rejected),
        (&NO_SUCH_USER.replace("no data", "no data source"), Outcome::Rejected),
        (&NO_SUCH_USER.replace("these identifiers", "this partner"), Outcome::Rejected),
        (&NO_SUCH_USER.replace('}', r#","error":"x"}"#), Outcome::Blocked),
        (r#"{"error":"no such user"}"#, Outcome::Rejected),
        (r#"{"error":"no such partner for these identifiers: no data"}"#, Outcome::Blocked),
        (r#"{"error":["no such user for these identifiers: no data"]}"#, Outcome::Blocked),
        ("no such user for these identifiers: no data", Outcome::Blocked),
    ] {
        let verdict = vendor().judge(&call(ANONYMIZE), &answer(404, body));
        assert_eq!(verdict.outcome, outcome, "{body}");
    }
}

#[test]
fn a_cut_answer_confirms_nothing() {
    for body in ["{}", ""] {
        let mut cut = answer(200, body);
        cut.truncated = true;
        assert_eq!(vendor().judge(&call(IDENTITY), &cut).outcome, Outcome::Uncertain);
    }
}

#[test]
fn a_wrong_configuration_is_named() {
    assert_eq!(problems(configure, MINIMAL), Vec::<String>::new());
    let wrong = r#"{"partner_name":"MyBrand","erase":"identity","auth":{"token":"T","tokne":"T"}}"#;
    assert_eq!(
        problems(configure, wrong),
        ["V.partner_name: must be lowercase", "V.auth.tokne: is not a known setting"]
    );
    let unchosen = MINIMAL.replace(r#""erase":"identity","#, "");
    assert_eq!(problems(configure, &unchosen), [format!("V.erase: {ERASE_UNSET}")]);
}

proptest! {
    /// Answers in the vendor's own words, well put together or not.
    #[test]
    fn only_the_documented_answers_are_good(
        status in prop::sample::select(vec![200u16, 204, 302, 400, 401, 403, 404, 429, 500]),
        name in prop::sample::select(vec![IDENTITY, PROFILE, ANONYMIZE]),
        key in prop::sample::select(vec!["error", "message", "data"]),
        words in prop::sample::select(vec![
            "no such user for these identifiers: no data",
            "you cannot delete the sole identifier specified for a user: bad request",
            "ok",
            "",
        ]),
        success: Option<bool>,
    ) {
        let success = success.map(|yes| format!(r#","success":{yes}"#)).unwrap_or_default();
        let body = format!(r#"{{"{key}":"{words}"{success}}}"#);
        let outcome = vendor().judge(&call(name), &answer(status, &body)).outcome;
        let bad_words = words.len() > 2;
        let says = words.is_empty() || key == "data" || (key == "message" && !bad_words);
        let confirmed = says && success.ends_with("true");
        prop_assert_eq!(outcome == Outcome::Accepted, status < 300 && confirmed);
        let absent = status == 404
            && name == ANONYMIZE
            && words.starts_with("no such user")
            && key != "data"
            && !success.ends_with("true");
        prop_assert_eq!(outcome == Outcome::AlreadyAbsent, absent);
    }

    #[test]
    fn only_a_2xx_without_an_error_is_accepted(status in 200u16..600, body: String) {
        let outcome = vendor().judge(&call(IDENTITY), &answer(status, &body)).outcome;
        prop_assert_ne!(outcome, Outcome::AlreadyAbsent);
        if outcome == Outcome::Accepted {
            prop_assert!((200..300).contains(&status));
            let object = body.trim().starts_with('{');
            prop_assert!(body.is_empty() || object);
        }
    }
}
