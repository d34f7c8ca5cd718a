//! The project's commands, and what they share with the end-to-end tests. The vendors that both use
//! are in the crate `standin`.
//!
//! ```text
//! configuration       wrangler.toml
//! toolchain           what builds the Wasm, found or made
//! bundle              the release bundle
//! deployment          what it is deployed with
//! workerd, log        the bundle in the real runtime, and what it prints
//! runtime             a Worker in the real runtime without wrangler
//! local               any configuration, with stand-ins and generated secrets
//! webhook             the consent platform's part
//! measure             what the measurements share: senders, statistics, reports
//! demo, dev, checks   the commands
//! init                sets up wrangler.toml and .dev.vars
//! program             send, verify-receipt and release, which are programs of their own
//! api_test            the HTTP interface against its description
//! bench, capacity, crash, soak   the measurements
//! ```

use std::env;
use std::path::Path;
use std::process::Command;

pub mod api_test;
pub mod bench;
pub mod bundle;
pub mod capacity;
pub mod checks;
pub mod configuration;
pub mod crash;
pub mod demo;
mod deployment;
pub mod dev;
pub mod init;
pub mod local;
mod log;
pub mod measure;
pub mod program;
pub mod runtime;
pub mod soak;
pub mod toolchain;
pub mod webhook;
pub mod workerd;

/// A `cargo` in the project's folder, without what the cargo that runs this says of its package:
/// build scripts that look at it, such as ring's, would be run again by each of the two.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root());
    let of_package = ["CARGO_PKG_", "CARGO_MANIFEST_"];
    for (name, _) in env::vars_os() {
        if of_package.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
}

/// The project's folder.
#[must_use]
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
