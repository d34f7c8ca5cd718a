//! # Erasure Relay
//!
//! The target of an erasure webhook: it proves that the webhook is genuine, and asks each vendor to
//! delete the person's data.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

pub mod config;
pub mod delivery;
#[cfg(feature = "edge")]
pub mod edge;
pub mod erasure;
pub mod json;
pub mod problem;
pub mod pseudonym;
pub mod receipt;
pub mod relay;
pub mod settings;
pub mod signature;
pub mod source;
pub mod vendor;

#[cfg(feature = "edge")]
use worker::{Context, Env, event, web_sys};

/// Called for each HTTP request.
#[cfg(feature = "edge")]
#[event(fetch)]
async fn fetch(
    request: web_sys::Request,
    env: Env,
    _context: Context,
) -> Result<web_sys::Response, worker::Error> {
    Ok(edge::handle(request, env).await?)
}

/// The worked example compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../docs/adding-a-vendor.md")]
struct AddingAVendor;
