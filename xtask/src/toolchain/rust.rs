//! The Rust compiler for wasm32-unknown-unknown: the one in use if it has that target, else with
//! rustup's help, else Debian's.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cache::{Cache, key};
use super::debian;
use super::step::{exists, read, run, step};

pub const TARGET: &str = "wasm32-unknown-unknown";

/// A Rust toolchain that has the Wasm target.
pub struct Rust {
    /// A folder with `cargo` and `rustc`; none if the ones in use are meant.
    pub bin: Option<PathBuf>,
    pub version: String,
    /// Names the compiler and its standard library: what other ids compiled does not fit.
    pub id: String,
}

impl Rust {
    /// The toolchain in use, or what an earlier setup made.
    pub fn find(cache: &Cache) -> Result<Option<Self>> {
        let in_use = Compiler::read("rustc");
        if let Ok(compiler) = &in_use
            && has_target()
        {
            let sysroot = read(Command::new("rustc").args(["--print", "sysroot"]))?;
            let id = key([compiler.verbose.as_str(), &sysroot]);
            return Ok(Some(Self { bin: None, version: compiler.version()?.to_owned(), id }));
        }
        Ok(debian::find(cache)?.map(Self::from))
    }

    /// Gives the toolchain in use the target, or makes one that has it.
    pub fn install(cache: &Cache) -> Result<Self> {
        let advice = || {
            format!(
                "this Rust cannot compile to Wasm: install its {TARGET} target \
                 (`rustup target add {TARGET}`, or your system's package for it)"
            )
        };
        match add_with_rustup(cache) {
            Ok(()) => Self::find(cache)?.with_context(advice),
            Err(error) if !exists("apt-get") => Err(error).with_context(advice),
            Err(_) => {
                eprintln!("setup: rustup cannot do it, Debian's packages may");
                debian::install(cache).map(Self::from).with_context(advice)
            }
        }
    }

    /// This toolchain's `cargo`.
    pub fn cargo(&self) -> PathBuf {
        match &self.bin {
            Some(bin) => bin.join("cargo"),
            None => env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from),
        }
    }

    /// Has `command`, and what it starts, use this toolchain.
    pub fn set_for(&self, command: &mut Command) {
        if let Some(bin) = &self.bin {
            command.env("CARGO", bin.join("cargo"));
            command.env("RUSTC", bin.join("rustc"));
            command.env("RUSTDOC", bin.join("rustdoc"));
            leave_rustup(command);
        }
    }
}

impl From<debian::Sysroot> for Rust {
    fn from(made: debian::Sysroot) -> Self {
        Self { bin: Some(made.root.join("bin")), version: made.version, id: made.id }
    }
}

/// A Rust compiler, by its own words.
pub struct Compiler {
    verbose: String,
}

impl Compiler {
    pub fn read(rustc: &str) -> Result<Self> {
        Ok(Self { verbose: read(Command::new(rustc).arg("-vV"))? })
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

/// `folders` in front of the present PATH.
pub fn path_with(folders: &[PathBuf]) -> Result<OsString> {
    let present = env::var_os("PATH").unwrap_or_default();
    let all = folders.iter().cloned().chain(env::split_paths(&present));
    env::join_paths(all).context("a folder's name does not fit into PATH")
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

/// Whether the compiler in use comes with a standard library for Wasm.
fn has_target() -> bool {
    let query = ["--print", "target-libdir", "--target", TARGET];
    let libraries = read(Command::new("rustc").args(query)).map(fs::read_dir);
    libraries.is_ok_and(|entries| entries.is_ok_and(|mut entries| entries.next().is_some()))
}

fn add_with_rustup(cache: &Cache) -> Result<()> {
    if !exists("rustup") {
        bail!("there is no rustup");
    }
    let (what, why) = ("Adding the Wasm target to this Rust", "rustup target add");
    step(what, why, || {
        let mut rustup = Command::new("rustup");
        rustup.args(["target", "add", TARGET]).env("RUST_BACKTRACE", "0");
        run(&mut rustup, &cache.log("rustup"))
    })
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
