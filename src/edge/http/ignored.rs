//! Counts events that are no erasures, beside the answers: nobody waits for it, and a failure is only
//! logged. What comes while a count is under way is added up, so that a flood is one request to a
//! lane at a time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::Service;
use crate::delivery::wire::{Ignored, Request};
use crate::edge::lane::client::Unreachable;
use crate::edge::net::background::Background;
use crate::edge::{log, now};
use crate::receipt::Timestamp;
use crate::source::EventName;

/// A count that takes longer is given up: the runtime may have ended it with its event. A lane
/// answers within 10 seconds or not at all.
const GIVE_UP_AFTER: Duration = Duration::from_secs(15);

/// How long one event goes on to count what others brought: the runtime lets it run for 30 seconds.
const GOES_ON_FOR: Duration = Duration::from_secs(10);

/// How many kinds of events are remembered until they are counted; of more, only the log tells.
const MAX_KINDS: usize = 200;

#[derive(Default)]
struct Uncounted {
    /// Source, name, and how many came.
    events: Vec<(String, String, u32)>,
    /// When the count that is under way began.
    counting_since: Option<Timestamp>,
}

thread_local! {
    static UNCOUNTED: RefCell<Uncounted> = RefCell::default();
}

/// Logs events of `source`, and remembers them for [`count`].
pub fn remember(source: &str, names: &[EventName]) {
    let mut events: Vec<(&str, u32)> = Vec::new();
    for name in names {
        match events.iter_mut().find(|(known, _)| *known == name.as_str()) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => events.push((name.as_str(), 1)),
        }
    }
    UNCOUNTED.with_borrow_mut(|uncounted| {
        let all = &mut uncounted.events;
        let has_room = all.len() < MAX_KINDS;
        for (name, count) in events {
            log::ignored(source, name, count);
            match all.iter_mut().find(|(from, known, _)| from == source && known == name) {
                Some((.., known)) => *known = known.saturating_add(count),
                None if has_room => all.push((source.to_owned(), name.to_owned(), count)),
                None => {}
            }
        }
    });
}

/// Counts what is remembered, after the answer, unless a count is under way.
pub fn count(service: &Rc<Service>, background: &Background) {
    let begins = UNCOUNTED.with_borrow_mut(|uncounted| {
        let is_counting = |since: Timestamp| now().since(since) < GIVE_UP_AFTER;
        if uncounted.events.is_empty() || uncounted.counting_since.is_some_and(is_counting) {
            return false;
        }
        uncounted.counting_since = Some(now());
        true
    });
    if begins {
        let service = service.clone();
        background.run(async move {
            let until = now().after(GOES_ON_FOR);
            while now() <= until && count_once(&service).await {}
            UNCOUNTED.with_borrow_mut(|uncounted| uncounted.counting_since = None);
        });
    }
}

/// Counts what one source sent; `false` where nothing is left.
async fn count_once(service: &Service) -> bool {
    let next = UNCOUNTED.with_borrow_mut(|uncounted| {
        let source = uncounted.events.first()?.0.clone();
        let all = std::mem::take(&mut uncounted.events);
        let (of_source, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(from, ..)| *from == source);
        uncounted.events = others;
        uncounted.counting_since = Some(now());
        Some((source, of_source))
    });
    let Some((source, events)) = next else { return false };
    let events = events.iter().map(|(_, name, count)| (name.into(), *count)).collect();
    if tell(service, Ignored((&source).into(), events)).await.is_err() {
        log::internal("ignored events could not be counted");
    }
    true
}

/// Tells the first lane of the source's first account.
async fn tell(service: &Service, ignored: Ignored<'_>) -> Result<(), Unreachable> {
    let environment = &service.environment;
    let mut senders = environment.senders.iter();
    let sender = senders.find(|sender| sender.source.name == ignored.0);
    let first = sender.and_then(|sender| environment.vendors_of(&sender.source).next());
    let (Some(lanes), Some(first)) = (&service.lanes, first) else { return Ok(()) };
    lanes.first(&first.account)?.ask(&Request::Ignored(ignored)).await
}
