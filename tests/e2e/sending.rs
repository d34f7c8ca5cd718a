//! How a lane sends: nothing before it is stored, whoever waits for it, at a known price.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use standin::Answer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use xtask::demo::{SECRET, Vendors};
use xtask::webhook::send;
use xtask::workerd::{Deployment, Storage, Workerd};

use crate::durable::{ADMIN_TOKEN, authorized};
use crate::storage::{databases, post, until};
use crate::world::{Handle, Person, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("sending: a platform that hangs up ends nothing", hang_up),
        world.trial("sending: no call leaves before its row is on disk", written_first),
        world.trial("sending: a delivery that is sent at once writes five rows at most", rows),
        world.trial("sending: shards can grow while something waits", grown),
    ]
}

/// Insider alone, as fast as it likes.
fn insider(vendors: &Vendors) -> Result<Deployment> {
    let mut deployment = vendors.deployment()?.secret("ADMIN_TOKEN", ADMIN_TOKEN);
    deployment.vars["SOURCES"]["consent"]["vendors"] = json!(["insider"]);
    let insider = &mut deployment.vars["VENDORS"]["insider"];
    insider["pace"] = json!({ "calls": 1_000_000, "per_seconds": 60 });
    insider["retry"] = json!({ "first_seconds": 1, "longest_seconds": 1 });
    Ok(deployment)
}

/// The platform resets its connection while the vendor is being called.
async fn hang_up(world: Arc<World>) -> Result<()> {
    let vendors = Vendors::start().await?;
    let deployment = insider(&vendors)?;
    let worker = Workerd::start(&world.toolchain, &world.bundle, &deployment).await?;
    let person = Person::new("hang-up");
    let slow = Answer::Success.after(Duration::from_secs(2));
    vendors.insider.script(&person.email, [slow]);

    let webhook = person.webhook();
    let mut request = String::from("POST /webhooks/consent HTTP/1.1\r\nhost: relay\r\n");
    for (name, value) in webhook.headers(SECRET)? {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-length: {}\r\n\r\n", webhook.body.len()));
    let address = worker.url("");
    let address = address.strip_prefix("http://").context("an address")?;
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    stream.write_all(&webhook.body).await?;
    let called = async {
        while vendors.insider.requests_for(&person.email).is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), called).await.context("the vendor was not called")?;
    // With no time to linger, closing resets the connection.
    stream.set_zero_linger()?;
    drop(stream);

    let receipt = until(&worker, &person, "done").await?;
    ensure!(receipt["deliveries"][0]["attempts"] == 1, "{receipt}");
    ensure!(vendors.insider.requests_for(&person.email).len() == 1, "called again");
    worker.stop().await?;
    Ok(())
}

/// A vendor that looks into the lane's database before it answers.
struct Witness {
    url: String,
    /// Calls whose row was on disk, and all.
    seen: Arc<(AtomicUsize, AtomicUsize)>,
}

