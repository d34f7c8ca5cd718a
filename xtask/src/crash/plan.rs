//! What is sent and how it is disturbed: all of it drawn from one seed.

use std::time::Duration;

use anyhow::Result;
use oorandom::Rand64;
use serde_json::json;
use standin::platform::{Platform, Reaction};
use standin::{Answer, FaultRates};

use super::tickets::{self, TOKEN, TOKEN_HEADER, Ticket};
use crate::demo::Vendors;
use crate::measure::platform::{Post, Posting, SOURCE};
use crate::webhook::Webhook;
use crate::workerd::Deployment;

/// How long the Worker runs before it is killed, from the moment it serves.
const UPTIME: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(1600)];

/// How the vendors fail. The longest delay leaves the vendor's timeout ample room, so that an
/// answer which was given was also heard, unless the Worker was killed.
const FAULTS: FaultRates = FaultRates {
    errors: 0.15,
    throttled: 0.01,
    resets: 0.05,
    delayed: 0.4,
    max_delay: Duration::from_millis(300),
};

/// The share of requests that come from Ketch, which is told what became of them.
const KETCH_SHARE: f64 = 0.3;

/// The share of these that Insider rejects at first.
const REJECTED_SHARE: f64 = 0.2;

/// One webhook for both vendors, with what must be delivered for it.
pub struct Erasure {
    /// The platform's id.
    pub request_id: String,
    /// What is sent.
    pub webhook: Sent,
    /// What must be delivered; no two are of the same vendor and kind.
    pub deliveries: Vec<Expected>,
}

/// Who sends it.
pub enum Sent {
    /// A platform that signs, and is told nothing.
    Signed(Webhook),
    /// Ketch.
    Ketch(Ticket),
}

impl Erasure {
    /// The source that it comes from.
    #[must_use]
    pub fn source(&self) -> &'static str {
        match self.webhook {
            Sent::Signed(_) => SOURCE,
            Sent::Ketch(_) => tickets::SOURCE,
        }
    }

    /// What Ketch waits for; `None` of another platform.
    #[must_use]
    pub fn ticket(&self) -> Option<&Ticket> {
        match &self.webhook {
            Sent::Signed(_) => None,
            Sent::Ketch(ticket) => Some(ticket),
        }
    }

    /// Whether a vendor rejects it until it is replayed.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        self.ticket().is_some_and(|ticket| ticket.is_rejected)
    }

    /// What is sent, with Ketch's callbacks at `platform`.
    #[must_use]
    pub fn post(&self, platform: &Platform) -> Posted {
        match &self.webhook {
            Sent::Signed(webhook) => Posted::Signed(webhook.clone()),
            Sent::Ketch(ticket) => Posted::Ketch(ticket.body(&self.request_id, platform)),
        }
    }
}

/// What is sent, ready to be posted.
pub enum Posted {
    /// Signed anew each time.
    Signed(Webhook),
    /// The body of a request of Ketch.
    Ketch(Vec<u8>),
}

impl Post for Posted {
    fn source(&self) -> &str {
        match self {
            Posted::Signed(webhook) => webhook.source(),
            Posted::Ketch(_) => tickets::SOURCE,
        }
    }

    fn message(&self) -> Result<Posting> {
        match self {
            Posted::Signed(webhook) => webhook.message(),
            Posted::Ketch(body) => {
                let headers = [("content-type", "application/json"), (TOKEN_HEADER, TOKEN)];
                let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
                Ok((headers.to_vec(), body.clone()))
            }
        }
    }
}

/// One delivery.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The account's name.
    pub vendor: &'static str,
    /// The kind of identifier, as receipts name it.
    pub kind: &'static str,
    /// Nobody else's.
    pub identifier: String,
}

/// What a seed decides.
pub struct Plan {
    /// In the order of sending.
    pub erasures: Vec<Erasure>,
    /// How long the Worker runs before each kill but the last two: these come when all is acknowledged,
    /// and when what was rejected is replayed.
    pub uptimes: Vec<Duration>,
    /// How Ketch answers its messages.
    reactions: Vec<Reaction>,
    /// The seeds of both vendors' faults.
    fault_seeds: [u64; 2],
}

impl Plan {
    /// Draws a plan.
    #[must_use]
    pub fn new(seed: u64, webhooks: usize, kills: usize) -> Self {
        let mut random = Rand64::new(seed.into());
        let fault_seeds = [random.rand_u64(), random.rand_u64()];
        let [shortest, longest] = UPTIME;
        let uptimes = (2..kills)
            .map(|_| shortest + (longest - shortest).mul_f64(random.rand_float()))
            .collect();
        let erasures = (0..webhooks).map(|index| erasure(index, &mut random)).collect();
        let reactions = tickets::reactions(&mut random, webhooks);
        Self { erasures, uptimes, reactions, fault_seeds }
    }

