//! The shipped configuration, `wrangler.toml`.

use std::fs;

use anyhow::{Context, Result, bail};
use erasure_relay::config::Config;
use erasure_relay::json::Json;
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
    let [sources, vendors] = ["SOURCES", "VENDORS"].map(|name| match &vars[name] {
        Value::Null => "{}".to_owned(),
        table => table.to_string(),
    });
    let (sources, vendors) = (Json::parse(sources.as_bytes())?, Json::parse(vendors.as_bytes())?);
    if let Err(problems) = Config::parse(&sources, &vendors) {
        let lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
        bail!("wrangler.toml, [vars]:\n{}", lines.join("\n"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_configuration_is_right_and_a_wrong_one_is_refused() {
        let mut vars = shipped().unwrap()["vars"].take();
        check(&vars).unwrap();
        vars["VENDORS"]["insider"]["partner_name"] = "MyBrand".into();
        let refused = check(&vars).unwrap_err().to_string();
        assert!(refused.ends_with("VENDORS.insider.partner_name: must be lowercase"), "{refused}");
    }

    /// Every block is a source of its own, at the vendors of the shipped configuration.
    #[test]
    fn every_configuration_in_the_documentation_is_right() {
        let file = crate::root().join("docs/platforms.md");
        let text = fs::read_to_string(file).unwrap();
        let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        let mut count = 0;
        for block in blocks {
            let mut vars = shipped().unwrap()["vars"].take();
            let table: Value = toml::from_str(block).unwrap();
            vars["SOURCES"] = table["vars"]["SOURCES"].clone();
            check(&vars).unwrap_or_else(|problems| panic!("{block}\n{problems}"));
            count += 1;
        }
        assert!(count > 12, "the blocks are not there");
        // Every platform has a block, and every command names a platform.
        for (platform, _) in erasure_relay::source::ALL {
            assert!(text.contains(&format!("platform = \"{platform}\"")), "{platform}");
        }
    }
}
