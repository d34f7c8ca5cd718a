//! Forms that change something, or that search.

use super::super::reply::Reply;
use super::form::Form;
use super::{Known, Page, look, written};
use crate::dashboard::request::Action;
use crate::dashboard::{confirm, path, requests};
use crate::edge::operator::{erasures, lanes};
use crate::note::{Closing, Note};
use crate::problem::Problem;
use crate::receipt::Receipt;
use crate::session;

/// Does what the form of `page` is for, and leads to the page that shows it.
///
/// # Errors
/// What the visitor did wrong, and 503 where a lane does not answer.
pub async fn act(page: &Page<'_>, known: &Known<'_>, form: &Form) -> Result<Reply, Problem> {
    match page {
        Page::Logout => Ok(written::redirect("/login", Some(session::clear_cookie()))),
        Page::Search => search(known, form).await,
        Page::Act(source, id, action) => on_request(known, source, id, *action, form).await,
        Page::Resume(account) => {
            lanes::resume(known.environment, known.lanes, account).await?;
            Ok(written::redirect("/?done=resume", None))
        }
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
    let Known { environment, lanes, .. } = known;
    let done = match action {
        Action::Replay => erasures::replay(environment, lanes, source, id).await.map(drop),
        Action::Discard => match Note::of(form.value("note")) {
            Ok(note) => {
                erasures::discard(environment, lanes, source, id, note.as_str()).await.map(drop)
            }
            Err(wrong) => return ask_again(known, source, id, action, wrong).await,
        },
        Action::Close => match closing(form) {
            Ok(closing) => erasures::close(environment, lanes, source, id, closing).await,
            Err(wrong) => return ask_again(known, source, id, action, wrong).await,
        },
    };
    done?;
    let back = format!("{}?done={}", path::request(source, id), action.name());
    Ok(written::redirect(&back, None))
}

fn closing(form: &Form) -> Result<Closing, &'static str> {
    let outcome = form.value("outcome").parse().map_err(|_| "Choose an outcome.")?;
    Ok(Closing { outcome, note: Note::of(form.value("note"))? })
}

/// The page that asks again, with what was wrong. Nothing of the form is repeated.
async fn ask_again(
    known: &Known<'_>,
    source: &str,
    id: &str,
    action: Action,
    wrong: &str,
) -> Result<Reply, Problem> {
    let receipt = look::find(known, source, id).await?;
    let html = confirm::of_request(&known.session, &receipt, action, Some(wrong));
    Ok(written::page(400, html))
}

/// Finds requests. What was looked for is in no reply.
async fn search(known: &Known<'_>, form: &Form) -> Result<Reply, Problem> {
    let wanted = form.value("text").trim();
    let found: Vec<Receipt> = by_id(known, wanted).await?;
    if let [receipt] = &found[..] {
        let path = path::request(&receipt.source, &receipt.request_id);
        return Ok(written::redirect(&path, None));
    }
    Ok(written::page(200, requests::results(&known.session, &found, known.now)))
}

/// The requests of any source with this id, or whose logs show it.
async fn by_id(known: &Known<'_>, id: &str) -> Result<Vec<Receipt>, Problem> {
    let mut found = Vec::new();
    for sender in &known.environment.senders {
        match look::find(known, &sender.source.name, id).await {
            Ok(receipt) => found.push(receipt),
            Err(Problem::UnknownErasure) => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(found)
}
