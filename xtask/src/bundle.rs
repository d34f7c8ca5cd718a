//! The release bundle: what Cloudflare is given to run.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::toolchain::{TARGET, Toolchain, put, remove, wasm_target_folder};

/// The variable that tells tests that the bundle in build/ is up to date.
pub const BUILT: &str = "ERASURE_RELAY_BUILT";

/// What wrangler runs its custom build for: `dev` logs panics in full, as a deployment must not.
pub(crate) const WRANGLER_COMMAND: &str = "WRANGLER_COMMAND";

/// The bundle's files.
const SCRIPT: &str = "index.js";
const WASM: &str = "index_bg.wasm";

/// Where worker-build writes, where the bundle is put together, and where it waits to be exchanged
/// for build/, on the same file system.
const WRITTEN: &str = "target/worker-build";
const READY: &str = "target/bundle";
const NEXT: &str = "target/bundle-next";

/// What cargo compiles, and, beside the bundle that was made of it, a copy of it and of what it was
/// made with: a bundle is made again only where one of them changes.
const COMPILED: &str = "wasm32-unknown-unknown/release/erasure_relay.wasm";
const MADE_OF: &str = "compiled.wasm";
const MADE_WITH: &str = "made-with.txt";

/// Where the Worker with the example vendor is built.
const WITH_EXAMPLE: &str = "target/with-example-vendor";

/// How worker-build has cargo compile it.
const COMPILATION: [&str; 3] = ["build", "--lib", "--release"];

/// What worker-build passes on to cargo for `wrangler dev`.
const DEVELOPMENT: [&str; 2] = ["--features", "development"];

/// How often a copy of build/ is tried while other processes replace it.
const COPIES: usize = 5;

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
    let development = env::var_os(WRANGLER_COMMAND).is_some_and(|command| command == "dev");
    let features: &[&str] = if development { &DEVELOPMENT } else { &[] };
    eprintln!("Worker: compiling (1 to 2 minutes the first time)");
    let mut cargo = toolchain.cargo_wasm();
    cargo.args(COMPILATION).args(features).args(["--target", TARGET]);
    step(&mut cargo)?;
    let compiled = wasm_target_folder().join(COMPILED);
    let made_with = format!("{} {features:?} {WASM_FEATURES:?}", toolchain.id()?);
    let [ready, next, served] = [READY, NEXT, "build"].map(|dir| crate::root().join(dir));
    if !is_made(&ready, &compiled, &made_with) {
        eprintln!("Worker: optimizing (about half a minute)");
        make(toolchain, features, &compiled, &ready)?;
        fs::write(ready.join(MADE_WITH), made_with).context("cannot finish the bundle")?;
    }
    if !same(&ready, &served) {
        remove(&next)?;
        copy(&ready, &next, &[SCRIPT, WASM])?;
        replace(&served, &next)?;
    }
    toolchain.keep_dependencies("bundle", &COMPILATION)?;
    measure("build")
}

/// Builds the Worker with the vendor of docs/adding-a-vendor.md, which no deployment has, into
/// target/, and prints its size. Where [`BUILT`] is set, it is there.
///
/// # Errors
/// Where a tool fails.
pub fn with_example_vendor(toolchain: &Toolchain) -> Result<Bundle> {
    if env::var_os(BUILT).is_none() {
        let _lock = lock()?;
        eprintln!("Worker with the example vendor: compiling (about a minute)");
        let mut worker_build = toolchain.worker_build()?;
        worker_build.args(["--release", "--no-opt", "--out-dir", WITH_EXAMPLE]);
        step(worker_build.args([".", "--features", "example-vendor"]))?;
    }
    measure(WITH_EXAMPLE)
}

/// Whether `ready` is the bundle of what was compiled, made with the same tools.
fn is_made(ready: &Path, compiled: &Path, made_with: &str) -> bool {
    let [script, wasm] = [SCRIPT, WASM].map(|file| ready.join(file).is_file());
    let same_tools = fs::read_to_string(ready.join(MADE_WITH)).is_ok_and(|text| text == made_with);
    script && wasm && same_tools && same_file(&ready.join(MADE_OF), compiled)
}

