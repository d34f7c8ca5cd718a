//! What an operator reads: who is found, what a period held, and the file of its receipts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use rusqlite::Connection;
use serde_json::{Value, json};
use standin::Answer;
use standin::platform::{EVENT, Platform};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use xtask::demo::Vendors;
use xtask::webhook::{Reply, send};
use xtask::workerd::{Deployment, Storage, Workerd};

use crate::callbacks_desk::Desk;
use crate::durable::{ADMIN_TOKEN, authorized, operate, settled};
use crate::storage::{databases, post, until};
use crate::world::{Handle, Person, World};

/// How many erasures are copied: some pages of each lane, and more than are handed out at once.
const COPIES: usize = 2500;

const KEY: &str = "the first key of these tests";
const NEXT_KEY: &str = "the second key of these tests";

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("records: a person is found, and is nowhere else", found),
        world.trial("records: a search that is wrong is told so", wrong),
        world.trial("records: lists are of a source and of a period", filtered),
        world.trial("records: a person is found by the previous key", rotated),
        world.trial("records: the chart counts what came", chart),
        world.trial("records: what an operator closed is counted and exported so", closed),
        world.trial("records: a period is exported and counted, and breaks off visibly", exported),
    ]
}

async fn search(world: &World, body: &Value) -> Result<Reply> {
    let body = body.to_string().into_bytes();
    world.request("POST", "/erasures/search", &authorized(), body).await
}

