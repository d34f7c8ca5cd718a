//! The programs that cargo compiles for us: worker-build, and wasm-bindgen with its test runner.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt;
use super::cache::Cache;
use super::project::Project;
use super::step::{exists, read, run, show_progress, step};

/// What worker-build's HTTP client links against on Linux. The crate has no feature that leaves the
/// client out or gives it another TLS library. The client is never used here: it downloads the
/// tools that [`super::Toolchain::worker_build`] names.
const OPENSSL: [&str; 2] = ["libssl-dev", "pkg-config"];

/// Where the programs are.
pub struct Tools {
    pub worker_build: PathBuf,
    pub wasm_bindgen: PathBuf,
    pub test_runner: PathBuf,
}

/// A crate with programs in it.
struct Crate<'a> {
    name: &'static str,
    version: &'a str,
    why: &'static str,
    arguments: &'static [&'static str],
    links_openssl: bool,
}

impl Crate<'_> {
    fn place(&self) -> PathBuf {
        Path::new("tools").join(format!("{}-{}", self.name, self.version))
    }

    /// Compiles the crate into the cache, with intermediate files in `target`.
    fn install(&self, cache: &Cache, target: &Path) -> Result<()> {
        let Self { name, version, why, arguments, links_openssl } = self;
        if *links_openssl {
            provide_openssl(cache)?;
        }
        let what = format!("Compiling {name} {version}");
        let log = cache.log(name);
        step(&what, why, Some(&log), || {
            cache.make(self.place(), |root| {
                let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
                let mut command = Command::new(cargo);
                command.args(["install", "--locked", "--no-track", "--root"]).arg(root);
                command.arg(format!("{name}@{version}")).args(*arguments);
                command.env("CARGO_TARGET_DIR", target);
                // They have little to do: not optimizing them saves more time than it costs.
                command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0");
                command.env("CARGO_PROFILE_RELEASE_DEBUG", "0");
                command.env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
                show_progress(&mut command);
                run(&mut command, &log)
            })
        })
        .map(drop)
    }
}

/// What the project needs: wasm-bindgen's program must be exactly the library's version, and
/// worker-build is released together with the library `worker`.
fn crates(project: &Project) -> Result<[Crate<'_>; 2]> {
    let wasm_bindgen = Crate {
        name: "wasm-bindgen-cli",
        version: project.locked("wasm-bindgen")?,
        why: "joins Wasm and JavaScript; about 1 min, once",
        // Without the default features, which are there for browsers on other machines.
        arguments: &[
            "--no-default-features",
            "--bin=wasm-bindgen",
            "--bin=wasm-bindgen-test-runner",
        ],
        links_openssl: false,
    };
    let worker_build = Crate {
        name: "worker-build",
        version: project.locked("worker")?,
        why: "builds Workers written in Rust; 2 to 4 min, once",
        arguments: &["--bin=worker-build"],
        links_openssl: true,
    };
    Ok([wasm_bindgen, worker_build])
}

impl Tools {
    pub fn find(project: &Project, cache: &Cache) -> Result<Option<Self>> {
        let [wasm_bindgen, worker_build] = crates(project)?.map(|c| cache.path(c.place()));
        let found = wasm_bindgen.is_dir() && worker_build.is_dir();
        Ok(found.then(|| Self {
            worker_build: worker_build.join("bin/worker-build"),
            wasm_bindgen: wasm_bindgen.join("bin/wasm-bindgen"),
            test_runner: wasm_bindgen.join("bin/wasm-bindgen-test-runner"),
        }))
    }

    pub fn install(project: &Project, cache: &Cache) -> Result<Self> {
        let target = cache.staging()?; // one for both: they have dependencies in common
        for wanted in crates(project)? {
            if !cache.path(wanted.place()).is_dir() {
                wanted.install(cache, target.path())?;
            }
        }
        Self::find(project, cache)?.context("the new tools are not where they were put")
    }
}

/// On Linux, makes sure of OpenSSL's headers; elsewhere the system's own TLS is linked.
fn provide_openssl(cache: &Cache) -> Result<()> {
    let there = || read(Command::new("pkg-config").args(["--exists", "openssl"])).is_ok();
    let given = ["OPENSSL_DIR", "OPENSSL_LIB_DIR"].iter().any(|name| env::var_os(name).is_some());
    if !cfg!(target_os = "linux") || given || there() {
        return Ok(());
    }
    if !exists("apt-get") {
        bail!("worker-build needs OpenSSL's headers and pkg-config (openssl-devel or the like)");
    }
    let what = format!("Installing {} by apt-get", OPENSSL.join(", "));
    let log = cache.log("apt-openssl");
    step(&what, "worker-build links against OpenSSL", None, || apt::install(&OPENSSL, &log))
}
