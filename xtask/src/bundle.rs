//! The release bundle: what Cloudflare is given to run.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::toolchain::{Toolchain, put, remove};

/// The variable that tells tests that the bundle in build/ is up to date.
pub const BUILT: &str = "ERASURE_RELAY_BUILT";

/// What wrangler runs its custom build for: `dev` logs panics in full, as a deployment must not.
pub(crate) const WRANGLER_COMMAND: &str = "WRANGLER_COMMAND";

/// The bundle's files.
const SCRIPT: &str = "index.js";
const WASM: &str = "index_bg.wasm";

/// Where worker-build writes, and where the bundle is put together, on build/'s file system.
const WRITTEN: &str = "target/worker-build";
const READY: &str = "target/bundle";

/// How worker-build has cargo compile it.
const COMPILATION: [&str; 3] = ["build", "--lib", "--release"];

/// What rustc's Wasm uses, and workerd knows: as worker-build sets them. `--all-features` would
/// make Binaryen 132 write compact imports, which workerd rejects.
const WASM_FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-exception-handling",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// A Worker, ready to run or to deploy.
pub struct Bundle {
    /// Holds index.js and the Wasm that it imports.
    pub dir: PathBuf,
    pub wasm_bytes: u64,
    /// Wasm and JavaScript, each gzipped: what is uploaded.
    pub gzipped_bytes: u64,
}

/// Builds the release bundle into build/, and prints its size. What is in build/ is replaced in one
/// step, and stays as it is where the new bundle is the same.
///
/// # Errors
/// Where a tool fails.
pub fn build(toolchain: &Toolchain) -> Result<Bundle> {
    let _lock = lock()?;
    let mut worker_build = toolchain.worker_build()?;
    worker_build.args(["--release", "--out-dir", WRITTEN]);
    if env::var_os(WRANGLER_COMMAND).is_some_and(|command| command == "dev") {
        worker_build.args([".", "--features", "development"]);
    }
    step(&mut worker_build)?;
    let [written, ready, served] = [WRITTEN, READY, "build"].map(|dir| crate::root().join(dir));
    remove(&ready)?;
    fs::create_dir_all(&ready).with_context(|| format!("cannot make {}", ready.display()))?;
    fs::copy(written.join(SCRIPT), ready.join(SCRIPT)).context("worker-build left no script")?;
    strip_names(toolchain, &written.join(WASM), &ready.join(WASM))?;
    if !same(&ready, &served) {
        replace(&served, &ready)?;
    }
    toolchain.keep_dependencies("bundle", &COMPILATION)?;
    measure()
}

/// Waits until no other process builds in this clone; the lock goes with the returned file.
fn lock() -> Result<File> {
    let target = crate::root().join("target");
    let opened =
        fs::create_dir_all(&target).and_then(|()| File::create(target.join("bundle.lock")));
    let file = opened.context("cannot write into target/")?;
    file.lock().context("cannot lock target/bundle.lock")?;
    Ok(file)
}

/// Leaves out the names of functions, some 30 KB of the upload. worker-build always keeps them: it
/// runs wasm-opt with `--debuginfo`.
fn strip_names(toolchain: &Toolchain, from: &Path, to: &Path) -> Result<()> {
    let mut strip = toolchain.node_bin("wasm-opt");
    step(strip.arg("--strip-debug").args(WASM_FEATURES).arg(from).arg("-o").arg(to))
}

/// Whether two folders hold the same bundle.
fn same(one: &Path, other: &Path) -> bool {
    [SCRIPT, WASM].iter().all(|file| {
        let read = |folder: &Path| fs::read(folder.join(file));
        read(one).is_ok_and(|here| read(other).is_ok_and(|there| here == there))
    })
}

/// Puts the folder `new` in the place of `old`. Where the file system can exchange them, nobody
/// finds `old` missing or half replaced.
fn replace(old: &Path, new: &Path) -> Result<()> {
    match renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE) {
        Ok(()) => remove(new),
        Err(_) => put(new, old),
    }
}

fn step(command: &mut Command) -> Result<()> {
    let program = command.get_program().display().to_string();
    let status = command.status().with_context(|| format!("cannot start {program}"))?;
    ensure!(status.success(), "{program} failed");
    Ok(())
}

/// The bundle in build/ where [`BUILT`] is set, a new one otherwise.
///
/// # Errors
/// As [`build`].
pub fn built_or_build(toolchain: &Toolchain) -> Result<Bundle> {
    if env::var_os(BUILT).is_some() { measure() } else { build(toolchain) }
}

fn measure() -> Result<Bundle> {
    let dir = crate::root().join("build");
    let (wasm, script) = (dir.join(WASM), dir.join(SCRIPT));
    let wasm_bytes = size(&wasm)?;
    let gzipped_bytes = gzipped(&wasm)? + gzipped(&script)?;
    println!(
        "Bundle: build/index.js {}, build/index_bg.wasm {}; gzipped together {}",
        kilobytes(size(&script)?),
        kilobytes(wasm_bytes),
        kilobytes(gzipped_bytes)
    );
    Ok(Bundle { dir, wasm_bytes, gzipped_bytes })
}

fn size(file: &Path) -> Result<u64> {
    Ok(fs::metadata(file).with_context(|| format!("there is no {}", file.display()))?.len())
}

/// A file's size gzipped, in bytes.
///
/// # Errors
/// Where it cannot be read.
pub fn gzipped(file: &Path) -> Result<u64> {
    let read = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&read).context("cannot compress")?;
    Ok(encoder.finish().context("cannot compress")?.len() as u64)
}

fn kilobytes(bytes: u64) -> String {
    format!("{}.{} KB", bytes / 1000, bytes % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::{SCRIPT, WASM, replace, same};
    use crate::toolchain::remove;
    use crate::workerd::new_folder;

    fn bundle(script: &str) -> PathBuf {
        let folder = new_folder("bundle").unwrap();
        fs::write(folder.join(SCRIPT), script).unwrap();
        fs::write(folder.join(WASM), "wasm").unwrap();
        folder
    }

    #[test]
    fn bundles_are_compared_by_content() {
        let [one, other, different] = ["one", "one", "two"].map(bundle);
        assert!(same(&one, &other) && !same(&one, &different));
        fs::remove_file(other.join(WASM)).unwrap();
        assert!(!same(&one, &other) && !same(&other, &other));
        [one, other, different].iter().for_each(|folder| remove(folder).unwrap());
    }

    #[test]
    fn a_bundle_replaces_another_and_what_lies_beside_it() {
        let [old, new] = ["old", "new"].map(bundle);
        fs::write(old.join("package.json"), "{}").unwrap();
        replace(&old, &new).unwrap();
        assert_eq!(fs::read_to_string(old.join(SCRIPT)).unwrap(), "new");
        assert!(!old.join("package.json").exists() && !new.exists());
        remove(&old).unwrap();
    }

    #[test]
    fn the_first_bundle_replaces_nothing() {
        let new = bundle("new");
        let place = new.with_extension("place");
        replace(&place, &new).unwrap();
        assert!(same(&place, &place) && !new.exists());
        remove(&place).unwrap();
    }
}
