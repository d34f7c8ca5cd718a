//! Sends a webhook of the demo, and compares what became of it with what must.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use erasure_relay::erasure::{Kind, Subject};
use erasure_relay::vendor::Step;
use send::configured::{Platform, Signed};
use send::{Credentials, Message};
use serde_json::Value;
use standin::{Answer, RecordedRequest, instacart};
use tokio::time::{sleep, timeout};

use super::cases::{Case, Twist, other_event};
use super::ticket::{Ticket, Told};
use crate::local::{Local, Recipient, Vendor};
use crate::webhook::{Reply, send};
use crate::workerd::Workerd;

/// How long what waits may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Between two looks at a receipt.
const PAUSE: Duration = Duration::from_millis(50);

/// Where the webhooks are sent.
pub struct Stage<'a> {
    local: &'a Local,
    worker: &'a Workerd,
    /// Neither secrets nor keys of which the relay knows.
    strangers: Credentials,
    /// The receipts' ids, by case number.
    ids: BTreeMap<u32, String>,
}

/// What became of a webhook.
pub struct Played {
    pub title: String,
    pub source: String,
    pub status: u16,
    /// The final receipt; `null` where there is none.
    pub receipt: Value,
    /// Whether something waited when the platform was answered.
    pub waited: bool,
    /// What the vendors were sent, by account.
    pub requests: Vec<(String, RecordedRequest)>,
    /// What the platform was told of it.
    pub told: Vec<Told>,
    /// Whether its ticket has closed, where that is shown.
    pub ticket: Option<&'static str>,
    /// In what it departs from what must be.
    pub faults: Vec<String>,
}

/// A call that a vendor must be asked for.
struct Expected<'a> {
    vendor: &'a Vendor,
    identifier: String,
    outcome: &'static str,
    times: usize,
    /// Whether the vendor keeps a profile of the person after it has accepted the call.
    leaves_profile: bool,
}

impl<'a> Stage<'a> {
    pub fn new(local: &'a Local, worker: &'a Workerd) -> Result<Self> {
        let strangers = Credentials::generate(&local.config)?;
        Ok(Self { local, worker, strangers, ids: BTreeMap::new() })
    }

    /// Sends the webhook of a case, and waits until it is final.
    pub async fn play(&mut self, case: &Case<'_>) -> Result<Played> {
        let url = self.worker.url(&format!("/webhooks/{}", case.source.name));
        let signed = self.sign(case, &url)?;
        let subject = signed.erasure.map(|erasure| erasure.subject).unwrap_or_default();
        let accepted = !matches!(case.twist, Twist::Changed | Twist::OtherSecret | Twist::Stale);
        let expected = self.expected(case, &subject);
        script(case, &expected);
        let seen: Vec<usize> =
            self.local.vendors.iter().map(|vendor| vendor.stand_in.requests().len()).collect();
        let Message { headers, body } = &signed.message;
        let reply = send("POST", &url, headers, body.clone()).await?;
        let known = accepted && !matches!(case.twist, Twist::OtherEvent);
        let receipt = if known { self.receipt(case, &reply).await? } else { Value::Null };
        let ticket = self.ticket(case, &expected);
        let (told, receipt) = match &ticket {
            Some(ticket) => self.told(case, ticket, &reply, receipt).await?,
            None => (Vec::new(), receipt),
        };
        let mut requests = Vec::new();
        for (vendor, seen) in self.local.vendors.iter().zip(seen) {
            let new = vendor.stand_in.requests().into_iter().skip(seen);
            requests.extend(new.map(|sent| (vendor.name.clone(), sent)));
        }
        let mut faults = Vec::new();
        if accepted != reply.status.is_success() || !accepted && reply.status != 401 {
            faults.push(format!("the answer is {}", reply.status));
        }
        if known && self.local.durable && receipt["deliveries"].is_null() {
            faults.push("there is no receipt".to_owned());
        }
        faults.extend(compare(&expected, &requests, &receipt));
        let ticket = ticket.map(|ticket| ticket.judge(&told, &reply, &mut faults));
        Ok(Played {
            title: case.title(),
            source: case.source.name.clone(),
            status: reply.status.as_u16(),
            waited: reply.json()["state"] == "pending",
            receipt,
            requests,
            told,
            ticket,
            faults,
        })
    }

