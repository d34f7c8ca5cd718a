//! Stand-in vendors: HTTP servers on the loopback interface that simulate Instacart Connect, Insider
//! and Acme, the example of docs/adding-a-vendor.md, for the demo, the development server, the measurements and the end-to-end tests.
//!
//! # Built from the documentation alone
//!
//! A stand-in implements the vendor's published API pages. This crate depends on no other crate of
//! the project, so it cannot share a constant, a type or a mistake with the relay.
//!
//! # Strict
//!
//! Every request is compared with the page of its path: method, path, headers, body. A request that
//! does not match is answered with 418, a status that no vendor documents, so that no client
//! can take it for a success; every mismatch is kept in [`StandIn::mismatches`]. A token that was
//! never valid gets the vendor's own 401 and is kept as a mismatch too. A token that was valid and
//! has expired or been revoked gets the 401 only.
//!
//! # Scripted answers
//!
//! A request that matches is answered with the documented success, unless a test has scripted other
//! answers for its identifier with [`StandIn::script`]: a list of [`Answer`]s, one per request, of
//! which the last repeats. A request with a mismatch or without valid credentials takes nothing from
//! the script. The order of precedence is: refusal of a mismatch, outage ([`StandIn::set_outage`]), rate
//! limit ([`StandIn::set_rate_limit`]), script, injected fault ([`StandIn::inject_faults`]), documented
//! success.
//!
//! # Modules
//!
//! Each uses only those below it.
//!
//! ```text
//! stand_in          the API for tests: start a stand-in, script it, read what it received
//! connection        one connection: receives requests, carries out the answers
//! acme              Acme: the example of a simple vendor
//! instacart         Instacart Connect: pages as rules, documented answers, issued tokens
//! insider           Insider: pages as rules, documented answers
//! journal           requests received, scripts, and the choice of the next answer
//! rate_limit        a limit on the calls in a sliding window
//! fault_injection   faults at given rates, from a seed
//! outage            failure of the whole vendor, switched on and off
//! vendor            what a stand-in needs to know of its vendor
//! inspection        the rules that the vendors share: methods, headers, credentials
//! json              JSON that keeps repeated members, so that they can be refused
//! request           a recorded request
//! payload           response bodies, incomplete and very large ones included
//! answer            what a script can make a vendor do, from a status to a reset connection
//! key_server        where senders publish their public keys
//! platform          where consent platforms are told what became of an erasure
//! server            accepts connections until dropped
//! ```

pub mod acme;
mod answer;
mod connection;
mod fault_injection;
pub mod insider;
mod inspection;
pub mod instacart;
mod journal;
mod json;
mod key_server;
mod outage;
mod payload;
pub mod platform;
mod rate_limit;
mod request;
mod server;
mod stand_in;
mod vendor;

pub use answer::Answer;
pub use fault_injection::FaultRates;
pub use insider::InsiderAccount;
pub use inspection::{CredentialStatus, Inspection};
pub use instacart::InstacartAccount;
pub use key_server::{KeyServer, Resource};
pub use outage::Outage;
pub use request::RecordedRequest;
pub use stand_in::StandIn;
pub use vendor::Vendor;
