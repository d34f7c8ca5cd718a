//! Has the lane of a platform know what has changed, after each change of an erasure that came from it.

use std::rc::Rc;
use std::time::Duration;

use super::fault::Fault;
use super::object::{Object, Open};
use crate::callback::wire::{Ask, Request, Told};
use crate::edge::{log, now};

/// How many notices are read at a time.
const MOST: u32 = 20;

/// When a platform's lane that did not answer is told again.
const LATER: Duration = Duration::from_secs(30);

impl Object {
    /// Tells the platforms' lanes what has changed, while nobody waits for that. A failure is logged, and
    /// the alarm tries again.
    pub(super) fn tell_platforms(self: &Rc<Self>) {
        let watches = self.with(|open| Ok(open.watches()));
        if !watches.unwrap_or_default() || self.telling.replace(true) {
            return;
        }
        let object = self.clone();
        self.state.wait_until(async move {
            let told = object.tell_all().await;
            object.telling.set(false);
            if let Err(fault) = told {
                log::internal(fault.place());
                log::internal("the lane of a platform could not be told; it will be told again");
                if let Err(fault) = object.wake_by(Some(now().after(LATER))).await {
                    log::internal(fault.place());
                }
            }
        });
    }

    async fn tell_all(&self) -> Result<(), Fault> {
        loop {
            let notices = self.lane(|lane| Ok(lane.notices(MOST)?))?;
            if notices.is_empty() {
                return Ok(());
            }
            // Each lane of an account tells for itself.
            let account = self.with(|open| Ok(open.place.object_name()))?;
            for notice in notices {
                let told =
                    Told { account: account.clone(), at: now(), records: notice.records.clone() };
                let client = self.with(|open| Ok(open.environment.callback_of(&notice.source)))?;
                if let Some(client) = client {
                    let lanes = self.lanes()?;
                    let lane = lanes.first(&client.client.account).map_err(|_| Fault::Runtime)?;
                    let message = Request::new(&notice.source, &notice.request_id, Ask::Tell(told));
                    let told: Result<bool, _> = lane.ask_callback(&message).await;
                    told.map_err(|_| Fault::Runtime)?;
                }
                self.lane(|lane| Ok(lane.forget_notice(&notice)?))?;
            }
        }
    }
}

impl Open {
    /// Whether changes are noticed: only vendors' lanes notice them, and only where a platform is told.
    fn watches(&self) -> bool {
        self.callback.is_none() && !self.environment.callbacks.is_empty()
    }
}
