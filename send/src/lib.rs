//! The consent platforms' part: what they send, and how they sign it. For `cargo xtask send`, and
//! for tests that play a platform.
//!
//! ```text
//! body          what each platform sends of a person
//! proof         what each puts on it: a signature, a token, or both
//! private_key   keys to sign with
//! cli           the command
//! ```

pub mod body;
pub mod cli;
pub mod private_key;
pub mod proof;

pub use body::Person;
pub use private_key::PrivateKey;
pub use proof::{Message, Proof};
