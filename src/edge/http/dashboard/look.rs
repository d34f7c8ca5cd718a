//! Pages that only show.

use futures_util::future::{join, join4};

use super::super::receipts;
use super::super::reply::Reply;
use super::{Known, Page, written};
use crate::audit_query::AuditQuery;
use crate::dashboard::account::{self, Account};
use crate::dashboard::overview::{self, Beginning, Ignored, Lane, Overview, SOON_DAYS, Source};
use crate::dashboard::proof::Proof;
use crate::dashboard::records::{self, Chosen, Records};
use crate::dashboard::request::{Action, Request};
use crate::dashboard::requests::{Filter, Found, List};
use crate::dashboard::{confirm, proof, request, requests, trail};
use crate::delivery::lane::Status;
use crate::edge::log;
use crate::edge::net::stream::streamed;
use crate::edge::operator::export::Export;
use crate::edge::operator::{audit, erasures, lanes, list, sources, statistics};
use crate::export;
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
    if known.session.access() < page.needs() {
        return Err(Problem::ReadOnly);
    }
    let html = match page {
        Page::Overview => overview(known).await,
        Page::Requests => list(known).await?,
        Page::Request(source, id) => one(known, source, id).await?,
        Page::Proof(source, id) => printed(known, source, id).await?,
        Page::Download(source, id) => return download(known, source, id).await,
        Page::Act(source, id, action) => {
            let receipt = shown(known, find(known, source, id).await?);
            ask_about_request(known, &receipt, *action, None)
        }
        Page::Account(account) => of_account(known, account).await?,
        Page::ActOnAccount(account, action) => {
            return ask_about_account(known, account, *action, None).await;
        }
        Page::Records => records(known).await?,
        Page::Trail => trail(known).await?,
        Page::Export => return export(known).await,
        Page::Statistics => {
            let query = export::Query::parse(known.query, false).map_err(Problem::Malformed)?;
            let report = statistics::statistics(known.environment, known.lanes, &query).await?;
            return Reply::json(200, &report);
        }
        Page::Css | Page::Login | Page::Logout | Page::Search => return Err(Problem::NotFound),
    };
    Ok(written::page(200, html))
}

/// The receipt of an erasure, whose id may be the pseudonym that a log shows in its place.
pub async fn find(known: &Known<'_>, source: &str, id: &str) -> Result<Receipt, Problem> {
    let message = erasures::by_shown_id(source, id);
    erasures::whole(known.environment, known.lanes, &message, source, id).await
}

/// The receipt with its id as logs show it: pages and their addresses hold no id that may be personal.
pub fn shown(known: &Known<'_>, mut receipt: Receipt) -> Receipt {
    let names = known.environment.keys.pseudonyms.as_ref();
    receipt.request_id = log::name_of(&receipt.request_id, names);
    receipt
}

/// The page that asks whether an action on a request is meant; `wrong` says what was wrong with its form.
pub fn ask_about_request(
    known: &Known<'_>,
    receipt: &Receipt,
    action: Action,
    wrong: Option<&str>,
) -> String {
    let is_told = known.environment.callback_of(&receipt.source).is_some();
    confirm::of_request(&known.session, receipt, is_told, action, wrong)
}

/// A value of the query.
fn value(query: &str, name: &str) -> Option<String> {
    let mut all = form_urlencoded::parse(query.as_bytes());
    all.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

async fn overview(known: &Known<'_>) -> String {
    let Known { session, environment, lanes, now, .. } = known;
    let all = join(lanes_of(known, None), sources::sources(environment, lanes));
    let lists = join4(
        undelivered(known),
        beginning(known, "state=attention".to_owned()),
        beginning(known, "overdue=true".to_owned()),
        beginning(known, format!("due_within_days={SOON_DAYS}")),
    );
    let ((all, ignored), (undelivered, attention, overdue, mut soon)) = join(all, lists).await;
    soon.first.retain(|receipt| receipt.due_by.is_some_and(|due_by| due_by >= *now));
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
        lanes: &all,
        attention: &attention,
        undelivered: &undelivered,
        overdue: &overdue,
        soon: &soon,
        sources: &sources.collect::<Vec<_>>(),
        now: *now,
    })
}

/// A page of a list without what an operator has closed.
async fn open(known: &Known<'_>, query: &Query) -> Result<list::Page, Problem> {
    let Known { environment, lanes, .. } = known;
    let page = list::list(environment, lanes, query).await?;
    let receipts = list::not_closed(environment, lanes, page.receipts).await?;
    Ok(list::Page { receipts, next: page.next })
}

/// The first requests whose platform could not be told.
async fn undelivered(known: &Known<'_>) -> Beginning {
    let most = u32::try_from(SHOWN).unwrap_or(u32::MAX);
    let found = list::undelivered(known.environment, known.lanes, most).await;
    let is_unknown = found.is_err();
    let found = found.unwrap_or_default().into_iter();
    let first = found.map(|receipt| shown(known, receipt)).collect();
    Beginning { first, has_more: false, is_unknown }
}

