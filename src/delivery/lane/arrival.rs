//! What the Worker hands to a lane: one account's part of an erasure.

use std::time::Duration;

use super::{Claim, Record};
use crate::erasure::{Identifier, Subject};
use crate::pseudonym::{Pseudonym, Pseudonyms};
use crate::receipt::{Outcome, Timestamp};
use crate::vendor::{Call, Step, Vendor};

/// A webhook's part for one account.
pub struct Arrival<'a> {
    /// The source that sent it.
    pub source: &'a str,
    /// The platform's id of the request.
    pub request_id: &'a str,
    /// When the webhook came in: the same for all of its lanes, since lists are in this order.
    pub received_at: Timestamp,
    /// Where the id was derived from the message: after this time the same message is a new request.
    pub repeat_after: Option<Duration>,
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
        subject: Pseudonym,
        /// Those of the call's alternatives, in their order.
        alternatives: Vec<Pseudonym>,
    },
    /// Cannot be sent; the receipt shows it.
    Unusable {
        /// The kind of the identifier, and its pseudonym; `None` where the request has none that the
        /// vendor takes.
        identifier: Option<(String, Pseudonym)>,
        /// Why, in fixed words.
        detail: &'static str,
        /// `InsufficientIdentification`, or `NotApplicable`.
        outcome: Outcome,
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
    /// What `vendor` is asked to erase `subject`; `without` is the outcome where the subject has no
    /// identifier that it takes.
    pub fn plan(
        vendor: &dyn Vendor,
        subject: &Subject,
        pseudonyms: &Pseudonyms,
        without: Outcome,
    ) -> Vec<Self> {
        let part = |step| match step {
            Step::Call(call) => {
                let subject = pseudonyms.of(&call.identifier);
                let alternatives = call.alternatives.iter().map(|one| pseudonyms.of(one)).collect();
                Part::Call { call, subject, alternatives }
            }
            Step::Unusable { identifier: None, detail } => {
                Part::Unusable { identifier: None, detail, outcome: without }
            }
            Step::Unusable { identifier: Some(one), detail } => {
                let identifier = Some((Identifier::kind(&one).to_string(), pseudonyms.of(&one)));
                let outcome = Outcome::InsufficientIdentification;
                Part::Unusable { identifier, detail, outcome }
            }
        };
        vendor.plan(subject).into_iter().map(part).collect()
    }
}
