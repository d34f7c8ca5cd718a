//! The folder of Wasm compilations, target/wasm, and the compiled dependencies that clones share.
//!
//! A fresh clone starts with a copy of what an earlier clone compiled, from the same Cargo.lock if
//! there is one; cargo compiles again what does not fit. (One build folder for all clones would
//! not do: cargo would take one clone's crate for another's.)

use std::cmp::Reverse;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cache::{self, Cache, key, remove};
use super::project::text;
use super::rust::Rust;
use super::step::{read, step};

/// The parts of target/wasm that hold compiled dependencies, for the host and for Wasm.
const FOLDERS: [&str; 6] = [
    "release/deps",
    "release/build",
    "release/.fingerprint",
    "wasm32-unknown-unknown/release/deps",
    "wasm32-unknown-unknown/release/build",
    "wasm32-unknown-unknown/release/.fingerprint",
];
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
        step(what, why, None, || restore(&shared, &folder))?;
    }
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(folder.join(STAMP), &rust.id))
        .with_context(|| format!("cannot write into {}", folder.display()))
}

/// Keeps this clone's compiled dependencies for others, under the name of what they are for, as
/// far as the cache has none of that name. `query` is the cargo command that compiled them, made
/// to print messages as JSON: these tell what is in use from what is left of older versions.
pub fn keep(cache: &Cache, rust: &Rust, name: &str, query: &mut Command) -> Result<()> {
    let shared = shared(cache, rust)?;
    if shared.join(name).is_dir() {
        return Ok(());
    }
    let _lock = cache.lock()?;
    let messages = read(query)?;
    let used = used(&messages);
    let kept: Vec<_> = newest_first(&shared);
    cache.make(shared.join(name), |made| {
        for folder in FOLDERS {
            let new = |file: &Path| {
                let name = file.file_name().unwrap_or_default();
                hashes(&name.to_string_lossy()).any(|hash| used.contains(hash))
                    && !kept.iter().any(|other| other.join(folder).join(name).exists())
            };
            copy_some(&self::folder().join(folder), &made.join(folder), new)?;
        }
        Ok(())
    })?;
    newest_first(&cache.path(DEPENDENCIES)).iter().skip(KEPT).try_for_each(|old| remove(old))
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

/// The hashes in cargo's `messages` that stand for compiled packages from elsewhere.
fn used(messages: &str) -> HashSet<&str> {
    let own = "\"package_id\":\"path+";
    messages.lines().filter(|line| !line.contains(own)).flat_map(hashes).collect()
}

/// The parts of a text that look like cargo's hashes: `0123456789abcdef` in `libserde-….rlib`.
fn hashes(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| word.len() == 16 && word.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Copies what the folders in `from` hold so that it appears whole or not at all.
fn restore(from: &Path, to: &Path) -> Result<()> {
    let beside = to.with_extension("part");
    remove(&beside)?;
    for part in newest_first(from) {
        copy(&[part.join(".")], &beside)?;
    }
    cache::put(&beside, to)
}

/// Copies the entries of a folder that `wanted` wants.
fn copy_some(from: &Path, to: &Path, wanted: impl Fn(&Path) -> bool) -> Result<()> {
    let mut all = newest_first(from);
    all.retain(|path| wanted(path));
    copy(&all, to)
}

/// Copies files and folders into the folder `to`, with their times: cargo judges by these.
fn copy(from: &[PathBuf], to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
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
    use super::{hashes, used};

    #[test]
    fn hashes_are_found_in_file_names() {
        let found = |name| hashes(name).collect::<Vec<_>>();
        assert_eq!(found("libserde-0123456789abcdef.rlib"), ["0123456789abcdef"]);
        assert!(found("libserde-0123456789abcdeg.rlib").is_empty());
        assert!(found("erasure_relay.wasm").is_empty());
    }

    #[test]
    fn own_packages_are_not_among_the_used() {
        let messages = r#"{"package_id":"registry+x#a@1","filenames":["a-00000000000000aa.rlib"]}
{"package_id":"path+file:///own#0.1.0","filenames":["own-00000000000000bb.rlib"]}"#;
        let used: Vec<_> = used(messages).into_iter().collect();
        assert_eq!(used, ["00000000000000aa"]);
    }
}
