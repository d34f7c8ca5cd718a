//! What the lane of a platform does about its tickets: it is told of webhooks and of what became of
//! them, and puts up what the platform must be told.

use std::rc::Rc;
use std::time::Duration;

use super::fault::Fault;
use super::object::{Object, Open};
use super::operations::json;
use super::sql::Sql;
use crate::callback::outbox::{Decision, Erasure, Outbox, Times};
use crate::callback::wire::{Ask, Known, Request};
use crate::config::leaves_profile;
use crate::delivery::lane::Arrival;
use crate::edge::crypto::webcrypto;
use crate::edge::environment::CallbackClient;
use crate::edge::now;
use crate::receipt::Receipt;

/// Why an earlier message of an erasure is not sent any more.
const SUPERSEDED: &str = "a later message took its place";

/// When a ticket is looked at again while a message about its erasure is under way.
const AGAIN: Duration = Duration::from_secs(2);

/// How many tickets one event looks at.
const MOST: u32 = 50;

impl Object {
    /// Does what is asked about a ticket, and returns the answer as JSON.
    pub(super) async fn handle_ticket(self: &Rc<Self>, request: Request) -> Result<Vec<u8>, Fault> {
        let answer = self.change_ticket(request)?;
        self.go_on().await?;
        self.wake_for_tickets().await?;
        Ok(answer)
    }

    fn change_ticket(&self, request: Request) -> Result<Vec<u8>, Fault> {
        let Request { source, request_id, ask } = request;
        let erasure = Erasure { source: &source, request_id: &request_id };
        if let Ask::Closed(ids) = ask {
            return json(&self.with(|open| Ok(open.outbox(self.sql())?.closed(&source, ids)?))?);
        }
        if matches!(ask, Ask::Find) {
            let ticket = self.with(|open| Ok(open.outbox(self.sql())?.find(erasure)?))?;
            let records = self.lane(|lane| Ok(lane.find_with_history(&source, &request_id)?))?;
            let ticket = ticket.unwrap_or_default();
            let waits = !ticket.is_over || records.iter().any(|one| !one.outcome.is_final());
            let reply_expires_at = ticket.reply_expires_at.filter(|_| waits);
            return json(&Known { records, reply_expires_at, closed: ticket.closed });
        }
        let is_done = self.with(|open| {
            let outbox = open.outbox(self.sql())?;
            Ok(outbox.change(erasure, ask, now(), &mut webcrypto::random)?)
        })?;
        self.decide(erasure)?;
        json(&is_done)
    }

    /// Puts up what the platform must be told now about an erasure. While a message about it is under
    /// way nothing is decided: the next one must not overtake it.
    pub(super) fn decide(&self, erasure: Erasure<'_>) -> Result<(), Fault> {
        let Erasure { source, request_id } = erasure;
        self.with(|open| {
            if open.dispatcher.lane(now())?.is_under_way(source, request_id)? {
                return Ok(open.outbox(self.sql())?.postpone(erasure, now().after(AGAIN))?);
            }
            let outbox = open.outbox(self.sql())?;
            let accepts = open.callback.as_ref().is_some_and(|it| it.accepts_partial_erasure);
            let accounts = open.environment.vendors.iter().map(|client| client.account.as_ref());
            let is_partial = |receipt: &Receipt| {
                !accepts && leaves_profile(accounts.clone(), &receipt.deliveries)
            };
            let mut decision =
                outbox.decide(erasure, &is_partial, now(), &mut webcrypto::random)?;
            let before = decision.take_before();
            let put_up = open.put_up(erasure, decision);
            if put_up.is_err() {
                open.outbox(self.sql())?.undo(erasure, before, now().after(AGAIN))?;
            }
            put_up
        })
    }

    /// Looks at the tickets whose time has come, and removes old ones.
    pub(super) fn look_at_tickets(&self) -> Result<(), Fault> {
        let is_platforms = self.with(|open| Ok(open.callback.is_some()))?;
        if !is_platforms {
            return Ok(());
        }
        let due = self.with(|open| {
            let outbox = open.outbox(self.sql())?;
            outbox.clean(now())?;
            Ok(outbox.due(now(), MOST)?)
        })?;
        for (source, request_id) in due {
            self.decide(Erasure { source: &source, request_id: &request_id })?;
        }
        Ok(())
    }

    /// Sets the alarm for the next ticket that must be looked at.
    pub(super) async fn wake_for_tickets(&self) -> Result<(), Fault> {
        let due = self.with(|open| {
            let is_platforms = open.callback.is_some();
            if is_platforms { Ok(open.outbox(self.sql())?.wake()?) } else { Ok(None) }
        })?;
        self.wake_by(due).await
    }
}

impl Open {
    /// Hands the messages of a decision to the lane.
    fn put_up(&mut self, erasure: Erasure<'_>, decision: Decision) -> Result<(), Fault> {
        let Erasure { source, request_id } = erasure;
        let Decision { messages, void_from, give_up_at, received_at, .. } = decision;
        if messages.is_empty() {
            return Ok(());
        }
        if let Some(from) = void_from {
            self.dispatcher.discard_from(source, request_id, from, SUPERSEDED, now())?;
        }
        let (repeat_after, parts) = (None, messages);
        let arrival = Arrival { source, request_id, received_at, repeat_after, parts };
        self.dispatcher.deliver(arrival, now())?;
        if let Some(at) = give_up_at {
            self.dispatcher.lane(now())?.give_up_by(source, request_id, at)?;
        }
        Ok(())
    }

    /// The tickets; only the lane of a platform has any.
    fn outbox(&self, sql: Sql) -> Result<Outbox<'_, Sql>, Fault> {
        let CallbackClient { client, callback, answer_within, .. } =
            &**self.callback.as_ref().ok_or(Fault::Orphaned)?;
        let seal = self.environment.keys.seal.as_ref().ok_or(Fault::NotConfigured)?;
        let policy = &client.account.policy;
        let (answer, replay) = (*answer_within, policy.replay);
        let times = Times { answer, replay, receipts: policy.receipts };
        Ok(Outbox::open(sql, seal, &**callback, times)?)
    }
}
