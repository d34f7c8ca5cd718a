//! `cargo xtask demo`: what the Worker does, shown on the release bundle in workerd.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use comfy_table::presets::UTF8_FULL;
use comfy_table::{ContentArrangement, Table};
use serde_json::{Value, json};
use standin::{Answer, InsiderAccount, InstacartAccount, RecordedRequest, StandIn};
use tokio::time::{sleep, timeout};

use crate::bundle;
use crate::toolchain::Toolchain;
use crate::webhook::{Reply, Webhook, send};
use crate::workerd::{Deployment, Workerd};

/// The current signing secret of the demo's source. It is published in the reference libraries of
/// Standard Webhooks, so it is nobody's.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// The one before it.
pub const PREVIOUS_SECRET: &str = "whsec_cHJldmlvdXMtc2VjcmV0LW9mLXRoZS1kZW1v";
/// The operator's token in the demo.
pub const ADMIN_TOKEN: &str = "admin-token-of-the-demo";
pub(crate) const PSEUDONYM_KEY: &str = "a-key-for-the-demo-and-tests-only";
pub(crate) const INSTACART_TOKEN: &str = "instacart-token-of-the-demo";
pub(crate) const INSIDER_TOKEN: &str = "insider-token-of-the-demo";

/// Both stand-in vendors, with the accounts that the shipped configuration names.
pub struct Vendors {
    /// Plays Instacart Connect.
    pub instacart: StandIn,
    /// Plays Insider.
    pub insider: StandIn,
}

impl Vendors {
    /// Starts both.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn start() -> Result<Self> {
        let instacart = InstacartAccount::with_token(INSTACART_TOKEN);
        let insider =
            InsiderAccount { partner_name: "mybrand".to_owned(), token: INSIDER_TOKEN.to_owned() };
        Ok(Self {
            instacart: StandIn::instacart(instacart).await?,
            insider: StandIn::insider(insider).await?,
        })
    }

    /// The shipped configuration with these vendors and all secrets.
    ///
    /// # Errors
    /// Where `wrangler.toml` cannot be read.
    pub fn deployment(&self) -> Result<Deployment> {
        let urls = [("instacart", self.instacart.base_url()), ("insider", self.insider.base_url())];
        Ok(Deployment::shipped(&urls)?
            .secret("ADMIN_TOKEN", ADMIN_TOKEN)
            .secret("CONSENT_WEBHOOK_SECRET", SECRET)
            .secret("CONSENT_WEBHOOK_SECRET_PREVIOUS", PREVIOUS_SECRET)
            .secret("INSTACART_TOKEN", INSTACART_TOKEN)
            .secret("INSIDER_TOKEN", INSIDER_TOKEN)
            .secret("PSEUDONYM_KEY", PSEUDONYM_KEY))
    }
}

/// One webhook, and what must become of it.
struct Case {
    title: &'static str,
    webhook: Webhook,
    secret: &'static str,
    /// Sent in the place of the body that was signed.
    tampered: Option<String>,
    status: u16,
    /// Vendor and outcome of each delivery, in order.
    outcomes: &'static [(&'static str, &'static str)],
    /// How many requests the vendors must see.
    calls: usize,
}

impl Case {
    /// A webhook that must be answered with `status`, and of which no vendor must hear.
    fn new(title: &'static str, webhook: Webhook, status: u16) -> Self {
        let (outcomes, calls) = (&[][..], 0);
        Self { title, webhook, secret: SECRET, tampered: None, status, outcomes, calls }
    }

    /// It must have these outcomes, after this many vendor requests.
    fn with(mut self, calls: usize, outcomes: &'static [(&'static str, &'static str)]) -> Self {
        (self.calls, self.outcomes) = (calls, outcomes);
        self
    }
}

