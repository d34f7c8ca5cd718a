//! A compiler for Wasm from Debian's packages, for machines where rustup has no target to offer.
//!
//! Debian packages the compiler, a linker and the standard library's sources, but no standard
//! library for Wasm. This makes one, and a folder that looks like a toolchain around it: a sysroot
//! in the cache. Nothing is written into the system's own folders but the packages themselves.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use super::apt;
use super::cache::{Cache, key};
use super::compiler::{Compiler, TARGET, hide_folders, leave_rustup};
use super::step::{run, show_progress, step};

/// Compiler, cargo and linker.
const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "lld-22"];
/// The standard library's sources, of the compiler's version.
const SOURCES: &str = "rust-web-src";
const RUSTC: &str = "/usr/bin/rustc";
const RUSTDOC: &str = "/usr/bin/rustdoc";
const CARGO: &str = "/usr/bin/cargo";
const LLD: &str = "/usr/bin/lld-22";

/// The standard library's crates; `test` is the harness of `cargo test`.
const BUILD_STD: &str = "-Zbuild-std=std,panic_abort,test";
/// Where a sysroot keeps the sources.
const LIBRARY: &str = "lib/rustlib/src/rust";
/// Holds the time at which a sysroot was made.
const STAMP: &str = "made";
/// The crate that the standard library is built for.
const EMPTY: &str = "empty_crate";

/// A folder laid out as a Rust toolchain's: Debian's compiler with a standard library for Wasm.
pub struct Sysroot {
    pub root: PathBuf,
    pub version: String,
    pub id: String,
}

/// The sysroot for the compiler that is installed now.
pub fn find(cache: &Cache) -> Result<Option<Sysroot>> {
    if [RUSTC, CARGO, LLD].iter().any(|program| !Path::new(program).exists()) {
        return Ok(None);
    }
    let compiler = Compiler::read(RUSTC)?;
    let root = cache.path(place(&compiler)?);
    let Ok(made) = fs::read_to_string(root.join(STAMP)) else {
        return Ok(None);
    };
    let id = key([root.to_string_lossy().as_ref(), &made]);
    Ok(Some(Sysroot { root, version: compiler.version()?.to_owned(), id }))
}

pub fn install(cache: &Cache) -> Result<Sysroot> {
    let log = cache.log("apt");
    if !apt::installed(&PACKAGES) {
        let what = format!("Installing {} by apt-get", PACKAGES.join(", "));
        step(&what, "a compiler whose standard library can be built for Wasm", None, || {
            apt::install(&PACKAGES, &log)
        })?;
    }
    let staging = cache.staging()?;
    fetch_sources(staging.path(), &log)?;
    let compiler = Compiler::read(RUSTC)?;
    if !compiler.suffices()? {
        bail!(
            "Debian's rustc is {}, this project needs {}: install Rust with rustup",
            compiler.version()?,
            env!("CARGO_PKG_RUST_VERSION")
        );
    }
    let what = format!("Building Rust {}'s standard library for Wasm", compiler.version()?);
    let log = cache.log("std");
    step(&what, "about a minute, once", Some(&log), || {
        cache.make(place(&compiler)?, |root| {
            lay_out(root, &compiler)?;
            build_std(root, staging.path(), &log)
        })
    })?;
    find(cache)?.context("the new sysroot is not where it was put")
}

fn place(compiler: &Compiler) -> Result<PathBuf> {
    Ok(Path::new("sysroot").join(compiler.name()?))
}

/// Unpacks the standard library's part of the sources package into `folder`. If that version is
/// no longer offered, brings the compiler up to date.
fn fetch_sources(folder: &Path, log: &Path) -> Result<()> {
    let download = || apt::download(SOURCES, &apt::version(PACKAGES[0])?, folder, log);
    let package = download().or_else(|_| {
        apt::update(&PACKAGES, log)?;
        apt::install(&PACKAGES, log)?;
        download()
    })?;
    let mut archive = Command::new("dpkg-deb");
    archive.arg("--fsys-tarfile").arg(&package).stdout(Stdio::piped());
    let mut archive = archive.spawn().context("cannot start dpkg-deb")?;
    let files = archive.stdout.take().context("dpkg-deb has no output")?;
    let mut unpack = Command::new("tar");
    // ./usr/src/rustc-VERSION/library
    unpack.args(["-x", "--strip-components=4", "--wildcards", "./usr/src/*/library"]);
    let unpacked = unpack.current_dir(folder).stdin(files).status().context("cannot start tar")?;
    let read = archive.wait().context("dpkg-deb is gone")?;
    if !(unpacked.success() && read.success() && folder.join("library/std").is_dir()) {
        bail!("{SOURCES} could not be unpacked");
    }
    Ok(())
}

