//! The configuration contract: `[vars.SOURCES.*]` and `[vars.VENDORS.*]` of `wrangler.toml`; `[vars.ALERTS]`
//! is read by [`Alerts`].
//!
//! A configuration with a problem is rejected as a whole, and every problem is listed by its path:
//! when the bundle is built, and again by the Worker, which alone knows which secrets are set.

use std::time::Duration;

use crate::alert::Alerts;
use crate::delivery::policy::Policy;
use crate::json::Json;
use crate::receipt::Outcome;
use crate::settings::{Findings, Misconfiguration, Settings};
use crate::vendor::{self, Pace, Vendor};

mod delivery;
mod partial;
mod sharing;
mod source;

pub use delivery::Delivery;
pub use partial::leaves_profile;
pub use sharing::shared_secrets;
pub use source::{Callback, Source};

/// The senders of webhooks, and the vendor accounts.
pub struct Config {
    /// Ordered by name.
    pub sources: Vec<Source>,
    /// Ordered by name.
    pub vendors: Vec<Account>,
    /// Where alerts go, if anywhere. They have a table of their own, which is read by itself.
    pub alerts: Option<Alerts>,
}

/// One account at a vendor.
pub struct Account {
    /// As receipts show it.
    pub name: String,
    /// Its calls, and what its answers mean.
    pub vendor: Box<dyn Vendor>,
    /// How long one call may take, its answer's body included.
    pub timeout: Duration,
    /// How its lane delivers, where delivery is durable.
    pub policy: Policy,
    /// What a request is that names no identifier which this vendor takes, while another vendor can
    /// be asked: `NotApplicable`, or `InsufficientIdentification`, which a person must look at.
    pub without_identifier: Outcome,
}

impl Account {
    /// How late a call may be made after the pace allowed it, so that the pace still holds.
    pub fn slack(&self, call: &str) -> Duration {
        let mut calls = self.vendor.calls().iter();
        let first = calls.clone().next().is_some_and(|first| first.name == call);
        let documented = calls.find(|kind| kind.name == call).map(|kind| kind.pace);
        let pace = self.policy.pace.filter(|_| first).or(documented);
        pace.map(Pace::slack).unwrap_or_default()
    }
}

