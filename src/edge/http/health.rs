//! `GET /healthz`: whether the configuration is complete and no lane needs a person.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;

use super::VERSION;
use super::reply::Reply;
use crate::delivery::lane::BreakerState;
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::edge::now;
use crate::edge::operator::lanes;
use crate::problem::Problem;
use crate::receipt::Timestamp;
use crate::settings::Notice;

/// How long an answer of the lanes holds. The route is open to everybody, and must not let strangers
/// cause requests to lanes.
const FRESH: Duration = Duration::from_secs(10);

/// After so many hours a vendor that fails is no passing outage. What waits is given up after 72 by
/// default.
const LONG_OUTAGE_HOURS: i64 = 24;

/// The body of the answer: `ok`, or `attention` where a person is needed. Everybody may ask, so what is
/// wrong is named to the operator alone.
#[derive(Serialize)]
struct Health<'a> {
    status: &'static str,
    version: &'static str,
    delivery: &'static str,
    /// How many lanes need a person.
    attention: usize,
    #[serde(flatten)]
    details: Option<Details<'a>>,
}

/// What the operator is told beside it.
#[derive(Serialize)]
struct Details<'a> {
    unset: &'a [String],
    notices: &'a [Notice],
    #[serde(skip_serializing_if = "Option::is_none")]
    lanes: Option<&'a [Trouble]>,
}

/// A lane that needs a person.
#[derive(Serialize)]
struct Trouble {
    vendor: String,
    problem: &'static str,
}

thread_local! {
    static CHECKED_AT: Cell<Timestamp> = const { Cell::new(Timestamp(0)) };
    static TROUBLES: RefCell<Rc<Vec<Trouble>>> = RefCell::default();
}

/// 200 where all is well, else 503. `lanes` is `None` where delivery is direct. Only the operator is
/// told which lanes need a person, which secrets are not set, and what to know of the configuration.
///
/// # Errors
/// Where the answer cannot be written.
pub async fn answer(
    environment: &Environment,
    lanes: Option<&Lanes>,
    is_operator: bool,
) -> Result<Reply, Problem> {
    if let Some(lanes) = lanes
        && now() >= CHECKED_AT.get().after(FRESH)
    {
        CHECKED_AT.set(now());
        TROUBLES.replace(Rc::new(check(environment, lanes).await));
    }
    let troubles = TROUBLES.with_borrow(Rc::clone);
    let (code, status) = if troubles.is_empty() { (200, "ok") } else { (503, "attention") };
    let delivery = if lanes.is_some() { "durable" } else { "direct" };
    let Environment { unset, notices, .. } = environment;
    let shown = lanes.map(|_| troubles.as_slice());
    let details = is_operator.then_some(Details { unset, notices, lanes: shown });
    let (version, attention) = (VERSION, troubles.len());
    Reply::json(code, &Health { status, version, delivery, attention, details })
}

async fn check(environment: &Environment, lanes: &Lanes) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    for (vendor, status) in lanes::statuses_of_all(environment, lanes).await {
        let problem = match status {
            None => "it does not answer",
            Some(status) if status.unreadable > 0 => {
                "what waits was sealed with a PSEUDONYM_KEY that is not configured"
            }
            Some(status) if !status.unsendable.is_empty() => {
                "what waits cannot be sent: move or discard it"
            }
            Some(status) if status.breaker == BreakerState::Blocked => {
                "the vendor rejects its account"
            }
            Some(status) if status.open_hours >= LONG_OUTAGE_HOURS && status.waiting > 0 => {
                "the vendor has failed for a day or more"
            }
            Some(_) => continue,
        };
        troubles.push(Trouble { vendor, problem });
    }
    troubles
}
