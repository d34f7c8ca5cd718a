//! What a lane does for the operator, and where the Worker's deliveries begin.

use std::rc::Rc;

use serde::Serialize;

use super::fault::Fault;
use super::object::Object;
use crate::delivery::lane::{Key, Record};
use crate::delivery::wire::{Discard, Request};
use crate::edge::now;

impl Object {
    /// Does what is asked, and returns the answer as JSON.
    pub(super) async fn handle(self: &Rc<Self>, request: Request<'_>) -> Result<Vec<u8>, Fault> {
        match request {
            Request::Deliver(deliver) => json(&self.deliver(&deliver).await?),
            Request::Find(keys) => json(&self.find(&keys, false)?),
            Request::Replay(keys) => {
                let records = self.find(&keys, true)?;
                self.go_on().await?;
                json(&records)
            }
            Request::Discard(Discard { key, note }) => {
                let Key { source, request_id, .. } = &key;
                let ended = self.with(|open| {
                    Ok(open.dispatcher.discard(source, request_id, &note, now())?)
                })?;
                ended.iter().for_each(|record| self.report(record));
                json(&self.find(&[key], false)?)
            }
            Request::List(list) => json(&self.with(|open| {
                let lane = open.dispatcher.lane(now())?;
                Ok(lane.list(list.state, list.before.as_ref(), list.limit)?)
            })?),
            Request::Resume => {
                self.with(|open| Ok(open.dispatcher.lane(now())?.resume(now())?))?;
                self.go_on().await?;
                self.status()
            }
            Request::Status => self.status(),
            Request::Wake => {
                self.clean()?;
                // Whatever is believed of the alarm: it may have been lost.
                self.alarm_at.set(None);
                self.go_on().await?;
                json(&())
            }
        }
    }

    /// The records of these erasures, after they were put up for another try if `replay` says so.
    fn find(&self, keys: &[Key], replay: bool) -> Result<Vec<Record>, Fault> {
        self.with(|open| {
            let lane = open.dispatcher.lane(now())?;
            let mut records = Vec::new();
            for key in keys {
                if replay {
                    lane.replay(&key.source, &key.request_id, now())?;
                }
                records.extend(lane.find(&key.source, &key.request_id)?);
            }
            Ok(records)
        })
    }

    /// Sends what has become due.
    async fn go_on(self: &Rc<Self>) -> Result<(), Fault> {
        self.with(|open| {
            open.dispatcher.begin(now());
            Ok(())
        })?;
        self.send_due();
        let wake = self.with(|open| Ok(open.dispatcher.wake(now())?))?;
        self.wake_by(wake).await
    }

    fn status(&self) -> Result<Vec<u8>, Fault> {
        self.with(|open| json(&open.dispatcher.lane(now())?.status(now())?))
    }
}

fn json(answer: &impl Serialize) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(answer).map_err(|_| Fault::Runtime)
}
