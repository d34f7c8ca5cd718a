//! What every test shares: the Worker, the vendors, and what must hold for each reply.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use standin::{InstacartAccount, KeyServer, StandIn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use xtask::bundle::{self, Bundle};
use xtask::demo::{ADMIN_TOKEN, SECRET, Vendors};
use xtask::toolchain::Toolchain;
use xtask::webhook::{Reply, Webhook, send};
use xtask::workerd::{Deployment, Workerd};

use crate::document::{Answer, Document};
use crate::{insider, jwt, platforms, public_keys, sdk, tokens};

/// Every identifier in these tests holds one of these, so that a leak is seen.
const PERSONAL: [&str; 2] = ["pii", "+659876"];

/// How long a vendor may take in these tests, in seconds.
pub const VENDOR_TIMEOUT: u64 = 2;

/// The id and the secret of the client whose tokens the accounts of `tokens` use.
pub const CLIENT: (&str, &str) = ("client-of-the-tests", "secret-of-the-first-client");
/// Those of the client that steps in for it.
pub const SECOND_CLIENT: (&str, &str) = ("second-client-of-the-tests", "secret-of-the-second");

/// The token of a second Instacart account.
const TOKEN: &str = "token-of-the-banner-account";

/// The running parts.
pub struct World {
    pub toolchain: Toolchain,
    pub bundle: Bundle,
    pub vendors: Vendors,
    /// Further Instacart Connects, by the account's name.
    pub accounts: BTreeMap<&'static str, StandIn>,
    /// Where senders publish their keys.
    pub keys: KeyServer,
    pub worker: Workerd,
    secrets: Vec<String>,
    document: Document,
}

/// A person whom only one test knows.
pub struct Person {
    pub user_id: String,
    pub email: String,
    pub request_id: String,
}

/// An id as machines make them, which a log may show.
fn opaque(test: &str) -> String {
    let mut hasher = DefaultHasher::new();
    test.hash(&mut hasher);
    format!("{:032x}", hasher.finish())
}

impl Person {
    pub fn new(test: &str) -> Self {
        Self {
            user_id: format!("pii-{test}"),
            email: format!("pii-{test}@example.com"),
            request_id: opaque(test),
        }
    }

    /// A webhook that asks both vendors.
    pub fn webhook(&self) -> Webhook {
        self.asks(&json!({ "user_id": self.user_id, "email": self.email }))
    }

    /// A webhook with another subject.
    pub fn asks(&self, subject: &Value) -> Webhook {
        Webhook::erasure(&self.request_id, subject)
    }
}

impl World {
    /// The shipped configuration, its delivery direct, and an account for each test that needs one.
    pub async fn direct() -> Result<Self> {
        Self::start(async |deployment| {
            deployment.durable = false;
            accounts(deployment).await
        })
        .await
    }

    /// The shipped configuration with what `prepare` adds: further accounts, and their vendors.
    pub async fn start(
        prepare: impl AsyncFnOnce(&mut Deployment) -> Result<BTreeMap<&'static str, StandIn>>,
    ) -> Result<Self> {
        let toolchain = Toolchain::ensure()?;
        let vendors = Vendors::start().await?;
        let mut deployment = vendors.deployment()?;
        for vendor in ["instacart", "insider"] {
            deployment.vars["VENDORS"][vendor]["timeout_seconds"] = json!(VENDOR_TIMEOUT);
        }
        let consent = &mut deployment.vars["SOURCES"]["consent"];
        merge(consent, json!({ "shared_secrets": "accept" })); // as the sources made of it say, too
        let accounts = prepare(&mut deployment).await?;
        let bundle = bundle(&toolchain, &deployment)?;
        let keys = KeyServer::start().await?;
        let sources = platforms::sources().into_iter().chain(public_keys::sources(&keys)?);
        let sources = sources.chain(jwt::sources(&keys)?).chain(sdk::sources(&keys));
        for (name, mut source) in sources {
            let vendors = json!(["instacart", "insider"]);
            merge(&mut source, json!({ "vendors": vendors, "shared_secrets": "accept" }));
            deployment.vars["SOURCES"][name] = source;
        }
        for (name, value) in platforms::SECRETS.into_iter().chain([sdk::SECRET]) {
            deployment.secrets.insert(name.to_owned(), value.to_owned());
        }
        let worker = Workerd::start(&toolchain, &bundle, &deployment).await?;
        let secrets = deployment.secrets.values().cloned().collect();
        let document = Document::of_answers()?;
        Ok(Self { toolchain, bundle, vendors, accounts, keys, worker, secrets, document })
    }

    /// Sends a webhook as the platform does.
    pub async fn post(&self, webhook: &Webhook) -> Result<Reply> {
        self.post_with(webhook, webhook.headers(SECRET)?).await
    }

    /// Sends a webhook with these headers.
    pub async fn post_with(
        &self,
        webhook: &Webhook,
        headers: Vec<(String, String)>,
    ) -> Result<Reply> {
        self.request("POST", "/webhooks/consent", &headers, webhook.body.clone()).await
    }

