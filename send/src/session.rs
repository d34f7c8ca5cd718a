//! A local run of the Worker, as `cargo xtask dev` tells `cargo xtask send` of it: in a file that
//! only its owner can read, and that goes when the run ends.

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Credentials;

/// What a sender must know of a local run.
#[derive(Serialize, Deserialize)]
pub struct Session {
    /// Where the Worker listens, without a path.
    pub url: String,
    /// Opens the operator's routes.
    pub admin_token: String,
    /// `[vars]` as the Worker has them.
    pub vars: Value,
    /// What the platforms sign with.
    pub credentials: Credentials,
}

/// The file of a running session. It is removed when this is dropped, unless a later session has
/// taken its place.
pub struct Announcement {
    place: PathBuf,
    text: Vec<u8>,
}

impl Session {
    /// Reads the session that runs in the clone `root`.
    ///
    /// # Errors
    /// Where none runs.
    pub fn running(root: &Path) -> Result<Self> {
        match fs::read(place(root)) {
            Ok(text) => serde_json::from_slice(&text).context("the session cannot be read"),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                bail!("no local run: start `cargo xtask dev`, or give --url")
            }
            Err(error) => Err(error).context("the session cannot be read"),
        }
    }

    /// Makes the session known in the clone `root`, in the place of an earlier one.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn announce(&self, root: &Path) -> Result<Announcement> {
        let place = place(root);
        let part = place.with_extension(format!("{}.part", std::process::id()));
        let text = serde_json::to_vec(self)?;
        let write = || {
            fs::create_dir_all(place.parent().unwrap_or(root))?;
            let mut file: File =
                File::options().create(true).truncate(true).write(true).mode(0o600).open(&part)?;
            file.set_permissions(Permissions::from_mode(0o600))?;
            file.write_all(&text)?;
            fs::rename(&part, &place)
        };
        write().with_context(|| format!("cannot write {}", place.display()))?;
        Ok(Announcement { place, text })
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Best effort: what is left lies under target/, and names a Worker that is gone.
        if fs::read(&self.place).is_ok_and(|text| text == self.text) {
            let _ = fs::remove_file(&self.place);
        }
    }
}

fn place(root: &Path) -> PathBuf {
    root.join("target/dev/session.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_session_is_known_until_it_ends() {
        let root = std::env::temp_dir().join(format!("session-{}", std::process::id()));
        let session = |url: &str| Session {
            url: url.to_owned(),
            admin_token: "token".to_owned(),
            vars: Value::Null,
            credentials: Credentials::default(),
        };
        assert!(Session::running(&root).is_err());
        let first = session("http://127.0.0.1:1").announce(&root).unwrap();
        let second = session("http://127.0.0.1:2").announce(&root).unwrap();
        let mode = fs::metadata(place(&root)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(first);
        assert_eq!(Session::running(&root).unwrap().url, "http://127.0.0.1:2");
        drop(second);
        assert!(Session::running(&root).is_err());
        fs::remove_dir_all(&root).unwrap();
    }
}
