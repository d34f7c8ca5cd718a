//! The audit trail: what operators did.

use serde::Serialize;

use crate::audit_query::AuditQuery;
use crate::delivery::audit::{Ask, AuditRow, Entry};
use crate::delivery::wire::Request;
use crate::edge::lane::client::Lanes;
use crate::edge::log;
use crate::problem::Problem;

/// A page of the audit trail.
#[derive(Serialize)]
pub struct Page {
    /// The actions on it, newest first.
    pub actions: Vec<Entry>,
    /// The `before` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What operators did, newest first, and where the next page begins.
///
/// # Errors
/// 503 where the directory does not answer.
pub async fn page(lanes: &Lanes, query: &AuditQuery) -> Result<Page, Problem> {
    let directory = lanes.directory().map_err(super::unreachable)?;
    // One more than is shown tells whether there are more.
    let ask = Ask::List(query.before, query.limit.saturating_add(1));
    let all: Result<Vec<AuditRow>, _> = directory.ask(&Request::Audit(ask)).await;
    let mut all = all.map_err(super::unreachable)?;
    let shown = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let more = all.len() > shown;
    all.truncate(shown);
    let last = all.last().filter(|_| more);
    let next = last.map(|(number, ..)| number.to_string());
    Ok(Page { actions: all.into_iter().map(|row| Entry::restore(row).1).collect(), next })
}

/// An action that is under way, and its row. Its line in the log is written when it has ended, or when
/// nobody waits for that any more.
pub(super) struct Trail<'a> {
    lanes: &'a Lanes,
    number: i64,
    entry: Entry,
}

impl<'a> Trail<'a> {
    /// Writes the row. What it is about may be done after that.
    ///
    /// # Errors
    /// 503 where it cannot be written.
    pub(super) async fn begin(lanes: &'a Lanes, entry: Entry) -> Result<Self, Problem> {
        let directory = lanes.directory().map_err(|_| Problem::NotAudited)?;
        let ask = Request::Audit(Ask::Begin(entry.at.0, entry.stored()));
        let number = directory.ask(&ask).await.map_err(|_| Problem::NotAudited)?;
        Ok(Self { lanes, number, entry })
    }

    /// Completes the row. Where that fails, the log alone has the result.
    pub(super) async fn end(mut self, result: String) {
        self.entry.result = Some(result.clone());
        let ask = Request::Audit(Ask::End(self.number, result));
        let ended = match self.lanes.directory() {
            Ok(directory) => directory.exchange(&ask).await.map(drop),
            Err(unreachable) => Err(unreachable),
        };
        if ended.is_err() {
            log::internal("the result of an action could not be added to the audit trail");
        }
    }
}

impl Drop for Trail<'_> {
    fn drop(&mut self) {
        log::operator(&self.entry);
    }
}
