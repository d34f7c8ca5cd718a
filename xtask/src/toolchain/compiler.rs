//! A Rust compiler: what it is, and how it is run for Wasm.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::step::read;

pub const TARGET: &str = "wasm32-unknown-unknown";

/// A Rust compiler, as `rustc -vV` describes it.
pub struct Compiler {
    verbose: String,
}

impl Compiler {
    pub fn read(rustc: &str) -> Result<Self> {
        Ok(Self { verbose: read(Command::new(rustc).arg("-vV"))? })
    }

    /// All that the compiler says of itself.
    pub fn description(&self) -> &str {
        &self.verbose
    }

    pub fn version(&self) -> Result<&str> {
        self.field("release")
    }

    /// The platform that it runs on.
    pub fn host(&self) -> Result<&str> {
        self.field("host")
    }

    /// Version and commit, as a file name.
    pub fn name(&self) -> Result<String> {
        let commit: String = self.field("commit-hash")?.chars().take(9).collect();
        Ok(format!("{}-{commit}", self.version()?))
    }

    /// Whether it is new enough for the project (`rust-version` in Cargo.toml).
    pub fn suffices(&self) -> Result<bool> {
        let numbers = |version: &str| -> Vec<u32> {
            version.split(['.', '-']).map_while(|part| part.parse().ok()).collect()
        };
        Ok(numbers(self.version()?) >= numbers(env!("CARGO_PKG_RUST_VERSION")))
    }

    fn field(&self, name: &str) -> Result<&str> {
        let lines = self.verbose.lines();
        let mut values = lines.filter_map(|line| line.split_once(": "));
        let found = values.find(|(key, _)| *key == name);
        Ok(found.with_context(|| format!("rustc -vV says no {name}"))?.1)
    }
}

/// A compiler flag that keeps this machine's folders out of the Wasm, where panic messages name
/// the dependencies' sources: the same sources then give the same bundle everywhere.
pub fn hide_folders() -> Option<String> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")))?;
    let sources = home.join("registry/src").into_os_string().into_string().ok()?;
    let whole = !sources.contains(char::is_whitespace); // where cargo would cut the flag in two
    whole.then(|| format!("--remap-path-prefix={sources}=crates"))
}

/// Takes back what `cargo run` and rustup set for programs of their own toolchain.
pub fn leave_rustup(command: &mut Command) {
    for name in ["RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"] {
        command.env_remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::Compiler;

    #[test]
    fn versions_compare_as_numbers() {
        let new_enough = |release: &str| {
            let verbose = format!("rustc\nrelease: {release}\nhost: here");
            Compiler { verbose }.suffices().is_ok_and(|suffices| suffices)
        };
        assert!(new_enough("1.91.0") && new_enough("1.100.0") && new_enough("2.0.0"));
        assert!(new_enough("1.97.0-nightly"));
        assert!(!new_enough("1.90.1") && !new_enough("1.9.0"));
    }
}
