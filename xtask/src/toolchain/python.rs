//! A Python with the packages that sign tokens in the end-to-end tests: a virtual environment in the
//! cache, named after the packages' versions and the Python's.

use std::env::consts::{ARCH, OS};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt;
use super::cache::{self, Cache};
use super::project::text;
use super::step::{exists, read, run, step};

/// The packages, with their versions.
const REQUIREMENTS: &str = "tests/sdk/requirements.txt";
/// Debian's packages of an interpreter that can make virtual environments.
const PACKAGES: [&str; 2] = ["python3", "python3-venv"];
/// Where an interpreter may be. The first may be one that cannot make virtual environments.
const INTERPRETERS: [&str; 2] = ["python3", "/usr/bin/python3"];

/// The interpreter of the environment, which is made if it is not there.
///
/// # Errors
/// Where there is no Python and none can be installed, or a package cannot be had.
pub fn ensure(cache: &Cache) -> Result<PathBuf> {
    if let Some(found) = find(cache)? {
        return Ok(found);
    }
    let _lock = cache.lock()?;
    if let Some(found) = find(cache)? {
        return Ok(found); // another process made it
    }
    if interpreter().is_none() {
        provide(cache)?;
    }
    let base = interpreter().context("this Python makes no virtual environments")?;
    let log = cache.log("python");
    step("Installing the Python packages", "PyJWT signs tokens in the tests", None, || {
        cache.make(place(base)?, |folder| {
            run(Command::new(base).args(["-m", "venv"]).arg(folder), &log)?;
            let mut pip = Command::new(python(folder));
            pip.args(["-m", "pip", "install", "--no-input", "--no-deps", "--only-binary=:all:"]);
            pip.args(["--disable-pip-version-check", "--requirement", REQUIREMENTS]);
            run(pip.current_dir(crate::root()), &log)
        })
    })?;
    find(cache)?.context("the new Python environment is not where it was put")
}

fn find(cache: &Cache) -> Result<Option<PathBuf>> {
    let Some(base) = interpreter() else { return Ok(None) };
    let found = python(&cache.path(place(base)?));
    // The interpreter that it was made of may be gone.
    Ok(Some(found).filter(|python| read(Command::new(python).args(["-c", "import jwt"])).is_ok()))
}

/// The first interpreter that can make virtual environments.
fn interpreter() -> Option<&'static str> {
    let able =
        |name: &str| read(Command::new(name).args(["-c", "import venv, ensurepip, ssl"])).is_ok();
    INTERPRETERS.into_iter().find(|name| able(name))
}

fn python(environment: &Path) -> PathBuf {
    environment.join("bin/python")
}

fn place(base: &str) -> Result<PathBuf> {
    let about = "import sys; print(sys.base_prefix, sys.version)";
    let about = read(Command::new(base).args(["-c", about]))?;
    let key = cache::key([text(REQUIREMENTS)?.as_str(), &about, OS, ARCH]);
    Ok(Path::new("python").join(key))
}

/// Installs Debian's Python.
fn provide(cache: &Cache) -> Result<()> {
    if !exists("apt-get") {
        bail!("the tests need Python 3.9 or later with venv and pip: install them");
    }
    let what = format!("Installing {} by apt-get", PACKAGES.join(", "));
    let log = cache.log("apt-python");
    step(&what, "Python senders in the tests", None, || apt::install(&PACKAGES, &log))
}
