//! The token becomes a session.

use super::super::reply::Reply;
use super::form::Form;
use super::{Visit, written};
use crate::dashboard::failure;
use crate::dashboard::login::{Refusal, login};
use crate::dashboard::path;
use crate::receipt::Timestamp;
use crate::session::{self, Session, destination};

/// The page, or what its form does.
pub async fn answer(
    visit: &Visit<'_>,
    is_form: bool,
    session: Option<&Session>,
    query: &str,
    now: Timestamp,
) -> Reply {
    if !is_form {
        let next = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "next");
        let next = next.map(|(_, path)| path.into_owned()).unwrap_or_default();
        let next = destination(&next);
        return match session {
            Some(_) => written::redirect(next, None),
            None => written::page(200, login(next, None)),
        };
    }
    let form = match Form::read(visit.request).await {
        Ok(form) => form,
        Err(problem) => {
            let detail = problem.detail();
            let html = failure::failure(None, problem.title(), detail.as_deref());
            return written::page(problem.status(), html);
        }
    };
    let next = destination(form.value("next"));
    if !visit.is_same_origin() {
        return again(403, next, Refusal::Foreign);
    }
    let token = form.value("token").trim();
    let holder = visit.environment.keys.tokens.holder_of(token);
    match holder.and_then(|_| Session::begin(token, now)) {
        Some(cookie) => written::redirect(next, Some(session::set_cookie(&cookie))),
        None => again(401, next, Refusal::WrongToken),
    }
}

/// The page after something went wrong.
pub fn again(status: u16, next: &str, refusal: Refusal) -> Reply {
    written::page(status, login(next, Some(refusal)))
}

/// Leads to the page first, and then on to what was asked for.
pub fn first(wanted: &str, query: &str) -> Reply {
    if wanted == "/" {
        return written::redirect("/login", None);
    }
    let mark = if query.is_empty() { "" } else { "?" };
    let next = path::value(&format!("{wanted}{mark}{query}"));
    written::redirect(&format!("/login?next={next}"), None)
}
