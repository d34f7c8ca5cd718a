//! The npm packages: wrangler with its Workers runtime, esbuild, wasm-opt, and a Node for them.
//!
//! They are half a gigabyte, so clones share them: a clone's `node_modules` is a link to the
//! folder that `npm ci` filled for this package-lock.json. Where a person ran `npm ci` in the clone,
//! what it made is used as it is.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::cache::{self, Cache};
use super::project::text;
use super::rust::path_with;
use super::step::{exists, read, run, step};

const NODE_MODULES: &str = "node_modules";
/// What decides on the packages.
const FILES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];
/// The oldest Node that wrangler runs on.
const OLDEST_NODE: (u32, u32) = (22, 12);

/// The packages' programs.
pub struct Packages {
    pub bin: PathBuf,
}

impl Packages {
    pub fn find(cache: &Cache) -> Result<Option<Self>> {
        let shared = shared(cache)?;
        let here = crate::root().join(NODE_MODULES);
        let fits = match fs::read_link(&here) {
            Ok(to) => to == shared,
            Err(_) => fits(&here)?,
        };
        let bin = here.join(".bin");
        Ok((fits && bin.is_dir()).then_some(Self { bin }))
    }

    pub fn install(cache: &Cache) -> Result<Self> {
        let shared = shared(cache)?;
        if !shared.is_dir() {
            fill(cache)?;
        }
        let link = crate::root().join(NODE_MODULES);
        cache::remove(&link)?;
        symlink(&shared, &link).with_context(|| format!("cannot link {}", link.display()))?;
        Self::find(cache)?.context("the npm packages are not where they were put")
    }
}

/// Whether a folder holds the very versions that package.json pins.
fn fits(node_modules: &Path) -> Result<bool> {
    let version = |package: &Value| package["version"].as_str().map(str::to_owned);
    let package: Value = serde_json::from_str(&text("package.json")?)?;
    let pinned = package["devDependencies"].as_object().context("package.json pins nothing")?;
    Ok(pinned.iter().all(|(name, pinned)| {
        let read = fs::read(node_modules.join(name).join("package.json")).unwrap_or_default();
        let found = serde_json::from_slice(&read).ok().as_ref().and_then(version);
        found.as_deref() == pinned.as_str()
    }))
}

/// The folder of the packages that the clone's lock file asks for, on this platform.
fn shared(cache: &Cache) -> Result<PathBuf> {
    Ok(cache.path(place()?).join(NODE_MODULES))
}

fn place() -> Result<PathBuf> {
    let files = FILES.iter().map(|file| text(file)).collect::<Result<Vec<_>>>()?;
    let key = cache::key(files.iter().map(String::as_str).chain([OS, ARCH]));
    Ok(Path::new("npm").join(key))
}

fn fill(cache: &Cache) -> Result<()> {
    if !exists("npm") {
        bail!("there is no npm here: install Node.js 20 or later");
    }
    let log = cache.log("npm");
    step(
        "Installing the npm packages",
        "wrangler, esbuild, wasm-opt, Node; about half a minute, once",
        None,
        || {
            cache.make(place()?, |folder| {
                for file in FILES {
                    fs::copy(crate::root().join(file), folder.join(file))
                        .with_context(|| format!("cannot copy {file}"))?;
                }
                // Their install scripts only make their programs start faster.
                let mut npm = Command::new("npm");
                npm.args(["ci", "--ignore-scripts", "--include=dev", "--include=optional"]);
                run(npm.current_dir(folder), &log)?;
                check_node(&folder.join(NODE_MODULES).join(".bin"))
            })
        },
    )
    .map(drop)
}

/// Checks the Node that runs the packages: the one among them, or the system's where package.json
/// has none for the platform.
fn check_node(bin: &Path) -> Result<()> {
    let path = path_with(&[bin.to_owned()])?;
    let version = read(Command::new("node").arg("--version").env("PATH", path))?;
    let mut numbers = version.trim_start_matches('v').split('.').map(|n| n.parse().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < OLDEST_NODE {
        let (major, minor) = OLDEST_NODE;
        bail!("wrangler needs Node {major}.{minor} or later, and this is {version}");
    }
    Ok(())
}