impl Config {
    /// Reads the two tables as JSON.
    ///
    /// # Errors
    /// Every problem found, in the order of the tables' keys.
    pub fn parse(sources: &Json<'_>, vendors: &Json<'_>) -> Result<Self, Vec<Misconfiguration>> {
        let (config, findings) = Self::read(sources, vendors);
        let problems = findings.into_problems();
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// Reads the two tables as JSON, without the entries that have a problem, and what was found.
    pub fn read(sources: &Json<'_>, vendors: &Json<'_>) -> (Self, Findings) {
        let findings = Findings::default();
        let names = names(vendors);
        let vendors = tables("VENDORS", vendors, &findings, account);
        let sources = tables("SOURCES", sources, &findings, |name, settings| {
            Source::configure(name, settings, &names)
        });
        for problem in shared_secrets(&sources, &|name, other| name == other) {
            findings.problem(problem);
        }
        findings.notice(partial::notices(&sources, &vendors));
        (Self { sources, vendors, alerts: None }, findings)
    }
}

/// Reads every entry of the table `at`. Entries with a problem are left out.
fn tables<T>(
    at: &str,
    json: &Json<'_>,
    findings: &Findings,
    read: impl Fn(&str, &mut Settings<'_>) -> Option<T>,
) -> Vec<T> {
    let report = |path: &str, message: &str| findings.problem(Misconfiguration::new(path, message));
    let mut tables = Vec::new();
    let Json::Object(entries) = json else {
        report(at, "must be a table");
        return tables;
    };
    if entries.is_empty() {
        report(at, "must have at least one entry");
    }
    for (name, value) in entries.iter() {
        let path = format!("{at}.{name}");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if name.is_empty() || !name.bytes().all(plain) {
            report(&path, "the name must be of A-Z a-z 0-9 - _, since it is part of a URL");
        }
        if let Some(mut settings) = Settings::new(path, value, findings) {
            tables.extend(read(name, &mut settings));
            settings.finish();
        }
    }
    tables
}

/// The keys of a table.
fn names<'a>(table: &'a Json<'_>) -> Vec<&'a str> {
    match table {
        Json::Object(entries) => entries.iter().map(|(name, _)| name).collect(),
        _ => Vec::new(),
    }
}

fn account(name: &str, settings: &mut Settings<'_>) -> Option<Account> {
    let timeout = settings.number("timeout_seconds", 10, 1..=60);
    let timeout = Duration::from_secs(timeout.into());
    let policy = Policy::configure(settings, timeout);
    let attention = Outcome::InsufficientIdentification;
    let choices = [("attention", attention), ("not_applicable", Outcome::NotApplicable)];
    let without_identifier = settings.choice("without_identifier", attention, &choices);
    let Some(configure) = settings.required_choice("api", vendor::APIS) else {
        settings.leave_open();
        return None;
    };
    let vendor = configure(settings)?;
    let without_identifier = without_identifier?;
    Some(Account { name: name.to_owned(), vendor, timeout, policy, without_identifier })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vendor::Auth;

    const VENDORS: &str = r#"{
        "instacart": {"api":"instacart-connect","auth":{"token":"INSTACART_TOKEN"}},
        "insider": {"api":"insider","partner_name":"mybrand","erase":"identity","auth":{"token":"INSIDER_TOKEN"},
                    "timeout_seconds":3,"without_identifier":"not_applicable"}}"#;
    const SOURCES: &str = r#"{
        "consent": {"platform":"standard-webhooks","secrets":["A","A_PREVIOUS"]},
        "shop": {"platform":"standard-webhooks","secrets":["B"],"vendors":["insider"],
                 "tolerance_seconds":60,"max_body_bytes":1024}}"#;

    fn parse(sources: &str, vendors: &str) -> Result<Config, Vec<String>> {
        let sources = Json::parse(sources.as_bytes()).unwrap();
        let vendors = Json::parse(vendors.as_bytes()).unwrap();
        Config::parse(&sources, &vendors)
            .map_err(|problems| problems.iter().map(Misconfiguration::to_string).collect())
    }

