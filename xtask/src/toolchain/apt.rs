//! Debian's package manager, without questions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};

use super::step::{read, run};

/// Held while `apt-get` changes something: its `update` fails where another one runs, and parts of
/// the setup run side by side.
static IN_USE: Mutex<()> = Mutex::new(());

/// Whether all `packages` are installed.
pub fn installed(packages: &[&str]) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${db:Status-Abbrev}\n"]).args(packages);
    read(&mut query).is_ok_and(|states| states.lines().all(|state| state.trim() == "ii"))
}

/// The version of an installed package.
pub fn version(package: &str) -> Result<String> {
    read(Command::new("dpkg-query").args(["--show", "--showformat=${Version}", package]))
}

/// Installs `packages`, after an update of the package lists if it fails with the present ones.
/// Removes no other package for them.
pub fn install(packages: &[&str], log: &Path) -> Result<()> {
    let mut arguments = vec!["install", "-y", "-q", "--no-install-recommends", "--no-remove"];
    arguments.extend(packages);
    let install = || {
        let _one = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        run(as_root(packages)?.args(&arguments), log)
    };
    install().or_else(|_| {
        update(packages, log)?;
        install()
    })
}

/// Brings the package lists up to date, to install `packages`.
pub fn update(packages: &[&str], log: &Path) -> Result<()> {
    let _one = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    run(as_root(packages)?.args(["update", "-q"]), log)
}

/// Fetches a package's file into `folder`, and gives its path.
pub fn download(package: &str, version: &str, folder: &Path, log: &Path) -> Result<PathBuf> {
    let wanted = format!("{package}={version}");
    run(Command::new("apt-get").args(["download", "-q", &wanted]).current_dir(folder), log)?;
    let mut entries = fs::read_dir(folder).context("cannot list the download")?.flatten();
    let of_package = entries.find(|e| e.file_name().to_string_lossy().starts_with(package));
    Ok(of_package.with_context(|| format!("apt-get left no file of {package}"))?.path())
}

/// `apt-get` with the right to install `packages`. Where there is none, says how a person can.
fn as_root(packages: &[&str]) -> Result<Command> {
    const APT: [&str; 3] =
        ["DEBIAN_FRONTEND=noninteractive", "apt-get", "-oDPkg::Lock::Timeout=300"];
    if read(Command::new("id").arg("-u"))? == "0" {
        let mut command = Command::new("env");
        command.args(APT);
        return Ok(command);
    }
    if read(Command::new("sudo").args(["-n", "true"])).is_err() {
        bail!(
            "this needs root once. Run this, and then what you ran again:\n    \
             sudo apt-get install --no-install-recommends {}",
            packages.join(" ")
        );
    }
    let mut command = Command::new("sudo");
    command.args(["-n", "env"]).args(APT);
    Ok(command)
}
