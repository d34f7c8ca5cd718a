//! The stand-ins as a client sees them: requests and responses byte by byte.

mod acme;
mod answers;
mod exchange;
mod insider_identity;
mod insider_profile;
mod instacart_deletion;
mod instacart_token;
