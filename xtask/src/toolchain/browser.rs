//! A headless Chromium with the packages that drive it, for the tests of the dashboard: from npm, with
//! versions and checksums in `tests/browser/package-lock.json`, unpacked into the cache.
//!
//! The package's Chromium is for Linux on x86-64. Elsewhere, or where `CHROME` names a program, that
//! one is used.

use std::env;
use std::env::consts::{ARCH, OS};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt;
use super::cache::{self, Cache};
use super::project::text;
use super::step::{exists, run, step};

/// Names the browser to use.
const CHROME: &str = "CHROME";
/// Where the files are that decide on the packages, and the program that unpacks the browser.
const FOLDER: &str = "tests/browser";
const FILES: [&str; 3] = ["package.json", "package-lock.json", "unpack.mjs"];
/// Where the browser is unpacked, below the folder of the packages.
const UNPACKED: &str = "chromium";
/// Names under which a browser may be installed.
const INSTALLED: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// A browser, and the npm packages that drive it.
pub struct Browser {
    /// The folder with the packages' `node_modules`.
    packages: PathBuf,
    program: PathBuf,
    /// The folder with the libraries and fonts that came with it.
    unpacked: Option<PathBuf>,
}

impl Browser {
    /// Finds the browser, and makes what is missing. `node` runs npm's and the packages' programs.
    ///
    /// # Errors
    /// Where there is none, and none can be had.
    pub fn ensure(cache: &Cache, node: &dyn Fn(&str) -> Command) -> Result<Self> {
        let packages = cache.path(place()?);
        if !packages.is_dir() {
            let _lock = cache.lock()?;
            if !packages.is_dir() {
                fill(cache, node)?;
            }
        }
        let unpacked = packages.join(UNPACKED);
        let given = env::var_os(CHROME).filter(|path| !path.is_empty()).map(PathBuf::from);
        if let Some(program) = given {
            return Ok(Self { packages, program, unpacked: None });
        }
        if has_package() {
            let program = unpacked.join("chromium");
            return Ok(Self { packages, program, unpacked: Some(unpacked) });
        }
        Ok(Self { packages, program: installed(cache)?, unpacked: None })
    }

    /// Has `node` know the browser: a script finds its packages in `BROWSER_PACKAGES` and the program in
    /// `CHROME`.
    pub fn set_for(&self, node: &mut Command) {
        node.env("BROWSER_PACKAGES", &self.packages).env(CHROME, &self.program);
        if let Some(unpacked) = &self.unpacked {
            node.env("LD_LIBRARY_PATH", unpacked.join("al2023/lib"));
            node.env("FONTCONFIG_FILE", unpacked.join("fonts.conf"));
        }
    }
}

/// Whether the npm package has a browser for this machine.
fn has_package() -> bool {
    (OS, ARCH) == ("linux", "x86_64")
}

fn place() -> Result<PathBuf> {
    let npmrc = text(".npmrc")?;
    let files = FILES.iter().map(|file| text(&format!("{FOLDER}/{file}")));
    let files = files.collect::<Result<Vec<_>>>()?;
    let all = files.iter().map(String::as_str).chain([npmrc.as_str(), OS, ARCH]);
    Ok(Path::new("browser").join(cache::key(all)))
}

fn fill(cache: &Cache, node: &dyn Fn(&str) -> Command) -> Result<()> {
    if !exists("npm") {
        bail!("there is no npm here: install Node.js 20 or later");
    }
    let log = cache.log("browser");
    let why = "Chromium for the dashboard's tests; about 20 s, once";
    step("Installing the browser", why, None, || {
        cache.make(place()?, |folder| {
            let root = crate::root();
            let files = FILES.map(|file| (root.join(FOLDER).join(file), file));
            for (from, file) in files.into_iter().chain([(root.join(".npmrc"), ".npmrc")]) {
                fs::copy(&from, folder.join(file))
                    .with_context(|| format!("cannot copy {}", from.display()))?;
            }
            let mut npm = Command::new("npm");
            npm.args(["ci", "--ignore-scripts"]).current_dir(folder);
            run(&mut npm, &log)?;
            if has_package() {
                let mut unpack = node("node");
                unpack.arg("unpack.mjs").current_dir(folder);
                run(unpack.env("TMPDIR", folder.join(UNPACKED)), &log)?;
            }
            Ok(())
        })
    })
    .map(drop)
}

/// A browser that is installed, by Debian's packages if need be.
fn installed(cache: &Cache) -> Result<PathBuf> {
    if let Some(found) = INSTALLED.into_iter().find(|name| exists(name)) {
        return Ok(found.into());
    }
    if !exists("apt-get") {
        bail!("the dashboard's tests need Chromium: install it, or name it in {CHROME}");
    }
    let log = cache.log("apt-browser");
    step("Installing chromium by apt-get", "for the dashboard's tests", None, || {
        apt::install(&["chromium"], &log)
    })?;
    Ok("chromium".into())
}
