//! The page "Generate an access token", for the grant type `client_credentials`.

use super::account::InstacartAccount;
use super::issuer::Issuer;
use crate::answer::{Answer, JSON};
use crate::inspection::Inspection;
use crate::json::{Json, parse};

/// The page's members that this grant type has; its others belong to other grant types.
const MEMBERS: &[&str] = &["client_id", "client_secret", "grant_type", "scope"];

/// Compares a request with the page.
pub(super) fn inspect(
    account: &InstacartAccount,
    issuer: &Issuer,
    inspection: &mut Inspection<'_>,
) {
    let request = inspection.request;
    inspection.method("POST");
    inspection.path();

    // "Security: None": a token request has no token. The page on request headers does not exempt
    // it, so it may name the account's retailer and language.
    inspection.header("accept", JSON);
    inspection.header("content-type", JSON);
    for (name, value) in account.headers() {
        inspection.optional_header(name, &[value]);
    }

    match parse(&request.body) {
        Some(Json::Object(members)) => body(account, issuer, inspection, &members),
        Some(_) => inspection.mismatch("body: not an object"),
        None => inspection.mismatch("body: not JSON"),
    }
    // "If you pass your credentials as query parameters, Instacart returns an error with a 403
    // status code"; the body of that answer is not documented.
    if request.target.contains("client_id=") || request.target.contains("client_secret=") {
        inspection.refuse_with(Answer::status(403));
    }
}

/// Compares the members of the body with the page's table and the account.
fn body(
    account: &InstacartAccount,
    issuer: &Issuer,
    inspection: &mut Inspection<'_>,
    members: &[(String, Json)],
) {
    if members.iter().any(|(name, _)| !MEMBERS.contains(&name.as_str())) {
        inspection.mismatch("body: a member that this grant type does not have");
    }
    let id = once(inspection, members, "client_id");
    let secret = once(inspection, members, "client_secret");
    if once(inspection, members, "grant_type").is_some_and(|grant| grant != "client_credentials") {
        inspection.mismatch("grant_type: not client_credentials");
    }
    // The only member that is not required.
    if account.scope().is_some() || members.iter().any(|(name, _)| name == "scope") {
        let scope = once(inspection, members, "scope").unwrap_or_default();
        match account.scope() {
            Some(expected) if !scope.is_empty() && scope != expected => {
                inspection.mismatch("scope: not the value it must have");
            }
            // "Separate the scope values with a comma."
            None if scope.contains(char::is_whitespace) => {
                inspection.mismatch("scope: white space");
            }
            _ => {}
        }
    }
    if let (Some(id), Some(secret)) = (id, secret) {
        let status = issuer.client_status((id, secret), account.clients());
        inspection.credentials(status, "the client and its secret are not this account's");
    }
}

/// The member is present once and is a string that is not empty; returns it.
fn once<'a>(
    inspection: &mut Inspection<'_>,
    members: &'a [(String, Json)],
    name: &str,
) -> Option<&'a str> {
    let mut values = members.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_text());
    let mismatch = match (values.next(), values.next()) {
        (Some(Some("")), None) => "empty",
        (Some(Some(text)), None) => return Some(text),
        (Some(None), None) => "not a string",
        (None, _) => "missing",
        (Some(_), Some(_)) => "more than once",
    };
    inspection.mismatch(format!("{name}: {mismatch}"));
    None
}
