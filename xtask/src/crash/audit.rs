//! What became of every delivery, judged by what the vendors saw and what the receipts say.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::plan::{Erasure, Expected};

/// How long it may take, after a vendor's confirmation, until it is recorded: the Worker records its
/// calls of one webhook together, so one may wait for another that comes late. A crash in between
/// makes the call happen again: nobody can know then that it was made.
pub const SETTLEMENT: Duration = Duration::from_millis(500);

/// The outcomes that are final.
const FINAL: [&str; 8] = [
    "accepted",
    "already_absent",
    "not_erased",
    "rejected",
    "uncertain",
    "exhausted",
    "insufficient_identification",
    "not_applicable",
];

/// One crash.
#[derive(Debug, Clone, Copy)]
pub struct Kill {
    /// When the signal was sent.
    pub at: Instant,
    /// When the next process was begun: whatever a vendor received before came from the dead one.
    pub restarted: Instant,
}

/// A call that a vendor answered with a 2xx.
#[derive(Debug, Clone, Copy)]
pub struct Confirmation {
    /// When the call came.
    pub received: Instant,
    /// When its answer was given.
    pub answered: Instant,
}

impl Confirmation {
    /// How long before the kill the answer was given, if the kill may have kept it from being
    /// recorded: zero where the kill came before the answer.
    fn lost_by(&self, kill: &Kill) -> Option<Duration> {
        let age = kill.at.saturating_duration_since(self.answered);
        (self.received < kill.restarted && age <= SETTLEMENT).then_some(age)
    }
}

/// What was seen.
pub struct Evidence<'a> {
    /// All of them acknowledged.
    pub erasures: &'a [Erasure],
    /// The receipt of each, `None` where there is none.
    pub receipts: &'a [Option<Value>],
    /// By vendor and identifier, in the order of the answers.
    pub confirmations: &'a HashMap<(&'static str, String), Vec<Confirmation>>,
    /// In order.
    pub kills: &'a [Kill],
}

/// What it means.
#[derive(Debug, Default)]
pub struct Findings {
    /// Deliveries acknowledged.
    pub deliveries: usize,
    /// Deliveries by the outcome that the receipt gives; `missing` where it gives none.
    pub outcomes: BTreeMap<String, usize>,
    /// Deliveries by how often the vendor confirmed them.
    pub confirmed: BTreeMap<String, usize>,
    /// No vendor ever confirmed it, or the receipt does not end it.
    pub lost: usize,
    /// Of the lost, those that the receipt calls accepted.
    pub falsely_accepted: usize,
    /// Confirmed more than once.
    pub duplicated: usize,
    /// Confirmed again although no kill fell between the confirmation before and its record.
    pub unexplained: usize,
    /// From a confirmation that was made again to the kill that explains it: the longest.
    pub longest_settlement: Duration,
    /// What is wrong, by request and vendor, never naming a person.
    pub faults: Vec<String>,
}

impl Findings {
    /// Judges the evidence.
    #[must_use]
    pub fn of(evidence: &Evidence<'_>) -> Self {
        let mut findings = Self::default();
        for (erasure, receipt) in evidence.erasures.iter().zip(evidence.receipts) {
            for delivery in &erasure.deliveries {
                let outcome = outcome(receipt.as_ref(), delivery);
                let key = (delivery.vendor, delivery.identifier.clone());
                let confirmations = evidence.confirmations.get(&key).map_or(&[][..], Vec::as_slice);
                let told = format!("{} {} {}", erasure.request_id, delivery.vendor, delivery.kind);
                findings.take_in(&told, outcome, confirmations, evidence.kills);
            }
        }
        findings
    }

    fn take_in(
        &mut self,
        delivery: &str,
        outcome: Option<&str>,
        confirmations: &[Confirmation],
        kills: &[Kill],
    ) {
        self.deliveries += 1;
        let times = confirmations.len();
        *self.outcomes.entry(outcome.unwrap_or("missing").to_owned()).or_default() += 1;
        *self.confirmed.entry(times.to_string()).or_default() += 1;
        let ended = outcome.is_some_and(|outcome| FINAL.contains(&outcome));
        if times == 0 || !ended {
            self.lost += 1;
            self.falsely_accepted += usize::from(outcome == Some("accepted"));
            let outcome = outcome.unwrap_or("no receipt");
            self.faults.push(format!("{delivery}: lost ({times} confirmations, {outcome})"));
        }
        if times <= 1 {
            return;
        }
        self.duplicated += 1;
        let mut unexplained = false;
        for pair in confirmations.windows(2) {
            let [before, again] = pair else { continue };
            let earlier = kills.iter().filter(|kill| kill.restarted <= again.received);
            match earlier.filter_map(|kill| before.lost_by(kill)).min() {
                Some(age) => self.longest_settlement = self.longest_settlement.max(age),
                None => {
                    let [later, next] = [before.answered, again.received]
                        .map(|at| at.saturating_duration_since(confirmations[0].received));
                    self.faults.push(format!(
                        "{delivery}: confirmed at {later:?}, called again at {next:?}, no kill \
                         between (of its first call)"
                    ));
                    unexplained = true;
                }
            }
        }
        self.unexplained += usize::from(unexplained);
    }
}

/// What a receipt says of a delivery.
fn outcome<'a>(receipt: Option<&'a Value>, delivery: &Expected) -> Option<&'a str> {
    let deliveries = receipt?["deliveries"].as_array()?;
    let mut of_it = deliveries
        .iter()
        .filter(|one| one["vendor"] == delivery.vendor && one["identifier"] == delivery.kind);
    let outcome = of_it.next()?["outcome"].as_str();
    if of_it.next().is_some() { None } else { outcome }
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
