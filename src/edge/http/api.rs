//! The operator's routes, as JSON.

use std::rc::Rc;

use serde::Serialize;
use worker::web_sys;

use super::reply::Reply;
use super::route::Operator;
use super::{metrics, receipts, webhook};
use crate::audit_query::AuditQuery;
use crate::delivery::audit::Who;
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::edge::net::stream::streamed;
use crate::edge::operator::act::{Action, Done, OfErasure, OfLane};
use crate::edge::operator::export::Export;
use crate::edge::operator::sources::SourceStatus;
use crate::edge::operator::{self, act, audit, erasures, lanes, list, sources, statistics};
use crate::export;
use crate::list_query::Query;
use crate::note::{self, Closing, Note};
use crate::problem::Problem;
use crate::receipt::Outcome;
use crate::search::{self, Search};

/// The answer of `GET /sources`.
#[derive(Serialize)]
struct Sources<'a> {
    sources: Vec<SourceStatus<'a>>,
}

/// Does what is asked, and writes the answer.
///
/// # Errors
/// What the caller did wrong, and 503 where a lane does not answer.
pub async fn answer(
    request: &web_sys::Request,
    wanted: Operator<'_>,
    query: &str,
    environment: &Rc<Environment>,
    all: &Lanes,
    who: Who,
) -> Result<Reply, Problem> {
    let action = match &wanted {
        Operator::Find(source, id) => return find(environment, all, source, id).await,
        Operator::List => {
            let query = Query::parse(query);
            let query = query.map_err(Problem::Malformed)?;
            let page = list::list(environment, all, &query).await?;
            return Ok(Reply::List(page.receipts, page.next));
        }
        Operator::Search => {
            let search = Search::parse(&body(request, search::MAX_BODY_BYTES).await?);
            let search = search.map_err(Problem::Malformed)?;
            let page = operator::search::search(environment, all, search).await?;
            return Ok(Reply::List(page.receipts, page.next));
        }
        Operator::Export => {
            let query = export::Query::parse(query, true).map_err(Problem::Malformed)?;
            let mut export = Export::begin(environment, all, &query).await?;
            let stream = streamed(&request.signal(), async move || export.next().await);
            let stream = stream.map_err(|_| Problem::Internal)?;
            let (media_type, name) = (query.format.media_type(), query.file_name());
            return Ok(Reply::File(stream, media_type, name));
        }
        Operator::Statistics => {
            let query = export::Query::parse(query, false).map_err(Problem::Malformed)?;
            return Reply::json(200, &statistics::statistics(environment, all, &query).await?);
        }
        Operator::Activity => {
            return Reply::json(200, &statistics::activity(environment, all).await?);
        }
        Operator::Sources => {
            let sources = sources::sources(environment, all).await?;
            return Reply::json(200, &Sources { sources });
        }
        Operator::Metrics => return metrics::answer(environment, all).await,
        Operator::Lanes => return Reply::json(200, &lanes::show(environment, all).await?),
        Operator::Audit => {
            let query = AuditQuery::parse(query);
            let query = query.map_err(|wrong| Problem::Malformed(wrong.to_owned()))?;
            return Reply::json(200, &audit::page(all, &query).await?);
        }
        Operator::Replay(source, id) => Action::OfErasure(source, id, OfErasure::Replay),
        Operator::Discard(source, id) => {
            let note = read(request, Note::parse).await?;
            Action::OfErasure(source, id, OfErasure::Discard(note))
        }
        Operator::Acknowledge(source, id) => {
            let note = read(request, Note::parse).await?;
            Action::OfErasure(source, id, OfErasure::Acknowledge(note))
        }
        Operator::Close(source, id) => {
            let closing = read(request, Closing::parse).await?;
            Action::OfErasure(source, id, OfErasure::Close(closing))
        }
        Operator::Resume(vendor) => Action::OfLane(vendor, OfLane::Resume),
        Operator::Move(vendor) => {
            let to = parameter(query, "to")?.unwrap_or_else(|| (*vendor).to_owned());
            Action::OfLane(vendor, OfLane::Move(to))
        }
        Operator::DiscardUnsendable(vendor) => {
            let call = parameter(query, "call")?;
            let note = read(request, Note::parse).await?;
            Action::OfLane(vendor, OfLane::DiscardUnsendable(call, note))
        }
        Operator::ReplayAll(vendor) => {
            const EXPECTED: &str = "outcome must be blocked, rejected, uncertain or exhausted";
            let is_one = |one: &Outcome| one.can_be_replayed() || *one == Outcome::Blocked;
            let outcome = outcome(query, is_one, EXPECTED)?;
            Action::OfLane(vendor, OfLane::ReplayAll(outcome))
        }
        Operator::AcknowledgeAll(vendor) => {
            const EXPECTED: &str = "outcome must be rejected, uncertain, exhausted, not_erased or \
                                    insufficient_identification";
            let outcome = outcome(query, |one| one.can_be_acknowledged(), EXPECTED)?;
            let note = read(request, Note::parse).await?;
            Action::OfLane(vendor, OfLane::AcknowledgeAll(outcome, note))
        }
    };
    let status = action.status();
    match act::act(environment, all, who, action).await? {
        Done::Receipt(receipt) => Ok(Reply::Receipts(status, vec![receipt])),
        Done::Lanes(statuses) => Reply::json(status, &statuses),
        Done::Closed => match wanted {
            Operator::Close(source, id) => find(environment, all, source, &id).await,
            _ => Err(Problem::Internal),
        },
    }
}

/// The parameter `outcome`, where it is one that `is_one` knows.
fn outcome(
    query: &str,
    is_one: impl Fn(&Outcome) -> bool,
    expected: &str,
) -> Result<Option<Outcome>, Problem> {
    let Some(text) = parameter(query, "outcome")? else { return Ok(None) };
    let outcome = Outcome::parse(&text).filter(is_one);
    outcome.map(Some).ok_or_else(|| Problem::Malformed(expected.to_owned()))
}

/// The value of a query's only parameter, `name`.
fn parameter(query: &str, name: &str) -> Result<Option<String>, Problem> {
    let mut value = None;
    for (found, text) in form_urlencoded::parse(query.as_bytes()) {
        if found != name || value.is_some() {
            return Err(Problem::Malformed(format!("the query may name {name} alone, once")));
        }
        value = Some(text.into_owned());
    }
    Ok(value)
}

/// Reads the body of an operator's request.
async fn read<T>(
    request: &web_sys::Request,
    parse: fn(&[u8]) -> Result<T, &'static str>,
) -> Result<T, Problem> {
    let body = body(request, note::MAX_BODY_BYTES).await?;
    parse(&body).map_err(|wrong| Problem::Malformed(wrong.to_owned()))
}

/// The body of an operator's request, of at most `limit` bytes.
async fn body(request: &web_sys::Request, limit: u32) -> Result<Vec<u8>, Problem> {
    webhook::read_body(request, &request.headers(), limit).await
}

/// The receipt of an erasure, signed. The id may be the pseudonym that a log shows in its place.
async fn find(
    environment: &Environment,
    lanes: &Lanes,
    source: &str,
    request_id: &str,
) -> Result<Reply, Problem> {
    let message = erasures::by_shown_id(source, request_id);
    let receipt = erasures::whole(environment, lanes, &message, source, request_id).await?;
    receipts::signed(environment, &receipt).await
}
