//! `wrangler.toml`: read, and checked as the Worker will check it.

use std::{env, fs};

use anyhow::{Context, Result, bail};
use erasure_relay::alert::{self, Alerts};
use erasure_relay::config::{Config, Delivery};
use erasure_relay::json::Json;
use erasure_relay::keys::Keys;
use serde_json::Value;

use crate::bundle::WRANGLER_COMMAND;

/// The binding of the lanes.
const LANES: &str = "LANES";

/// The variables that the Worker reads. Any other that has the name of a secret is one that is written
/// into a file which is not secret.
const VARIABLES: [&str; 4] = [alert::VARIABLE, "DELIVERY", "SOURCES", "VENDORS"];

/// What a check of `wrangler.toml` found, each with its path.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What the Worker would reject.
    pub problems: Vec<String>,
    /// What the operator should know.
    pub notices: Vec<String>,
    /// Values of an example, which must not be deployed.
    pub placeholders: Vec<String>,
}

/// What the bundle is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To run on this machine, or to be looked at.
    Trial,
    /// To be deployed.
    Deployment,
}

impl Purpose {
    /// What wrangler runs its custom build for, as it says by `WRANGLER_COMMAND` (`dev`, `deploy`,
    /// `versions upload`); a trial where the build was not started by wrangler.
    #[must_use]
    pub fn of_wrangler() -> Self {
        match env::var_os(WRANGLER_COMMAND) {
            Some(command) if command != "dev" => Self::Deployment,
            _ => Self::Trial,
        }
    }
}

/// `wrangler.toml` as JSON.
///
/// # Errors
/// Where it cannot be read.
pub fn shipped() -> Result<Value> {
    let text = fs::read_to_string(crate::root().join("wrangler.toml"))?;
    read(&text)
}

/// The text of a `wrangler.toml` as JSON.
///
/// # Errors
/// Where it is not TOML.
pub fn read(text: &str) -> Result<Value> {
    toml::from_str(text).context("wrangler.toml is not TOML")
}

/// The variables of `wrangler.toml`; what it leaves to the operator to choose is chosen as the demo and
/// the tests need it.
///
/// # Errors
/// Where it cannot be read.
pub fn variables() -> Result<Value> {
    let mut vars = shipped()?["vars"].take();
    for account in vars["VENDORS"].as_object_mut().into_iter().flat_map(|all| all.values_mut()) {
        if account["api"] == "insider" && account["erase"].is_null() {
            account["erase"] = "identity".into();
        }
    }
    Ok(vars)
}

/// Checks `wrangler.toml`, all of its environments included, before the bundle is built for it, and
/// prints what the operator should know.
///
/// # Errors
/// Every problem, by its path.
pub fn check_shipped() -> Result<()> {
    let report = check(&shipped()?);
    for notice in report.warnings() {
        eprintln!("warning: wrangler.toml: {notice}");
    }
    report.conclude(Purpose::of_wrangler())
}

/// Checks the whole of a `wrangler.toml`, given as JSON: its top level, and every environment as if it
/// stood alone, since an environment inherits neither variables nor bindings.
pub fn check(wrangler: &Value) -> Report {
    let mut report = Report::default();
    report.add("", wrangler);
    for (name, environment) in wrangler["env"].as_object().into_iter().flatten() {
        let at = format!("env.{name}: ");
        let inherited = inherited_routes(wrangler, environment);
        report.problems.extend(inherited.map(|text| format!("{at}{text}")));
        report.add(&at, environment);
    }
    report
}