    fn sign(&self, case: &Case<'_>, url: &str) -> Result<Signed> {
        let platform = Platform::of(&self.local.config, &self.local.vars, &case.source.name)?;
        let at = case.signed_at();
        let id = case.request_id();
        let mut body = platform.sample(&id, &case.person(), at)?;
        if matches!(case.twist, Twist::OtherEvent) {
            other_event(&self.local.vars["SOURCES"][&case.source.name], &mut body);
        }
        let secret = match case.twist {
            Twist::PreviousSecret(name) => Some(name),
            _ => None,
        };
        let credentials = match case.twist {
            Twist::OtherSecret => &self.strangers,
            _ => &self.local.credentials,
        };
        let text = body.to_string();
        let mut signed = platform.message(text.as_bytes(), &id, url, at, secret, credentials)?;
        if matches!(case.twist, Twist::Changed) {
            change(&mut signed.message.body);
        }
        Ok(signed)
    }

    /// The calls that must be made, by what the vendors plan for this person.
    fn expected(&self, case: &Case<'_>, subject: &Subject) -> Vec<Expected<'a>> {
        let mut expected = Vec::new();
        let reaches = !matches!(
            case.twist,
            Twist::Changed | Twist::OtherSecret | Twist::Stale | Twist::OtherEvent
        );
        for account in self.local.config.vendors.iter().filter(|_| reaches) {
            let vendor = self.local.vendors.iter().find(|vendor| vendor.name == account.name);
            let Some(vendor) = vendor.filter(|_| case.source.vendors.contains(&account.name))
            else {
                continue;
            };
            for step in account.vendor.plan(subject) {
                let Step::Call(call) = step else { continue };
                let here = |other: &Vendor| other.name == vendor.name;
                let mut one = Expected {
                    vendor,
                    identifier: call.identifier.expose().to_owned(),
                    outcome: "accepted",
                    times: 1,
                    leaves_profile: account.vendor.leaves_profile(call.name),
                };
                match case.twist {
                    Twist::Repeated => one.times = 0,
                    Twist::FailsAtFirst(other) if here(other) => one.times = 2,
                    Twist::UnknownUser(other) if here(other) => one.outcome = "already_absent",
                    Twist::SoleIdentifier(other)
                        if here(other) && *call.identifier.kind() == Kind::Email =>
                    {
                        one.outcome = "not_erased";
                    }
                    _ => {}
                }
                expected.push(one);
            }
        }
        expected
    }

    /// The ticket that is shown with this case: of a source whose platform is told, where each vendor
    /// accepts the erasure, be it at a second attempt.
    fn ticket(&self, case: &Case<'_>, expected: &[Expected<'_>]) -> Option<Ticket<'a>> {
        if !matches!(case.twist, Twist::None | Twist::FailsAtFirst(_)) {
            return None;
        }
        let is_of = |one: &&Recipient| one.source.as_ref() == Some(&case.source.name);
        let recipient = self.local.recipients.iter().find(is_of)?;
        let leaves_profile = expected.iter().any(|one| one.leaves_profile);
        let closes = case.source.accepts_partial_erasure || !leaves_profile;
        Some(Ticket { recipient, closes })
    }

    /// What the platform was told, once its ticket has closed as it must, and the receipt with that.
    async fn told(
        &self,
        case: &Case<'_>,
        ticket: &Ticket<'_>,
        reply: &Reply,
        receipt: Value,
    ) -> Result<(Vec<Told>, Value)> {
        let id = receipt["request_id"].as_str().unwrap_or_default().to_owned();
        let path = format!("/erasures/{}/{id}", case.source.name);
        let waiting = async {
            loop {
                let told = ticket.told(&[&case.request_id(), &id]);
                let receipt = self.ask(&path).await?;
                if ticket.has_ended(&told, reply, &receipt) {
                    return anyhow::Ok((told, receipt));
                }
                sleep(PAUSE).await;
            }
        };
        match timeout(LIMIT, waiting).await {
            Ok(done) => done,
            Err(_) => Ok((ticket.told(&[&case.request_id(), &id]), receipt)),
        }
    }

    /// The receipt, once nothing waits any more. The platform's answer need not tell its id: then it
    /// is the newest one.
    async fn receipt(&mut self, case: &Case<'_>, reply: &Reply) -> Result<Value> {
        if !self.local.durable {
            return Ok(reply.json());
        }
        let source = &case.source.name;
        let id = match self.ids.get(&case.number) {
            Some(known) => known.clone(),
            None => {
                let newest = self.ask("/erasures?limit=1").await?["erasures"][0].take();
                let id = newest["request_id"].as_str().filter(|_| newest["source"] == **source);
                let Some(id) = id else { return Ok(Value::Null) };
                self.ids.insert(case.number, id.to_owned());
                id.to_owned()
            }
        };
        let waiting = async {
            loop {
                let receipt = self.ask(&format!("/erasures/{source}/{id}")).await?;
                if receipt["state"] != "pending" {
                    return Ok(receipt);
                }
                sleep(PAUSE).await;
            }
        };
        timeout(LIMIT, waiting).await.context("what waited was not sent")?
    }

    async fn ask(&self, path: &str) -> Result<Value> {
        let token = format!("Bearer {}", self.local.admin_token()?);
        let headers = [("authorization".to_owned(), token)];
        Ok(send("GET", &self.worker.url(path), &headers, "").await?.json())
    }
}

