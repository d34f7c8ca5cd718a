//! `GET /status/{code}`: the page on which a person sees the state of their request. Whoever has the
//! code may see it; it shows no personal data.

use super::reply::Reply;
use super::{Service, webhook};
use crate::delivery::wire::Request;
use crate::edge::operator::erasures;
use crate::problem::Problem;
use crate::status_page::{Page, is_code};

/// The page of the request that has this code, at any source whose requests have a page.
pub async fn page(service: &Service, code: &str) -> Reply {
    let environment = &*service.environment;
    // What cannot be a code is not looked up.
    let Some(lanes) = service.lanes.as_ref().filter(|_| is_code(code)) else {
        return reply(404, &Page::UNKNOWN);
    };
    for sender in environment.senders.iter().filter(|one| one.source.platform.has_status_page()) {
        let source = &sender.source.name;
        let message = Request::find(source, code);
        match erasures::whole(environment, lanes, &message, source, code).await {
            Ok(receipt) => {
                let is_partial = webhook::is_partial(service, sender, Some(&receipt));
                return reply(200, &Page::of(&receipt, is_partial));
            }
            Err(Problem::UnknownErasure) => {}
            Err(_) => return reply(503, &Page::UNAVAILABLE),
        }
    }
    reply(404, &Page::UNKNOWN)
}

fn reply(status: u16, page: &Page<'_>) -> Reply {
    Reply::Page(status, page.html())
}
