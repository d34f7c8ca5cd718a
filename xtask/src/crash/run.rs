//! The sending, the killing, and what was seen of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use send::output::line;
use serde_json::{Value, json};
use standin::RecordedRequest;
use standin::platform::{KETCH, Message, Platform};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::audit::{Confirmation, Kill};
use super::plan::{Plan, deployment};
use super::tickets::heard;
use super::victim::{Life, Victim};
use crate::bundle::Bundle;
use crate::demo::Vendors;
use crate::measure::operator;
use crate::measure::platform::{self, Try};
use crate::measure::statistics::percentile;
use crate::measure::vendors::{confirm, confirmed};
use crate::toolchain::Toolchain;

/// How long it may take, when no more kills come, until all webhooks are acknowledged.
const SENDING_LIMIT: Duration = Duration::from_secs(120);

/// How long it may take, after the last kill, until a vendor has confirmed everything.
const DRAIN_LIMIT: Duration = Duration::from_secs(120);

/// How long it may take, after that, until nothing waits.
const SETTLING_LIMIT: Duration = Duration::from_secs(60);

/// Queries for a list of erasures, each of which must show all of them in the end.
const LISTS: [&str; 4] = ["", "state=done", "vendor=instacart", "vendor=insider"];

/// What was seen.
pub struct Run {
    /// Every sending of every webhook.
    pub tries: Vec<Vec<Try>>,
    /// Kills and restarts.
    pub life: Life,
    /// Every call, by vendor.
    pub calls: Vec<(&'static str, Vec<RecordedRequest>)>,
    /// Where vendor requests do not match the documentation.
    pub mismatches: Vec<String>,
    /// What Ketch was told.
    pub messages: Vec<Message>,
    /// The receipt of each webhook.
    pub receipts: Vec<Option<Value>>,
    /// Deliveries that waited when all was acknowledged: before the last kill, after which nobody
    /// called the Worker.
    pub left_alone: u64,
    /// How many erasures the Worker lists for each of [`LISTS`].
    pub listed: Vec<(&'static str, usize)>,
    /// From the last restart until the vendors had confirmed all, or until that was given up.
    pub drained: Duration,
    /// From the first start.
    pub total: Duration,
}

impl Run {
    /// Carries out a plan.
    ///
    /// # Errors
    /// Where the Worker does not start, or does not answer as it must.
    pub async fn of(toolchain: &Toolchain, bundle: &Bundle, plan: &Plan) -> Result<Self> {
        let vendors = Vendors::start().await?;
        let ketch = Platform::start(KETCH, 200).await?;
        plan.disturb(&vendors, &ketch);
        let deployment = deployment(&vendors, &ketch)?;
        let mut victim = Victim::start(toolchain, bundle, deployment).await?;
        // Webhooks come all the time: each uptime lets its share of them in.
        let gate = Arc::new(Semaphore::new(0));
        let webhooks: Vec<_> = plan.erasures.iter().map(|one| one.post(&ketch)).collect();
        let share = webhooks.len().div_ceil(plan.uptimes.len() + 1);
        let sending = platform::send_all(webhooks, victim.address(), gate.clone());
        let sending = tokio::spawn(sending);
        for uptime in &plan.uptimes {
            gate.add_permits(share);
            sleep(*uptime).await;
            victim = victim.kill().await?;
        }
        gate.add_permits(plan.erasures.len());
        let tries = timeout(SENDING_LIMIT, sending).await;
        let tries = tries.context("not every webhook was acknowledged in time")???;

        // From here on nobody calls the Worker: what still waits is up to its own alarms.
        let left_alone = operator::waiting(victim.worker()).await?;
        victim = victim.kill().await?;
        let last = Instant::now();
        for (vendor, stand_in) in [("instacart", &vendors.instacart), ("insider", &vendors.insider)]
        {
            if !confirm(stand_in, plan.deliveries_to(vendor), DRAIN_LIMIT).await {
                line(format_args!("{vendor} has not confirmed everything"))?;
            }
        }
        let drained = last.elapsed();
        settle(&victim).await?;
        // Ketch has heard that these need a person. What the replay leads to is the other word.
        for erasure in plan.erasures.iter().filter(|erasure| erasure.is_rejected()) {
            operator::replay(victim.worker(), erasure.source(), &erasure.request_id).await?;
        }
        victim = victim.kill().await?;
        settle(&victim).await?;
        if !heard(&ketch, &plan.callbacks(), DRAIN_LIMIT).await {
            line("Ketch has not heard of the end of everything")?;
        }
        settle(&victim).await?;
        let mut receipts = Vec::new();
        for erasure in &plan.erasures {
            let (source, request_id) = (erasure.source(), &erasure.request_id);
            receipts.push(operator::receipt(victim.worker(), source, request_id).await?);
        }
        let mut listed = Vec::new();
        for query in LISTS {
            let ids: HashSet<_> =
                operator::listed(victim.worker(), query).await?.into_iter().collect();
            listed.push((query, ids.len()));
        }
        let mismatches = [&vendors.instacart, &vendors.insider].map(|one| one.mismatches());
        let mismatches = [mismatches.concat(), ketch.mismatches()].concat();
        let messages = ketch.messages();
        let calls = vec![
            ("instacart", vendors.instacart.requests()),
            ("insider", vendors.insider.requests()),
        ];
        let life = victim.stop().await?;
        let total = life.started.elapsed();
        Ok(Self {
            tries,
            life,
            calls,
            mismatches,
            messages,
            receipts,
            listed,
            left_alone,
            drained,
            total,
        })
    }

    /// What the vendors confirmed, by vendor and identifier, in the order of the answers.
    #[must_use]
    pub fn confirmations(&self) -> HashMap<(&'static str, String), Vec<Confirmation>> {
        let mut confirmations: HashMap<_, Vec<Confirmation>> = HashMap::new();
        for (vendor, calls) in &self.calls {
            for call in calls {
                let (Some(identifier), Some(answered), true) =
                    (&call.identifier, call.responded_at, confirmed(call))
                else {
                    continue;
                };
                let key = (*vendor, identifier.clone());
                let confirmation = Confirmation { received: call.received_at, answered };
                confirmations.entry(key).or_default().push(confirmation);
            }
        }
        for each in confirmations.values_mut() {
            each.sort_by_key(|confirmation| confirmation.answered);
        }
        confirmations
    }

    /// How many kills cut off a webhook that waited for its answer.
    #[must_use]
    pub fn kills_under_way(&self) -> usize {
        let cut = |kill: &&Kill| {
            let mut tries = self.tries.iter().flatten();
            tries.any(|one| one.started < kill.at && kill.at < one.ended && one.status.is_none())
        };
        self.life.kills.iter().filter(cut).count()
    }

    /// From a process's end until the next one served.
    #[must_use]
    pub fn median_restart(&self) -> Duration {
        percentile(&self.life.restarts, 50)
    }

    /// When the kills were, in seconds since the first start.
    #[must_use]
    pub fn kill_times(&self) -> Value {
        let since = |kill: &Kill| (kill.at - self.life.started).as_millis() as f64 / 1000.0;
        json!(self.life.kills.iter().map(since).collect::<Vec<_>>())
    }
}

/// Waits until nothing waits; what still does is a finding of the audit.
async fn settle(victim: &Victim<'_>) -> Result<()> {
    if let Err(error) = operator::drained(victim.worker(), SETTLING_LIMIT).await {
        line(format_args!("{error:#}"))?;
    }
    Ok(())
}

/// How many calls got which answer.
#[must_use]
pub fn answers(calls: &[RecordedRequest]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in calls {
        let answer = call.response_status.map_or("none".to_owned(), |status| status.to_string());
        *counts.entry(answer).or_default() += 1;
    }
    counts
}
