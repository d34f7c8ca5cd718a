//! What each platform sends of a person: its documented sample, with other values.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// Whose data is to be erased.
#[derive(Debug, Clone, Default)]
pub struct Person {
    /// The account at the retailer.
    pub user_id: Option<String>,
    /// An address.
    pub email: Option<String>,
    /// A phone number.
    pub phone_number: Option<String>,
    /// What the platform calls the type of an account's id, where that is not its usual name.
    pub account_type: Option<String>,
}

impl Person {
    /// The names of the types of email, phone number and account.
    fn types<'a>(&'a self, usual: [&'a str; 3]) -> [&'a str; 3] {
        let [email, phone, account] = usual;
        [email, phone, self.account_type.as_deref().unwrap_or(account)]
    }

    /// Email, phone number or user id, whichever is there first, and what each platform calls it.
    fn best<'a>(&'a self, names: [&'a str; 3]) -> Result<(&'a str, &'a str)> {
        let all = [&self.email, &self.phone_number, &self.user_id];
        let mut known = self.types(names).into_iter().zip(all);
        let best = known.find_map(|(name, value)| Some((name, value.as_deref()?)));
        best.context("name a person: --user-id, --email or --phone-number")
    }

    /// What Transcend's token says of the person.
    ///
    /// # Errors
    /// Where nobody is named.
    pub fn core_identifier(&self) -> Result<&str> {
        match &self.user_id {
            Some(id) => Ok(id),
            None => self.best([""; 3]).map(|(_, value)| value),
        }
    }

    /// Every identifier that is there, with what a platform calls it.
    fn all<'a>(&'a self, names: [&'a str; 3]) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = [&self.email, &self.phone_number, &self.user_id];
        self.types(names)
            .into_iter()
            .zip(all)
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

/// An id as a number, where it is one.
fn number(id: &Option<String>) -> Value {
    let number = id.as_ref().and_then(|id| id.parse::<i64>().ok());
    number.map_or_else(|| json!(id), |number| json!(number))
}

/// An erasure of `person` as `platform` sends it, at `now` (seconds since the Unix epoch). For
/// Meta it is what the signed request carries, for Transcend what stands beside the token, for
/// IAB's framework the claims of the outer token without the inner one.
///
/// # Errors
/// Where the platform is not known, or needs an identifier that is not there.
pub fn compose(platform: &str, request_id: &str, person: &Person, now: i64) -> Result<Value> {
    let Person { user_id, email, phone_number, .. } = person;
    Ok(match platform {
        "standard-webhooks" => json!({
            "type": "privacy.erasure.requested", "timestamp": "2026-11-22T05:30:00Z",
            "data": { "request_id": request_id, "subject": {
                "user_id": user_id, "email": email, "phone_number": phone_number } } }),
        "transcend" => {
            let (kind, value) = person.best(["email", "phone", "userId"])?;
            json!({
                "type": "ERASURE", "dataSubject": { "type": "customer" }, "isTest": false,
                "coreIdentifier": { "value": person.core_identifier()? },
                "extras": { "profile": { "identifier": value, "type": kind },
                            "request": { "id": request_id, "details": "", "locale": "en" } } })
        }
        "datagrail-drop" => {
            let (kind, value) = person.best(["email", "phone", "external_id"])?;
            json!({
                "schema_version": "1.0", "event": "drop.deletion", "ticket_uuid": request_id,
                "broker_id": "4821", "hash_type": "email", "match_date": "2026-05-30",
                "remote_identifier": value, "remote_identifier_kind": kind,
                "callback_url": "https://example.datagrail.io/api/v2/webhooks/callback" })
        }
        "shopify" => json!({
            "shop_id": 954889, "shop_domain": "example.myshopify.com",
            "customer": { "id": number(user_id), "email": email, "phone": phone_number },
            "orders_to_redact": [299938, 280263] }),
        "segment" => json!({
            "type": "delete", "userId": user_id.as_deref().context("Segment needs --user-id")?,
            "timestamp": "2026-11-22T05:30:00.000Z" }),
        "ketch" => {
            let identities = person.all(["email", "phone", "account_id"]).map(|(space, value)| {
                json!({ "identitySpace": space, "identityFormat": "raw", "identityValue": value })
            });
            json!({
                "apiVersion": "dsr/v1", "kind": "DeleteRequest",
                "metadata": { "uid": request_id, "tenant": "example" },
                "request": { "controller": "example", "regulation": "gdpr", "callbacks": [],
                    "identities": identities.collect::<Vec<_>>(),
                    "subject": { "email": email, "firstName": "Test", "lastName": "Subject" },
                    "submittedTimestamp": now, "dueTimestamp": now } })
        }
        "fides" => json!({
            "privacy_request_id": request_id, "privacy_request_status": "in_processing",
            "direction": "two_way", "callback_type": "pre", "policy_action": "erasure",
            "identity": { "email": email, "phone_number": phone_number, "external_id": user_id } }),
        "kertos" => json!({
            "data_subject_identifier": email.as_deref().context("Kertos needs --email")?,
            "operation": "delete", "received_at": "2026-11-22T05:30:00Z" }),
        "opendsr" => {
            let names = ["email", "phone_number", "controller_customer_id"];
            let identities = person.all(names).map(|(kind, value)| {
                json!({ "identity_type": kind, "identity_value": value, "identity_format": "raw" })
            });
            json!({
                "regulation": "gdpr", "subject_request_id": request_id, "api_version": "2.0",
                "subject_request_type": "erasure", "submitted_time": "2026-11-22T05:30:00Z",
                "subject_identities": identities.collect::<Vec<_>>(),
                "status_callback_urls": [] })
        }
        "meta" => json!({
            "algorithm": "HMAC-SHA256", "issued_at": now,
            "user_id": user_id.as_deref().context("Meta needs --user-id")? }),
        "iab-ddrf" => {
            let (kind, value) = person.best(["email", "phone", "user_id"])?;
            json!({
                "version": "1.0", "jti": request_id, "iss": "example.com", "iat": now,
                "sub": { "identifierValue": value, "identifierType": kind,
                         "identifierFormat": "raw" } })
        }
        // The configuration says where everything else is.
        "datagrail-dsr" => json!({ "webhook_request_id": request_id }),
        "custom" => json!({}),
        other => bail!("no sample is known for {other}: give --body-file"),
    })
}
