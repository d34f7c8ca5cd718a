//! `cargo xtask api-test`: Schemathesis against the release bundle in workerd. It reads
//! `docs/openapi.json`, which the Worker serves, generates requests that match it and requests that do not, and checks each
//! answer against it. The vendors are stand-ins; what is generated is signed by `tests/api/hooks.py`.

use std::fs;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use send::output::line;
use send::{Person, Proof, body};
use serde_json::json;

use crate::bundle;
use crate::demo::{ADMIN_TOKEN, SECRET, Vendors};
use crate::runtime::Runtime;
use crate::toolchain::Toolchain;
use crate::webhook::{Webhook, now, send};

/// The token of the source that speaks OpenDSR.
const SENDER_TOKEN: &str = "sender-token-of-the-api-test";

/// The secret of the source that is Meta's.
const META_SECRET: &str = "meta-secret-of-the-api-test";

/// The description.
const DOCUMENT: &str = "docs/openapi.json";

/// The settings of Schemathesis: phases, checks, and why one is not made.
const SETTINGS: &str = "tests/api/schemathesis.toml";

/// The request that the document's examples are about.
const EXAMPLE: &str = "a7551968-d5d6-44b2-9831-815ac9017798";

/// How thorough it is.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Options {
    /// How many requests are generated for each operation and phase at most
    #[arg(long, default_value_t = 20)]
    pub examples: u32,
    /// What is generated, again: the same number makes the same requests
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { examples: 20, seed: 1 }
    }
}

/// Tests the HTTP interface against its description.
///
/// # Errors
/// Where an answer departs from the description, or something cannot be started.
pub fn run(toolchain: &Toolchain, options: Options) -> Result<()> {
    let python = toolchain.schemathesis()?;
    let bundle = bundle::built_or_build(toolchain)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let vendors = Vendors::start().await?;
        let mut deployment = vendors
            .deployment()?
            .secret("RECEIPT_SECRET", SECRET)
            .secret("RECEIPT_SIGNING_KEY", "whsk_YXBpLXRlc3QtYXBpLXRlc3QtYXBpLXRlc3QtYXBpLXQ=")
            .secret("SENDER_TOKEN", SENDER_TOKEN)
            .secret("META_SECRET", META_SECRET);
        deployment.vars["SOURCES"]["meta"] = json!({
            "platform": "meta",
            "secrets": ["META_SECRET"],
            "identifiers": { "user_id": "/user_id" },
            "vendors": ["instacart"],
        });
        deployment.vars["SOURCES"]["opendsr"] = json!({
            "platform": "opendsr",
            "signature": { "token": "Authorization", "prefix": "Bearer " },
            "secrets": ["SENDER_TOKEN"],
            "vendors": ["instacart", "insider"],
        });
        let worker = Runtime::start(toolchain, &bundle, &deployment).await?;
        let origin = format!("http://{}", worker.address);
        let code = prepare(&origin).await?;
        line(format_args!("Schemathesis: seed {}, {origin}", options.seed))?;
        let started = Instant::now();
        let mut schemathesis = Command::new(python);
        // What it keeps of a run is there, and must not change the next one.
        let home = crate::root().join("target/api-test");
        let _ = fs::remove_dir_all(&home);
        fs::create_dir_all(&home).context("cannot make a folder")?;
        schemathesis.current_dir(home);
        schemathesis.args(["-m", "schemathesis.cli", "--config-file"]);
        schemathesis.arg(crate::root().join(SETTINGS)).arg("run");
        schemathesis.arg(crate::root().join(DOCUMENT)).args(["--url", &origin]);
        schemathesis.arg("--continue-on-failure");
        schemathesis.args(["--header", &format!("Authorization: Bearer {ADMIN_TOKEN}")]);
        schemathesis.args(["--max-examples", &options.examples.to_string()]);
        schemathesis.args(["--seed", &options.seed.to_string()]);
        schemathesis.env("PYTHONPATH", crate::root().join("tests/api"));
        schemathesis.env("API_TEST_SECRET", SECRET);
        schemathesis.env("API_TEST_SENDER_TOKEN", SENDER_TOKEN);
        schemathesis.env("API_TEST_STATUS_CODE", code);
        let status = schemathesis.status().context("Schemathesis cannot be started")?;
        let departures = [&vendors.instacart, &vendors.insider].map(|vendor| vendor.mismatches());
        worker.stop().await?;
        line(format_args!("Schemathesis: {} s", started.elapsed().as_secs()))?;
        let departures = departures.concat();
        ensure!(departures.is_empty(), "requests to vendors departed: {departures:?}");
        ensure!(status.success(), "answers depart from docs/openapi.json");
        Ok(())
    })
}

/// Sends what the Worker can then show: erasures under the id of the document's examples, and one of
/// Meta's, whose code it returns.
async fn prepare(origin: &str) -> Result<String> {
    let subject = json!({ "user_id": "u-1001", "email": "sample@useinsider.com" });
    let webhook = Webhook::erasure(EXAMPLE, &subject);
    let url = format!("{origin}/webhooks/consent");
    let reply = send("POST", &url, &webhook.headers(SECRET)?, webhook.body.clone()).await?;
    ensure!(reply.status.is_success(), "the webhook was not taken: {reply:?}");
    let request = json!({
        "subject_request_id": EXAMPLE,
        "subject_request_type": "erasure",
        "subject_identities": [{ "identity_type": "email", "identity_value": "sample@useinsider.com",
                                 "identity_format": "raw" }],
    });
    let token = [("authorization".to_owned(), format!("Bearer {SENDER_TOKEN}"))];
    let url = format!("{origin}/webhooks/opendsr/requests");
    let reply = send("POST", &url, &token, request.to_string()).await?;
    ensure!(reply.status == 201, "the OpenDSR request was not taken: {reply:?}");
    let person = Person { user_id: Some("u-1002".to_owned()), ..Person::default() };
    let request = body::compose("meta", EXAMPLE, &person, now())?.to_string();
    let url = format!("{origin}/webhooks/meta");
    let proof = Proof::SignedRequest(META_SECRET.to_owned());
    let message = proof.put_on("", &url, request.as_bytes(), now())?;
    let reply = send("POST", &url, &message.headers, message.body).await?;
    let code = reply.json()["confirmation_code"].as_str().map(str::to_owned);
    code.with_context(|| format!("Meta's request was not taken: {reply:?}"))
}
