//! The consent platforms' part: what they send, and how they sign it. For `cargo xtask send`, and
//! for tests that play a platform.
//!
//! ```text
//! body          what each platform sends of a person
//! proof         what each puts on it: a signature, a token, or both
//! private_key   keys to sign with
//! configured    a platform as the configuration of a source has it
//! credentials   what the platforms of a configuration sign with
//! session       a local run, as `cargo xtask dev` tells of it
//! output        what commands print
//! cli           the command's arguments; parcel: what they have sent where
//! sending       sends a message, and follows what becomes of it
//! ```

pub mod body;
#[cfg(feature = "command")]
pub mod cli;
pub mod configured;
pub mod credentials;
pub mod output;
#[cfg(feature = "command")]
pub mod parcel;
pub mod private_key;
pub mod proof;
#[cfg(feature = "command")]
pub mod sending;
pub mod session;

pub use body::Person;
pub use credentials::Credentials;
pub use private_key::PrivateKey;
pub use proof::{Message, Proof};
