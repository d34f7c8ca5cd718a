//! When a vendor is called, and what the platform is told: pure, the time is an argument.

pub mod direct;
mod patience;
