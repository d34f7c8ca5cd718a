//! The operator's dashboard: who may see and do what, and a browser that clicks through all of it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use standin::Answer;
use standin::platform::{EVENT, Platform, Reaction};
use tokio::time::{sleep, timeout};
use verify_receipt::KeptReceipt;
use xtask::demo::{SECRET, Vendors};
use xtask::webhook::{Reply, Webhook, send};
use xtask::workerd::{Storage, Workerd};

use crate::durable::{ADMIN_TOKEN, authorized};
use crate::world::{Handle, Person, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("dashboard: a session is made by a token, and ends", sessions),
        world.trial("dashboard: an action needs a session, its form and its page", actions),
        world.trial("dashboard: what is searched for is nowhere", searched),
        world.trial("dashboard: a message that its platform rejects needs a person", undelivered),
        world.trial("dashboard: what comes from outside is text", inert),
        world.trial("dashboard: in a browser, by mouse and keyboard, and by axe-core", browser),
    ]
}

pub fn direct_trials(world: &Handle) -> Vec<Trial> {
    vec![world.trial("dashboard: direct delivery has none", absent)]
}

const READ_TOKEN: &str = "reading-token-of-the-dashboard";
const RECEIPT_SIGNING_KEY: &str = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=";
const EVENT_SECRET: &str = "whsec_ZXZlbnRzLW9mLXRoZS10ZXN0cy1hbG9uZS0xMjM0";
const DESK_TOKEN: &str = "token-of-the-dashboards-desk";
const COOKIE: &str = "__Host-relay-session";

/// A text that would run if it were not escaped.
const MARKUP: &str = "<img src=x onerror=alert(1)>";

/// A Worker with a dashboard.
struct Relay {
    vendors: Vendors,
    platform: Platform,
    worker: Workerd,
    _storage: Storage,
}

impl Relay {
    async fn start(world: &World) -> Result<Self> {
        let (vendors, storage) = (Vendors::start().await?, Storage::fresh()?);
        let platform = Platform::start(EVENT, 204).await?;
        let mut deployment = vendors.deployment()?.secret("ADMIN_TOKEN", ADMIN_TOKEN);
        let account = &mut deployment.vars["VENDORS"]["insider"];
        account["retry"] = json!({ "first_seconds": 3600, "longest_seconds": 3600 });
        let mut locked = account.clone();
        locked["breaker"] = json!({ "probe_seconds": 3600 });
        deployment.vars["VENDORS"]["insider-us"] = locked;
        let mut source = deployment.vars["SOURCES"]["consent"].clone();
        source["shared_secrets"] = json!("accept");
        deployment.vars["SOURCES"]["consent"] = source.clone();
        source["vendors"] = json!(["insider-us"]);
        deployment.vars["SOURCES"]["shop"] = source;
        deployment.vars["SOURCES"]["desk"] = json!({
            "platform": "custom",
            "signature": { "token": "x-desk-key" },
            "secrets": ["DESK_TOKEN"],
            "vendors": ["insider"],
            "request_id": "/id",
            "erasure": "always",
            "identifiers": { "email": "/email" },
            "callback": { "url": platform.url("/events"), "secret": "EVENT_SECRET" },
        });
        let deployment = deployment
            .secret("READ_TOKEN", READ_TOKEN)
            .secret("RECEIPT_SIGNING_KEY", RECEIPT_SIGNING_KEY)
            .secret("EVENT_SECRET", EVENT_SECRET)
            .secret("DESK_TOKEN", DESK_TOKEN);
        let World { toolchain, bundle, .. } = world;
        let worker = Workerd::start_on(toolchain, bundle, &deployment, &storage).await?;
        Ok(Self { vendors, platform, worker, _storage: storage })
    }

    async fn post(&self, source: &str, webhook: &Webhook) -> Result<Reply> {
        let url = self.worker.url(&format!("/webhooks/{source}"));
        send("POST", &url, &webhook.headers(SECRET)?, webhook.body.clone()).await
    }