fn cases() -> Vec<Case> {
    const NO_INSIDER: (&str, &str) = ("insider", "not_applicable");
    const NO_INSTACART: (&str, &str) = ("instacart", "not_applicable");
    let both = json!({ "user_id": "a/b?c#d%é ..", "email": "sample@useinsider.com" });
    let users = json!({ "user_ids": ["u-1001", "u-1002"] });
    let unknown = json!({ "user_id": "nobody" });
    let sole = json!({ "email": "sole@useinsider.com", "custom": { "user_loyalty_id": "xyz123" } });
    let failing = json!({ "email": "failing@useinsider.com" });
    let erasure = |number, subject| Webhook::erasure(&format!("demo-{number}"), subject);

    let mut rotated =
        Case::new("two users, signed with the secret before the rotation", erasure(2, &users), 200)
            .with(2, &[("instacart", "accepted"), ("instacart", "accepted"), NO_INSIDER]);
    rotated.secret = PREVIOUS_SECRET;
    let mut tampered = Case::new("body changed on the way", erasure(3, &both), 401);
    let signed = String::from_utf8_lossy(&tampered.webhook.body);
    tampered.tampered = Some(signed.replace("sample@", "victim@"));
    let mut stale = Case::new("signed ten minutes ago", erasure(4, &both), 401);
    stale.webhook.timestamp -= 600;
    let other = Webhook::new("demo-7", r#"{"type":"privacy.access.requested"}"#);
    vec![
        Case::new("a good webhook for both vendors", erasure(1, &both), 200)
            .with(2, &[("instacart", "accepted"), ("insider", "accepted")]),
        rotated,
        tampered,
        stale,
        Case::new("Instacart does not know the user", erasure(5, &unknown), 200)
            .with(1, &[("instacart", "already_absent"), NO_INSIDER]),
        Case::new("an Insider profile's sole identifier", erasure(6, &sole), 200)
            .with(2, &[NO_INSTACART, ("insider", "not_erased"), ("insider", "accepted")]),
        Case::new("Insider fails at first", erasure(8, &failing), 202)
            .with(2, &[NO_INSTACART, ("insider", "accepted")]),
        Case::new("authentic, but not an erasure", other, 204),
    ]
}

/// Runs the demo.
///
/// # Errors
/// Where anything was not as it must be.
pub fn run(toolchain: &Toolchain) -> Result<()> {
    let bundle = bundle::build(toolchain)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let failures = runtime.block_on(async {
        let vendors = Vendors::start().await?;
        vendors.instacart.set_unknown_user("nobody");
        vendors.insider.set_sole_identifier("sole@useinsider.com");
        vendors.insider.script("failing@useinsider.com", [Answer::status(503), Answer::Success]);
        let mut deployment = vendors.deployment()?;
        // Not half a minute: somebody is watching.
        let retry = json!({ "first_seconds": 1, "longest_seconds": 1 });
        deployment.vars["VENDORS"]["insider"]["retry"] = retry;
        deployment.vars["VENDORS"]["instacart"]["pace"] =
            json!({ "calls": 600, "per_seconds": 60 });
        let worker = Workerd::start(toolchain, &bundle, &deployment).await?;
        let failures = play(&vendors, &worker).await?;
        worker.stop().await?;
        anyhow::Ok(failures)
    })?;
    ensure!(failures == 0, "{failures} webhooks were not handled as they must be");
    println!(
        "Every webhook was handled as it must be, and every vendor request was as documented."
    );
    Ok(())
}

/// Sends every case, shows what became of it, and counts those that went wrong.
async fn play(vendors: &Vendors, worker: &Workerd) -> Result<usize> {
    let mut table = Table::new();
    table.load_style(UTF8_FULL).set_content_arrangement(ContentArrangement::Dynamic);
    if table.width().is_none() {
        table.set_width(150); // not a terminal
    }
    table.set_header(["webhook", "what the vendors were sent", "answer and receipt", ""]);
    let mut failures = 0;
    for case in cases() {
        let seen = [vendors.instacart.requests().len(), vendors.insider.requests().len()];
        let body = case.tampered.clone().map_or(case.webhook.body.clone(), Into::into);
        let headers = case.webhook.headers(case.secret)?;
        let reply = send("POST", &worker.url("/webhooks/consent"), &headers, body).await?;
        let receipt =
            if reply.status == 202 { settled(worker, &reply).await? } else { reply.json() };
        let mut requests = Vec::new();
        for (name, vendor, seen) in
            [("Instacart", &vendors.instacart, seen[0]), ("Insider", &vendors.insider, seen[1])]
        {
            requests.extend(vendor.requests().into_iter().skip(seen).map(|sent| (name, sent)));
        }
        let wrong = faults(&case, &reply, &receipt, &requests);
        failures += usize::from(!wrong.is_empty());
        let sent: Vec<String> =
            requests.iter().map(|(name, sent)| show_request(name, sent)).collect();
        let sent = if sent.is_empty() { "nothing".to_owned() } else { sent.join("\n\n") };
        let verdict = if wrong.is_empty() { "ok".to_owned() } else { wrong.join("\n") };
        table.add_row([case.title.to_owned(), sent, show_reply(&reply, &receipt), verdict]);
    }
    println!("{table}");
    Ok(failures)
}

/// In what the handling of a case departs from what it must be.
fn faults(
    case: &Case,
    reply: &Reply,
    receipt: &Value,
    requests: &[(&str, RecordedRequest)],
) -> Vec<String> {
    let mut wrong = Vec::new();
    if reply.status != case.status {
        wrong.push(format!("not {}", case.status));
    }
    let deliveries = deliveries(receipt);
    let outcomes: Vec<(&str, &str)> = deliveries
        .iter()
        .map(|delivery| (text(delivery, "vendor"), text(delivery, "outcome")))
        .collect();
    if outcomes != case.outcomes {
        wrong.push("other outcomes".to_owned());
    }
    if requests.len() != case.calls {
        wrong.push(format!("not {} calls", case.calls));
    }
    wrong.extend(requests.iter().flat_map(|(_, sent)| sent.mismatches.clone()));
    wrong
}

/// The receipt, once nothing waits any more.
async fn settled(worker: &Workerd, reply: &Reply) -> Result<Value> {
    let answer = reply.json();
    let (source, id) = (text(&answer, "source"), text(&answer, "request_id"));
    let url = worker.url(&format!("/erasures/{source}/{id}"));
    let headers = [("authorization".to_owned(), format!("Bearer {ADMIN_TOKEN}"))];
    let waiting = async {
        loop {
            let receipt = send("GET", &url, &headers, "").await?.json();
            if !deliveries(&receipt).iter().any(|one| text(one, "outcome") == "scheduled") {
                return Ok(receipt);
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(60), waiting).await.context("what waited was not sent")?
}

fn deliveries(receipt: &Value) -> Vec<Value> {
    receipt["deliveries"].as_array().cloned().unwrap_or_default()
}

fn text<'a>(delivery: &'a Value, key: &str) -> &'a str {
    delivery[key].as_str().unwrap_or_default()
}

/// The headers of a vendor request that only its transport adds.
pub(crate) const TRANSPORT: &[&str] =
    &["host", "connection", "content-length", "accept-encoding", "user-agent", "cf-worker"];

/// A vendor request without what only its transport adds, its secrets masked.
fn show_request(vendor: &str, sent: &RecordedRequest) -> String {
    let mut lines = vec![format!("to {vendor}"), format!("{} {}", sent.method, sent.target)];
    for (name, value) in &sent.headers {
        let value = match name.as_str() {
            name if TRANSPORT.contains(&name) => continue,
            "authorization" => "Bearer ••••",
            "x-request-token" => "••••",
            _ => value,
        };
        lines.push(format!("{name}: {value}"));
    }
    if !sent.body.is_empty() {
        lines.push(String::from_utf8_lossy(&sent.body).into_owned());
    }
    lines.join("\n")
}

fn show_reply(reply: &Reply, receipt: &Value) -> String {
    let json = reply.json();
    let summary = json["state"].as_str().or(json["title"].as_str()).unwrap_or("(no body)");
    let mut lines = vec![format!("{} {summary}", reply.status.as_u16())];
    if json["state"] != receipt["state"] {
        lines.push(format!("then {}", text(receipt, "state")));
    }
    for delivery in deliveries(receipt) {
        let mut words = vec![text(&delivery, "vendor").to_owned()];
        words.extend(["call", "identifier"].map(|key| text(&delivery, key).to_owned()));
        words.retain(|word| !word.is_empty());
        lines.push(format!("{}: {}", words.join(" "), text(&delivery, "outcome")));
        if let Some(detail) = delivery["detail"].as_str() {
            lines.push(format!("  ({detail})"));
        }
    }
    lines.join("\n")
}
