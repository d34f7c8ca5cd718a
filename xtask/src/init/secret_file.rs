//! `.dev.vars`, its secrets kept.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64ct::{Base64, Base64UrlUnpadded, Encoding};

use super::random;
use super::recipe::Form;
use super::secret::{Origin, Secret};

/// Only its owner may read and write it.
const MODE: u32 = 0o600;

/// The file with the secrets of local runs, where each line is `NAME="value"`, as shells read it too, or a
/// comment.
pub struct SecretFile {
    path: PathBuf,
    text: String,
}

/// A secret that was made.
pub struct Made {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// What to do with it.
    pub keep: String,
}

impl SecretFile {
    /// Reads the file, which need not exist.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        Ok(Self { path: path.to_owned(), text })
    }

    /// Adds each secret that is not there: made, or as a comment that says who has it. Those that are
    /// there stay as they are. Returns those that were made.
    ///
    /// # Errors
    /// Where the system has no random bytes.
    pub fn complete(&mut self, secrets: &[Secret]) -> Result<Vec<Made>> {
        let mut made = Vec::new();
        for secret in secrets {
            if self.has(&secret.name) {
                continue;
            }
            match &secret.origin {
                Origin::Made(form, keep) => {
                    let value = make(*form)?;
                    self.add(&format!("{}=\"{value}\"", secret.name));
                    made.push(Made { name: secret.name.clone(), value, keep: keep.clone() });
                }
                Origin::Elsewhere(place) => {
                    if !self.awaits(&secret.name) {
                        self.add(&format!("# {}=\"…\" # {place}", secret.name));
                    }
                }
            }
        }
        Ok(made)
    }

    /// Writes the file in one step; nobody else may read it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self) -> Result<()> {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let beside = self.path.with_file_name(name);
        let written = open(&beside).and_then(|mut file| {
            file.set_permissions(Permissions::from_mode(MODE))?;
            file.write_all(self.text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)
        });
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Whether the secret is there, with whatever value.
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Whether the secret is there with a value of its own.
    pub fn is_filled_in(&self, name: &str) -> bool {
        let value = self.value(name).map(|value| value.trim_matches(['"', '\'', ' ']));
        value.is_some_and(|value| !["", "…", "..."].contains(&value))
    }

    /// Whether a comment stands for the secret, which somebody else shows.
    pub fn awaits(&self, name: &str) -> bool {
        let mut comments = self.text.lines().filter_map(|line| line.trim_start().strip_prefix('#'));
        comments.any(|line| line.split_once('=').is_some_and(|(known, _)| known.trim() == name))
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.text.lines().find_map(|line| {
            let line = line.trim_start();
            let line = line.strip_prefix("export ").unwrap_or(line);
            line.split_once('=').filter(|(known, _)| known.trim() == name).map(|(_, value)| value)
        })
    }

    fn add(&mut self, line: &str) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.text.push_str(line);
        self.text.push('\n');
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(path)
}

/// A new secret of 32 random bytes.
fn make(form: Form) -> Result<String> {
    let bytes = random::<32>()?;
    Ok(match form {
        Form::Whsec => format!("whsec_{}", Base64::encode_string(&bytes)),
        Form::Whsk => format!("whsk_{}", Base64::encode_string(&bytes)),
        Form::Token => Base64UrlUnpadded::encode_string(&bytes),
    })
}
