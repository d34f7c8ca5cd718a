//! The consent platforms' part: what they send, and how they sign it. For `cargo xtask send`, and
//! for tests that play a platform.
//!
//! ```text
//! body          what each platform sends of a person
//! proof         what each puts on it: a signature, a token, or both
//! private_key   keys to sign with
//! output        what commands print
//! cli           the command
//! ```

pub mod body;
#[cfg(feature = "command")]
pub mod cli;
pub mod output;
pub mod private_key;
pub mod proof;

pub use body::Person;
pub use private_key::PrivateKey;
pub use proof::{Message, Proof};
