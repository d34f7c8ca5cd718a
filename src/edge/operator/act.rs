//! What an operator does. Each action has a row in the audit trail, which is written before it is done,
//! and a line in the log.

use super::audit::Trail;
use super::erasures::Change;
use super::lanes::{Bulk, Statuses};
use super::{erasures, lanes as of_lanes};
use crate::delivery::audit::{ActionName, Entry, Who};
use crate::edge::environment::Environment;
use crate::edge::lane::client::Lanes;
use crate::edge::{log, now};
use crate::erasure::RequestId;
use crate::note::{Closing, Note};
use crate::problem::Problem;
use crate::pseudonym::Pseudonyms;
use crate::receipt::{Outcome, Receipt};

/// The maximum length of a name in the audit trail, in bytes.
const MAX_NAME: usize = 80;

/// What is to be done.
#[derive(Debug)]
pub enum Action<'a> {
    /// Something about one erasure, by its source and its id.
    OfErasure(&'a str, &'a str, OfErasure),
    /// Something about the lanes of one account.
    OfLane(&'a str, OfLane),
}

/// What is to be done about one erasure.
#[derive(Debug)]
pub enum OfErasure {
    /// Try again what can be tried again.
    Replay,
    /// End what waits or could be replayed.
    Discard(Note),
    /// Have the platform told the end.
    Close(Closing),
    /// Acknowledge what needs attention.
    Acknowledge(Note),
}

/// What is to be done about the lanes of one account.
#[derive(Debug)]
pub enum OfLane {
    /// Close the breakers.
    Resume,
    /// Move what cannot be sent to the lanes of this account.
    Move(String),
    /// End what cannot be sent, of one call or of all.
    DiscardUnsendable(Option<String>, Note),
    /// Try again what can be tried again, of one outcome or of all.
    ReplayAll(Option<Outcome>),
    /// Acknowledge what needs attention, of one outcome or of all.
    AcknowledgeAll(Option<Outcome>, Note),
}

/// What was done.
pub enum Done {
    /// The erasure, as it is now.
    Receipt(Receipt),
    /// The platform will be told.
    Closed,
    /// The account's lanes, as they are now.
    Lanes(Statuses),
}

/// Writes the action to the audit trail, does it, and adds the result.
///
/// # Errors
/// 503 where the audit trail cannot be written: then nothing is done. 404 where there is no such erasure
/// or account, 409 where the platform knows the end already, 503 where a lane does not answer.
pub async fn act(
    environment: &Environment,
    lanes: &Lanes,
    who: Who,
    action: Action<'_>,
) -> Result<Done, Problem> {
    let trail = Trail::begin(lanes, action.entry(environment, who)).await?;
    let status = action.status();
    let done = action.perform(environment, lanes).await;
    let result = match &done {
        Ok(_) => status.to_string(),
        Err(problem) => problem.slug().to_owned(),
    };
    trail.end(result).await;
    done
}