    /// Sends a webhook to another source.
    pub async fn post_to(&self, source: &str, webhook: &Webhook) -> Result<Reply> {
        let path = format!("/webhooks/{source}");
        self.request("POST", &path, &webhook.headers(SECRET)?, webhook.body.clone()).await
    }

    /// Sends a message of a platform, whose answers may be in a form of its own.
    pub async fn deliver(&self, source: &str, message: &send::Message) -> Result<Reply> {
        let path = format!("/webhooks/{source}");
        let url = self.worker.url(&path);
        let reply = send("POST", &url, &message.headers, message.body.clone()).await?;
        self.private(&reply.text)?;
        self.described("POST", &path, &reply)?;
        Ok(reply)
    }

    /// Sends any request, and checks what must hold for every reply.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> Result<Reply> {
        let reply = send(method, &self.worker.url(path), headers, body).await?;
        self.check(&reply)?;
        self.described(method, path, &reply)?;
        Ok(reply)
    }

    /// Sends bytes as they are and returns the head and body of the answer as text.
    pub async fn raw(&self, bytes: &[u8]) -> Result<String> {
        let address = self.worker.url("");
        let address = address.strip_prefix("http://").context("an address")?;
        let mut stream = TcpStream::connect(address).await?;
        // The Worker may answer, and close, before it has read all.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        self.private(&answer)?;
        Ok(answer)
    }

    fn check(&self, reply: &Reply) -> Result<()> {
        self.private(&reply.text)?;
        if reply.status.is_client_error() || reply.status.is_server_error() {
            ensure!(reply.header("content-type") == "application/problem+json", "{reply:?}");
            let problem = reply.json();
            ensure!(problem["status"] == json!(reply.status.as_u16()), "{reply:?}");
            ensure!(problem["type"].is_string() && problem["title"].is_string(), "{reply:?}");
        }
        Ok(())
    }

    /// The answer is as `docs/openapi.json` has it.
    fn described(&self, method: &str, path: &str, reply: &Reply) -> Result<()> {
        let answer = Answer {
            status: reply.status.as_u16(),
            content_type: reply.header("content-type"),
            allow: reply.header("allow"),
            body: &reply.text,
        };
        self.document.check(method, path, &answer).context("docs/openapi.json")
    }

    /// No secret and no person in `text`; the error does not repeat it.
    fn private(&self, text: &str) -> Result<()> {
        for personal in PERSONAL {
            ensure!(!text.contains(personal), "personal data leaked ({personal})");
        }
        for secret in &self.secrets {
            ensure!(!text.contains(secret.as_str()), "a secret leaked");
        }
        Ok(())
    }

    /// After the last test.
    async fn finish(self) -> Result<()> {
        let person = Person::new("after-all");
        let reply = self.post(&person.webhook()).await?;
        ensure!(reply.status.is_success(), "the Worker does not serve any more: {reply:?}");
        let usual = [&self.vendors.instacart, &self.vendors.insider];
        for vendor in usual.into_iter().chain(self.accounts.values()) {
            let mismatches = vendor.mismatches();
            ensure!(
                mismatches.is_empty(),
                "requests do not match the documentation: {mismatches:?}"
            );
        }
        self.worker.logged(&person.request_id).await?;
        let log = self.worker.log();
        self.private(&log).context("in the log")?;
        self.worker.stop().await?;
        println!("The log holds no secret and no person; every vendor request was as documented.");
        Ok(())
    }
}

/// The release bundle; for the example vendor, which it does not have, a Worker that has it.
fn bundle(toolchain: &Toolchain, deployment: &Deployment) -> Result<Bundle> {
    let accounts = deployment.vars["VENDORS"].as_object();
    if accounts.is_some_and(|all| all.values().any(|account| account["api"] == "acme")) {
        bundle::with_example_vendor(toolchain)
    } else {
        bundle::built_or_build(toolchain)
    }
}

/// A test with a Worker of its own: the shipped configuration with what `prepare` adds.
pub fn alone<T>(
    name: &str,
    prepare: impl AsyncFnOnce(&mut Deployment) -> Result<BTreeMap<&'static str, StandIn>>
    + Send
    + 'static,
    test: impl FnOnce(Arc<World>) -> T + Send + 'static,
) -> Trial
where
    T: Future<Output = Result<()>>,
{
    let run = async move || {
        let world = Arc::new(World::start(prepare).await?);
        test(world.clone()).await?;
        Arc::into_inner(world).context("the test still runs")?.finish().await
    };
    Trial::test(name, move || {
        let ran = Runtime::new().context("no runtime").and_then(|runtime| runtime.block_on(run()));
        ran.map_err(|error| Failed::from(format!("{error:#}")))
    })
}

/// Adds a vendor account, and a source of the same name that asks it alone.
pub fn add(deployment: &mut Deployment, name: &str, account: Value) {
    let mut source = deployment.vars["SOURCES"]["consent"].clone();
    merge(&mut source, json!({ "vendors": [name] }));
    deployment.vars["SOURCES"][name] = source;
    deployment.vars["VENDORS"][name] = account;
}

