//! The shipped configuration, `wrangler.toml`.

use std::fs;

use anyhow::{Context, Result};
use send::configured;
use serde_json::Value;

/// `wrangler.toml` as JSON.
///
/// # Errors
/// Where it cannot be read.
pub fn shipped() -> Result<Value> {
    let text = fs::read_to_string(crate::root().join("wrangler.toml"))?;
    toml::from_str(&text).context("wrangler.toml is not TOML")
}

/// Refuses variables that the Worker would refuse.
///
/// # Errors
/// Every problem, by its path.
pub fn check(vars: &Value) -> Result<()> {
    configured::read(vars).map(drop)
}

#[cfg(test)]
pub(crate) mod tests {
    use erasure_relay::config::Config;
    use erasure_relay::json::Json;
    use erasure_relay::signature::Proven;

    use super::*;

    #[test]
    fn the_shipped_configuration_is_right_and_a_wrong_one_is_refused() {
        let mut vars = shipped().unwrap()["vars"].take();
        check(&vars).unwrap();
        vars["VENDORS"]["insider"]["partner_name"] = "MyBrand".into();
        let refused = check(&vars).unwrap_err().to_string();
        assert!(refused.ends_with("VENDORS.insider.partner_name: must be lowercase"), "{refused}");
    }

    fn documentation() -> String {
        fs::read_to_string(crate::root().join("docs/platforms.md")).unwrap()
    }

    /// The variables of every block: its sources, at the vendors of the shipped configuration.
    pub(crate) fn documented() -> Vec<Value> {
        let text = documentation();
        let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        let vars = |block: &str| {
            let mut vars = shipped().unwrap()["vars"].take();
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
            check(vars).unwrap_or_else(|problems| panic!("{}\n{problems}", vars["SOURCES"]));
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