    #[test]
    fn reads_the_contract_with_its_defaults() {
        let config = parse(SOURCES, VENDORS).ok().unwrap();
        let [consent, shop] = &config.sources[..] else { panic!("two sources") };
        assert_eq!((consent.name.as_str(), shop.name.as_str()), ("consent", "shop"));
        assert_eq!(consent.vendors, ["insider", "instacart"]);
        assert_eq!(consent.tolerance.as_secs(), 300);
        assert_eq!(consent.max_body_bytes, 262_144);
        assert_eq!(consent.proof.secrets.len(), 2);
        assert_eq!(shop.vendors, ["insider"]);
        assert_eq!((shop.tolerance.as_secs(), shop.max_body_bytes), (60, 1024));
        let other = r#"{"a":{"platform":"shopify","secrets":["A"],"repeat_days":730},
                        "b":{"platform":"shopify","secrets":["B"]}}"#;
        let other = parse(other, VENDORS).ok().unwrap();
        assert_eq!(other.sources.iter().map(|one| one.repeat_days).collect::<Vec<_>>(), [730, 30]);
        let [insider, instacart] = &config.vendors[..] else { panic!("two vendors") };
        assert_eq!(insider.without_identifier, Outcome::NotApplicable);
        assert_eq!(instacart.without_identifier, Outcome::InsufficientIdentification);
        assert_eq!((insider.timeout.as_secs(), instacart.timeout.as_secs()), (3, 10));
        assert!(
            matches!(insider.vendor.auth(), Auth::Token(name) if name.as_str() == "INSIDER_TOKEN")
        );
    }

    #[test]
    fn identity_serves_deletions_only_by_the_operators_word() {
        let notices = |sources: &str, erase: &str| {
            let vendors = VENDORS.replace("\"identity\"", &format!("\"{erase}\""));
            let [sources, vendors] =
                [sources, &vendors].map(|text| Json::parse(text.as_bytes()).unwrap());
            let (_, findings) = Config::read(&sources, &vendors);
            let notices = findings.notices();
            let notices: Vec<String> = notices
                .iter()
                .filter(|one| !one.is_placeholder())
                .map(ToString::to_string)
                .collect();
            assert!(findings.into_problems().is_empty());
            notices
        };
        let accepted = SOURCES.replace(
            r#""tolerance_seconds":60"#,
            r#""tolerance_seconds":60,"partial_erasure":"accept""#,
        );
        let [both] = &notices(SOURCES, "identity")[..] else { panic!("one notice") };
        assert!(
            both.starts_with("VENDORS.insider.erase: \"identity\" leaves the profile "),
            "{both}"
        );
        assert!(both.contains("asked by the sources: consent, shop. "), "{both}");
        let [one] = &notices(&accepted, "identity")[..] else { panic!("one notice") };
        assert!(one.contains("asked by the sources: consent. "), "{one}");
        let all =
            accepted.replace("\"A_PREVIOUS\"]", r#""A_PREVIOUS"],"partial_erasure":"accept""#);
        assert!(notices(&all, "identity").is_empty());
        for erase in ["profile", "anonymize"] {
            assert!(notices(SOURCES, erase).is_empty(), "{erase}");
        }
    }

    #[test]
    fn a_profile_is_left_where_only_identities_were_accepted() {
        use crate::receipt::{Delivery, Timestamp};
        let config = parse(SOURCES, VENDORS).ok().unwrap();
        let row = |(vendor, call, outcome): &(&str, &'static str, Outcome)| Delivery {
            vendor: (*vendor).to_owned(),
            call: Some((*call).into()),
            identifier: None,
            subject: None,
            outcome: *outcome,
            status: None,
            attempts: 1,
            detail: None,
            trace: None,
            next_attempt_at: None,
            updated_at: Timestamp(0),
            acknowledged: None,
            history: Vec::new(),
        };
        use Outcome::{Accepted, AlreadyAbsent, NotErased};
        for (rows, left) in [
            (&[("insider", "identity", Accepted)][..], true),
            (&[("insider", "identity", Accepted), ("insider", "profile", Accepted)], false),
            (&[("insider", "identity", Accepted), ("other", "profile", Accepted)], true),
            (&[("former", "identity", Accepted)], true),
            (&[("insider", "identity", Accepted), ("insider", "profile", NotErased)], true),
            (&[("insider", "profile", Accepted)], false),
            (&[("insider", "identity", AlreadyAbsent)], false),
            (&[("insider", "anonymize", Accepted)], false),
            (&[("instacart", "privacy_request", Accepted)], false),
            (&[], false),
        ] {
            let deliveries: Vec<Delivery> = rows.iter().map(row).collect();
            assert_eq!(leaves_profile(config.vendors.iter(), &deliveries), left, "{rows:?}");
        }
    }

    /// A source with tokens and whatever else is given.
    fn tokens(signature: &str, more: &str) -> Result<Config, Vec<String>> {
        let keys = r#""keys":{"url":"https://k.example/jwks.json"}"#;
        let source = format!(
            r#"{{"s":{{"platform":"standard-webhooks",{keys},
                "signature":{{"jwt":"x-token","audience":"a"{signature}}}{more}}}}}"#
        );
        parse(&source, VENDORS)
    }

    #[test]
    fn a_token_needs_a_second_proof_or_consent_to_an_unsigned_body() {
        let missing = "SOURCES.s.also: must be set, since the token does not cover the body (or \
                       unsigned_body = \"accept\")";
        for more in ["", r#","unsigned_body":"refuse""#] {
            assert_eq!(tokens("", more).err().unwrap(), [missing], "{more}");
        }
        for more in [
            r#","unsigned_body":"accept""#,
            r#","also":{"token":"x-key","secrets":["A"]}"#,
            r#","also":{"hmac":"sha256","header":"x-signature","secrets":["A"]}"#,
        ] {
            assert!(tokens("", more).is_ok(), "{more}");
        }
        let wrong = tokens("", r#","unsigned_body":true"#).err().unwrap();
        assert_eq!(wrong, ["SOURCES.s.unsigned_body: must be a non-empty string"]);
        let signed =
            r#"{"s":{"platform":"standard-webhooks","secrets":["A"],"unsigned_body":"accept"}}"#;
        let unknown = parse(signed, VENDORS).err().unwrap();
        assert_eq!(unknown, ["SOURCES.s.unsigned_body: is not a known setting"]);
    }

    #[test]
    fn a_tolerance_needs_a_timestamp_that_it_decides_on() {
        let no_effect = "SOURCES.s.tolerance_seconds: has no effect: this signature has no \
                         timestamp, or has a lifetime of its own";
        let more = r#","unsigned_body":"accept","tolerance_seconds":60"#;
        let exp = r#","lifetime":"exp""#;
        assert!(tokens("", more).is_ok());
        assert!(tokens(r#","lifetime":"iat""#, more).is_ok());
        assert!(tokens(exp, r#","unsigned_body":"accept""#).is_ok());
        assert_eq!(tokens(exp, more).err().unwrap(), [no_effect]);
        let timed = r#","tolerance_seconds":60,"also":{"hmac":"sha256","header":"x-signature",
            "timestamp":"x-time","signed":"{timestamp}.{body}","secrets":["A"]}"#;
        assert!(tokens(exp, timed).is_ok());
        let wrong = tokens(r#","lifetime":"forever""#, r#","unsigned_body":"accept""#);
        assert_eq!(
            wrong.err().unwrap(),
            ["SOURCES.s.signature.lifetime: must be one of: iat, exp, not \"forever\""]
        );
    }

    #[test]
    fn two_sources_share_a_secret_only_if_both_say_so() {
        let two = |first: &str, second: &str| {
            let source = |more: &str| format!(r#"{{"platform":"standard-webhooks",{more}}}"#);
            let (first, second) = (source(first), source(second));
            parse(&format!(r#"{{"one":{first},"two":{second}}}"#), VENDORS)
        };
        let problem = |path: &str, name: &str| {
            format!(
                "SOURCES.two.{path}: the secret {name} is also {name} of the source one, so each \
                 would accept the messages of the other: use two secrets, or set shared_secrets = \
                 \"accept\" on both"
            )
        };
        let also = r#""secrets":["B"],"also":{"token":"x-key","secrets":["A"]}"#;
        for (first, second, path) in [
            (r#""secrets":["A"]"#, r#""secrets":["A"]"#, "secrets[0]"),
            (r#""secrets":["A"]"#, r#""secrets":["B","A"]"#, "secrets[1]"),
            (r#""secrets":["B","A"]"#, r#""secrets":["A"]"#, "secrets[0]"),
            (r#""secrets":["A"]"#, also, "also.secrets[0]"),
            (r#""secrets":["A"]"#, r#""signature":"stripe","secrets":["A"]"#, "secrets[0]"),
            (r#""secrets":["A"],"shared_secrets":"accept""#, r#""secrets":["A"]"#, "secrets[0]"),
            (r#""secrets":["A"]"#, r#""secrets":["A"],"shared_secrets":"accept""#, "secrets[0]"),
        ] {
            let problems = two(first, second).err().unwrap();
            assert_eq!(problems, [problem(path, "A")], "{first} {second}");
        }
        assert!(two(r#""secrets":["A"]"#, r#""secrets":["B"]"#).is_ok());
        let accepted = r#""secrets":["A","B"],"shared_secrets":"accept""#;
        assert!(two(accepted, accepted).is_ok());
        let both = r#""secrets":["A","B"]"#;
        let problems = two(both, both).err().unwrap();
        assert_eq!(problems, [problem("secrets[0]", "A"), problem("secrets[1]", "B")]);
        // Within one source, the same secret is no confusion of two.
        assert!(two(r#""secrets":["A"],"also":{"token":"x","secrets":["A"]}"#, also).is_err());
        // The token that opens a place of keys proves no message.
        let place = r#""signature":{"jwt":"x","audience":"a"},"unsigned_body":"accept",
            "keys":{"url":"https://k.example","secret":"A"}"#;
        assert!(two(place, place).is_ok());
    }

    #[test]
    fn a_callback_about_one_erasure_has_no_events() {
        let source = |more: &str| {
            format!(
                r#"{{"s":{{"platform":"custom","signature":{{"token":"x-key"}},"secrets":["A"],
                    "erasure":"always","request_id":"/id","identifiers":{{"email":"/email"}},
                    "callback":{{"kind":"osano","secret":"K","action_item_id":"/id"}}{more}}}}}"#
            )
        };
        assert!(parse(&source(""), VENDORS).is_ok());
        let message = "must not be set beside this kind of callback, which is about one erasure";
        assert_eq!(
            parse(&source(r#","events":"body""#), VENDORS).err().unwrap(),
            [format!("SOURCES.s.events: {message}")]
        );
    }

    #[test]
    fn lists_every_problem_by_its_path() {
        let problems = parse(
            r#"{"a b":{"platform":"fax","secrets":[]},
                "c":{"platform":"standard-webhooks","secrets":["A"],"vendors":["x","x"],"tolerance":1}}"#,
            r#"{"insider":{"api":"insider","partner_name":"MyBrand","erase":"identity","auth":{"token":"T"}},
                "other":{"api":"other","auth":{}}, "third":7}"#,
        );
        let apis: Vec<&str> = vendor::APIS.iter().map(|(api, _)| *api).collect();
        let api = format!("VENDORS.other.api: must be one of: {}, not \"other\"", apis.join(", "));
        assert_eq!(
            problems.err().unwrap(),
            [
                "VENDORS.insider.partner_name: must be lowercase",
                &api,
                "VENDORS.third: must be a table",
                "SOURCES.a b: the name must be of A-Z a-z 0-9 - _, since it is part of a URL",
                "SOURCES.a b.platform: must be one of: custom, datagrail-drop, datagrail-dsr, \
                 fides, iab-ddrf, kertos, ketch, meta, opendsr, segment, shopify, \
                 standard-webhooks, transcend, not \"fax\"",
                "SOURCES.a b.secrets: must be a non-empty array of strings",
                "SOURCES.c.vendors: must be names of vendor accounts (insider, other, third), not \"x\"",
                "SOURCES.c.vendors: must name each account once",
                "SOURCES.c.tolerance: is not a known setting",
            ]
        );
        let repeats = parse(
            r#"{"a":{"platform":"shopify","secrets":["A"],"repeat_days":731},
                "b":{"platform":"shopify","secrets":["B"],"repeat_days":0},
                "c":{"platform":"shopify","secrets":["C"],"request_id":"/id","repeat_days":30}}"#,
            VENDORS,
        );
        assert_eq!(
            repeats.err().unwrap(),
            [
                "SOURCES.a.repeat_days: must be an integer from 1 to 730, not 731",
                "SOURCES.b.repeat_days: must be an integer from 1 to 730, not 0",
                "SOURCES.c.repeat_days: has no effect: the requests have ids of their own",
            ]
        );
        let both = r#"{"s":{"platform":"standard-webhooks","secrets":["lower","whsec_x"],
            "signature":{"jwt":"x","audience":"a","lifetime":1}}}"#;
        assert_eq!(
            parse(both, VENDORS).err().unwrap(),
            [
                "SOURCES.s.signature.lifetime: must be a non-empty string",
                "SOURCES.s.keys: must be set",
                "SOURCES.s.secrets: has no effect: this signature is proven by public keys",
                "SOURCES.s.also: must be set, since the token does not cover the body (or \
                 unsigned_body = \"accept\")",
            ]
        );
        let none = parse("[]", "{}").err().unwrap();
        assert_eq!(none, ["VENDORS: must have at least one entry", "SOURCES: must be a table"]);
    }
}