impl Report {
    /// What does not keep the bundle from being built for a trial.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.placeholders.iter().chain(&self.notices).map(String::as_str)
    }

    /// Fails where the Worker would reject the configuration, and where the values of an example would
    /// be deployed.
    ///
    /// # Errors
    /// Every problem, by its path.
    pub fn conclude(&self, purpose: Purpose) -> Result<()> {
        let placeholders = self.placeholders.iter().filter(|_| purpose == Purpose::Deployment);
        let problems: Vec<&str> =
            self.problems.iter().chain(placeholders).map(String::as_str).collect();
        if problems.is_empty() {
            return Ok(());
        }
        bail!("wrangler.toml:\n  {}", problems.join("\n  "));
    }

    /// Adds what is found in one environment, whose paths begin with `at`.
    fn add(&mut self, at: &str, environment: &Value) {
        let vars = &environment["vars"];
        if !vars.is_object() {
            let message = "vars: must be set, since variables are not inherited from the top level";
            self.problems.push(format!("{at}{message}"));
            return;
        }
        let texts = ["SOURCES", "VENDORS", alert::VARIABLE].map(|name| match &vars[name] {
            Value::Null => "{}".to_owned(),
            table => table.to_string(),
        });
        let [sources, vendors, alerts] = texts.each_ref().map(|text| Json::parse(text.as_bytes()));
        let (Ok(sources), Ok(vendors), Ok(alerts)) = (sources, vendors, alerts) else {
            self.problems.push(format!("{at}vars: cannot be written as JSON"));
            return;
        };
        let (_, findings) = Config::read(&sources, &vendors);
        Alerts::read(&alerts, vars["DELIVERY"] != "direct", &findings);
        let mut secrets = findings.secret_names();
        secrets.extend(Keys::names(true).iter().map(|name| (*name).to_owned()));
        for notice in findings.notices() {
            let list =
                if notice.is_placeholder() { &mut self.placeholders } else { &mut self.notices };
            list.push(format!("{at}{notice}"));
        }
        let delivery = Delivery::read(vars["DELIVERY"].as_str(), has_lanes(environment));
        if let Err(problem) = delivery {
            let is_unbound = vars["DELIVERY"] == "durable" && !has_lanes(environment);
            let inherits = "; an environment does not inherit the bindings of the top level";
            let hint = if is_unbound && !at.is_empty() { inherits } else { "" };
            self.problems.push(format!("{at}{problem}{hint}"));
        }
        let found = findings.into_problems().into_iter();
        self.problems.extend(found.map(|problem| format!("{at}{problem}")));
        for name in vars.as_object().into_iter().flat_map(|vars| vars.keys()) {
            if secrets.contains(name) && !VARIABLES.contains(&name.as_str()) {
                let message = format!(
                    "vars.{name}: is a secret: remove it here and set it with `npx wrangler secret \
                     put {name}`"
                );
                self.problems.push(format!("{at}{message}"));
            }
        }
    }
}

/// What is wrong where an environment inherits the routes of the top level: each deployment of either
/// would take the domain from the other. wrangler reads `route` only where there are no `routes`.
fn inherited_routes(wrangler: &Value, environment: &Value) -> Option<&'static str> {
    let has = |table: &Value, key: &str| !table[key].is_null();
    let top_has_routes = wrangler["routes"].as_array().is_some_and(|all| !all.is_empty());
    let is_own = has(environment, "routes") || (has(environment, "route") && !top_has_routes);
    ((top_has_routes || has(wrangler, "route")) && !is_own).then_some(
        "routes: must be set, such as routes = [] and workers_dev = true: the environment would take \
         over the routes of the top level",
    )
}

/// Whether an environment binds the lanes.
fn has_lanes(environment: &Value) -> bool {
    let bindings = environment["durable_objects"]["bindings"].as_array();
    bindings.is_some_and(|all| all.iter().any(|binding| binding["name"] == LANES))
}

#[cfg(test)]
pub(crate) mod tests {
    use erasure_relay::config::Config;
    use erasure_relay::json::Json;
    use erasure_relay::signature::Proven;

    use super::*;

    #[test]
    fn the_shipped_configuration_is_right_and_a_wrong_one_is_refused() {
        let mut wrangler = chosen();
        check(&wrangler).conclude(Purpose::Trial).unwrap();
        wrangler["vars"]["VENDORS"]["insider"]["partner_name"] = "MyBrand".into();
        let refused = check(&wrangler).conclude(Purpose::Trial).unwrap_err().to_string();
        assert_eq!(refused, "wrangler.toml:\n  VENDORS.insider.partner_name: must be lowercase");
    }

    #[test]
    fn the_operator_must_choose_what_insider_erases() {
        let refused = check(&shipped().unwrap()).conclude(Purpose::Trial).unwrap_err().to_string();
        let unset = "wrangler.toml:\n  VENDORS.insider.erase: must be set: \"profile\" ";
        assert!(refused.starts_with(unset) && refused.lines().count() == 2, "{refused}");
    }

    #[test]
    fn a_placeholder_is_a_warning_and_is_not_deployed() {
        let mut wrangler = chosen();
        let report = check(&wrangler);
        let placeholder = "VENDORS.insider.partner_name: is the placeholder of an example: set your \
                           own value";
        assert_eq!(report.placeholders, [placeholder]);
        assert!(report.warnings().any(|warning| warning == placeholder));
        assert!(report.warnings().any(|warning| warning.contains("leaves the profile")));
        let refused = report.conclude(Purpose::Deployment).unwrap_err().to_string();
        assert_eq!(refused, format!("wrangler.toml:\n  {placeholder}"));
        wrangler["vars"]["VENDORS"]["insider"]["partner_name"] = "acme".into();
        check(&wrangler).conclude(Purpose::Deployment).unwrap();
        for part in ["vars", "durable_objects"] {
            wrangler["env"]["staging"][part] = wrangler[part].clone();
        }
        wrangler["env"]["staging"]["vars"]["VENDORS"]["insider"]["partner_name"] = "mybrand".into();
        let refused = check(&wrangler).conclude(Purpose::Deployment).unwrap_err().to_string();
        assert_eq!(refused, format!("wrangler.toml:\n  env.staging: {placeholder}"));
    }

