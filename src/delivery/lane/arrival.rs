//! What the Worker hands to a lane: one account's part of an erasure.

use super::{Claim, Record};
use crate::erasure::Subject;
use crate::pseudonym::Pseudonyms;
use crate::receipt::Timestamp;
use crate::vendor::{Call, Step, Vendor};

/// A webhook's part for one account.
pub struct Arrival<'a> {
    /// The source that sent it.
    pub source: &'a str,
    /// The platform's id of the request.
    pub request_id: &'a str,
    /// When the webhook came in: the same for all of its lanes, since lists are in this order.
    pub received_at: Timestamp,
    /// One for each step of the vendor's plan.
    pub parts: Vec<Part>,
}

/// One step of a plan.
pub enum Part {
    /// To be sent.
    Call {
        /// What to send.
        call: Call,
        /// The pseudonym of the identifier.
        subject: String,
        /// The pseudonyms of all identifiers of the person that the call can use, joined by spaces.
        names: String,
    },
    /// Cannot be sent; the receipt shows it.
    Unusable {
        /// The kind of the identifier; `None` where the request has none that the vendor takes.
        identifier: Option<String>,
        /// Why, in fixed words.
        detail: &'static str,
    },
}

/// What became of an arrival.
pub struct Accepted {
    /// The whole erasure at this account, with what was known before.
    pub records: Vec<Record>,
    /// What may be sent at once.
    pub claims: Vec<Claim>,
    /// By when the lane must be woken for what was stored; `None` where nothing new waits.
    pub wake_by: Option<Timestamp>,
}

impl Part {
    /// What `vendor` is asked to erase `subject`.
    pub fn plan(vendor: &dyn Vendor, subject: &Subject, pseudonyms: &Pseudonyms) -> Vec<Self> {
        let part = |step| match step {
            Step::Call(call) => {
                let subject = pseudonyms.of(&call.identifier);
                let mut names = subject.clone();
                for other in &call.alternatives {
                    names.push(' ');
                    names.push_str(&pseudonyms.of(other));
                }
                Part::Call { call, subject, names }
            }
            Step::Unusable { kind, detail } => {
                Part::Unusable { identifier: kind.map(|kind| kind.to_string()), detail }
            }
        };
        vendor.plan(subject).into_iter().map(part).collect()
    }
}
