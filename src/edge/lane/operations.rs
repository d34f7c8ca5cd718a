//! What a lane does for the operator, and where the Worker's deliveries begin.

use std::rc::Rc;

use serde::Serialize;

use super::fault::Fault;
use super::object::{Object, Open};
use super::sql::Sql;
use crate::delivery::lane::{Key, Lane, Record, Status};
use crate::delivery::wire::{Ignored, Request};
use crate::edge::{log, now};
use crate::metrics::{self, Samples};
use crate::receipt::Timestamp;

impl Object {
    /// Does what is asked, and returns the answer as JSON.
    pub(super) async fn handle(self: &Rc<Self>, request: Request<'_>) -> Result<Vec<u8>, Fault> {
        match request {
            Request::Deliver(deliver) => json(&self.deliver(&deliver).await?),
            Request::Find(keys) => json(&self.find(&keys, false)?),
            Request::FindNamed(source, shown) => json(&self.with(|open| {
                let names =
                    open.environment.keys.pseudonyms.as_ref().ok_or(Fault::NotConfigured)?;
                let is_it = |id: &str| id == shown || names.is_of_request(&shown, id);
                let lane = open.dispatcher.lane(now())?;
                let id = lane.find_id(&source, is_it)?;
                Ok(lane.find_with_history(&source, id.as_deref().unwrap_or(&shown))?)
            })?),
            Request::FindWhole(Key { source, request_id, .. }) => {
                json(&self.lane(|lane| Ok(lane.find_with_history(&source, &request_id)?))?)
            }
            Request::Replay(keys) => {
                let records = self.find(&keys, true)?;
                self.go_on().await?;
                json(&records)
            }
            Request::Discard(key, note) => {
                let Key { source, request_id, .. } = &key;
                let ended = self.with(|open| {
                    Ok(open.dispatcher.discard(source, request_id, &note, now())?)
                })?;
                ended.iter().for_each(|record| self.report(record));
                json(&self.find(&[key], false)?)
            }
            Request::List(list) => json(&self.lane(|lane| Ok(lane.list_of(&list)?))?),
            Request::Search(term, list) => json(&self.with(|open| {
                let names =
                    open.environment.keys.pseudonyms.as_ref().ok_or(Fault::NotConfigured)?;
                Ok(open.dispatcher.lane(now())?.search(&term, &list, names)?)
            })?),
            Request::Count(list) => json(&self.lane(|lane| Ok(lane.count(&list)?))?),
            Request::Read(list) => json(&self.lane(|lane| Ok(lane.read(&list)?))?),
            Request::Activity(since) => {
                json(&self.lane(|lane| Ok(lane.activity(Timestamp(since), now())?))?)
            }
            Request::Acknowledge(key, note) => {
                let Key { source, request_id, .. } = &key;
                self.lane(|lane| Ok(lane.acknowledge(source, request_id, &note, now())?))?;
                json(&self.find(&[key], false)?)
            }
            Request::ReplayAll(outcome, before, most) => {
                let replayed =
                    self.lane(|lane| Ok(lane.replay_all(outcome, before, most, now())?))?;
                self.go_on().await?;
                json(&replayed)
            }
            Request::AcknowledgeAll(outcome, note, most) => {
                json(&self.lane(|lane| Ok(lane.acknowledge_all(outcome, &note, most, now())?))?)
            }
            Request::Resume => {
                self.lane(|lane| Ok(lane.resume(now())?))?;
                self.go_on().await?;
                json(&self.with(Open::status)?)
            }
            Request::Status => json(&self.with(Open::status)?),
            Request::Measure => json(&self.with(Open::measure)?),
            Request::Ignored(Ignored(source, events)) => {
                json(&self.lane(|lane| Ok(lane.count_ignored(&source, &events, now())?))?)
            }
            Request::ListIgnored => json(&self.lane(|lane| Ok(lane.ignored()?))?),
            Request::Wake => {
                self.clean()?;
                self.after_event();
                // Whatever is believed of the alarm: it may have been lost.
                self.alarm_at.set(None);
                self.go_on().await?;
                let status = self.with(Open::status)?;
                if !status.unsendable.is_empty() {
                    log::unsendable(&status);
                }
                json(&())
            }
            Request::Page(calls, shards, most) => {
                json(&self.lane(|lane| Ok(lane.page(&calls, shards, most)?))?)
            }
            Request::Adopt(rows) => {
                self.lane(|lane| Ok(lane.adopt(&rows, now())?))?;
                self.go_on().await?;
                json(&())
            }
            Request::Forget(rows) => json(&self.lane(|lane| Ok(lane.forget(&rows)?))?),
            Request::DiscardUnsendable(call, note, most) => json(&self.lane(|lane| {
                Ok(lane.discard_unsendable(call.as_deref(), &note, most, now())?)
            })?),
            Request::Alert(text) => json(&self.take_alert(&text).await?),
            Request::Dispose => json(&self.dispose().await?),
            // These are not for a lane.
            Request::Register(_)
            | Request::Unregister(_)
            | Request::Directory
            | Request::Audit(_) => Err(Fault::UnknownMessage),
        }
    }

    /// The records of these erasures, after they were put up for another try if `replay` says so.
    fn find(&self, keys: &[Key], replay: bool) -> Result<Vec<Record>, Fault> {
        self.lane(|lane| {
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

    /// Works with the lane, with every outcome recorded.
    pub(super) fn lane<T>(
        &self,
        work: impl FnOnce(&mut Lane<Sql>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.with(|open| work(open.dispatcher.lane(now())?))
    }

    /// Sends what has become due.
    pub(super) async fn go_on(self: &Rc<Self>) -> Result<(), Fault> {
        self.with(|open| {
            open.dispatcher.begin(now());
            Ok(())
        })?;
        self.send_due();
        let wake = self.with(|open| Ok(open.dispatcher.wake(now())?))?;
        self.wake_by(wake).await?;
        self.wake_for_alerts().await
    }
}

impl Open {
    fn status(&mut self) -> Result<Status, Fault> {
        let lane = self.dispatcher.lane(now())?;
        let mut status = lane.status(now())?;
        if self.callback.is_none() {
            for sender in &self.environment.senders {
                let latest = now().before(sender.source.answer_within);
                let overdue = lane.overdue(&sender.source.name, latest)?;
                status.overdue = status.overdue.saturating_add(overdue);
            }
        }
        (status.shard, status.jurisdiction) = (self.place.shard, self.place.jurisdiction);
        status.orphaned = self.orphaned;
        Ok(status)
    }
}

impl Open {
    fn measure(&mut self) -> Result<Samples, Fault> {
        let status = self.status()?;
        let lane = self.dispatcher.lane(now())?;
        let attention = lane.attention(&status)?;
        let (recent, ignored) = (lane.recent(&status, now())?, lane.ignored()?);
        let lane = metrics::Lane { status, attention, recent, ignored };
        Ok(metrics::samples(&self.place, &lane))
    }
}

pub(super) fn json(answer: &impl Serialize) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(answer).map_err(|_| Fault::Runtime)
}
