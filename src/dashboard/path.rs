//! The paths of the dashboard's pages.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What is written as it is in a segment of a path.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The list of requests.
pub const REQUESTS: &str = "/requests";

/// The search for requests.
pub const SEARCH: &str = "/requests/search";

/// Exports and statistics.
pub const RECORDS: &str = "/records";

/// The receipts of a period as a file.
pub const EXPORT: &str = "/records/export";

/// Its statistics as JSON.
pub const STATISTICS: &str = "/records/statistics.json";

/// What operators did.
pub const ACTIONS: &str = "/actions";

/// The page of a request.
pub fn request(source: &str, request_id: &str) -> String {
    format!("{REQUESTS}/{}/{}", segment(source), segment(request_id))
}

/// A page below that of a request: one of its actions, or its proof.
pub fn of_request(source: &str, request_id: &str, name: &str) -> String {
    format!("{}/{name}", request(source, request_id))
}

/// The page of an account's lanes.
pub fn account(account: &str) -> String {
    format!("/accounts/{}", segment(account))
}

/// The page of an action on them.
pub fn of_account(account: &str, name: &str) -> String {
    format!("/accounts/{}/{name}", segment(account))
}

/// A text as a segment of a path.
fn segment(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// A text as a value of a query.
pub fn value(text: &str) -> String {
    segment(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_segment() {
        assert_eq!(request("consent", "a/b ?#%é"), "/requests/consent/a%2Fb%20%3F%23%25%C3%A9");
        assert_eq!(of_request("s", "r-1_2.3~4", "proof"), "/requests/s/r-1_2.3~4/proof");
        assert_eq!(of_account("callback:desk", "resume"), "/accounts/callback%3Adesk/resume");
    }
}
