//! Forms that change something, or that search.

use super::super::reply::Reply;
use super::form::Form;
use super::{Known, Page, look, written};
use crate::dashboard::request::Action;
use crate::dashboard::{account, path, requests};
use crate::delivery::audit::{Way, Who};
use crate::edge::operator::act::{self, Done, OfErasure, OfLane};
use crate::edge::operator::search;
use crate::erasure::{Kind, Subject};
use crate::list_query::Query;
use crate::note::{Closing, Note};
use crate::problem::Problem;
use crate::receipt::Receipt;
use crate::search::{Search, Sought};
use crate::session;

/// How many requests a search shows at most.
const FOUND: usize = 200;

/// How often a search goes on at most where it has found fewer.
const ROUNDS: u32 = 5;

/// Does what the form of `page` is for, and leads to the page that shows it.
///
/// # Errors
/// What the visitor did wrong, and 503 where a lane does not answer.
pub async fn act(page: &Page<'_>, known: &Known<'_>, form: &Form) -> Result<Reply, Problem> {
    match page {
        Page::Logout => Ok(written::redirect("/login", Some(session::clear_cookie()))),
        Page::Search => search(known, form).await,
        Page::Act(source, id, action) => on_request(known, source, id, *action, form).await,
        Page::ActOnAccount(account, action) => on_account(known, account, *action, form).await,
        _ => Err(Problem::NotFound),
    }
}

async fn on_request(
    known: &Known<'_>,
    source: &str,
    id: &str,
    action: Action,
    form: &Form,
) -> Result<Reply, Problem> {
    let note = || Note::of(form.value("note"));
    let wanted = match action {
        Action::Replay => Ok(OfErasure::Replay),
        Action::Discard => note().map(OfErasure::Discard),
        Action::Acknowledge => note().map(OfErasure::Acknowledge),
        Action::Close => closing(form).map(OfErasure::Close),
    };
    match wanted {
        Ok(wanted) => {
            let receipt = look::find(known, source, id).await?;
            perform(known, act::Action::OfErasure(source, &receipt.request_id, wanted)).await?;
            let shown = look::shown(known, receipt);
            let back = path::request(source, &shown.request_id);
            let back = format!("{back}?done={}", action.name());
            Ok(written::redirect(&back, None))
        }
        // Nothing of the form is repeated.
        Err(wrong) => {
            let receipt = look::shown(known, look::find(known, source, id).await?);
            let html = look::ask_about_request(known, &receipt, action, Some(wrong));
            Ok(written::page(400, html))
        }
    }
}

async fn on_account(
    known: &Known<'_>,
    account: &str,
    action: account::Action,
    form: &Form,
) -> Result<Reply, Problem> {
    let wanted = match action {
        account::Action::Resume => Ok(OfLane::Resume),
        account::Action::Replay => Ok(OfLane::ReplayAll(None)),
        account::Action::Acknowledge => {
            Note::of(form.value("note")).map(|note| OfLane::AcknowledgeAll(None, note))
        }
    };
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(wrong) => return look::ask_about_account(known, account, action, Some(wrong)).await,
    };
    let mut back = format!("{}?done={}", path::account(account), action.name());
    if let Done::Lanes(done) = perform(known, act::Action::OfLane(account, wanted)).await? {
        if let Some(number) = done.replayed.or(done.acknowledged) {
            back.push_str(&format!("&number={number}"));
        }
        if done.more == Some(true) {
            back.push_str("&more=true");
        }
    }
    Ok(written::redirect(&back, None))
}

async fn perform(known: &Known<'_>, action: act::Action<'_>) -> Result<Done, Problem> {
    let who = Who { token: known.session.token, by: Way::Dashboard };
    act::act(known.environment, known.lanes, who, action).await
}

fn closing(form: &Form) -> Result<Closing, &'static str> {
    let outcome = form.value("outcome").parse().map_err(|_| "Choose an outcome.")?;
    Ok(Closing { outcome, note: Note::of(form.value("note"))? })
}

/// Finds requests. What was looked for is in no reply.
async fn search(known: &Known<'_>, form: &Form) -> Result<Reply, Problem> {
    let wanted = form.value("text").trim();
    if wanted.is_empty() {
        return Ok(written::redirect(path::REQUESTS, None));
    }
    let (mut found, mut has_more) = (Vec::new(), false);
    let mut before = None;
    for _ in 0..ROUNDS {
        // What is no name of an identifier finds nobody.
        let Some(sought) = sought(form.value("by"), wanted) else { break };
        let query = Query { limit: 200, before, ..Query::default() };
        let page = search::search(known.environment, known.lanes, Search { sought, query }).await;
        let page = match page {
            Err(Problem::UnknownVendor) => break,
            page => page?,
        };
        found.extend(page.receipts);
        before = page.next.as_deref().and_then(Query::position);
        has_more = before.is_some();
        if !has_more || found.len() >= FOUND {
            break;
        }
    }
    let found = found.into_iter().map(|receipt| look::shown(known, receipt));
    let found: Vec<Receipt> = found.collect();
    if let ([receipt], false) = (&found[..], has_more) {
        let path = path::request(&receipt.source, &receipt.request_id);
        return Ok(written::redirect(&path, None));
    }
    let html = requests::results(&known.session, &found, has_more, known.now);
    Ok(written::page(200, html))
}

/// What is looked for, by the name that the form has for it.
fn sought(by: &str, text: &str) -> Option<Sought> {
    let (kind, value) = match by {
        "request_id" => return Some(Sought::Request(text.to_owned())),
        "trace" => return Some(Sought::Trace(text.to_owned())),
        "custom" => {
            let (name, value) = text.split_once(':')?;
            (Kind::parse(&format!("custom.{}", name.trim()))?, value)
        }
        kind => (Kind::parse(kind)?, text),
    };
    let mut subject = Subject::default();
    subject.add(kind, value);
    Some(Sought::Person(subject))
}
