//! The operator's routes, as JSON.

use std::rc::Rc;

use serde::Serialize;
use worker::web_sys;

use super::reply::Reply;
use super::route::Operator;
use super::{receipts, webhook};
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::edge::net::stream::streamed;
use crate::edge::operator::export::Export;
use crate::edge::operator::sources::SourceStatus;
use crate::edge::operator::{self, erasures, lanes, list, sources, statistics};
use crate::export;
use crate::list_query::Query;
use crate::note::{self, Closing, Note};
use crate::problem::Problem;
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
) -> Result<Reply, Problem> {
    match wanted {
        Operator::Find(source, id) => find(environment, all, source, &id).await,
        Operator::Replay(source, id) => {
            let receipt = erasures::replay(environment, all, source, &id).await?;
            Ok(Reply::Receipts(202, vec![receipt]))
        }
        Operator::Discard(source, id) => {
            let note = read(request, Note::parse).await?;
            let receipt = erasures::discard(environment, all, source, &id, note.as_str()).await?;
            Ok(Reply::Receipts(200, vec![receipt]))
        }
        Operator::Close(source, id) => {
            let closing = read(request, Closing::parse).await?;
            erasures::close(environment, all, source, &id, closing).await?;
            find(environment, all, source, &id).await
        }
        Operator::List => {
            let query = Query::parse(query);
            let query = query.map_err(Problem::Malformed)?;
            let page = list::list(environment, all, &query).await?;
            Ok(Reply::List(page.receipts, page.next))
        }
        Operator::Search => {
            let search = Search::parse(&body(request, search::MAX_BODY_BYTES).await?);
            let search = search.map_err(Problem::Malformed)?;
            let page = operator::search::search(environment, all, search).await?;
            Ok(Reply::List(page.receipts, page.next))
        }
        Operator::Export => {
            let query = export::Query::parse(query, true).map_err(Problem::Malformed)?;
            let mut export = Export::begin(environment, all, &query).await?;
            let stream = streamed(&request.signal(), async move || export.next().await);
            let stream = stream.map_err(|_| Problem::Internal)?;
            Ok(Reply::File(stream, query.format.media_type(), query.file_name()))
        }
        Operator::Statistics => {
            let query = export::Query::parse(query, false).map_err(Problem::Malformed)?;
            Reply::json(200, &statistics::statistics(environment, all, &query).await?)
        }
        Operator::Activity => Reply::json(200, &statistics::activity(environment, all).await?),
        Operator::Sources => {
            let sources = sources::sources(environment, all).await?;
            Reply::json(200, &Sources { sources })
        }
        Operator::Lanes => Reply::json(200, &lanes::show(environment, all).await?),
        Operator::Resume(vendor) => {
            Reply::json(202, &lanes::resume(environment, all, vendor).await?)
        }
        Operator::Move(vendor) => {
            let to = parameter(query, "to")?;
            let to = to.as_deref().unwrap_or(vendor);
            Reply::json(200, &lanes::move_rows(environment, all, vendor, to).await?)
        }
        Operator::DiscardUnsendable(vendor) => {
            let call = parameter(query, "call")?;
            let note = read(request, Note::parse).await?;
            let note = note.as_str();
            Reply::json(200, &lanes::discard(environment, all, vendor, call, note).await?)
        }
    }
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