/// The first requests of a list.
async fn beginning(known: &Known<'_>, query: String) -> Beginning {
    let mut found = Beginning::default();
    let Ok(mut query) = Query::parse(&query) else { return found };
    for _ in 0..PAGES {
        match open(known, &query).await {
            Ok(page) => {
                let receipts = page.receipts.into_iter();
                found.first.extend(receipts.map(|receipt| shown(known, receipt)));
                found.has_more = page.next.is_some() || found.first.len() > SHOWN;
                query.before = page.next.as_deref().and_then(Query::position);
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
        Ok(query) => {
            let mut page = list::list(environment, lanes, &query).await?;
            let receipts = page.receipts.into_iter();
            page.receipts = receipts.map(|receipt| shown(known, receipt)).collect();
            Ok(page)
        }
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
    let receipt = shown(known, find(known, source, id).await?);
    Ok(request::request(&Request {
        session: &known.session,
        receipt: &receipt,
        is_told: known.environment.callback_of(source).is_some(),
        message: value(known.query, "done").and_then(|name| Action::parse(&name)).map(Action::done),
        now: known.now,
    }))
}

async fn printed(known: &Known<'_>, source: &str, id: &str) -> Result<String, Problem> {
    let receipt = find(known, source, id).await?;
    let signed = receipts::sign(known.environment, &receipt).await?;
    Ok(proof::proof(&Proof {
        session: &known.session,
        receipt: &shown(known, receipt),
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

/// The lanes of one account, or of all, with what came to them in the last day.
async fn lanes_of(known: &Known<'_>, account: Option<&str>) -> Vec<Lane> {
    let Known { environment, lanes, .. } = known;
    let statuses = lanes::statuses_of_all(environment, lanes);
    let (statuses, activity) = join(statuses, statistics::activity(environment, lanes)).await;
    let mut days = activity.map(|activity| activity.lanes).unwrap_or_default();
    let of_account = |(vendor, _): &(String, _)| account.is_none_or(|account| account == vendor);
    let lane = |(account, status): (String, Option<Status>)| {
        let shard = status.as_ref().map_or(0, |status| status.shard);
        let day = days.iter_mut().find(|one| one.vendor == account && one.shard == shard);
        let day = day.map(|one| std::mem::take(&mut one.hours)).unwrap_or_default();
        Lane { account, status, day }
    };
    statuses.into_iter().filter(of_account).map(lane).collect()
}

async fn of_account(known: &Known<'_>, name: &str) -> Result<String, Problem> {
    let lanes = lanes_of(known, Some(name)).await;
    if lanes.is_empty() {
        return Err(Problem::UnknownVendor);
    }
    let done = value(known.query, "done").and_then(|name| account::Action::parse(&name));
    let number = value(known.query, "number").and_then(|number| number.parse().ok());
    let has_more = value(known.query, "more").is_some();
    let message = done.map(|action| action.done(number.unwrap_or_default(), has_more));
    Ok(account::account(&Account {
        session: &known.session,
        name,
        lanes: &lanes,
        message: message.as_deref(),
        now: known.now,
    }))
}

/// The page that asks whether an action on an account's lanes is meant; `wrong` says what was wrong with
/// its form.
pub async fn ask_about_account(
    known: &Known<'_>,
    name: &str,
    action: account::Action,
    wrong: Option<&str>,
) -> Result<Reply, Problem> {
    let statuses = lanes::statuses_of_all(known.environment, known.lanes).await;
    let mut of_account = statuses.iter().filter(|(vendor, _)| vendor == name).peekable();
    of_account.peek().ok_or(Problem::UnknownVendor)?;
    let waiting = of_account.filter_map(|(_, status)| status.as_ref()).map(|one| one.waiting);
    let waiting = waiting.fold(0_i64, i64::saturating_add);
    let html = confirm::of_account(&known.session, name, waiting, action, wrong);
    Ok(written::page(if wrong.is_some() { 400 } else { 200 }, html))
}

async fn records(known: &Known<'_>) -> Result<String, Problem> {
    let Known { session, environment, lanes, .. } = known;
    let chosen = |name: &str| value(known.query, name).unwrap_or_default();
    let mut chosen = Chosen { from: chosen("from"), to: chosen("to"), source: chosen("source") };
    if known.query.is_empty() {
        let today = known.now.to_string();
        chosen.from = format!("{}-01-01", today.get(..4).unwrap_or_default());
        today.get(..10).unwrap_or_default().clone_into(&mut chosen.to);
    }
    let sources: Vec<&str> =
        environment.senders.iter().map(|sender| sender.source.name.as_str()).collect();
    let report = match export::Query::parse(&chosen.query(), false) {
        Ok(query) => Ok(statistics::statistics(environment, lanes, &query).await?),
        Err(wrong) => Err(wrong),
    };
    let report = report.as_ref().map_err(String::as_str);
    Ok(records::records(&Records { session, chosen: &chosen, sources: &sources, report }))
}

/// The receipts of a period as a file.
async fn export(known: &Known<'_>) -> Result<Reply, Problem> {
    let query = export::Query::parse(known.query, true).map_err(Problem::Malformed)?;
    let mut export = Export::begin(known.environment, known.lanes, &query).await?;
    let stream = streamed(&known.request.signal(), async move || export.next().await);
    let stream = stream.map_err(|_| Problem::Internal)?;
    Ok(Reply::File(stream, query.format.media_type(), query.file_name()))
}

async fn trail(known: &Known<'_>) -> Result<String, Problem> {
    let query = AuditQuery::parse(known.query);
    let query = query.map_err(|wrong| Problem::Malformed(wrong.to_owned()))?;
    let page = audit::page(known.lanes, &query).await?;
    Ok(trail::trail(&known.session, &page.actions, page.next.as_deref()))
}
