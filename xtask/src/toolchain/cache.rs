//! The folder that the project's clones on one machine share: tools, a Wasm standard library,
//! npm packages, compiled dependencies. All of it can be deleted at any time.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

/// Overrides the folder's place.
const PLACE: &str = "ERASURE_RELAY_CACHE";

/// The shared folder. What is in it is named after its version and appears whole or not at all.
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Finds the folder, and makes it if it is not there.
    pub fn open() -> Result<Self> {
        let root = place()?;
        for part in ["logs", "staging"] {
            let dir = root.join(part);
            fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        Ok(Self { root })
    }

    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// Where the output of the named step goes; the previous one is removed.
    pub fn log(&self, step: &str) -> PathBuf {
        let log = self.root.join("logs").join(format!("{step}.log"));
        let _ = fs::remove_file(&log);
        log
    }

    /// Waits until no other process sets up this folder; the lock goes with the returned file.
    pub fn lock(&self) -> Result<File> {
        let path = self.root.join("lock");
        let file =
            File::create(&path).with_context(|| format!("cannot open {}", path.display()))?;
        if file.try_lock().is_err() {
            eprintln!("setup: waiting for another setup on this machine");
            file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        }
        Ok(file)
    }

    /// A fresh empty folder, gone when the returned value is dropped.
    pub fn staging(&self) -> Result<Staging> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = self.root.join("staging").join(format!("{}-{number}", process::id()));
        remove(&dir)?;
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Staging(dir))
    }

    /// Has `fill` fill a fresh folder, which then becomes `relative`: an interrupted run leaves
    /// nothing half-made under that name.
    pub fn make(
        &self,
        relative: impl AsRef<Path>,
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let staging = self.staging()?;
        let made = staging.path().join("made");
        fs::create_dir(&made).with_context(|| format!("cannot make {}", made.display()))?;
        fill(&made)?;
        let place = self.path(relative);
        put(&made, &place)?;
        Ok(place)
    }

    /// Removes what interrupted runs left, as far as their children do not still write there.
    /// Only for the holder of the lock.
    pub fn clear_staging(&self) {
        for entry in fs::read_dir(self.root.join("staging")).into_iter().flatten().flatten() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A temporary folder inside the cache, on the same file system as the rest of it.
pub struct Staging(PathBuf);

impl Staging {
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Moves the folder `made` to `place`, in the stead of what is there.
pub fn put(made: &Path, place: &Path) -> Result<()> {
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    remove(place)?;
    fs::rename(made, place)
        .with_context(|| format!("cannot move {} to {}", made.display(), place.display()))
}

/// Removes a file, a link or a folder with all in it; it need not be there.
pub fn remove(path: &Path) -> Result<()> {
    let Ok(metadata) = path.symlink_metadata() else {
        return Ok(());
    };
    let removed = if metadata.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.with_context(|| format!("cannot remove {}", path.display()))
}

/// A short name for `parts`, the same on every run (64-bit FNV-1a).
pub fn key<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

fn place() -> Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(place) = set(PLACE) {
        return std::path::absolute(&place).with_context(|| format!("{PLACE} is not a path"));
    }
    let caches = set("XDG_CACHE_HOME").or_else(|| env::home_dir().map(|home| home.join(".cache")));
    let caches = caches.with_context(|| format!("no home folder: set {PLACE} to a folder"))?;
    Ok(caches.join("erasure-relay"))
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn keys_differ_by_content_and_by_cut() {
        assert_eq!(key(["ab", "c"]), key(["ab", "c"]));
        assert_ne!(key(["ab", "c"]), key(["a", "bc"]));
        assert_ne!(key(["ab"]), key(["ab", ""]));
    }
}
