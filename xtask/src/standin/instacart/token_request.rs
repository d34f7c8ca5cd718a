//! The page "Generate an access token", for the grant type `client_credentials`.

use super::super::answer::Answer;
use super::super::inspection::{Inspection, JSON, Verdict};
use super::super::journal::Recorded;
use super::super::json::{Json, parse};
use super::account::InstacartAccount;
use super::issuer::Issuer;
use super::{INVALID_CLIENT, account_headers};

/// The page's members that this grant type has; its others belong to other grant types.
const MEMBERS: &[&str] = &["client_id", "client_secret", "grant_type", "scope"];

/// Holds a request against the page.
pub(super) fn inspect(account: &InstacartAccount, issuer: &Issuer, request: &Recorded) -> Verdict {
    let mut inspection = Inspection::of(request);
    inspection.method("POST");
    inspection.path();

    // "Security: None": a token request has no token. The page on request headers makes no
    // exception of it, so it may name the account's retailer and language.
    inspection.header("accept", JSON);
    inspection.header("content-type", JSON);
    let mut documented = account_headers(account, &mut inspection, |inspection, name, value| {
        inspection.optional_header(name, &[value]);
    });
    documented.extend(["accept", "content-type"]);
    inspection.no_headers_besides(&documented);

    match parse(&request.body) {
        Some(Json::Object(members)) => body(account, issuer, &mut inspection, &members),
        Some(_) => inspection.depart("body: not an object"),
        None => inspection.depart("body: not JSON"),
    }
    let mut verdict = inspection.verdict(None, Answer::json(401, INVALID_CLIENT));
    // "If you pass your credentials as query parameters, Instacart returns an error with a 403
    // status code"; the body of that answer is not documented.
    if request.target.contains("client_id=") || request.target.contains("client_secret=") {
        verdict.refusal = Some(Answer::status(403));
    }
    verdict
}

/// Holds the members of the body against the page's table and the account.
fn body(
    account: &InstacartAccount,
    issuer: &Issuer,
    inspection: &mut Inspection,
    members: &[(String, Json)],
) {
    if members.iter().any(|(name, _)| !MEMBERS.contains(&name.as_str())) {
        inspection.depart("body: a member that this grant type does not have");
    }
    let id = once(inspection, members, "client_id");
    let secret = once(inspection, members, "client_secret");
    if once(inspection, members, "grant_type").is_some_and(|grant| grant != "client_credentials") {
        inspection.depart("grant_type: not client_credentials");
    }
    // The only member that is not required.
    if account.scope().is_some() || members.iter().any(|(name, _)| name == "scope") {
        let scope = once(inspection, members, "scope").unwrap_or_default();
        match account.scope() {
            Some(expected) if !scope.is_empty() && scope != expected => {
                inspection.depart("scope: not the value it must have");
            }
            // "Separate the scope values with a comma."
            None if scope.contains(char::is_whitespace) => {
                inspection.depart("scope: white space");
            }
            _ => {}
        }
    }
    if let (Some(id), Some(secret)) = (id, secret) {
        let standing = issuer.standing_of_client((id, secret), account.clients());
        inspection.credentials(standing, "the client and its secret are not this account's");
    }
}

/// The member is there once and is a text; this is it.
fn once<'a>(
    inspection: &mut Inspection,
    members: &'a [(String, Json)],
    name: &str,
) -> Option<&'a str> {
    let mut values = members.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_text());
    let departure = match (values.next(), values.next()) {
        (Some(Some("")), None) => "empty",
        (Some(Some(text)), None) => return Some(text),
        (Some(None), None) => "not a string",
        (None, _) => "missing",
        (Some(_), Some(_)) => "more than once",
    };
    inspection.depart(format!("{name}: {departure}"));
    None
}
