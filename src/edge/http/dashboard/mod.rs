//! The operator's dashboard: which page it is, who may see it, and what its forms do.
//!
//! ```text
//! route     which page it is
//! login     the token becomes a session
//! look      pages that only show
//! act       forms that change something
//! form      the body of a form
//! written   pages and redirects as replies
//! ```

mod act;
mod form;
mod login;
mod look;
mod route;
mod written;

use std::rc::Rc;

use worker::web_sys;

use super::reply::Reply;
use super::route::{origin, path_and_query};
use crate::dashboard::failure;
use crate::dashboard::login::Refusal;
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::edge::net::message::header;
use crate::edge::now;
use crate::problem::Problem;
use crate::receipt::Timestamp;
use crate::session::{self, CSRF_FIELD, Session};
use form::Form;

pub use route::Page;

/// A request to the dashboard.
pub struct Visit<'a> {
    /// The request.
    pub request: &'a web_sys::Request,
    /// Its URL.
    pub url: &'a str,
    /// The configuration.
    pub environment: &'a Rc<Environment>,
    /// The way to the lanes.
    pub lanes: &'a Lanes,
}

/// What a page is made from: the visit, and whose it is.
struct Known<'a> {
    request: &'a web_sys::Request,
    session: Session,
    environment: &'a Rc<Environment>,
    lanes: &'a Lanes,
    /// The scheme and the host of the relay.
    origin: &'a str,
    query: &'a str,
    now: Timestamp,
}

impl Visit<'_> {
    fn header(&self, name: &str) -> Option<String> {
        header(&self.request.headers(), name)
    }

    /// Whether the browser says that a page of this host has sent the request.
    fn is_same_origin(&self) -> bool {
        let (site, sender) = (self.header("sec-fetch-site"), self.header("origin"));
        let authority = origin(self.url).split_once("://").map(|(_, host)| host);
        session::is_same_origin(site.as_deref(), sender.as_deref(), authority.unwrap_or_default())
    }
}

/// Answers a request to the dashboard. What goes wrong is a page, too, but for a wrong method.
///
/// # Errors
/// 405.
pub async fn answer(visit: &Visit<'_>, page: &Page<'_>) -> Result<Reply, Problem> {
    let method = visit.request.method();
    let allowed = page.methods();
    if !allowed.split(", ").any(|known| known == method) {
        return Err(Problem::MethodNotAllowed(allowed));
    }
    if *page == Page::Css {
        return Ok(written::css());
    }
    let is_form = method == "POST";
    let (tokens, now) = (&visit.environment.keys.tokens, now());
    let cookies = visit.header("cookie").unwrap_or_default();
    let session = Session::of(&cookies, tokens, now);
    let (path, query) = path_and_query(visit.url);
    if *page == Page::Login {
        return Ok(login::answer(visit, is_form, session.as_ref(), query, now).await);
    }
    let Some(session) = session else {
        return Ok(if is_form {
            login::again(401, "/", Refusal::Expired)
        } else {
            login::first(path, query)
        });
    };
    let known = Known {
        request: visit.request,
        session,
        environment: visit.environment,
        lanes: visit.lanes,
        origin: origin(visit.url),
        query,
        now,
    };
    let reply =
        if is_form { submit(visit, page, &known).await } else { look::show(page, &known).await };
    Ok(reply.unwrap_or_else(|problem| failed(&known, &problem)))
}

/// What a form does, where it is one of this session's pages that has sent it.
async fn submit(visit: &Visit<'_>, page: &Page<'_>, known: &Known<'_>) -> Result<Reply, Problem> {
    let form = Form::read(visit.request).await?;
    if !visit.is_same_origin() || !known.session.confirms(form.value(CSRF_FIELD)) {
        let title = "This form is not of your session";
        let detail = "Nothing was changed. Open the page again, and send the form from there.";
        let html = failure::failure(Some(&known.session), title, Some(detail));
        return Ok(written::page(403, html));
    }
    if known.session.access() < page.needs() {
        return Err(Problem::ReadOnly);
    }
    act::act(page, known, &form).await
}

fn failed(known: &Known<'_>, problem: &Problem) -> Reply {
    let detail = problem.detail();
    let html = failure::failure(Some(&known.session), problem.title(), detail.as_deref());
    written::page(problem.status(), html)
}
