//! Lanes that the configuration does not name any more: they do not send, and are found by the directory
//! alone. Operators see them beside the others, and move or discard what they hold.

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use worker::Delay;

use super::{Asked, unreachable};
use crate::delivery::directory::Place;
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::edge::{log, now};
use crate::problem::Problem;
use crate::receipt::Timestamp;

/// How long an isolate relies on what the directory said. Only a deployment makes a lane an orphan.
const KNOWN_FOR: Duration = Duration::from_secs(60);

/// How long a webhook waits for the directory, beside its lanes.
const LOOK_UP: Duration = Duration::from_secs(1);

/// What the directory said, and when.
type Known = (Timestamp, Rc<Vec<Place>>);

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// Every lane that holds something and is not configured.
///
/// # Errors
/// 503 where the directory does not answer.
pub async fn orphans(environment: &Environment, lanes: &Lanes) -> Result<Vec<Place>, Problem> {
    let mut places = lanes.registered().await.map_err(unreachable)?;
    places.retain(|place| {
        let account = environment.client(&place.vendor);
        place.orphaned(account.map(|client| &client.account.policy)).is_some()
    });
    Ok(places)
}

/// The same as far as this isolate knows, for webhooks: looked up at most once a minute, and not
/// waited for longer than a second. Where the directory does not answer, nothing new is known.
pub async fn known_orphans(environment: &Environment, lanes: &Lanes) -> Rc<Vec<Place>> {
    let fresh = KNOWN.with_borrow_mut(|(known_at, known)| {
        let is_fresh = now() < known_at.after(KNOWN_FOR);
        if !is_fresh {
            // Those that come meanwhile use what is known.
            *known_at = now();
        }
        is_fresh.then(|| known.clone())
    });
    if let Some(known) = fresh {
        return known;
    }
    let looked_up = pin!(orphans(environment, lanes));
    match select(looked_up, pin!(Delay::from(LOOK_UP))).await {
        Either::Left((Ok(places), _)) => KNOWN.set((now(), Rc::new(places))),
        Either::Left((Err(_), _)) | Either::Right(_) => {
            log::internal("the directory of the lanes does not answer");
        }
    }
    KNOWN.with_borrow(|(_, known)| known.clone())
}

/// Adds the lanes at `places`.
///
/// # Errors
/// 503 where the runtime does not have one.
pub fn add(lanes: &Lanes, places: Vec<Place>, to: &mut Vec<Asked>) -> Result<(), Problem> {
    for place in places {
        let vendor = place.vendor.clone();
        to.push((vendor, lanes.at(place).map_err(unreachable)?));
    }
    Ok(())
}

/// Every lane, those that are not configured any more last.
///
/// # Errors
/// 503 where the directory does not answer.
pub async fn every_lane(environment: &Environment, lanes: &Lanes) -> Result<Vec<Asked>, Problem> {
    let mut all = configured(environment, lanes)?;
    add(lanes, orphans(environment, lanes).await?, &mut all)?;
    Ok(all)
}

/// Every lane that is configured.
///
/// # Errors
/// 503 where the runtime does not have one.
pub fn configured(environment: &Environment, lanes: &Lanes) -> Result<Vec<Asked>, Problem> {
    let mut all = Vec::new();
    for vendor in environment.accounts() {
        let of_account = lanes.all(&vendor.account).map_err(unreachable)?;
        all.extend(of_account.into_iter().map(|lane| (vendor.account.name.clone(), lane)));
    }
    Ok(all)
}
