//! Paths, answers and values from Instacart's pages.

/// The page's response example: "User data deletion request created".
pub const SUCCESS: &str = r#"{"success":true}"#;

/// The page's only error ("User not found for the provided ID": 400, code 1001, meta `user_id`), in
/// the single form of Instacart's page on error codes, where `meta` stands beside `error`.
pub const USER_NOT_FOUND: &str =
    r#"{"error":{"message":"User Not Found","code":1001},"meta":{"key":"user_id"}}"#;

/// The path of a token request.
pub const TOKEN: &str = "/v2/oauth/token";

/// The answer (401) to a client that is refused. No page shows one: this is the form of RFC 6749,
/// section 5.2, where `error` is a string and not Instacart's object.
pub const INVALID_CLIENT: &str =
    r#"{"error":"invalid_client","error_description":"Client authentication failed."}"#;

/// The languages that the page on request headers lists for `Accept-Language`.
pub(crate) const LANGUAGES: &[&str] = &["en-US", "en-CA", "fr-CA"];

/// The header for the account's language.
pub(super) const LANGUAGE_HEADER: &str = "accept-language";

/// The header for the account's retailer.
pub(super) const RETAILER_HEADER: &str = "x-retailer-id";

/// "The token is valid for 24 hours."
pub(super) const TOKEN_LIFETIME: u64 = 24 * 60 * 60;