/// Makes the bundle in the folder `ready`, of what was compiled.
fn make(toolchain: &Toolchain, features: &[&str], compiled: &Path, ready: &Path) -> Result<()> {
    let written = crate::root().join(WRITTEN);
    remove(ready)?;
    fs::create_dir_all(ready).with_context(|| format!("cannot make {}", ready.display()))?;
    fs::copy(compiled, ready.join(MADE_OF)).context("cargo left no Wasm")?;
    let mut worker_build = toolchain.worker_build()?;
    worker_build.args(["--release", "--out-dir", WRITTEN]);
    if !features.is_empty() {
        worker_build.arg(".").args(features);
    }
    step(&mut worker_build)?;
    fs::copy(written.join(SCRIPT), ready.join(SCRIPT)).context("worker-build left no script")?;
    strip_names(toolchain, &written.join(WASM), &ready.join(WASM))
}

impl Bundle {
    /// Copies the bundle into a new folder, which no later build changes, with every other module that is
    /// beside it.
    ///
    /// # Errors
    /// Where it cannot be copied, or other processes replace it all the time.
    pub fn copy_to(&self, folder: &Path) -> Result<()> {
        let files = fs::read_dir(&self.dir).with_context(|| cannot_read(&self.dir))?;
        let mut modules = Vec::new();
        for file in files {
            let path = file.with_context(|| cannot_read(&self.dir))?.path();
            let is_module = path.extension().is_some_and(|end| end == "js" || end == "wasm");
            modules.extend(path.file_name().filter(|_| is_module).map(ToOwned::to_owned));
        }
        for _ in 0..COPIES {
            copy(&self.dir, folder, &modules)?;
            if same(&self.dir, folder) {
                return Ok(()); // the files are of one bundle
            }
        }
        bail!("{} changes all the time", self.dir.display())
    }
}

/// Copies these files.
fn copy<File: AsRef<Path>>(from: &Path, to: &Path, files: &[File]) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for file in files.iter().map(AsRef::as_ref) {
        let copied = fs::copy(from.join(file), to.join(file));
        copied.with_context(|| format!("cannot copy {} to {}", file.display(), to.display()))?;
    }
    Ok(())
}

fn cannot_read(folder: &Path) -> String {
    format!("cannot read {}", folder.display())
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
    [SCRIPT, WASM].iter().all(|file| same_file(&one.join(file), &other.join(file)))
}

fn same_file(one: &Path, other: &Path) -> bool {
    fs::read(one).is_ok_and(|here| fs::read(other).is_ok_and(|there| here == there))
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
    if env::var_os(BUILT).is_some() { measure("build") } else { build(toolchain) }
}

/// The bundle in the folder `name`, whose size is printed.
fn measure(name: &str) -> Result<Bundle> {
    let dir = crate::root().join(name);
    let (wasm, script) = (dir.join(WASM), dir.join(SCRIPT));
    let wasm_bytes = size(&wasm)?;
    let gzipped_bytes = gzipped(&wasm)? + gzipped(&script)?;
    eprintln!(
        "Bundle: {name}/index.js {}, {name}/index_bg.wasm {}; gzipped together {}",
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

    use super::{Bundle, MADE_OF, MADE_WITH, SCRIPT, WASM, is_made, replace, same};
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
    fn a_bundle_is_made_again_where_code_or_tools_have_changed() {
        let ready = bundle("script");
        let compiled = ready.join("erasure_relay.wasm");
        fs::write(&compiled, "compiled").unwrap();
        assert!(!is_made(&ready, &compiled, "tools 1"), "nothing says what it is made of");
        fs::copy(&compiled, ready.join(MADE_OF)).unwrap();
        fs::write(ready.join(MADE_WITH), "tools 1").unwrap();
        assert!(is_made(&ready, &compiled, "tools 1") && !is_made(&ready, &compiled, "tools 2"));
        fs::write(&compiled, "other code").unwrap();
        assert!(!is_made(&ready, &compiled, "tools 1"));
        fs::copy(&compiled, ready.join(MADE_OF)).unwrap();
        fs::remove_file(ready.join(WASM)).unwrap();
        assert!(!is_made(&ready, &compiled, "tools 1"), "half a bundle is none");
        remove(&ready).unwrap();
    }

    #[test]
    fn a_copy_is_of_one_bundle() {
        let dir = bundle("script");
        fs::write(dir.join("relay.js"), "another module").unwrap();
        fs::write(dir.join("package.json"), "{}").unwrap();
        let made = Bundle { dir: dir.clone(), wasm_bytes: 4, gzipped_bytes: 4 };
        let place = dir.with_extension("copy");
        made.copy_to(&place).unwrap();
        assert!(same(&dir, &place));
        assert_eq!(fs::read_to_string(place.join("relay.js")).unwrap(), "another module");
        assert!(!place.join("package.json").exists());
        remove(&dir).unwrap();
        assert!(made.copy_to(&place).is_err());
        remove(&place).unwrap();
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
