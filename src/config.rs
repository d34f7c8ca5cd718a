//! The configuration contract: `[vars.SOURCES.*]` and `[vars.VENDORS.*]` of `wrangler.toml`.
//!
//! A configuration with a problem is rejected as a whole, and every problem is listed by its path:
//! when the bundle is built, and again by the Worker, which alone knows which secrets are set.

use std::cell::RefCell;
use std::time::Duration;

use crate::delivery::policy::Policy;
use crate::json::Json;
use crate::settings::{Misconfiguration, Settings};
use crate::vendor::{self, Pace, Vendor};

mod source;

pub use source::Source;

/// The senders of webhooks, and the vendor accounts.
pub struct Config {
    /// Ordered by name.
    pub sources: Vec<Source>,
    /// Ordered by name.
    pub vendors: Vec<Account>,
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
        let problems = RefCell::default();
        let names = names(vendors);
        let vendors = tables("VENDORS", vendors, &problems, account);
        let sources = tables("SOURCES", sources, &problems, |name, settings| {
            Source::configure(name, settings, &names)
        });
        let problems = problems.into_inner();
        if problems.is_empty() { Ok(Self { sources, vendors }) } else { Err(problems) }
    }
}

/// Reads every entry of the table `at`. Entries with a problem are left out.
fn tables<T>(
    at: &str,
    json: &Json<'_>,
    problems: &RefCell<Vec<Misconfiguration>>,
    read: impl Fn(&str, &mut Settings<'_>) -> Option<T>,
) -> Vec<T> {
    let report = |path: &str, message: &str| {
        problems.borrow_mut().push(Misconfiguration::new(path, message))
    };
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
        if let Some(mut settings) = Settings::new(path, value, problems) {
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
    let Some(configure) = settings.required_choice("api", vendor::APIS) else {
        settings.leave_open();
        return None;
    };
    let vendor = configure(settings)?;
    Some(Account { name: name.to_owned(), vendor, timeout, policy })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vendor::Auth;

    const VENDORS: &str = r#"{
        "instacart": {"api":"instacart-connect","auth":{"token":"INSTACART_TOKEN"}},
        "insider": {"api":"insider","partner_name":"mybrand","auth":{"token":"INSIDER_TOKEN"},
                    "timeout_seconds":3}}"#;
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
                        "b":{"platform":"shopify","secrets":["A"]}}"#;
        let other = parse(other, VENDORS).ok().unwrap();
        assert_eq!(other.sources.iter().map(|one| one.repeat_days).collect::<Vec<_>>(), [730, 30]);
        let [insider, instacart] = &config.vendors[..] else { panic!("two vendors") };
        assert_eq!((insider.timeout.as_secs(), instacart.timeout.as_secs()), (3, 10));
        assert!(
            matches!(insider.vendor.auth(), Auth::Token(name) if name.as_str() == "INSIDER_TOKEN")
        );
    }

    #[test]
    fn lists_every_problem_by_its_path() {
        let problems = parse(
            r#"{"a b":{"platform":"fax","secrets":[]},
                "c":{"platform":"standard-webhooks","secrets":["A"],"vendors":["x","x"],"tolerance":1}}"#,
            r#"{"insider":{"api":"insider","partner_name":"MyBrand","auth":{"token":"T"}},
                "other":{"api":"other","auth":{}}, "third":7}"#,
        );
        assert_eq!(
            problems.err().unwrap(),
            [
                "VENDORS.insider.partner_name: must be lowercase",
                "VENDORS.other.api: must be one of: insider, instacart-connect",
                "VENDORS.third: must be a table",
                "SOURCES.a b: the name must be of A-Z a-z 0-9 - _, since it is part of a URL",
                "SOURCES.a b.platform: must be one of: custom, datagrail, fides, iab-ddrf, \
                 kertos, ketch, meta, opendsr, segment, shopify, standard-webhooks, transcend",
                "SOURCES.a b.secrets: must be a list of texts that is not empty",
                "SOURCES.c.vendors: must be of: insider, other, third",
                "SOURCES.c.vendors: must name each account once",
                "SOURCES.c.tolerance: is not a known setting",
            ]
        );
        let repeats = parse(
            r#"{"a":{"platform":"shopify","secrets":["A"],"repeat_days":731},
                "b":{"platform":"shopify","secrets":["A"],"repeat_days":0},
                "c":{"platform":"shopify","secrets":["A"],"request_id":"/id","repeat_days":30}}"#,
            VENDORS,
        );
        assert_eq!(
            repeats.err().unwrap(),
            [
                "SOURCES.a.repeat_days: must be a whole number from 1 to 730",
                "SOURCES.b.repeat_days: must be a whole number from 1 to 730",
                "SOURCES.c.repeat_days: has no effect: the requests have ids of their own",
            ]
        );
        let none = parse("[]", "{}").err().unwrap();
        assert_eq!(none, ["VENDORS: must have at least one entry", "SOURCES: must be a table"]);
    }
}
