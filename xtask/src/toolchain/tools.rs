//! The programs that cargo compiles for us: wasm-bindgen and its test runner, exactly of the
//! library's version.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::cache::Cache;
use super::project::Project;
use super::step::{run, step};

const CRATE: &str = "wasm-bindgen-cli";

/// Where the programs are.
pub struct Tools {
    pub wasm_bindgen: PathBuf,
    pub test_runner: PathBuf,
}

impl Tools {
    pub fn find(project: &Project, cache: &Cache) -> Result<Option<Self>> {
        let root = cache.path(place(project.locked("wasm-bindgen")?));
        Ok(root.is_dir().then(|| Self {
            wasm_bindgen: root.join("bin/wasm-bindgen"),
            test_runner: root.join("bin/wasm-bindgen-test-runner"),
        }))
    }

    pub fn install(project: &Project, cache: &Cache) -> Result<Self> {
        let version = project.locked("wasm-bindgen")?;
        let what = format!("Compiling {CRATE} {version}");
        step(&what, "joins Wasm and JavaScript; about 1 min, once", || {
            cache.make(place(version), |root| compile(version, cache, root))
        })?;
        Self::find(project, cache)?.context("the new tools are not where they were put")
    }
}

fn place(version: &str) -> PathBuf {
    Path::new("tools").join(format!("{CRATE}-{version}"))
}

/// Compiles the programs into `root`.
fn compile(version: &str, cache: &Cache, root: &Path) -> Result<()> {
    let target = cache.staging()?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(["install", "--locked", "--no-track", "--root"]).arg(root);
    command.arg(format!("{CRATE}@{version}"));
    // Without the default features, which are there for browsers on other machines.
    command.args(["--no-default-features", "--bin=wasm-bindgen", "--bin=wasm-bindgen-test-runner"]);
    command.env("CARGO_TARGET_DIR", target.path());
    // They have little to do: not optimizing them saves more time than it costs.
    command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0");
    command.env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    command.env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    run(&mut command, &cache.log(CRATE))
}