    #[test]
    fn every_environment_is_checked_as_if_it_stood_alone() {
        let mut wrangler = chosen();
        let whole = wrangler.clone();
        for part in ["vars", "durable_objects"] {
            wrangler["env"]["staging"][part] = whole[part].clone();
        }
        assert_eq!(check(&wrangler).problems, Vec::<String>::new());
        let staging = &mut wrangler["env"]["staging"];
        staging["vars"]["SOURCES"]["consent"]["platform"] = "standard-webhook".into();
        staging["durable_objects"] = Value::Null;
        wrangler["env"]["direct"]["vars"] = whole["vars"].clone();
        wrangler["env"]["direct"]["vars"]["DELIVERY"] = "direct".into();
        wrangler["env"]["empty"]["name"] = "relay-empty".into();
        let problems = check(&wrangler).problems;
        let starts = [
            "env.empty: vars: must be set",
            "env.staging: DELIVERY: \"durable\" needs the Durable Object binding LANES",
            "env.staging: SOURCES.consent.platform: must be one of: ",
        ];
        assert_eq!(problems.len(), starts.len(), "{problems:?}");
        for (problem, start) in problems.iter().zip(starts) {
            assert!(problem.starts_with(start), "{problem}");
        }
        assert!(
            problems[1]
                .ends_with("; an environment does not inherit the bindings of the top level")
        );
        wrangler["durable_objects"] = Value::Null;
        let problem = &check(&wrangler).problems[0];
        assert!(
            problem.starts_with("DELIVERY: \"durable\" needs the Durable Object binding LANES")
        );
        assert!(!problem.contains("environment"), "{problem}");
        wrangler["vars"]["DELIVERY"] = Value::Null;
        assert!(check(&wrangler).problems[0].starts_with("DELIVERY: must be set"));
    }

    #[test]
    fn an_environment_does_not_take_over_the_routes_of_the_top_level() {
        let mut wrangler = chosen();
        for part in ["vars", "durable_objects"] {
            wrangler["env"]["staging"][part] = wrangler[part].clone();
        }
        let domain = serde_json::json!({ "pattern": "relay.acme.dev", "custom_domain": true });
        for (top, value, own) in [
            ("route", domain.clone(), "route"),
            ("route", domain.clone(), "routes"),
            ("routes", serde_json::json!([domain]), "routes"),
        ] {
            let mut wrangler = wrangler.clone();
            wrangler[top] = value;
            let problems = check(&wrangler).problems;
            assert!(problems.len() == 1 && problems[0].starts_with("env.staging: routes: must be"));
            wrangler["env"]["staging"][own] = serde_json::json!([]);
            assert_eq!(check(&wrangler).problems, Vec::<String>::new(), "{top}, {own}");
        }
        wrangler["routes"] = serde_json::json!([domain]);
        wrangler["env"]["staging"]["route"] = "staging.acme.dev".into();
        assert_eq!(check(&wrangler).problems.len(), 1, "wrangler reads the inherited routes");
        wrangler["routes"] = serde_json::json!([]);
        assert_eq!(check(&wrangler).problems, Vec::<String>::new());
    }

    #[test]
    fn alerts_are_checked_with_the_rest_and_need_durable_delivery() {
        let mut wrangler = chosen();
        let alerts = serde_json::json!({ "url_secret": "ALERTS_URL" });
        wrangler["vars"]["ALERTS"] = alerts;
        assert_eq!(check(&wrangler).problems, Vec::<String>::new());
        wrangler["vars"]["ALERTS_URL"] = "https://hooks.example.com/secret-path".into();
        let problems = check(&wrangler).problems;
        assert!(problems.len() == 1 && problems[0].starts_with("vars.ALERTS_URL: is a secret: "));
        wrangler["vars"].as_object_mut().unwrap().remove("ALERTS_URL");
        wrangler["vars"]["DELIVERY"] = "direct".into();
        let problems = check(&wrangler).problems;
        assert!(problems.len() == 1 && problems[0].starts_with("ALERTS.url: needs DELIVERY = "));
        wrangler["vars"]["DELIVERY"] = "durable".into();
        wrangler["vars"]["ALERTS"] = serde_json::json!({ "url": "http://hooks.example.com/" });
        let problems = check(&wrangler).problems;
        assert!(problems.iter().all(|one| one.starts_with("ALERTS.")), "{problems:?}");
        assert_eq!(problems.len(), 2);
    }