    /// How many deliveries one vendor must confirm, without those that it may reject at first.
    #[must_use]
    pub fn deliveries_to(&self, vendor: &str) -> usize {
        let deliveries = self.erasures.iter().flat_map(|erasure| &erasure.deliveries);
        let rejected = self.rejected_identifiers();
        let deliveries = deliveries.filter(|delivery| delivery.vendor == vendor);
        deliveries.filter(|delivery| !rejected.contains(&delivery.identifier.as_str())).count()
    }

    /// Lets the vendors and the platform fail.
    pub fn disturb(&self, vendors: &Vendors, platform: &Platform) {
        vendors.instacart.inject_faults(FAULTS, self.fault_seeds[0]);
        vendors.insider.inject_faults(FAULTS, self.fault_seeds[1]);
        for identifier in self.rejected_identifiers() {
            vendors.insider.script(identifier, [Answer::status(422), Answer::Success]);
        }
        platform.script(self.reactions.iter().copied());
    }

    /// What Insider rejects at first.
    fn rejected_identifiers(&self) -> Vec<&str> {
        let rejected = self.erasures.iter().filter(|erasure| erasure.is_rejected());
        let deliveries = rejected.flat_map(|erasure| &erasure.deliveries);
        let emails = deliveries.filter(|delivery| delivery.kind == "email");
        emails.map(|delivery| delivery.identifier.as_str()).collect()
    }

    /// The paths of all callbacks.
    #[must_use]
    pub fn callbacks(&self) -> Vec<String> {
        let tickets = self.erasures.iter().filter_map(Erasure::ticket);
        tickets.flat_map(|ticket| ticket.callbacks.clone()).collect()
    }
}

fn erasure(index: usize, random: &mut Rand64) -> Erasure {
    let request_id = format!("crash-{index:05}");
    let (user_id, email) = (format!("u-{index:05}"), format!("p-{index:05}@example.com"));
    let expected = |vendor, kind, identifier: &String| Expected {
        vendor,
        kind,
        identifier: identifier.clone(),
    };
    let mut deliveries =
        vec![expected("instacart", "user_id", &user_id), expected("insider", "email", &email)];
    let mut subject = json!({ "user_id": user_id, "email": email });
    let mut identities = vec![("account_id", user_id), ("email", email)];
    if random.rand_float() < 0.25 {
        let phone_number = format!("+6598{index:06}");
        subject["phone_number"] = json!(phone_number);
        deliveries.push(expected("insider", "phone_number", &phone_number));
        identities.push(("phone", phone_number));
    }
    let [is_ketch, is_rejected, has_two] =
        [KETCH_SHARE, REJECTED_SHARE, 0.5].map(|share| random.rand_float() < share);
    let webhook = if is_ketch {
        let path = |number| format!("/callbacks/{request_id}/{number}");
        let callbacks = (0..=u8::from(has_two)).map(path).collect();
        Sent::Ketch(Ticket { identities, callbacks, is_rejected })
    } else {
        Sent::Signed(Webhook::erasure(&request_id, &subject))
    };
    Erasure { webhook, request_id, deliveries }
}

/// The shipped configuration in a hurry: with its own pauses, a crash would be made good after
/// minutes, and what is measured is that it is made good.
///
/// # Errors
/// Where `wrangler.toml` cannot be read.
pub fn deployment(vendors: &Vendors, platform: &Platform) -> Result<Deployment> {
    let mut deployment = vendors.deployment()?;
    for vendor in ["instacart", "insider"] {
        let account = &mut deployment.vars["VENDORS"][vendor];
        account["timeout_seconds"] = json!(2);
        account["pace"] = json!({ "calls": 6000, "per_seconds": 60 });
        account["retry"] = json!({ "first_seconds": 1, "longest_seconds": 2 });
        account["breaker"] = json!({ "failures": 20, "probe_seconds": 1 });
    }
    Ok(tickets::configure(deployment, platform))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(seed: u64) -> String {
        let plan = Plan::new(seed, 50, 20);
        let deliveries: Vec<_> = plan.erasures.iter().map(|one| &one.deliveries).collect();
        let tickets: Vec<_> = plan.erasures.iter().filter_map(Erasure::ticket).collect();
        let Plan { fault_seeds, uptimes, reactions, .. } = &plan;
        format!("{fault_seeds:?} {uptimes:?} {reactions:?} {deliveries:?} {tickets:?}")
    }

    #[test]
    fn a_seed_repeats_its_plan_and_another_makes_another() {
        assert_eq!(shown(1), shown(1));
        assert_ne!(shown(1), shown(2));
    }
}