impl Action<'_> {
    /// The HTTP status of the answer where it is done: 202 where something is yet to be sent.
    pub fn status(&self) -> u16 {
        match self {
            Self::OfErasure(_, _, OfErasure::Replay)
            | Self::OfLane(_, OfLane::Resume | OfLane::ReplayAll(_)) => 202,
            Self::OfErasure(..) | Self::OfLane(..) => 200,
        }
    }

    async fn perform(self, environment: &Environment, lanes: &Lanes) -> Result<Done, Problem> {
        match self {
            Self::OfErasure(source, id, what) => {
                let change = match what {
                    OfErasure::Replay => Change::Replay,
                    OfErasure::Discard(note) => Change::Discard(note),
                    OfErasure::Acknowledge(note) => Change::Acknowledge(note),
                    OfErasure::Close(closing) => {
                        erasures::close(environment, lanes, source, id, closing).await?;
                        return Ok(Done::Closed);
                    }
                };
                erasures::change(environment, lanes, source, id, change).await.map(Done::Receipt)
            }
            Self::OfLane(vendor, what) => {
                let change = match what {
                    OfLane::Resume => {
                        let resumed = of_lanes::resume(environment, lanes, vendor).await;
                        return resumed.map(Done::Lanes);
                    }
                    OfLane::Move(to) => {
                        let moved = of_lanes::move_rows(environment, lanes, vendor, &to).await;
                        return moved.map(Done::Lanes);
                    }
                    OfLane::DiscardUnsendable(call, note) => Bulk::DiscardUnsendable(call, note),
                    OfLane::ReplayAll(outcome) => Bulk::Replay(outcome),
                    OfLane::AcknowledgeAll(outcome, note) => Bulk::Acknowledge(outcome, note),
                };
                of_lanes::change(environment, lanes, vendor, change).await.map(Done::Lanes)
            }
        }
    }

    /// Its name in the audit trail.
    fn name(&self) -> ActionName {
        match self {
            Self::OfErasure(_, _, OfErasure::Replay) => ActionName::Replay,
            Self::OfErasure(_, _, OfErasure::Discard(_)) => ActionName::Discard,
            Self::OfErasure(_, _, OfErasure::Close(_)) => ActionName::Close,
            Self::OfErasure(_, _, OfErasure::Acknowledge(_)) => ActionName::Acknowledge,
            Self::OfLane(_, OfLane::Resume) => ActionName::Resume,
            Self::OfLane(_, OfLane::Move(_)) => ActionName::Move,
            Self::OfLane(_, OfLane::DiscardUnsendable(..)) => ActionName::DiscardUnsendable,
            Self::OfLane(_, OfLane::ReplayAll(_)) => ActionName::ReplayAll,
            Self::OfLane(_, OfLane::AcknowledgeAll(..)) => ActionName::AcknowledgeAll,
        }
    }

    /// Its row in the audit trail.
    fn entry(&self, environment: &Environment, who: Who) -> Entry {
        let mut entry = Entry::new(now(), self.name(), who);
        let text = |note: &Note| Some(note.as_str().to_owned());
        let named = |outcome: &Option<Outcome>| outcome.map(|outcome| outcome.name().to_owned());
        match self {
            Self::OfErasure(source, id, what) => {
                entry.source = Some(name(source));
                entry.request_id = Some(shown(environment, id));
                match what {
                    OfErasure::Replay => {}
                    OfErasure::Discard(note) | OfErasure::Acknowledge(note) => {
                        entry.note = text(note);
                    }
                    OfErasure::Close(Closing { outcome, note }) => {
                        entry.outcome = Some(outcome.name().to_owned());
                        entry.note = text(note);
                    }
                }
            }
            Self::OfLane(vendor, what) => {
                entry.lane = Some(name(vendor));
                match what {
                    OfLane::Resume => {}
                    OfLane::Move(to) => entry.to = Some(name(to)),
                    OfLane::DiscardUnsendable(call, note) => {
                        entry.call = call.as_deref().map(name);
                        entry.note = text(note);
                    }
                    OfLane::ReplayAll(outcome) => entry.outcome = named(outcome),
                    OfLane::AcknowledgeAll(outcome, note) => {
                        entry.outcome = named(outcome);
                        entry.note = text(note);
                    }
                }
            }
        }
        entry
    }
}

/// A name of the URL, which may be anything, as the audit trail has it.
fn name(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    let is_name = text.len() <= MAX_NAME && text.bytes().all(is_plain);
    if is_name { text.to_owned() } else { log::WITHHELD.to_owned() }
}

/// A request's id as logs show it.
fn shown(environment: &Environment, id: &str) -> String {
    if Pseudonyms::is_form(id) {
        return id.to_owned();
    }
    let names = environment.keys.pseudonyms.as_ref();
    let name = RequestId::parse(id).map(|id| log::name(&id, names));
    name.unwrap_or_else(|| log::WITHHELD.to_owned())
}