impl Witness {
    async fn start(storage: Arc<Storage>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let seen = Arc::<(AtomicUsize, AtomicUsize)>::default();
        let counts = seen.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (storage, counts) = (storage.clone(), counts.clone());
                tokio::spawn(async move {
                    let mut head = vec![0; 4096];
                    while stream.read(&mut head).await.is_ok_and(|read| read > 0) {
                        let calls = counts.1.fetch_add(1, Ordering::SeqCst) + 1;
                        let rows = leased(&storage).unwrap_or_default();
                        counts.0.fetch_add(usize::from(rows >= calls), Ordering::SeqCst);
                        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                        if stream.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Ok(Self { url, seen })
    }
}

/// How many deliveries were ever leased, as the file says.
fn leased(storage: &Storage) -> Result<usize> {
    let files: Vec<PathBuf> = databases(storage)?;
    let file = files.first().context("there is no lane")?;
    let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let count = "SELECT COUNT(*) FROM delivery WHERE lease > 0";
    let rows: i64 = database.query_row(count, [], |row| row.get(0))?;
    Ok(usize::try_from(rows)?)
}

async fn written_first(world: Arc<World>) -> Result<()> {
    let (vendors, storage) = (Vendors::start().await?, Arc::new(Storage::fresh()?));
    let witness = Witness::start(storage.clone()).await?;
    let mut deployment = insider(&vendors)?;
    deployment.vars["VENDORS"]["insider"]["base_url"] = json!(witness.url);
    let (toolchain, bundle) = (&world.toolchain, &world.bundle);
    let worker = Workerd::start_on(toolchain, bundle, &deployment, &storage).await?;
    for number in 0..20 {
        let reply = post(&worker, &Person::new(&format!("written-{number}"))).await?;
        ensure!(reply.status == 200, "{reply:?}");
    }
    worker.stop().await?;
    let (written, calls) = &*witness.seen;
    let (written, calls) = (written.load(Ordering::SeqCst), calls.load(Ordering::SeqCst));
    ensure!((written, calls) == (20, 20), "{written} of {calls} calls had their row on disk");
    Ok(())
}

async fn rows(world: Arc<World>) -> Result<()> {
    const WEBHOOKS: u64 = 100;
    let vendors = Vendors::start().await?;
    let deployment = insider(&vendors)?;
    let worker = Workerd::start(&world.toolchain, &world.bundle, &deployment).await?;
    let written = async || -> Result<u64> {
        let reply = send("GET", &worker.url("/lanes"), &authorized(), "").await?;
        let lanes = reply.json()["lanes"].as_array().cloned().unwrap_or_default();
        let insider = lanes.iter().find(|lane| lane["vendor"] == "insider");
        insider.and_then(|lane| lane["rows_written"].as_u64()).context("no rows are counted")
    };
    ensure!(post(&worker, &Person::new("rows-first")).await?.status == 200);
    let before = written().await?;
    for number in 0..WEBHOOKS {
        let reply = post(&worker, &Person::new(&format!("rows-{number}"))).await?;
        ensure!(reply.status == 200, "{reply:?}");
    }
    // Whoever asks a lane is told what it has recorded, so all of it is.
    let each = (written().await? - before) as f64 / WEBHOOKS as f64;
    println!("Rows written for a delivery that is sent at once: {each:.2}");
    ensure!((3.0..=5.0).contains(&each), "{each} rows for each delivery");
    worker.stop().await?;
    Ok(())
}

/// Deliveries that were stored while there was one lane are sent by it, and not sent again.
async fn grown(world: Arc<World>) -> Result<()> {
    let (vendors, storage) = (Vendors::start().await?, Storage::fresh()?);
    let mut deployment = insider(&vendors)?;
    let people: Vec<Person> = (0..12).map(|n| Person::new(&format!("grown-{n}"))).collect();
    let (done, waiting) = people.split_at(8);
    for person in waiting {
        vendors.insider.script(&person.email, [Answer::status(503), Answer::Success]);
    }
    let (toolchain, bundle) = (&world.toolchain, &world.bundle);
    let worker = Workerd::start_on(toolchain, bundle, &deployment, &storage).await?;
    for person in &people {
        ensure!(post(&worker, person).await?.status.is_success());
    }
    for person in done {
        until(&worker, person, "done").await?;
    }
    worker.kill().await?;

    deployment.vars["VENDORS"]["insider"]["shards"] = json!(4);
    let worker = Workerd::start_on(toolchain, bundle, &deployment, &storage).await?;
    for person in &people {
        let reply = post(&worker, person).await?;
        ensure!(reply.status.is_success(), "{reply:?}");
        let receipt = until(&worker, person, "done").await?;
        ensure!(receipt["deliveries"].as_array().map(Vec::len) == Some(1), "{receipt}");
    }
    for person in done {
        ensure!(vendors.insider.requests_for(&person.email).len() == 1, "sent again");
    }
    let new: Vec<Person> = (0..12).map(|n| Person::new(&format!("grown-later-{n}"))).collect();
    for person in &new {
        ensure!(post(&worker, person).await?.status.is_success());
        until(&worker, person, "done").await?;
    }
    worker.stop().await?;
    ensure!(databases(&storage)?.len() > 1, "the new shards are not used");
    Ok(())
}