    async fn desk(&self, person: &Person) -> Result<Reply> {
        let body = json!({ "id": person.request_id, "email": person.email }).to_string();
        let headers = [
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-desk-key".to_owned(), DESK_TOKEN.to_owned()),
        ];
        send("POST", &self.worker.url("/webhooks/desk"), &headers, body).await
    }

    /// The receipt of a request, once it is in this state and its platform has been told.
    async fn until(&self, source: &str, id: &str, state: &str) -> Result<Value> {
        let url = self.worker.url(&format!("/erasures/{source}/{id}"));
        let mut last = Value::Null;
        let waiting = async {
            loop {
                last = send("GET", &url, &authorized(), "").await?.json();
                let is_told = source != "desk" || last["callbacks"][0]["state"] == "delivered";
                if last["state"] == state && is_told {
                    return anyhow::Ok(());
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let came = timeout(Duration::from_secs(30), waiting).await;
        ensure!(matches!(came, Ok(Ok(()))), "{state}: {last}");
        Ok(last)
    }

    async fn get(&self, path: &str, cookie: &str) -> Result<Reply> {
        send("GET", &self.worker.url(path), &with_cookie(cookie), "").await
    }

    /// Sends a form as a browser does, from a page of the dashboard.
    async fn submit(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Result<Reply> {
        let mut headers = with_cookie(cookie);
        headers.push(("sec-fetch-site".to_owned(), "same-origin".to_owned()));
        headers.push(("origin".to_owned(), "null".to_owned()));
        self.submit_with(path, headers, fields).await
    }

    async fn submit_with(
        &self,
        path: &str,
        mut headers: Vec<(String, String)>,
        fields: &[(&str, &str)],
    ) -> Result<Reply> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let form_type = "application/x-www-form-urlencoded".to_owned();
        headers.push(("content-type".to_owned(), form_type));
        send("POST", &self.worker.url(path), &headers, form.finish()).await
    }

    /// Logs in, and returns the cookie and the token of its forms.
    async fn login(&self, token: &str) -> Result<(String, String)> {
        let reply = self.submit("/login", "", &[("token", token)]).await?;
        ensure!(reply.status == 303 && reply.header("location") == "/", "{reply:?}");
        let cookie = reply.header("set-cookie");
        let attributes = "; Max-Age=3600; Path=/; HttpOnly; Secure; SameSite=Strict";
        let value = cookie.strip_suffix(attributes).with_context(|| cookie.to_owned())?;
        let page = self.get("/requests", value).await?;
        Ok((value.to_owned(), csrf_of(&page)?))
    }
}

fn with_cookie(cookie: &str) -> Vec<(String, String)> {
    if cookie.is_empty() { vec![] } else { vec![("cookie".to_owned(), cookie.to_owned())] }
}

/// The token of a page's forms.
fn csrf_of(page: &Reply) -> Result<String> {
    let start = page.text.split("name=\"csrf\" value=\"").nth(1);
    let value = start.and_then(|rest| rest.split('"').next());
    value.map(str::to_owned).with_context(|| format!("no form: {page:?}"))
}

/// What holds for every page.
fn is_page(reply: &Reply, status: u16) -> Result<()> {
    ensure!(reply.status == status, "{reply:?}");
    ensure!(reply.header("content-type") == "text/html; charset=utf-8", "{reply:?}");
    let policy = reply.header("content-security-policy");
    let expected = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
                    frame-ancestors 'none'";
    ensure!(policy == expected, "{policy}");
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ] {
        ensure!(reply.header(name) == value, "{name}: {reply:?}");
    }
    for part in ["<script", "style=", "onclick", MARKUP, ADMIN_TOKEN, READ_TOKEN, "pii-"] {
        ensure!(!reply.text.contains(part), "{part}: {reply:?}");
    }
    Ok(())
}

async fn absent(world: Arc<World>) -> Result<()> {
    for (method, path) in [
        ("GET", "/"),
        ("POST", "/"),
        ("GET", "/login"),
        ("POST", "/login"),
        ("GET", "/requests"),
        ("GET", "/dashboard.css"),
        ("POST", "/logout"),
    ] {
        let reply = world.request(method, path, &[], Vec::new()).await?;
        ensure!(reply.status == 404, "{method} {path}: {reply:?}");
    }
    Ok(())
}

async fn sessions(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world).await?;
    // Without a session every page leads to the login, and to nowhere else.
    for (path, location) in [
        ("/", "/login"),
        ("/requests?state=done", "/login?next=%2Frequests%3Fstate%3Ddone"),
        ("/requests/consent/r%201/proof", "/login?next=%2Frequests%2Fconsent%2Fr%25201%2Fproof"),
        ("/accounts/insider-us/resume", "/login?next=%2Faccounts%2Finsider-us%2Fresume"),
    ] {
        let reply = relay.get(path, "").await?;
        ensure!(reply.status == 303 && reply.header("location") == location, "{reply:?}");
        ensure!(reply.header("cache-control") == "no-store", "{reply:?}");
    }
    let head = send("HEAD", &relay.worker.url("/login"), &[], "").await?;
    ensure!(head.status == 200 && head.text.is_empty(), "{head:?}");
    let css = relay.get("/dashboard.css", "").await?;
    ensure!(css.status == 200 && css.header("content-type").starts_with("text/css"), "{css:?}");
    let page = relay.get("/login?next=https%3A%2F%2Fevil.example", "").await?;
    is_page(&page, 200)?;
    ensure!(page.text.contains(r#"name="next" value="/""#), "{page:?}");

    for wrong in ["", "a-token-that-nobody-has", "Bearer admin-token-of-the-tests"] {
        let reply = relay.submit("/login", "", &[("token", wrong)]).await?;
        is_page(&reply, 401)?;
        ensure!(reply.header("set-cookie").is_empty(), "{reply:?}");
        ensure!(wrong.is_empty() || !reply.text.contains(wrong), "{reply:?}");
    }
    // Nor may another page log a visitor in.
    let foreign = vec![("origin".to_owned(), "https://evil.example".to_owned())];
    let reply = relay.submit_with("/login", foreign, &[("token", ADMIN_TOKEN)]).await?;
    is_page(&reply, 403)?;
    ensure!(reply.header("set-cookie").is_empty(), "{reply:?}");

    let (cookie, csrf) = relay.login(ADMIN_TOKEN).await?;
    is_page(&relay.get("/", &cookie).await?, 200)?;
    let token = [("token", ADMIN_TOKEN), ("next", "/requests?state=done")];
    let reply = relay.submit("/login", "", &token).await?;
    ensure!(reply.header("location") == "/requests?state=done", "{reply:?}");
    // A cookie is the dashboard's alone, and a token the API's.
    let api = relay.get("/erasures", &cookie).await?;
    ensure!(api.status == 401, "{api:?}");
    let dashboard = send("GET", &relay.worker.url("/"), &authorized(), "").await?;
    ensure!(dashboard.status == 303, "{dashboard:?}");
    // What was changed, or belongs to a longer time, is no session.
    let (start, mac) = cookie.rsplit_once('.').context("a signature")?;
    let expires: i64 = start.rsplit_once('=').context("a value")?.1.parse()?;
    for wrong in [
        format!("{COOKIE}={}.{mac}", expires + 1),
        format!("{COOKIE}={}.{mac}", expires - 1),
        format!("{start}.{}", mac.to_lowercase()),
        cookie.replace(COOKIE, "session"),
    ] {
        let reply = relay.get("/", &wrong).await?;
        ensure!(reply.status == 303, "{wrong}: {reply:?}");
    }
    let reply = relay.submit("/logout", &cookie, &[("csrf", &csrf)]).await?;
    ensure!(reply.status == 303 && reply.header("location") == "/login", "{reply:?}");
    let expected = format!("{COOKIE}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Strict");
    ensure!(reply.header("set-cookie") == expected, "{reply:?}");
    for (method, path) in
        [("POST", "/"), ("POST", "/requests"), ("GET", "/logout"), ("GET", "/requests/search")]
    {
        let reply = send(method, &relay.worker.url(path), &with_cookie(&cookie), "").await?;
        ensure!(reply.status == 405, "{method} {path}: {reply:?}");
    }
    Ok(())
}

async fn actions(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world).await?;
    let person = Person::new("dashboard-actions");
    relay.vendors.insider.script(&person.email, [Answer::status(503)]);
    relay.vendors.instacart.script(&person.user_id, [Answer::status(400)]);
    ensure!(relay.post("consent", &person.webhook()).await?.status == 202);
    let before = relay.until("consent", &person.request_id, "attention").await?;
    let asked = || {
        relay.vendors.instacart.requests_for(&person.user_id).len()
            + relay.vendors.insider.requests_for(&person.email).len()
    };
    ensure!(asked() == 2, "{}", asked());
    let (cookie, csrf) = relay.login(ADMIN_TOKEN).await?;
    let (other, other_csrf) = relay.login(READ_TOKEN).await?;
    let at = format!("/requests/consent/{}", person.request_id);
    let note = ("note", "kept by law");
    let outcome = ("outcome", "failed");
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    for path in [
        format!("{at}/replay"),
        format!("{at}/discard"),
        format!("{at}/close"),
        format!("{at}/acknowledge"),
        "/accounts/insider/resume".to_owned(),
        "/accounts/insider/replay".to_owned(),
        "/accounts/insider/acknowledge".to_owned(),
        "/requests/search".to_owned(),
        "/logout".to_owned(),
    ] {
        let fields = [note, outcome, ("csrf", &*csrf)];
        // Without a session, or with one that has ended.
        let reply = relay.submit(&path, "", &fields).await?;
        is_page(&reply, 401)?;
        // Without its form's token, or with that of another session.
        for fields in [vec![note, outcome], vec![note, outcome, ("csrf", &*other_csrf)]] {
            is_page(&relay.submit(&path, &cookie, &fields).await?, 403)?;
        }
        // From elsewhere, or from nobody knows where.
        for from in [
            vec![],
            vec![header("origin", "https://evil.example")],
            vec![header("origin", "null")],
            vec![header("sec-fetch-site", "cross-site"), header("origin", &relay.worker.url(""))],
            vec![header("sec-fetch-site", "same-site")],
        ] {
            let headers = [with_cookie(&cookie), from].concat();
            is_page(&relay.submit_with(&path, headers, &fields).await?, 403)?;
        }
        // In another form.
        let mut headers = with_cookie(&cookie);
        headers.push(header("sec-fetch-site", "same-origin"));
        headers.push(header("content-type", "text/plain"));
        let body = format!("csrf={csrf}&note=kept&outcome=failed");
        is_page(&send("POST", &relay.worker.url(&path), &headers, body).await?, 400)?;
        // With a token that only reads.
        if path.starts_with("/accounts") || path.starts_with(&at) {
            let fields = [note, outcome, ("csrf", &*other_csrf)];
            is_page(&relay.submit(&path, &other, &fields).await?, 403)?;
            is_page(&relay.get(&path, &other).await?, 403)?;
            // To ask for the page changes nothing.
            is_page(&relay.get(&path, &cookie).await?, 200)?;
        }
    }
    let after = relay.until("consent", &person.request_id, "attention").await?;
    ensure!(after == before && asked() == 2, "something was changed: {after}");
    let seen = relay.get(&at, &other).await?;
    is_page(&seen, 200)?;
    ensure!(!seen.text.contains("/discard") && !seen.text.contains("/replay"), "{seen:?}");
    // What is wrong with a note is said, and nothing is done.
    for wrong in ["", " ", &"x".repeat(201), "a\u{202e}b"] {
        let fields = [("note", wrong), ("csrf", &*csrf)];
        for path in [&*at, "/accounts/insider"] {
            let path = format!("{path}/acknowledge");
            is_page(&relay.submit(&path, &cookie, &fields).await?, 400)?;
        }
        is_page(&relay.submit(&format!("{at}/discard"), &cookie, &fields).await?, 400)?;
    }
    let fields = [note, ("outcome", "odd"), ("csrf", &*csrf)];
    is_page(&relay.submit(&format!("{at}/close"), &cookie, &fields).await?, 400)?;
    let after = relay.until("consent", &person.request_id, "attention").await?;
    ensure!(after == before, "something was changed: {after}");
    // The source has no platform that is told.
    let fields = [note, outcome, ("csrf", &*csrf)];
    is_page(&relay.submit(&format!("{at}/close"), &cookie, &fields).await?, 409)?;
    for action in ["acknowledge", "discard"] {
        let reply = relay.submit(&format!("{at}/{action}"), &cookie, &fields).await?;
        let location = format!("{at}?done={action}");
        ensure!(reply.status == 303 && reply.header("location") == location, "{reply:?}");
    }
    relay.until("consent", &person.request_id, "discarded").await?;
    // Each was written down, with who did it; what was refused before that was not.
    let trail = send("GET", &relay.worker.url("/audit"), &authorized(), "").await?.json();
    let rows = trail["actions"].as_array().context("no rows")?;
    let row = |row: &Value| (row["action"].clone(), row["who"].clone(), row["by"].clone());
    let rows: Vec<_> = rows.iter().map(row).collect();
    let expected = ["discard", "acknowledge", "close"]
        .map(|action| (json!(action), json!("admin_token"), json!("dashboard")));
    ensure!(rows == expected, "{trail}");
    Ok(())
}

async fn undelivered(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world).await?;
    let (cookie, _) = relay.login(READ_TOKEN).await?;
    let page = relay.get("/", &cookie).await?;
    ensure!(page.text.contains("Nothing needs a person."), "{page:?}");
    let person = Person::new("dashboard-undelivered");
    relay.platform.script([Reaction::Status(400)]);
    ensure!(relay.desk(&person).await?.status == 200);
    let link = format!("/requests/desk/{}", person.request_id);
    let shown = async {
        loop {
            let page = relay.get("/", &cookie).await?;
            if page.text.contains(&link) {
                return anyhow::Ok(page);
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let page = timeout(Duration::from_secs(30), shown).await??;
    ensure!(page.text.contains("Requests whose platform could not be told"), "{page:?}");
    ensure!(!page.text.contains("Nothing needs a person."), "{page:?}");
    Ok(())
}

async fn searched(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world).await?;
    let (cookie, csrf) = relay.login(READ_TOKEN).await?;
    let mut person = Person::new("dashboard-searched");
    person.request_id = "no uuid/é?#%&".to_owned();
    ensure!(relay.post("consent", &person.webhook()).await?.status == 200);
    let line = relay.worker.logged(r#""event":"erasure","source":"consent""#).await?;
    let (start, end) = line.find('{').zip(line.rfind('}')).context("no JSON in the line")?;
    let alert: Value = serde_json::from_str(&line[start..=end])?;
    let shown = alert["request_id"].as_str().context("an id")?;
    ensure!(shown.starts_with('k'), "{alert}");
    let at = "/requests/consent/no%20uuid%2F%C3%A9%3F%23%25%26";
    // An id that may be personal is in no address of the pages.
    let named = format!("/requests/consent/{}", shown.replace(':', "%3A"));
    // By its id, and by what an alert shows in its place.
    for text in [person.request_id.as_str(), shown] {
        is_found(&relay, &cookie, &csrf, ("request_id", text), &named).await?;
    }
    // By the person, who is in no reply.
    is_found(&relay, &cookie, &csrf, ("email", &format!(" {} ", person.email)), &named).await?;
    is_found(&relay, &cookie, &csrf, ("user_id", &person.user_id), &named).await?;
    for at in [at, &named, "/requests"] {
        let page = relay.get(at, &cookie).await?;
        is_page(&page, 200)?;
        ensure!(page.text.contains(shown) && !page.text.contains("no uuid"), "{page:?}");
        ensure!(!page.text.contains("no%20uuid"), "{page:?}");
    }
    for by in ["request_id", "email", "uuid", "custom", "trace", "odd"] {
        let fields = [("by", by), ("text", "unknown-text"), ("csrf", &*csrf)];
        let reply = relay.submit("/requests/search", &cookie, &fields).await?;
        is_page(&reply, 200)?;
        ensure!(!reply.text.contains("unknown-text"), "{reply:?}");
        ensure!(reply.text.contains("Nothing was found"), "{reply:?}");
    }
    let log = relay.worker.log();
    ensure!(!log.contains("unknown-text") && !log.contains("pii-"), "the log names somebody");
    // The file to keep is verified by the published key.
    let file = relay.get(&format!("{at}/receipt.http"), &cookie).await?;
    ensure!(file.status == 200, "{file:?}");
    let disposition = "attachment; filename=\"receipt.http\"";
    ensure!(file.header("content-disposition") == disposition, "{file:?}");
    let keys = verify_receipt::keys(&relay.worker.url("/.well-known/erasure-relay.json"))?;
    let kept = KeptReceipt::parse(file.text.as_bytes())?;
    kept.verify(&keys)?;
    let receipt: Value = serde_json::from_slice(kept.body())?;
    ensure!(receipt["request_id"] == person.request_id, "{receipt}");
    let changed = file.text.replace("accepted", "rejected");
    ensure!(KeptReceipt::parse(changed.as_bytes())?.verify(&keys).is_err());
    let proof = relay.get(&format!("{at}/proof"), &cookie).await?;
    is_page(&proof, 200)?;
    ensure!(proof.text.contains("webhook-signature") && proof.text.contains("v1a,"), "{proof:?}");
    Ok(())
}

async fn is_found(
    relay: &Relay,
    cookie: &str,
    csrf: &str,
    (by, text): (&str, &str),
    at: &str,
) -> Result<()> {
    let fields = [("by", by), ("text", text), ("csrf", csrf)];
    let reply = relay.submit("/requests/search", cookie, &fields).await?;
    ensure!(reply.status == 303 && reply.header("location") == at, "{by}: {reply:?}");
    Ok(())
}

/// Every text that comes from outside or from an operator, on every page that shows it.
async fn inert(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world).await?;
    let (cookie, csrf) = relay.login(ADMIN_TOKEN).await?;
    let mut person = Person::new("dashboard-inert");
    person.request_id = MARKUP.to_owned();
    let trace = Answer::status(400).with_header("x-request-id", MARKUP);
    relay.vendors.insider.script(&person.email, [trace]);
    relay.vendors.instacart.script(&person.user_id, [Answer::status(503)]);
    relay.post("consent", &person.webhook()).await?;
    let event = json!({ "type": MARKUP, "data": {} }).to_string();
    ensure!(relay.post("consent", &Webhook::new("event", event)).await?.status == 204);
    relay.until("consent", "%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E", "attention").await?;
    let at = "/requests/consent/%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E";
    let escaped = "&lt;img src=x onerror=alert(1)&gt;";
    let fields = [("note", MARKUP), ("csrf", &*csrf)];
    let reply = relay.submit(&format!("{at}/discard"), &cookie, &fields).await?;
    ensure!(reply.status == 303, "{reply:?}");
    // Of an event's name, what cannot be a name is not shown at all.
    is_page(&relay.get("/", &cookie).await?, 200)?;
    for path in ["/requests", at, &format!("{at}/proof"), &format!("{at}/discard"), "/actions"] {
        let page = relay.get(path, &cookie).await?;
        is_page(&page, 200)?;
        ensure!(!page.text.contains("<img"), "{path}: {page:?}");
        // The id itself is in the receipt alone, the note on the pages that show it.
        let has_text = [at, &format!("{at}/proof"), "/actions"].contains(&path);
        ensure!(!has_text || page.text.contains(escaped), "{path}: {page:?}");
    }
    for path in [
        "/requests?state=%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E",
        "/requests?from=%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E",
        "/?done=%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E",
        "/login?next=%2F%22%3E%3Cimg",
        "/records?from=%22%3E%3Cimg&source=%22%3E%3Cimg",
        "/accounts/%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E",
    ] {
        let page = relay.get(path, &cookie).await?;
        ensure!(!page.text.contains("<img"), "{path}: {page:?}");
    }
    Ok(())
}

/// Hexadecimal digits in the form of a UUID.
fn uuid(digits: &str) -> String {
    let digits: String = digits.chars().rev().take(16).collect::<String>().repeat(2);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// Has a browser use the dashboard.
async fn browser(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world).await?;
    let person = |name: &str| {
        let mut person = Person::new(&format!("dashboard-{name}"));
        person.request_id = uuid(&person.request_id);
        person
    };
    let [done, rejected, waiting, locked, desk, seen] =
        ["done", "rejected", "waiting", "locked", "desk", "seen"].map(person);
    let insider = &relay.vendors.insider;
    insider.script(&rejected.email, [Answer::status(400), Answer::Success]);
    insider.script(&waiting.email, [Answer::status(503)]);
    insider.script(&locked.email, [Answer::status(401), Answer::Success]);
    insider.script(&desk.email, [Answer::status(422)]);
    insider.script(&seen.email, [Answer::html(200)]);
    ensure!(relay.desk(&desk).await?.status.is_success());
    relay.until("desk", &desk.request_id, "attention").await?;
    for (source, person, state) in [
        ("consent", &done, "done"),
        ("consent", &rejected, "attention"),
        ("consent", &waiting, "pending"),
        ("consent", &seen, "attention"),
        ("shop", &locked, "attention"),
    ] {
        relay.post(source, &person.webhook()).await?;
        relay.until(source, &person.request_id, state).await?;
    }
    let mut odd = person("odd");
    odd.request_id = "\"><script>alert('id')</script>".to_owned();
    ensure!(relay.post("consent", &odd.webhook()).await?.status == 200);
    let event = json!({ "type": MARKUP, "data": {} }).to_string();
    ensure!(relay.post("consent", &Webhook::new("event", event)).await?.status == 204);

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard");
    fs::create_dir_all(&folder)?;
    let request =
        |source: &str, person: &Person| json!({ "source": source, "id": person.request_id });
    let input = json!({
        "url": relay.worker.url(""),
        "admin": ADMIN_TOKEN,
        "read": READ_TOKEN,
        "folder": folder,
        "email": done.email,
        "requests": {
            "done": request("consent", &done),
            "rejected": request("consent", &rejected),
            "waiting": request("consent", &waiting),
            "locked": request("shop", &locked),
            "desk": request("desk", &desk),
            "seen": request("consent", &seen),
            "odd": request("consent", &odd),
        },
    });
    let mut node = world.toolchain.browser("tests/browser/dashboard.mjs")?;
    node.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = node.spawn().context("the browser's tests cannot be started")?;
    let mut stdin = process.stdin.take().context("no standard input")?;
    stdin.write_all(input.to_string().as_bytes())?;
    drop(stdin);
    let output = tokio::task::spawn_blocking(move || process.wait_with_output()).await??;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "screenshots in {}: {errors}", folder.display());

    // What the clicks did at the vendors and at the platform.
    ensure!(insider.requests_for(&rejected.email).len() == 2, "the replay was sent once");
    ensure!(insider.requests_for(&waiting.email).len() == 1, "what was discarded was sent again");
    relay.until("shop", &locked.request_id, "done").await?;
    let word = |message: standin::platform::Message| message.json()["type"].clone();
    let told: Vec<Value> = relay.platform.messages().into_iter().map(word).collect();
    ensure!(told == ["privacy.erasure.attention", "privacy.erasure.settled"], "{told:?}");
    for mismatches in [insider.mismatches(), relay.vendors.instacart.mismatches()] {
        ensure!(mismatches.is_empty(), "{mismatches:?}");
    }
    let log = relay.worker.log();
    ensure!(!log.contains("pii-") && !log.contains(ADMIN_TOKEN), "the log names somebody");
    Ok(())
}
