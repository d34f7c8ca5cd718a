//! The archive of a release: wrangler deploys it without Rust, and plain workerd runs it with its storage
//! on disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use standin::{Answer, InsiderAccount, StandIn};
use tokio::time::{sleep, timeout};
use xtask::demo::SECRET;
use xtask::runtime::Runtime;
use xtask::toolchain::Toolchain;
use xtask::webhook::{Reply, send};

use crate::world::{Handle, Person, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("release: wrangler takes the archive as it is, without Rust", deployed),
        world.trial("release: workerd keeps what waits over a restart", in_a_data_centre),
    ]
}

/// A release that was unpacked. It goes when dropped.
struct Unpacked {
    /// Where it was unpacked, with room for what belongs to its user.
    folder: PathBuf,
    release: PathBuf,
}

impl Unpacked {
    fn new(test: &str) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = folder.join(format!("release-{test}-{}", std::process::id()));
        let archive = release::pack(root, &folder)?;
        tar::Archive::new(GzDecoder::new(fs::File::open(&archive.path)?)).unpack(&folder)?;
        let release = folder.join(concat!("erasure-relay-", env!("CARGO_PKG_VERSION")));
        Ok(Self { folder, release })
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder); // best effort: it lies under target/
    }
}

/// With a PATH that has Node and nothing else.
async fn deployed(world: Arc<World>) -> Result<()> {
    let unpacked = Unpacked::new("wrangler")?;
    let sums = fs::read_to_string(unpacked.release.join("SHA256SUMS"))?;
    ensure!(
        sums.contains("  build/index_bg.wasm\n") && sums.contains("  sbom.cdx.json\n"),
        "{sums}"
    );
    let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules/.bin");
    let mut wrangler: Command = world.toolchain.node_bin("wrangler");
    wrangler.current_dir(&unpacked.release).env("PATH", &bin).env("CI", "1");
    wrangler.env("WRANGLER_LOG_PATH", unpacked.folder.join("log"));
    let output = wrangler.args(["deploy", "--dry-run", "--outdir", "out"]).output()?;
    let [printed, errors] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    ensure!(output.status.success(), "{printed}{errors}");
    ensure!(printed.contains("env.LANES (Lane)"), "{printed}");
    let uploaded = fs::read_dir(unpacked.release.join("out"))?.collect::<Result<Vec<_>, _>>()?;
    let wasm = uploaded
        .iter()
        .find(|entry| entry.path().extension().is_some_and(|extension| extension == "wasm"));
    let wasm = fs::read(wasm.context("no Wasm would be uploaded")?.path())?;
    ensure!(wasm == fs::read(world.bundle.dir.join("index_bg.wasm"))?, "another Wasm");
    Ok(())
}

/// workerd with the release's own configuration, as the systemd unit starts it.
struct DataCentre<'a> {
    toolchain: &'a Toolchain,
    folder: PathBuf,
    arguments: Vec<String>,
    secrets: BTreeMap<String, String>,
}

const TOKEN: &str = "insider-token-of-the-data-centre";
const ADMIN_TOKEN: &str = "admin-token-of-the-data-centre";

impl<'a> DataCentre<'a> {
    /// Its settings in a folder of their own: the shipped ones, with one vendor on loopback, which the
    /// shipped configuration does not let the Worker reach.
    fn new(toolchain: &'a Toolchain, unpacked: &Unpacked, vendor: &StandIn) -> Result<Self> {
        let folder = unpacked.folder.join("etc");
        fs::create_dir_all(&folder)?;
        fs::create_dir_all(unpacked.folder.join("storage"))?;
        let shipped = unpacked.release.join("deploy/workerd");
        let config = fs::read_to_string(shipped.join("config.capnp"))?;
        let local = config.replace(r#"allow = ["public"]"#, r#"allow = ["private"]"#);
        ensure!(local != config, "the network is another");
        fs::write(folder.join("config.capnp"), local)?;
        for file in ["sources.json", "vendors.json"] {
            let mut settings: Value = serde_json::from_slice(&fs::read(shipped.join(file))?)?;
            if file == "vendors.json" {
                settings["insider"]["erase"] = json!("identity"); // which an operator must choose
                settings["insider"]["base_url"] = json!(vendor.base_url());
                settings["insider"]["retry"] = json!({ "first_seconds": 1, "longest_seconds": 1 });
            }
            fs::write(folder.join(file), settings.to_string())?;
        }
        let release = unpacked.release.display();
        let storage = unpacked.folder.join("storage");
        let arguments = vec![
            format!("--import-path={release}"),
            format!("--directory-path=storage={}", storage.display()),
            "--socket-addr=http=127.0.0.1:0".to_owned(),
            "config.capnp".to_owned(),
        ];
        let secrets = [
            ("CONSENT_WEBHOOK_SECRET", SECRET),
            ("INSTACART_TOKEN", "instacart-token-of-the-data-centre"),
            ("INSIDER_TOKEN", TOKEN),
            ("PSEUDONYM_KEY", "pseudonym-key-of-the-data-centre"),
            ("ADMIN_TOKEN", ADMIN_TOKEN),
        ];
        let secrets = secrets.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Ok(Self { toolchain, folder, arguments, secrets })
    }

    async fn start(&self) -> Result<Runtime> {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        Runtime::launch(self.toolchain, &self.folder, &arguments, &self.secrets).await
    }
}

async fn get(runtime: &Runtime, path: &str) -> Result<Reply> {
    let headers = [("authorization".to_owned(), format!("Bearer {ADMIN_TOKEN}"))];
    send("GET", &format!("http://{}{path}", runtime.address), &headers, "").await
}

/// What a vendor did not take before the restart is sent after it, though nobody asks: the alarm is
/// stored on disk.
async fn in_a_data_centre(world: Arc<World>) -> Result<()> {
    let account = InsiderAccount { partner_name: "mybrand".to_owned(), token: TOKEN.to_owned() };
    let vendor = StandIn::insider(account).await?;
    let unpacked = Unpacked::new("workerd")?;
    let data_centre = DataCentre::new(&world.toolchain, &unpacked, &vendor)?;
    let person = Person::new("data-centre");
    let busy = Answer::status(429).with_header("retry-after", "4");
    vendor.script(&person.email, [busy, Answer::Success]);

    let runtime = data_centre.start().await?;
    let health = get(&runtime, "/healthz").await?;
    ensure!(health.status == 200 && health.json()["delivery"] == "durable", "{health:?}");
    let webhook = person.asks(&json!({ "email": person.email }));
    let url = format!("http://{}/webhooks/consent", runtime.address);
    let reply = send("POST", &url, &webhook.headers(SECRET)?, webhook.body.clone()).await?;
    ensure!(reply.status == 202, "{reply:?}");
    runtime.stop().await?; // as a crash does
    ensure!(vendor.requests_for(&person.email).len() == 1, "sent again before the restart");

    let runtime = data_centre.start().await?;
    let sent = async {
        while vendor.requests_for(&person.email).len() < 2 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(30), sent).await.context("nothing was sent after the restart")?;
    let path = format!("/erasures/consent/{}", person.request_id);
    let done = async {
        loop {
            let receipt = get(&runtime, &path).await?;
            if receipt.json()["state"] == "done" {
                return Ok::<_, anyhow::Error>(());
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), done).await.context("the receipt is not done")??;
    ensure!(vendor.mismatches().is_empty(), "{:?}", vendor.mismatches());
    runtime.stop().await?;
    Ok(())
}
