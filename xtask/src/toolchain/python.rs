//! A Python with the packages that tests need: virtual environments in the cache, each named after its
//! packages' versions and the Python's.

use std::env::consts::{ARCH, OS};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt;
use super::cache::{self, Cache};
use super::project::text;
use super::step::{exists, read, run, step};

/// The packages of one environment.
pub struct Environment {
    /// Names them, with their versions.
    requirements: &'static str,
    /// What is there where they are: a module of one of them.
    module: &'static str,
    /// What they are for.
    purpose: &'static str,
    /// The oldest Python that they run on: 3 and this.
    minor: u8,
}

/// Senders that sign tokens, and a reader of metrics, in the end-to-end tests.
pub const SENDERS: Environment = Environment {
    requirements: "tests/sdk/requirements.txt",
    module: "jwt",
    purpose: "PyJWT signs tokens in the tests",
    minor: 9,
};

/// The test of the HTTP interface against its description.
pub const API_TEST: Environment = Environment {
    requirements: "tests/api/requirements.txt",
    module: "schemathesis",
    purpose: "Schemathesis tests the HTTP interface",
    minor: 11,
};

/// Debian's packages of an interpreter that can make virtual environments.
const PACKAGES: [&str; 2] = ["python3", "python3-venv"];
/// Where an interpreter may be. The first may be one that cannot make virtual environments.
const INTERPRETERS: [&str; 2] = ["python3", "/usr/bin/python3"];

/// The interpreter of the environment, which is made if it is not there.
///
/// # Errors
/// Where there is no Python and none can be installed, or a package cannot be had.
pub fn ensure(cache: &Cache, environment: &Environment) -> Result<PathBuf> {
    if let Some(found) = find(cache, environment)? {
        return Ok(found);
    }
    let _lock = cache.lock()?;
    if let Some(found) = find(cache, environment)? {
        return Ok(found); // another process made it
    }
    let Environment { requirements, purpose, minor, .. } = environment;
    if interpreter(*minor).is_none() {
        provide(cache, *minor)?;
    }
    let base = interpreter(*minor).with_context(|| {
        format!("there is no Python 3.{minor} or later that makes virtual environments")
    })?;
    let log = cache.log("python");
    step("Installing the Python packages", purpose, None, || {
        cache.make(place(base, environment)?, |folder| {
            run(Command::new(base).args(["-m", "venv"]).arg(folder), &log)?;
            let mut pip = Command::new(python(folder));
            pip.args(["-m", "pip", "install", "--no-input", "--no-deps", "--only-binary=:all:"]);
            pip.args(["--disable-pip-version-check", "--requirement", requirements]);
            run(pip.current_dir(crate::root()), &log)
        })
    })?;
    find(cache, environment)?.context("the new Python environment is not where it was put")
}

fn find(cache: &Cache, environment: &Environment) -> Result<Option<PathBuf>> {
    let Some(base) = interpreter(environment.minor) else { return Ok(None) };
    let found = python(&cache.path(place(base, environment)?));
    // The interpreter that it was made of may be gone.
    let import = format!("import {}", environment.module);
    Ok(Some(found).filter(|python| read(Command::new(python).args(["-c", &import])).is_ok()))
}

/// The first interpreter that can make virtual environments and is Python 3 of this minor version or
/// later.
fn interpreter(minor: u8) -> Option<&'static str> {
    let check =
        format!("import venv, ensurepip, ssl, sys; sys.exit(sys.version_info < (3, {minor}))");
    let able = |name: &str| read(Command::new(name).args(["-c", &check])).is_ok();
    INTERPRETERS.into_iter().find(|name| able(name))
}

fn python(environment: &Path) -> PathBuf {
    environment.join("bin/python")
}

fn place(base: &str, environment: &Environment) -> Result<PathBuf> {
    let about = "import sys; print(sys.base_prefix, sys.version)";
    let about = read(Command::new(base).args(["-c", about]))?;
    let key = cache::key([text(environment.requirements)?.as_str(), &about, OS, ARCH]);
    Ok(Path::new("python").join(key))
}

/// Installs Debian's Python.
fn provide(cache: &Cache, minor: u8) -> Result<()> {
    if !exists("apt-get") {
        bail!("the tests need Python 3.{minor} or later with venv and pip: install them");
    }
    let what = format!("Installing {} by apt-get", PACKAGES.join(", "));
    let log = cache.log("apt-python");
    step(&what, "tests that are written in Python", None, || apt::install(&PACKAGES, &log))
}
