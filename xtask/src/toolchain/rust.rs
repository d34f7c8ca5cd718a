//! The Rust compiler for wasm32-unknown-unknown: the one in use if it has that target, else with
//! rustup's help, else Debian's.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cache::{Cache, key};
use super::compiler::{Compiler, TARGET, leave_rustup};
use super::debian;
use super::step::{exists, read, run, step};

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
            let id = key([compiler.description(), &sysroot]);
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

/// `folders` in front of the present PATH.
pub fn path_with(folders: &[PathBuf]) -> Result<OsString> {
    let present = env::var_os("PATH").unwrap_or_default();
    let all = folders.iter().cloned().chain(env::split_paths(&present));
    env::join_paths(all).context("a folder's name does not fit into PATH")
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
    step(what, why, None, || {
        let mut rustup = Command::new("rustup");
        rustup.args(["target", "add", TARGET]).env("RUST_BACKTRACE", "0");
        run(&mut rustup, &cache.log("rustup"))
    })
}
