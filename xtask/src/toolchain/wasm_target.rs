//! The folder of Wasm compilations, target/wasm, and the compiled dependencies that clones share.
//!
//! A fresh clone starts with a copy of what an earlier clone compiled, from the same Cargo.lock if
//! there is one; cargo compiles again what does not fit. (One build folder for all clones would
//! not do: cargo would take one clone's crate for another's.)

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cache::{self, Cache, key, remove};
use super::project::{Project, text};
use super::rust::{Rust, TARGET};
use super::step::step;

/// Where the cache keeps compiled dependencies.
const DEPENDENCIES: &str = "dependencies";
/// Names the toolchain that filled the folder.
const STAMP: &str = ".toolchain";
/// How many copies the cache keeps, the newest.
const KEPT: usize = 2;

/// Where the Wasm compilations of this clone go: not where native ones go, for these may be of
/// another compiler.
pub fn folder() -> PathBuf {
    crate::root().join("target/wasm")
}

/// Makes the folder fit the toolchain, with the dependencies that another clone compiled.
pub fn prepare(cache: &Cache, rust: &Rust) -> Result<()> {
    let folder = folder();
    let fits = || fs::read_to_string(folder.join(STAMP)).is_ok_and(|id| id == rust.id);
    if fits() {
        return Ok(());
    }
    let _lock = cache.lock()?;
    if fits() {
        return Ok(()); // by another process
    }
    remove(&folder)?;
    if let Some(shared) = nearest(cache, rust)? {
        let (what, why) =
            ("Copying compiled Wasm dependencies", "from another clone of the project");
        step(what, why, || copy(&shared, &folder))?;
    }
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(folder.join(STAMP), &rust.id))
        .with_context(|| format!("cannot write into {}", folder.display()))
}

/// Keeps this clone's compiled dependencies for others, as far as the cache has none like them.
pub fn keep(project: &Project, cache: &Cache, rust: &Rust) -> Result<()> {
    let shared = shared(cache, rust)?;
    let mut lock = None;
    for profile in ["release", "debug"] {
        for folder in [PathBuf::from(profile), Path::new(TARGET).join(profile)] {
            let (ours, theirs) = (self::folder().join(&folder), shared.join(&folder));
            if !ours.is_dir() || theirs.is_dir() {
                continue;
            }
            if lock.is_none() {
                lock = Some(cache.lock()?);
            }
            cache.make(&theirs, |made| copy_foreign(&ours, made, &project.members()))?;
        }
    }
    if lock.is_some() {
        newest_first(&cache.path(DEPENDENCIES))
            .iter()
            .skip(KEPT)
            .try_for_each(|old| remove(old))?;
    }
    Ok(())
}

/// Where the dependencies of this clone are kept, compiled by `rust`.
fn shared(cache: &Cache, rust: &Rust) -> Result<PathBuf> {
    let key = key([text("Cargo.lock")?.as_str(), &text("Cargo.toml")?]);
    Ok(cache.path(DEPENDENCIES).join(format!("{}-{key}", rust.id)))
}

/// What is kept for this clone's dependencies, or else the newest of the same compiler.
fn nearest(cache: &Cache, rust: &Rust) -> Result<Option<PathBuf>> {
    let exact = shared(cache, rust)?;
    let mut all = newest_first(&cache.path(DEPENDENCIES));
    all.retain(|path| path.file_name().unwrap_or_default().to_string_lossy().starts_with(&rust.id));
    Ok(all.iter().find(|path| **path == exact).or(all.first()).cloned())
}

/// Copies from a profile's folder what is not of the packages `members`. Left out as their own:
/// final artifacts, tests, and incremental compilation.
fn copy_foreign(from: &Path, to: &Path, members: &[&str]) -> Result<()> {
    for kind in [".fingerprint", "build", "deps"] {
        let (from, to) = (from.join(kind), to.join(kind));
        let Ok(entries) = fs::read_dir(&from) else {
            continue;
        };
        let foreign = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let program = path.extension().is_some_and(|extension| extension == "wasm");
            !program && !members.iter().any(|member| belongs(&name, member))
        };
        let paths: Vec<_> = entries.flatten().map(|e| e.path()).filter(foreign).collect();
        fs::create_dir_all(&to).with_context(|| format!("cannot make {}", to.display()))?;
        copy_all(&paths, &to)?;
    }
    Ok(())
}

/// Whether cargo gives a file of that name to the package: `libNAME-HASH.rlib`, `NAME-HASH`, ….
fn belongs(file: &str, package: &str) -> bool {
    let [file, package] = [file, package].map(|name| name.replace('_', "-"));
    let names = [file.as_str(), file.strip_prefix("lib").unwrap_or(&file)];
    names.iter().any(|name| {
        let rest = name.strip_prefix(package.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']))
    })
}

/// Copies a folder so that it appears whole or not at all.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let beside = to.with_extension("part");
    remove(&beside)?;
    fs::create_dir_all(&beside).with_context(|| format!("cannot make {}", beside.display()))?;
    copy_all(&[from.join(".")], &beside)?;
    cache::put(&beside, to)
}

/// Copies files and folders into the folder `to`, with their times: cargo judges by these.
fn copy_all(from: &[PathBuf], to: &Path) -> Result<()> {
    if from.is_empty() {
        return Ok(());
    }
    let status = Command::new("cp").arg("-Rp").args(from).arg(to).status();
    if !status.context("cannot start cp")?.success() {
        bail!("cannot copy into {}", to.display());
    }
    Ok(())
}

/// The entries of a folder; none if there is no such folder.
fn newest_first(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort_by_cached_key(|path| Reverse(path.metadata().and_then(|m| m.modified()).ok()));
    paths
}

#[cfg(test)]
mod tests {
    use super::belongs;

    #[test]
    fn own_artifacts_are_told_from_others() {
        let own = ["liberasure_relay-0a1b.rlib", "erasure_relay.d", "erasure-relay-0a1b"];
        assert!(own.iter().all(|file| belongs(file, "erasure-relay")));
        let foreign = ["libserde-0a1b.rlib", "erasure_relayed-0a1b.d", "libc-0a1b"];
        assert!(!foreign.iter().any(|file| belongs(file, "erasure-relay")));
    }
}
