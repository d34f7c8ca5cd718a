//! The clone that is set up, and what it pins.

use std::fs;

use anyhow::{Context, Result};

/// A clone of the project.
pub struct Project {
    lock: String,
}

impl Project {
    /// The clone that this program was compiled in.
    pub fn here() -> Result<Self> {
        Ok(Self { lock: text("Cargo.lock")? })
    }

    /// The version of a crate in Cargo.lock.
    pub fn locked(&self, name: &str) -> Result<&str> {
        let of_name = packages(&self.lock).find(|package| package.name == name);
        Ok(of_name.with_context(|| format!("Cargo.lock has no {name}"))?.version)
    }
}

/// The text of a file of the clone.
pub fn text(file: &str) -> Result<String> {
    fs::read_to_string(crate::root().join(file)).with_context(|| format!("cannot read {file}"))
}

/// A `[[package]]` of Cargo.lock.
struct Package<'a> {
    name: &'a str,
    version: &'a str,
}

fn packages(lock: &str) -> impl Iterator<Item = Package<'_>> {
    lock.split("[[package]]").skip(1).filter_map(|text| {
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            line.and_then(|rest| rest.strip_prefix(" = ")).map(|quoted| quoted.trim_matches('"'))
        };
        Some(Package { name: value("name")?, version: value("version")? })
    })
}

#[cfg(test)]
mod tests {
    use super::packages;

    #[test]
    fn cargo_lock_is_understood() {
        let lock = "version = 4\n\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n\n\
                    [[package]]\nname = \"theirs\"\nversion = \"1.2.3\"\nsource = \"registry+x\"\n";
        let found: Vec<_> = packages(lock).map(|p| (p.name, p.version)).collect();
        assert_eq!(found, [("own", "0.1.0"), ("theirs", "1.2.3")]);
    }
}
