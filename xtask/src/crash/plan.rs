//! What is sent and how it is disturbed: all of it drawn from one seed.

use std::time::Duration;

use anyhow::Result;
use oorandom::Rand64;
use serde_json::json;
use standin::FaultRates;

use crate::demo::Vendors;
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

/// One webhook for both vendors, with what must be delivered for it.
pub struct Erasure {
    /// `data.request_id`
    pub request_id: String,
    /// What is sent.
    pub webhook: Webhook,
    /// What must be delivered; no two are of the same vendor and kind.
    pub deliveries: Vec<Expected>,
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
    /// How long the Worker runs before each kill but the last, which comes when all is acknowledged.
    pub uptimes: Vec<Duration>,
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
        let uptimes = (1..kills)
            .map(|_| shortest + (longest - shortest).mul_f64(random.rand_float()))
            .collect();
        let erasures = (0..webhooks).map(|index| erasure(index, &mut random)).collect();
        Self { erasures, uptimes, fault_seeds }
    }

    /// How many deliveries one vendor must confirm.
    #[must_use]
    pub fn deliveries_to(&self, vendor: &str) -> usize {
        let deliveries = self.erasures.iter().flat_map(|erasure| &erasure.deliveries);
        deliveries.filter(|delivery| delivery.vendor == vendor).count()
    }

    /// Lets the vendors fail.
    pub fn disturb(&self, vendors: &Vendors) {
        vendors.instacart.inject_faults(FAULTS, self.fault_seeds[0]);
        vendors.insider.inject_faults(FAULTS, self.fault_seeds[1]);
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
    if random.rand_float() < 0.25 {
        let phone_number = format!("+6598{index:06}");
        subject["phone_number"] = json!(phone_number);
        deliveries.push(expected("insider", "phone_number", &phone_number));
    }
    Erasure { webhook: Webhook::erasure(&request_id, &subject), request_id, deliveries }
}

/// The shipped configuration in a hurry: with its own pauses, a crash would be made good after
/// minutes, and what is measured is that it is made good.
///
/// # Errors
/// Where `wrangler.toml` cannot be read.
pub fn deployment(vendors: &Vendors) -> Result<Deployment> {
    let mut deployment = vendors.deployment()?;
    for vendor in ["instacart", "insider"] {
        let account = &mut deployment.vars["VENDORS"][vendor];
        account["timeout_seconds"] = json!(2);
        account["pace"] = json!({ "calls": 6000, "per_seconds": 60 });
        account["retry"] = json!({ "first_seconds": 1, "longest_seconds": 2 });
        account["breaker"] = json!({ "failures": 20, "probe_seconds": 1 });
    }
    Ok(deployment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(seed: u64) -> String {
        let plan = Plan::new(seed, 50, 20);
        let deliveries: Vec<_> = plan.erasures.iter().map(|one| &one.deliveries).collect();
        format!("{:?} {:?} {deliveries:?}", plan.fault_seeds, plan.uptimes)
    }

    #[test]
    fn a_seed_repeats_its_plan_and_another_makes_another() {
        assert_eq!(shown(1), shown(1));
        assert_ne!(shown(1), shown(2));
    }
}