fn ids(reply: &Reply) -> Vec<String> {
    let json = reply.json();
    let erasures = json["erasures"].as_array().cloned().unwrap_or_default();
    erasures.iter().map(|one| one["request_id"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn found(world: Arc<World>) -> Result<()> {
    let person = Person::new("found");
    ensure!(world.post(&person.webhook()).await?.status == 200);
    let receipt = settled(&world, "consent", &person).await?;
    let other = Person::new("found by nobody");
    ensure!(world.post(&other.webhook()).await?.status == 200);
    let own = [person.request_id.clone()];
    let padded = format!(" {}\n", person.email);
    for body in [
        json!({ "subject": { "email": person.email } }),
        json!({ "subject": { "email": padded } }),
        json!({ "subject": { "user_ids": [person.user_id] } }),
        json!({ "subject": { "user_id": person.user_id, "email": "pii-unknown@example.com" } }),
        json!({ "subject": { "email": person.email }, "state": "done", "source": "consent",
                "vendor": "insider", "from": "2020-01-01", "limit": 1 }),
        json!({ "request_id": person.request_id }),
        json!({ "request_id": person.request_id, "vendor": "instacart" }),
    ] {
        let reply = search(&world, &body).await?;
        ensure!(reply.status == 200 && ids(&reply) == own, "{reply:?}");
        ensure!(reply.json()["erasures"][0] == receipt, "as in a list: {reply:?}");
    }
    for body in [
        json!({ "subject": { "email": "pii-unknown@example.com" } }),
        json!({ "subject": { "uuid": person.email } }),
        json!({ "subject": { "email": person.email }, "state": "attention" }),
        json!({ "subject": { "email": person.email }, "source": "ketch" }),
        json!({ "subject": { "email": person.email }, "to": "2020-01-01" }),
        json!({ "subject": { "email": person.email }, "vendor": "instacart" }),
        json!({ "request_id": "nothing" }),
        json!({ "trace": "nothing" }),
    ] {
        let reply = search(&world, &body).await?;
        ensure!(reply.status == 200 && ids(&reply).is_empty(), "{reply:?}");
        ensure!(reply.json()["next"].is_null(), "{reply:?}");
    }
    // An id that a log does not show is found by what it shows in its place, whichever source sent it.
    let mut person = Person::new("found by a log");
    person.request_id = "no uuid of a search".to_owned();
    ensure!(world.post(&person.webhook()).await?.status == 200);
    let start = r#""event":"erasure","source":"consent","request_id":"k"#;
    let line = world.worker.logged(start).await?;
    let mut shown = line.split(r#""request_id":""#).nth(1).context("no id")?.split('"');
    let shown = shown.next().context("no id")?;
    let by_id = search(&world, &json!({ "request_id": shown })).await?;
    ensure!(ids(&by_id).len() == 1, "{by_id:?}");
    let by_id = search(&world, &json!({ "request_id": person.request_id })).await?;
    ensure!(ids(&by_id) == [person.request_id], "{by_id:?}");
    Ok(())
}

async fn wrong(world: Arc<World>) -> Result<()> {
    for body in [
        "",
        "{}",
        "pii",
        r#"{"subject":{"email":["pii-wrong@example.com"]}}"#,
        r#"{"subject":{"pii-wrong@example.com":"x"}}"#,
        r#"{"trace":"t","state":"pii-wrong"}"#,
        r#"{"subject":{"email":"pii-wrong@example.com"},"trace":"pii"}"#,
    ] {
        let body = body.as_bytes().to_vec();
        let reply = world.request("POST", "/erasures/search", &authorized(), body).await?;
        ensure!(reply.status == 400 && reply.json()["type"] == "malformed", "{reply:?}");
    }
    let vendor = json!({ "trace": "t", "vendor": "nobody" });
    ensure!(search(&world, &vendor).await?.status == 404);
    let long = json!({ "trace": "t".repeat(20_000) });
    ensure!(search(&world, &long).await?.status == 413);
    ensure!(operate(&world, "GET", "/erasures/search").await?.status == 405);
    for (path, slug) in [
        ("/export?format=pii", "malformed"),
        ("/export?from=2026-01-02&to=2026-01-01", "malformed"),
        ("/export?source=nobody", "unknown-source"),
        ("/statistics?format=csv", "malformed"),
        ("/statistics?to=tomorrow", "malformed"),
        ("/statistics?source=nobody", "unknown-source"),
        ("/erasures?from=yesterday", "malformed"),
    ] {
        let reply = operate(&world, "GET", path).await?;
        ensure!(reply.json()["type"] == slug, "{path}: {reply:?}");
    }
    let body = json!({ "trace": "t" }).to_string().into_bytes();
    let reply = world.request("POST", "/erasures/search", &[], body).await?;
    ensure!(reply.status == 401, "{reply:?}");
    for path in ["/export", "/statistics", "/activity"] {
        ensure!(world.request("GET", path, &[], Vec::new()).await?.status == 401, "{path}");
        ensure!(operate(&world, "POST", path).await?.status == 405, "{path}");
    }
    Ok(())
}

async fn filtered(world: Arc<World>) -> Result<()> {
    let person = Person::new("filtered");
    ensure!(
        world.post_to("signed", &person.asks(&json!({ "email": person.email }))).await?.status
            == 200
    );
    let receipt = settled(&world, "signed", &person).await?;
    let received_at = receipt["received_at"].as_str().context("a time")?;
    let today = &received_at[..10];
    let list = async |query: &str| {
        let reply = operate(&world, "GET", &format!("/erasures?source=signed&{query}")).await?;
        ensure!(reply.status == 200, "{reply:?}");
        let all = reply.json()["erasures"].as_array().cloned().unwrap_or_default();
        ensure!(all.iter().all(|one| one["source"] == "signed"), "{reply:?}");
        Ok(ids(&reply).contains(&person.request_id))
    };
    for (query, is_in) in [
        (String::new(), true),
        (format!("from={today}"), true),
        (format!("from={today}&to=2999-12-31&state=done"), true),
        (format!("from={received_at}"), true),
        (format!("to={received_at}"), false),
        ("from=2999-01-01".to_owned(), false),
        ("to=2020-01-01".to_owned(), false),
    ] {
        ensure!(list(&query).await? == is_in, "{query}");
    }
    let other = operate(&world, "GET", "/erasures?source=ketch&limit=200").await?;
    ensure!(!ids(&other).contains(&person.request_id), "{other:?}");
    Ok(())
}

fn deployment(vendors: &Vendors) -> Result<Deployment> {
    let deployment = vendors.deployment()?.secret("ADMIN_TOKEN", ADMIN_TOKEN);
    Ok(deployment.secret("PSEUDONYM_KEY", KEY))
}

async fn ask(worker: &Workerd, method: &str, path: &str, body: &Value) -> Result<Reply> {
    let body = if method == "POST" { body.to_string() } else { String::new() };
    send(method, &worker.url(path), &authorized(), body).await
}

async fn rotated(world: Arc<World>) -> Result<()> {
    let (vendors, storage) = (Vendors::start().await?, Storage::fresh()?);
    let person = Person::new("rotated");
    let start = async |deployment: Deployment| {
        Workerd::start_on(&world.toolchain, &world.bundle, &deployment, &storage).await
    };
    let worker = start(deployment(&vendors)?).await?;
    ensure!(post(&worker, &person).await?.status == 200);
    until(&worker, &person, "done").await?;
    worker.stop().await?;

    let rotated = deployment(&vendors)?.secret("PSEUDONYM_KEY", NEXT_KEY);
    let worker = start(rotated.secret("PSEUDONYM_KEY_PREVIOUS", KEY)).await?;
    let body = json!({ "subject": { "email": person.email } });
    let reply = ask(&worker, "POST", "/erasures/search", &body).await?;
    ensure!(reply.status == 200 && ids(&reply) == [person.request_id.clone()], "{reply:?}");
    let log = worker.stop().await?;
    ensure!(!log.contains("pii"), "a person is in the log");

    let worker = start(deployment(&vendors)?.secret("PSEUDONYM_KEY", NEXT_KEY)).await?;
    let reply = ask(&worker, "POST", "/erasures/search", &body).await?;
    ensure!(reply.status == 200 && ids(&reply).is_empty(), "without the key: {reply:?}");
    worker.stop().await?;
    Ok(())
}

async fn chart(world: Arc<World>) -> Result<()> {
    let vendors = Vendors::start().await?;
    let worker = Workerd::start(&world.toolchain, &world.bundle, &deployment(&vendors)?).await?;
    let (done, rejected) = (Person::new("chart-1"), Person::new("chart-2"));
    vendors.insider.script(&rejected.email, [Answer::status(400)]);
    for (person, state) in [(&done, "done"), (&rejected, "attention")] {
        post(&worker, person).await?;
        until(&worker, person, state).await?;
    }
    let reply = ask(&worker, "GET", "/activity", &Value::Null).await?;
    ensure!(reply.status == 200, "{reply:?}");
    let activity = reply.json();
    let sum = |vendor: &str, class: &str| -> Option<i64> {
        let lanes = activity["lanes"].as_array()?;
        let lane = lanes.iter().find(|lane| lane["vendor"] == vendor)?;
        let hours = lane["hours"].as_array()?;
        (hours.len() == 24).then_some(())?;
        hours.iter().map(|hour| hour[class].as_i64()).sum()
    };
    for (vendor, class, count) in [
        ("insider", "confirmed", 1),
        ("insider", "failed", 1),
        ("instacart", "confirmed", 2),
        ("instacart", "failed", 0),
        ("instacart", "waiting", 0),
    ] {
        ensure!(sum(vendor, class) == Some(count), "{vendor} {class}: {activity}");
    }
    worker.stop().await?;
    Ok(())
}

async fn closed(world: Arc<World>) -> Result<()> {
    let platform = Platform::start(EVENT, 204).await?;
    let callback = json!({ "url": platform.url("/events"), "secret": "EVENT_SECRET" });
    let secret = "whsec_ZXZlbnRzLW9mLXRoZS10ZXN0cy1hbG9uZS0xMjM0";
    let desk = Desk::start(&world, platform, callback, &[("EVENT_SECRET", secret)]).await?;
    let uncertain = || vec![Answer::json(200, r#"{"success":false}"#)];
    for (name, source, answers, closing) in [
        ("closed-done", "desk", vec![], None),
        ("closed-rejected", "desk", vec![Answer::status(422)], None),
        ("closed-failed", "desk", vec![Answer::status(422)], Some("failed")),
        ("closed-completed", "desk", uncertain(), Some("completed")),
        // What the vendor accepts leaves a profile.
        ("closed-partial", "desk-kept", vec![], None),
        ("closed-kept", "desk-kept", vec![], Some("not_found")),
    ] {
        let person = Person::new(name);
        desk.vendors.insider.script(&person.email, answers);
        desk.post(source, &person, true).await?;
        desk.receipt(source, &person, 1).await?;
        if let Some(outcome) = closing {
            let reply = desk.close(source, &person, outcome).await?;
            ensure!(reply.status == 200, "{name}: {reply:?}");
        }
    }
    let report = desk.read("/statistics").await?.json();
    for (source, received, in_whole, without_data, in_part, denied) in
        [("desk", 4, 2, 0, 0, 2), ("desk-kept", 2, 1, 1, 1, 0), ("desk-locked", 0, 0, 0, 0, 0)]
    {
        let rows = report["sources"].as_array().context("no sources")?;
        let row = rows.iter().find(|row| row["source"] == source).context("no source")?;
        let expected = json!([received, in_whole, without_data, in_part, denied, 0]);
        let counts =
            ["received", "complied_in_whole", "without_data", "complied_in_part", "denied"];
        let counts = counts.map(|name| &row[name]).into_iter().chain([&row["open"]]);
        ensure!(Value::from_iter(counts.cloned()) == expected, "{source}: {report}");
    }
    let file = desk.read("/export?source=desk").await?.text;
    let person = Person::new("closed-failed");
    let line = file.lines().find(|line| line.contains(&person.request_id)).context("no line")?;
    let receipt: Value = serde_json::from_str(line)?;
    ensure!(receipt["closed"]["outcome"] == "failed", "{receipt}");
    ensure!(receipt["closed"]["note"] == "kept by law", "{receipt}");
    ensure!(file.matches("\"closed\"").count() == 2, "{file}");
    let file = desk.read("/export?source=desk&format=csv").await?.text;
    ensure!(file.contains("failed,kept by law,20"), "{file}");
    Ok(())
}

/// The lane of `account` among the databases.
fn lane(storage: &Storage, account: &str) -> Result<Connection> {
    for file in databases(storage)? {
        let database = Connection::open(file)?;
        let name: String = database.query_row("SELECT account FROM lane", [], |row| row.get(0))?;
        if name == account {
            return Ok(database);
        }
    }
    anyhow::bail!("there is no lane {account}")
}

/// The erasure of `person` in a lane, copied, each copy a second after the one before.
fn copy(lane: &Connection, person: &Person) -> Result<()> {
    let copied = lane.execute(
        "WITH RECURSIVE number(n) AS
            (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?1)
         INSERT INTO delivery (source, request_id, slot, position, received_at, call, identifier,
            subject, names, person, outcome, status, attempts, detail, trace, updated_at,
            failures, deadline_at, lease, lease_until, due_at)
         SELECT source, 'copy ' || n, slot, position, received_at - 10000000 + n * 1000, call,
            identifier, subject, names, NULL, outcome, status, attempts, detail,
            CASE n WHEN 7 THEN 'the-trace-of-7' END, updated_at - 10000000 + n * 1000,
            failures, deadline_at, lease, lease_until, due_at
         FROM delivery, number WHERE request_id = ?2",
        (i64::try_from(COPIES)?, &person.request_id),
    )?;
    ensure!(copied == COPIES, "{copied} copies");
    Ok(())
}

async fn exported(world: Arc<World>) -> Result<()> {
    let (vendors, storage) = (Vendors::start().await?, Storage::fresh()?);
    let mut deployment = deployment(&vendors)?;
    deployment.vars["SOURCES"]["consent"]["shared_secrets"] = json!("accept");
    // What the vendor of the example accepts leaves a profile.
    deployment.vars["SOURCES"]["consent"]["partial_erasure"] = json!("accept");
    deployment.vars["SOURCES"]["shop"] = deployment.vars["SOURCES"]["consent"].clone();
    let start = || Workerd::start_on(&world.toolchain, &world.bundle, &deployment, &storage);
    let (done, rejected) = (Person::new("exported-1"), Person::new("exported-2"));
    let worker = start().await?;
    vendors.insider.script(&rejected.email, [Answer::status(400)]);
    for (person, state) in [(&done, "done"), (&rejected, "attention")] {
        post(&worker, person).await?;
        until(&worker, person, state).await?;
    }
    worker.stop().await?;
    let (insider, instacart) = (lane(&storage, "insider")?, lane(&storage, "instacart")?);
    copy(&insider, &done)?;
    copy(&instacart, &done)?;
    // One lane was out of reach when a webhook came, and its platform sent it again.
    let later =
        "UPDATE delivery SET received_at = received_at + 500000 WHERE request_id = 'copy 100'";
    ensure!(insider.execute(later, [])? == 1);
    // Of one erasure, one of the accounts was not asked.
    ensure!(instacart.execute("DELETE FROM delivery WHERE request_id = 'copy 200'", [])? == 1);

    let worker = start().await?;
    let all = COPIES + 2;
    let ndjson = ask(&worker, "GET", "/export", &Value::Null).await?;
    whole_ndjson(&worker, &ndjson, all).await?;
    let csv = ask(&worker, "GET", "/export?format=csv&to=2999-12-31", &Value::Null).await?;
    whole_csv(&csv, all)?;
    for text in [&ndjson.text, &csv.text] {
        ensure!(!text.contains("copy ") && !text.contains("pii"), "an id that may be personal");
        ensure!(text.contains(&done.request_id), "an id that is not");
    }

    counted(&worker, all).await?;
    let trace =
        ask(&worker, "POST", "/erasures/search", &json!({ "trace": "the-trace-of-7" })).await?;
    ensure!(ids(&trace) == ["copy 7"], "{trace:?}");
    let empty = ask(&worker, "GET", "/export?source=shop", &Value::Null).await?;
    ensure!(empty.text == "{\"complete\":true,\"erasures\":0}\n", "{empty:?}");
    let empty = ask(&worker, "GET", "/export?to=2020-01-01&format=csv", &Value::Null).await?;
    ensure!(empty.text.lines().count() == 1 && empty.text.starts_with("source,"), "{empty:?}");
    hung_up(&worker).await?;
    let again = ask(&worker, "GET", "/export", &Value::Null).await?;
    ensure!(again.text == ndjson.text, "it differs after readers have hung up");
    let log = worker.stop().await?;
    ensure!(!log.contains("pii"), "a person is in the log");

    // A row in the middle that the lane cannot read.
    let spoil = "UPDATE delivery SET outcome = 'odd' WHERE request_id = 'copy 2000'";
    ensure!(insider.execute(spoil, [])? == 1);
    let worker = start().await?;
    for path in ["/export", "/export?format=csv"] {
        // How wrangler's proxy tells that the response broke off is its own.
        let reply = ask(&worker, "GET", path, &Value::Null).await;
        ensure!(!reply.is_ok_and(|reply| reply.status == 200), "{path} looks complete");
    }
    let reply = ask(&worker, "GET", "/statistics", &Value::Null).await?;
    ensure!(reply.status == 503 && reply.json()["type"] == "lane-unreachable", "{reply:?}");
    worker.stop().await?;
    Ok(())
}

async fn whole_ndjson(worker: &Workerd, reply: &Reply, erasures: usize) -> Result<()> {
    ensure!(reply.status == 200 && reply.header("content-type") == "application/x-ndjson");
    ensure!(reply.header("content-disposition") == "attachment; filename=\"erasures.ndjson\"");
    ensure!(reply.header("cache-control") == "no-store" && reply.text.ends_with('\n'));
    let lines: Vec<Value> =
        reply.text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let (end, receipts) = lines.split_last().context("nothing came")?;
    ensure!(*end == json!({ "complete": true, "erasures": erasures }), "{end}");
    ensure!(receipts.len() == erasures, "{} receipts", receipts.len());
    let ids: BTreeSet<&str> =
        receipts.iter().filter_map(|receipt| receipt["request_id"].as_str()).collect();
    ensure!(ids.len() == erasures, "each once");
    let times = receipts.iter().map(|receipt| receipt["received_at"].as_str());
    ensure!(times.is_sorted(), "oldest first");
    let parts = receipts.iter().map(|receipt| receipt["deliveries"].as_array().map_or(0, Vec::len));
    ensure!(parts.filter(|parts| *parts != 2).eq([1]), "the deliveries of both accounts");
    // As lists have it, but for the ids.
    let newest = ask(worker, "GET", "/erasures?limit=2", &Value::Null).await?.json();
    let both = [&newest["erasures"][1], &newest["erasures"][0]];
    ensure!(receipts.iter().rev().take(2).rev().eq(both), "{newest}");
    Ok(())
}

fn whole_csv(reply: &Reply, erasures: usize) -> Result<()> {
    ensure!(reply.header("content-type") == "text/csv; charset=utf-8; header=present");
    let name = "attachment; filename=\"erasures-to-2999-12-31.csv\"";
    ensure!(reply.header("content-disposition") == name, "{:?}", reply.headers);
    let mut reader = csv::Reader::from_reader(reply.text.as_bytes());
    let header = reader.headers()?.clone();
    let column = |name: &str| header.iter().position(|column| column == name).context("no column");
    let (id, outcome, vendor) = (column("request_id")?, column("outcome")?, column("vendor")?);
    let mut outcomes: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for record in reader.records() {
        let record = record?;
        ids.insert(record[id].to_owned());
        *outcomes.entry((record[vendor].to_owned(), record[outcome].to_owned())).or_default() += 1;
    }
    ensure!(ids.len() == erasures, "{} erasures", ids.len());
    let count = |vendor: &str, outcome: &str| {
        outcomes.get(&(vendor.to_owned(), outcome.to_owned())).copied().unwrap_or_default()
    };
    ensure!(count("insider", "accepted") == erasures - 1, "{outcomes:?}");
    ensure!(count("insider", "rejected") == 1, "{outcomes:?}");
    ensure!(count("instacart", "accepted") == erasures - 1, "{outcomes:?}");
    Ok(())
}

async fn counted(worker: &Workerd, erasures: usize) -> Result<()> {
    let reply =
        ask(worker, "GET", "/statistics?from=2020-01-01&to=2999-12-31", &Value::Null).await?;
    let row = json!({
        "received": erasures, "complied_in_whole": 0, "without_data": 0,
        "complied_in_part": erasures, "denied": 0, "open": 0, "median_days": 0.0, "mean_days": 0.0
    });
    let whole = |mut row: Value, in_whole: usize| {
        row["complied_in_whole"] = json!(in_whole);
        row["complied_in_part"] = json!(erasures - in_whole);
        row
    };
    let report = reply.json();
    // Of one erasure one vendor rejected its part.
    ensure!(report["total"] == whole(row.clone(), erasures - 1), "{report}");
    ensure!(report["from"] == "2020-01-01T00:00:00Z" && report["until"] == "3000-01-01T00:00:00Z");
    let mut consent = whole(row, erasures - 1);
    consent["source"] = json!("consent");
    let sources = report["sources"].as_array().context("no sources")?;
    ensure!(sources.contains(&consent), "{report}");
    let shop = sources.iter().find(|source| source["source"] == "shop").context("no shop")?;
    ensure!(shop["received"] == 0 && shop["median_days"].is_null(), "{report}");
    let none = ask(worker, "GET", "/statistics?source=shop", &Value::Null).await?.json();
    ensure!(none["total"]["received"] == 0, "{none}");
    ensure!(none["sources"].as_array().is_some_and(|all| all.len() == 1), "{none}");
    Ok(())
}

async fn connect(worker: &Workerd, path: &str) -> Result<TcpStream> {
    let address = worker.url("");
    let mut stream =
        TcpStream::connect(address.strip_prefix("http://").context("an address")?).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\
         Authorization: Bearer {ADMIN_TOKEN}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

/// Readers that hang up in the middle.
async fn hung_up(worker: &Workerd) -> Result<()> {
    for _ in 0..5 {
        let mut stream = connect(worker, "/export").await?;
        let mut begin = [0; 1000];
        stream.read_exact(&mut begin).await?;
        ensure!(begin.starts_with(b"HTTP/1.1 200"), "nothing comes");
    }
    Ok(())
}