/// Gives `root` the form of a toolchain: programs in bin/, the host's libraries, a Wasm linker.
fn lay_out(root: &Path, compiler: &Compiler) -> Result<()> {
    let (bin, host) = (root.join("bin"), Path::new("lib/rustlib").join(compiler.host()?));
    for folder in [&bin, &root.join(&host).join("bin")] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    for (name, program) in [("rustc", RUSTC), ("rustdoc", RUSTDOC)] {
        write_wrapper(&bin.join(name), program)?;
    }
    link(CARGO, &bin.join("cargo"))?;
    link(LLD, &root.join(&host).join("bin/rust-lld"))?;
    link(Path::new("/usr").join(&host).join("lib"), &root.join(&host).join("lib"))
}

/// A program that is `program` with the sysroot that it stands in.
fn write_wrapper(file: &Path, program: &str) -> Result<()> {
    let script =
        format!("#!/bin/sh\nbin=${{0%/*}}\nexec {program} --sysroot \"${{bin%/*}}\" \"$@\"\n");
    let written = fs::write(file, script)
        .and_then(|()| fs::set_permissions(file, fs::Permissions::from_mode(0o755)));
    written.with_context(|| format!("cannot write {}", file.display()))
}

fn link(to: impl AsRef<Path>, at: &Path) -> Result<()> {
    symlink(to, at).with_context(|| format!("cannot link {}", at.display()))
}

/// Compiles `work`/library for Wasm, by way of an empty crate, into the sysroot `root`.
fn build_std(root: &Path, work: &Path, log: &Path) -> Result<()> {
    let sources = root.join(LIBRARY);
    fs::create_dir_all(&sources).context("cannot make a folder for the sources")?;
    let moved = fs::rename(work.join("library"), sources.join("library"));
    moved.context("cannot move the sources into the sysroot")?;
    let (package, target) = (work.join(EMPTY), work.join("target"));
    write_empty_crate(&package)?;
    let mut flags = vec!["-Cembed-bitcode=yes".to_owned()]; // for link-time optimization
    flags.push(format!("--remap-path-prefix={}=/rustc", sources.display()));
    flags.extend(hide_folders());
    let mut cargo = Command::new(CARGO);
    cargo.args(["build", "--release", BUILD_STD, "--target", TARGET]).current_dir(&package);
    cargo.env("RUSTC", root.join("bin/rustc")).env("CARGO_TARGET_DIR", &target);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    cargo.env("RUSTC_BOOTSTRAP", "1"); // for -Z
    leave_rustup(&mut cargo);
    show_progress(&mut cargo);
    run(&mut cargo, log)?;
    take_libraries(&target.join(TARGET).join("release/deps"), root)?;
    fs::remove_dir_all(root.join("lib/rustlib/src")).context("cannot remove the sources")?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    fs::write(root.join(STAMP), now.as_nanos().to_string()).context("cannot finish the sysroot")
}

fn write_empty_crate(folder: &Path) -> Result<()> {
    let manifest = format!(
        "[package]\nname = \"{EMPTY}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n"
    );
    let written = fs::create_dir_all(folder.join("src"))
        .and_then(|()| fs::write(folder.join("Cargo.toml"), manifest))
        .and_then(|()| fs::write(folder.join("src/lib.rs"), "#![no_std]\n"));
    written.with_context(|| format!("cannot write {}", folder.display()))
}

fn take_libraries(built: &Path, root: &Path) -> Result<()> {
    let libraries = root.join("lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&libraries).context("cannot make a folder for the libraries")?;
    for entry in fs::read_dir(built).context("the build left no libraries")? {
        let path = entry.context("cannot list the libraries")?.path();
        let name = path.file_name().unwrap_or_default();
        let own = name.to_string_lossy().contains(EMPTY);
        if path.extension().is_some_and(|extension| extension == "rlib") && !own {
            fs::copy(&path, libraries.join(name)).context("cannot copy a library")?;
        }
    }
    Ok(())
}