/// Changes a character in the middle, so that the text stays one of its kind.
fn change(body: &mut [u8]) {
    let middle = body.len() / 2;
    let (before, after) = body.split_at_mut(middle);
    let mut bytes = after.iter_mut().chain(before);
    if let Some(byte) = bytes.find(|byte| byte.is_ascii_alphanumeric()) {
        *byte = if *byte == b'x' { b'y' } else { b'x' };
    }
}

/// Has the vendor of a case answer as the case says.
fn script(case: &Case<'_>, expected: &[Expected<'_>]) {
    let of = |wanted: &Vendor| {
        let name = wanted.name.clone();
        expected.iter().filter(move |one| one.vendor.name == name)
    };
    match case.twist {
        Twist::FailsAtFirst(vendor) => {
            for one in of(vendor) {
                let answers = [Answer::html(503), Answer::Success];
                vendor.stand_in.script(&one.identifier, answers);
            }
        }
        Twist::UnknownUser(vendor) => {
            of(vendor).for_each(|one| vendor.stand_in.set_unknown_user(&one.identifier));
        }
        Twist::SoleIdentifier(vendor) => {
            for one in of(vendor).filter(|one| one.outcome == "not_erased") {
                vendor.stand_in.set_sole_identifier(&one.identifier);
            }
        }
        _ => {}
    }
}

/// In what calls and receipt depart from what must be.
fn compare(
    expected: &[Expected<'_>],
    requests: &[(String, RecordedRequest)],
    receipt: &Value,
) -> Vec<String> {
    let mut faults: Vec<String> =
        requests.iter().flat_map(|(_, sent)| sent.mismatches.clone()).collect();
    let calls = requests.iter().filter(|(_, sent)| sent.path() != instacart::TOKEN);
    let wanted: usize = expected.iter().map(|one| one.times).sum();
    if calls.clone().count() != wanted {
        faults.push(format!("{} calls, not {wanted}", calls.clone().count()));
    }
    for one in expected {
        let made = calls.clone().filter(|(name, sent)| {
            *name == one.vendor.name && sent.identifier.as_deref() == Some(&*one.identifier)
        });
        if made.count() != one.times {
            faults.push(format!("{}: other calls", one.vendor.name));
        }
    }
    // In direct delivery, a platform's own form of answer tells no outcomes.
    let Some(deliveries) = receipt["deliveries"].as_array() else { return faults };
    let count = |vendor: &str, outcome: &str| {
        let same = |one: &&Value| one["vendor"] == vendor && one["outcome"] == outcome;
        deliveries.iter().filter(same).count()
    };
    for outcome in ["accepted", "already_absent", "not_erased"] {
        for one in expected.iter().filter(|one| one.outcome == outcome) {
            let name = &one.vendor.name;
            let same =
                |other: &&Expected<'_>| other.vendor.name == *name && other.outcome == outcome;
            if count(name, outcome) != expected.iter().filter(same).count() {
                faults.push(format!("{name}: other outcomes"));
            }
        }
    }
    let final_ones = [
        "accepted",
        "already_absent",
        "not_erased",
        "not_applicable",
        "insufficient_identification",
    ];
    if deliveries.iter().any(|one| !final_ones.iter().any(|known| one["outcome"] == *known)) {
        faults.push("an unexpected outcome".to_owned());
    }
    faults.dedup();
    faults
}