pub fn merge(table: &mut Value, settings: Value) {
    if let (Value::Object(table), Value::Object(settings)) = (table, settings) {
        table.extend(settings);
    }
}

/// An account for each of the tests of tokens, and one with all that an account may say of itself,
/// each at a vendor of its own.
async fn accounts(deployment: &mut Deployment) -> Result<BTreeMap<&'static str, StandIn>> {
    let mut vendors = BTreeMap::new();
    for (name, settings) in insider::accounts() {
        let mut account = deployment.vars["VENDORS"]["insider"].clone();
        merge(&mut account, settings);
        add(deployment, name, account);
    }
    for name in tokens::ACCOUNTS {
        let clients = [CLIENT, SECOND_CLIENT];
        let account = InstacartAccount::with_clients(&clients, Some("connect:fulfillment"));
        let vendor = StandIn::instacart(account).await?;
        let mut account = deployment.vars["VENDORS"]["instacart"].clone();
        let second = json!({ "client_id": "SECOND_ID", "client_secret": "SECOND_SECRET" });
        let auth =
            json!({ "client_id": "CLIENT_ID", "client_secret": "CLIENT_SECRET", "second": second });
        merge(&mut account, json!({ "base_url": vendor.base_url(), "auth": auth }));
        add(deployment, name, account);
        vendors.insert(name, vendor);
    }
    let account = InstacartAccount::with_token(TOKEN).for_retailer("banner-1");
    let vendor = StandIn::instacart(account.in_language("fr-CA")).await?;
    let mut account = deployment.vars["VENDORS"]["instacart"].clone();
    let banner = json!({ "retailer_id": "banner-1", "accept_language": "fr-CA",
                         "base_url": vendor.base_url(), "auth": { "token": "BANNER_TOKEN" } });
    merge(&mut account, banner);
    add(deployment, "banner", account);
    vendors.insert("banner", vendor);
    for (name, value) in [
        ("BANNER_TOKEN", TOKEN),
        ("CLIENT_ID", CLIENT.0),
        ("CLIENT_SECRET", CLIENT.1),
        ("SECOND_ID", SECOND_CLIENT.0),
        ("SECOND_SECRET", SECOND_CLIENT.1),
    ] {
        deployment.secrets.insert(name.to_owned(), value.to_owned());
    }
    Ok(vendors)
}

/// `GET /healthz` as the operator asks for it.
pub async fn health(worker: &Workerd) -> Result<Reply> {
    let token = ("authorization".to_owned(), format!("Bearer {ADMIN_TOKEN}"));
    send("GET", &worker.url("/healthz"), &[token], "").await
}

/// How many calls the two usual vendors had about a person.
pub fn asked(world: &World, person: &Person) -> usize {
    world.vendors.instacart.requests_for(&person.user_id).len()
        + world.vendors.insider.requests_for(&person.email).len()
}

/// The outcomes of a receipt: vendor, identifier and outcome of each delivery.
pub fn outcomes(reply: &Reply) -> Vec<(String, String, String)> {
    let json = reply.json();
    let deliveries = json["deliveries"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let outcome = |delivery: &Value| {
        (text(&delivery["vendor"]), text(&delivery["identifier"]), text(&delivery["outcome"]))
    };
    deliveries.iter().map(outcome).collect()
}

/// The outcome of the one delivery to `vendor`.
pub fn outcome_at(reply: &Reply, vendor: &str) -> String {
    let mut outcomes = outcomes(reply).into_iter().filter(|(at, ..)| at == vendor);
    outcomes.next().map(|(_, _, outcome)| outcome).unwrap_or_default()
}

/// The world, for tests on other threads.
#[derive(Clone)]
pub struct Handle(Option<(Arc<World>, Arc<Runtime>)>);

impl Handle {
    /// For a list of the tests, which runs none.
    pub fn absent() -> Self {
        Self(None)
    }

    pub fn start(world: impl Future<Output = Result<World>>) -> Result<Self> {
        let runtime = Runtime::new()?;
        let world = runtime.block_on(world)?;
        Ok(Self(Some((Arc::new(world), Arc::new(runtime)))))
    }

    /// One test of this name.
    pub fn trial<T>(&self, name: &str, test: impl FnOnce(Arc<World>) -> T + Send + 'static) -> Trial
    where
        T: Future<Output = Result<()>>,
    {
        let handle = self.clone();
        Trial::test(name, move || {
            let (world, runtime) = handle.0.ok_or("there is no Worker")?;
            runtime.block_on(test(world)).map_err(|error| Failed::from(format!("{error:#}")))
        })
    }

    pub fn finish(self) -> Result<()> {
        let Some((world, runtime)) = self.0 else { return Ok(()) };
        let world = Arc::into_inner(world).context("a test still runs")?;
        runtime.block_on(world.finish())
    }
}
