//! Pages that only show.

use futures_util::future::{join, join3};

use super::super::receipts;
use super::super::reply::Reply;
use super::{Known, Page, written};
use crate::config::Account;
use crate::dashboard::overview::{self, Beginning, Ignored, Lane, Overview, SOON_DAYS, Source};
use crate::dashboard::proof::Proof;
use crate::dashboard::request::{Action, Request};
use crate::dashboard::requests::{Filter, Found, List};
use crate::dashboard::{confirm, proof, request, requests};
use crate::edge::operator::{erasures, lanes, list, sources};
use crate::list_query::Query;
use crate::problem::Problem;
use crate::receipt::Receipt;

/// How many requests of a kind the overview shows.
const SHOWN: usize = 10;

/// How many pages of a list are read for them at most: what is listed by its date may be done.
const PAGES: u32 = 5;

/// The page.
///
/// # Errors
/// What the visitor did wrong, and 503 where a lane does not answer.
pub async fn show(page: &Page<'_>, known: &Known<'_>) -> Result<Reply, Problem> {
    if known.session.access < page.needs() {
        return Err(Problem::ReadOnly);
    }
    let html = match page {
        Page::Overview => overview(known).await,
        Page::Requests => list(known).await?,
        Page::Request(source, id) => one(known, source, id).await?,
        Page::Proof(source, id) => printed(known, source, id).await?,
        Page::Download(source, id) => return download(known, source, id).await,
        Page::Act(source, id, action) => {
            let receipt = find(known, source, id).await?;
            confirm::of_request(&known.session, &receipt, *action, None)
        }
        Page::Resume(account) => ask_resume(known, account).await?,
        Page::Css | Page::Login | Page::Logout | Page::Search => return Err(Problem::NotFound),
    };
    Ok(written::page(200, html))
}

/// The receipt of an erasure, whose id may be the pseudonym that a log shows in its place.
pub async fn find(known: &Known<'_>, source: &str, id: &str) -> Result<Receipt, Problem> {
    let message = erasures::by_shown_id(source, id);
    erasures::whole(known.environment, known.lanes, &message, source, id).await
}

/// What has just been done, by the name of the action in the query: a text of ours.
fn message(query: &str) -> Option<&'static str> {
    let done = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "done")?.1;
    match &*done {
        "resume" => Some("Calls begin again."),
        name => Action::parse(name).map(Action::done),
    }
}

async fn overview(known: &Known<'_>) -> String {
    let Known { session, environment, lanes, now, .. } = known;
    let all =
        join(lanes::statuses_of_all(environment, lanes), sources::sources(environment, lanes));
    let lists = join3(
        beginning(known, "state=attention".to_owned()),
        beginning(known, "overdue=true".to_owned()),
        beginning(known, format!("due_within_days={SOON_DAYS}")),
    );
    let ((statuses, ignored), (attention, overdue, mut soon)) = join(all, lists).await;
    soon.first.retain(|receipt| receipt.due_by.is_some_and(|due_by| due_by >= *now));
    let lane = |(account, status)| Lane { account, status, day: Vec::new() };
    let lanes: Vec<Lane> = statuses.into_iter().map(lane).collect();
    let sources = ignored.unwrap_or_default().into_iter().map(|source| Source {
        name: source.source.to_owned(),
        ignored: source
            .ignored
            .into_iter()
            .map(|one| Ignored { event: one.event, count: one.count, last_at: one.last_at })
            .collect(),
    });
    overview::overview(&Overview {
        session,
        lanes: &lanes,
        attention: &attention,
        overdue: &overdue,
        soon: &soon,
        sources: &sources.collect::<Vec<_>>(),
        message: message(known.query),
        now: *now,
    })
}

/// The first requests of a list.
async fn beginning(known: &Known<'_>, query: String) -> Beginning {
    let mut found = Beginning::default();
    let Ok(mut query) = Query::parse(&query) else { return found };
    for _ in 0..PAGES {
        match list::list(known.environment, known.lanes, &query).await {
            Ok(page) => {
                found.first.extend(page.receipts);
                found.has_more = page.next.is_some() || found.first.len() > SHOWN;
                let next = page.next.and_then(|next| Query::parse(&format!("before={next}")).ok());
                query.before = next.and_then(|query| query.before);
            }
            Err(Problem::UnknownVendor) => return found,
            Err(_) => {
                found.is_unknown = true;
                return found;
            }
        }
        if found.first.len() >= SHOWN || query.before.is_none() {
            break;
        }
    }
    found.first.truncate(SHOWN);
    found
}

async fn list(known: &Known<'_>) -> Result<String, Problem> {
    let Known { session, environment, lanes, now, .. } = known;
    let filter = Filter::parse(known.query);
    let sources: Vec<&str> =
        environment.senders.iter().map(|sender| sender.source.name.as_str()).collect();
    let vendors: Vec<&str> =
        environment.vendors.iter().map(|client| client.account.name.as_str()).collect();
    let page = match Query::parse(known.query) {
        Ok(query) => list::list(environment, lanes, &query).await.map(Ok)?,
        Err(wrong) => Err(wrong),
    };
    let found = match &page {
        Ok(page) => Found::Page(&page.receipts, page.next.as_deref()),
        Err(wrong) => Found::Wrong(wrong),
    };
    let (filter, sources, vendors) = (&filter, &sources, &vendors);
    Ok(requests::list(&List { session, filter, sources, vendors, found, now: *now }))
}

async fn one(known: &Known<'_>, source: &str, id: &str) -> Result<String, Problem> {
    let receipt = find(known, source, id).await?;
    Ok(request::request(&Request {
        session: &known.session,
        receipt: &receipt,
        is_told: known.environment.callback_of(source).is_some(),
        message: message(known.query),
        now: known.now,
    }))
}

async fn printed(known: &Known<'_>, source: &str, id: &str) -> Result<String, Problem> {
    let receipt = find(known, source, id).await?;
    let signed = receipts::sign(known.environment, &receipt).await?;
    Ok(proof::proof(&Proof {
        session: &known.session,
        receipt: &receipt,
        body: &signed.body,
        headers: &signed.headers,
        has_public_key: known.environment.receipt_signer.is_some(),
        origin: known.origin,
        now: known.now,
    }))
}

/// The receipt as the HTTP message that `cargo xtask verify-receipt` takes.
async fn download(known: &Known<'_>, source: &str, id: &str) -> Result<Reply, Problem> {
    let receipt = find(known, source, id).await?;
    let signed = receipts::sign(known.environment, &receipt).await?;
    let mut text = String::from("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n");
    for (name, value) in &signed.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.push_str(&signed.body);
    Ok(written::file("application/octet-stream", "receipt.http", text))
}

async fn ask_resume(known: &Known<'_>, name: &str) -> Result<String, Problem> {
    let account: Option<&Account> =
        known.environment.client(name).map(|client| client.account.as_ref());
    let account = account.ok_or(Problem::UnknownVendor)?;
    let statuses = lanes::statuses_of_all(known.environment, known.lanes).await;
    let of_account = statuses.iter().filter(|(vendor, _)| *vendor == account.name);
    let waiting = of_account.filter_map(|(_, status)| status.as_ref()).map(|one| one.waiting);
    let waiting = waiting.fold(0_i64, i64::saturating_add);
    Ok(confirm::resume(&known.session, &account.name, waiting))
}