    #[test]
    fn a_secret_among_the_variables_is_rejected_and_not_repeated() {
        let mut wrangler = chosen();
        wrangler["vars"]["INSIDER_TOKEN"] = "1a2b3c4e5d6f".into();
        wrangler["vars"]["ADMIN_TOKEN"] = "an-admin-token".into();
        wrangler["vars"]["OTHER"] = "no secret".into();
        let problems = check(&wrangler).problems;
        for (problem, name) in problems.iter().zip(["ADMIN_TOKEN", "INSIDER_TOKEN"]) {
            assert!(problem.starts_with(&format!("vars.{name}: is a secret: ")), "{problem}");
        }
        assert!(problems.len() == 2 && !problems.concat().contains("1a2b3c4e5d6f"), "{problems:?}");
    }

    /// The shipped `wrangler.toml` with what the operator must choose.
    fn chosen() -> Value {
        with(&variables().unwrap())
    }

    /// The shipped `wrangler.toml` with these variables.
    fn with(vars: &Value) -> Value {
        let mut wrangler = shipped().unwrap();
        wrangler["vars"] = vars.clone();
        wrangler
    }

    fn documentation() -> String {
        fs::read_to_string(crate::root().join("docs/platforms.md")).unwrap()
    }

    /// The variables of every block: its sources, at the vendors of the shipped configuration.
    pub(crate) fn documented() -> Vec<Value> {
        let text = documentation();
        let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        let vars = |block: &str| {
            let mut vars = variables().unwrap();
            let table: Value = toml::from_str(block).unwrap();
            vars["SOURCES"] = table["vars"]["SOURCES"].clone();
            vars
        };
        blocks.map(vars).collect()
    }

    #[test]
    fn every_configuration_in_the_documentation_is_right() {
        let documented = documented();
        for vars in &documented {
            check(&with(vars))
                .conclude(Purpose::Trial)
                .unwrap_or_else(|problems| panic!("{}\n{problems}", vars["SOURCES"]));
        }
        assert!(documented.len() > 16, "the blocks are not there");
        let text = documentation();
        // Every platform has a block, and every command names a platform.
        for (platform, _) in erasure_relay::source::ALL {
            assert!(text.contains(&format!("platform = \"{platform}\"")), "{platform}");
        }
    }

    /// The blocks of senders whose messages are described in them read what those send.
    #[test]
    fn described_messages_are_read_as_the_documentation_says() {
        for (signature, message) in [
            ("github", r#"{"event":"customer.deleted","id":"e-1","customer":{"id":"u-1"}}"#),
            (
                "stripe",
                r#"{"id":"evt_1","object":"event","type":"customer.deleted","created":1795325400,
                    "data":{"object":{"id":"cus_1","object":"customer","email":"a@example.com",
                    "metadata":{"user_id":"u-1"}}}}"#,
            ),
            (
                "slack",
                r#"{"type":"event_callback","event_id":"Ev1","event_time":1795325400,
                    "event":{"type":"erasure_requested","email":"a@example.com"}}"#,
            ),
            (
                "hubspot",
                r#"[{"eventId":100,"subscriptionId":1,"portalId":62515,"occurredAt":1795325400000,
                    "subscriptionType":"contact.privacyDeletion","attemptNumber":0,
                    "objectId":123,"appId":54321}]"#,
            ),
        ] {
            let mut all = documented().into_iter();
            let of_sender = all.find(|vars| {
                let mut sources = vars["SOURCES"].as_object().unwrap().values();
                sources.any(|source| source["signature"] == signature)
            });
            let vars = of_sender.unwrap_or_else(|| panic!("no block of {signature}"));
            let texts = ["SOURCES", "VENDORS"].map(|name| vars[name].to_string());
            let [sources, vendors] =
                texts.each_ref().map(|text| Json::parse(text.as_bytes()).unwrap());
            let config = Config::parse(&sources, &vendors).ok().unwrap();
            let platform = &config.sources[0].platform;
            let read = platform.read(message.as_bytes(), &Proven::default()).unwrap();
            let [request] = &read.erasures[..] else { panic!("{signature}: {read:?}") };
            assert!(request.subject.identifiers().next().is_some(), "{signature}");
        }
    }
}
