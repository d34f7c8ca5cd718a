//! The project's commands, and what they share with the end-to-end tests.
//!
//! ```text
//! configuration       wrangler.toml
//! toolchain           what builds the Wasm, found or made
//! bundle              the release bundle
//! workerd             the bundle in the real runtime
//! standin             the vendors' part
//! webhook             the consent platform's part
//! demo, dev, checks   the commands
//! send                a webhook to any deployment, by a program of its own
//! ```

use std::path::Path;

pub mod bundle;
pub mod checks;
pub mod configuration;
pub mod demo;
pub mod dev;
pub mod send;
pub mod standin;
pub mod toolchain;
pub mod webhook;
pub mod workerd;

/// The project's folder.
#[must_use]
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
