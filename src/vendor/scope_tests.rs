//! What each vendor's answers are about, row by row of its table.

use super::tests::{answer, call, configured};
use super::*;
use crate::receipt::Outcome::{self, Blocked, Rejected, Scheduled};

type Row = (u16, &'static str, Outcome, Scope);

fn check(vendor: &dyn Vendor, name: &'static str, rows: &[Row]) {
    for (status, body, outcome, scope) in rows {
        let verdict = vendor.judge(&call(name), &answer(*status, body));
        assert_eq!((verdict.outcome, verdict.scope), (*outcome, *scope), "{status} {body}");
    }
}

/// The same for every vendor.
const EVERYWHERE: &[Row] = &[
    (301, "", Blocked, Scope::Account),
    (401, "", Blocked, Scope::Account),
    (404, "", Blocked, Scope::Account),
    (408, "", Scheduled, Scope::Unclear),
    (429, "", Scheduled, Scope::Account),
    (500, "", Scheduled, Scope::Call),
    (502, "", Scheduled, Scope::Unclear),
    (503, "", Scheduled, Scope::Unclear),
    (504, "", Scheduled, Scope::Unclear),
    (520, "", Scheduled, Scope::Unclear),
    (400, "{}", Rejected, Scope::Call),
];

#[test]
fn of_instacart() {
    let vendor = configured(instacart::configure, r#"{"auth":{"token":"T"}}"#);
    check(vendor.as_ref(), "privacy_request", EVERYWHERE);
    check(
        vendor.as_ref(),
        "privacy_request",
        &[
            (
                400,
                r#"{"error":{"message":"Feature not enabled for this client","code":1001},"meta":{"key":"feature_flag"}}"#,
                Blocked,
                Scope::Account,
            ),
            (403, r#"{"error":{"message":"User Not Active","code":null}}"#, Rejected, Scope::Call),
            (403, r#"{"error":{"message":"user not active"},"meta":{}}"#, Rejected, Scope::Call),
            (
                403,
                r#"{"error":{"message":"User Not Linked","code":1001},"meta":{"key":"user_id"}}"#,
                Rejected,
                Scope::Call,
            ),
            (
                403,
                r#"{"error":{"message":"Feature not enabled for this client","code":1001}}"#,
                Blocked,
                Scope::Account,
            ),
            (403, r#"{"error":{"message":"Forbidden"}}"#, Blocked, Scope::Unclear),
            (403, "", Blocked, Scope::Unclear),
        ],
    );
}

#[test]
fn of_insider() {
    let settings = r#"{"partner_name":"mybrand","erase":"identity","auth":{"token":"T"}}"#;
    let vendor = configured(insider::configure, settings);
    check(vendor.as_ref(), "identity", EVERYWHERE);
    check(
        vendor.as_ref(),
        "identity",
        &[
            (400, r#"{"error":"Partner is invalid"}"#, Blocked, Scope::Account),
            (400, r#"{"error":"Content type must be application/json"}"#, Blocked, Scope::Account),
            (400, r#"{"error":"No valid identifier"}"#, Blocked, Scope::Call),
            (
                403,
                r#"{"success":false,"message":"Access Denied. You do not have sufficient access to perform this action."}"#,
                Blocked,
                Scope::Account,
            ),
            (
                403,
                r#"{"message":"Too many attempts, please slow down the request."}"#,
                Scheduled,
                Scope::Account,
            ),
            (403, "<html></html>", Scheduled, Scope::Unclear),
            (403, "{}", Blocked, Scope::Unclear),
        ],
    );
}
