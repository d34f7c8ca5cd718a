//! What the Worker and a lane tell each other, as JSON over a channel of the runtime that nobody else
//! can reach.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::audit;
use super::lane::Key;
use crate::erasure::{Identifier, Kind, Subject};
use crate::receipt::{Outcome, State, Timestamp, millis};

const DAY: Duration = Duration::from_secs(86_400);

/// What the Worker asks a lane for.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request<'a> {
    /// Store an erasure, send what may be sent, and answer with the [`Record`]s of the erasure.
    ///
    /// [`Record`]: super::lane::Record
    #[serde(borrow)]
    Deliver(Deliver<'a>),
    /// The records of these erasures.
    Find(Vec<Key>),
    /// The records of the erasure of this source whose id this is, or its pseudonym, each with its
    /// history.
    FindNamed(String, String),
    /// The records of this erasure, each with its history.
    FindWhole(Key),
    /// Try these erasures again, then answer with their records.
    Replay(Vec<Key>),
    /// End what waits or could be replayed of this erasure, with this note, then answer with its
    /// records.
    Discard(Key, String),
    /// Acknowledge what needs attention of this erasure, with this note, then answer with its records.
    Acknowledge(Key, String),
    /// Try again what can be tried again and came to this outcome, or to any, before this time, at most
    /// so many deliveries. The answer is how many there were.
    ReplayAll(Option<Outcome>, #[serde(with = "millis")] Timestamp, u32),
    /// Acknowledge what needs attention and has this outcome, or any, with this note, at most so many
    /// deliveries. The answer is how many there were.
    AcknowledgeAll(Option<Outcome>, String, u32),
    /// The keys of erasures, newest first.
    List(List),
    /// Close the breaker, then answer with the lane's status.
    Resume,
    /// The lane's status.
    Status,
    /// What a monitoring system is told; the answer is
    /// [`Samples`](crate::metrics::Samples).
    Measure,
    /// Look whether there is something to do; the answer is `null`.
    Wake,
    /// Some of the rows that the lane cannot send, at most so many, for an account that makes these
    /// calls and has so many lanes. The answer is the lane where they belong and the rows, or `null`.
    Page(Vec<String>, u32, u32),
    /// Store these rows of another lane; the answer is `null`.
    Adopt(String),
    /// Remove these rows, which another lane has adopted; the answer is how many were removed.
    Forget(String),
    /// End what waits for this call, or for any, and cannot be sent, at most so many rows, with this
    /// note. The answer is how many were ended.
    DiscardUnsendable(Option<String>, String, u32),
    /// Remove the storage of an orphaned lane that holds nothing; the answer is whether it was.
    Dispose,
    /// The directory: add this lane; the answer is `null`.
    Register(String),
    /// The directory: remove this lane; the answer is `null`.
    Unregister(String),
    /// The directory: all lanes.
    Directory,
    /// The directory: the audit trail, which answers as its [`Ask`](audit::Ask) says.
    Audit(audit::Ask),
    /// Count events that were no erasures; the answer is `null`.
    Ignored(#[serde(borrow)] Ignored<'a>),
    /// The events that were counted.
    ListIgnored,
    /// The keys of erasures that are looked for, newest first, of any state; then the position where the
    /// search goes on, or `null` at its end.
    Search(Term, List),
    /// How many deliveries came, of any state and at any position.
    Count(List),
    /// The records of erasures, of any state, oldest first, and about as many as the limit; then the position
    /// where the next ones begin, or `null` at the end.
    Read(List),
    /// What came since this time, in milliseconds since the Unix epoch: the
    /// [`Counts`](crate::activity::Counts) of each hour.
    Activity(i64),
    /// The lane of the alerts: send this one, unless one of the same name was stored before; the answer is
    /// whether it was not. The text is the alert's name, a line feed, and the body of the event.
    Alert(String),
}

impl Request<'_> {
    /// The records of one erasure.
    pub fn find(source: &str, request_id: &str) -> Self {
        Self::Find(vec![Key::of(source, request_id)])
    }

    /// The records of one erasure, each with its history.
    pub fn find_whole(source: &str, request_id: &str) -> Self {
        Self::FindWhole(Key::of(source, request_id))
    }
}

/// An erasure for one account.
#[derive(Serialize, Deserialize)]
pub struct Deliver<'a> {
    /// The source that sent it.
    #[serde(borrow)]
    pub source: Cow<'a, str>,
    /// The platform's id of the request.
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    /// When the webhook came in.
    #[serde(with = "millis")]
    pub received_at: Timestamp,
    /// Where the id was derived from the message: after so many days the same message is a new
    /// request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_days: Option<u32>,
    /// Whether it is as it should be that the request names no identifier which the vendor takes.
    #[serde(default)]
    pub not_applicable: bool,
    /// Kind and value of each identifier.
    #[serde(borrow)]
    identifiers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// Events that were no erasures: the source that sent them, the name of each kind of event, and how
/// many came.
#[derive(Serialize, Deserialize)]
pub struct Ignored<'a>(
    #[serde(borrow)] pub Cow<'a, str>,
    #[serde(borrow)] pub Vec<(Cow<'a, str>, u32)>,
);

/// What an erasure is found by.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// One of these pseudonyms, as lanes store them, is of a person whom it names.
    Person(Vec<String>),
    /// The vendor's id of an answer about one of its deliveries.
    Trace(String),
    /// The platform's id, or the pseudonym that a log shows in its place.
    Request(String),
}

/// Which erasures to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// Only those of this source.
    pub source: Option<String>,
    /// Only those that came at this time or later.
    #[serde(with = "millis::option")]
    pub from: Option<Timestamp>,
    /// Only those that came before this time.
    #[serde(with = "millis::option")]
    pub until: Option<Timestamp>,
    /// Only those that may be in this state, as far as the lane knows.
    pub state: Option<State>,
    /// Only those that stand after this one.
    pub after: Option<Key>,
    /// At most so many.
    pub limit: u32,
}

impl<'a> Deliver<'a> {
    /// The erasure of `subject`.
    pub fn new(
        source: &'a str,
        request_id: &'a str,
        received_at: Timestamp,
        subject: &'a Subject,
    ) -> Self {
        let identifier = |one: &'a Identifier| (one.kind().to_string().into(), one.expose().into());
        let identifiers = subject.identifiers().map(identifier).collect();
        Self {
            source: source.into(),
            request_id: request_id.into(),
            received_at,
            repeat_days: None,
            not_applicable: false,
            identifiers,
        }
    }

    /// After what time the same message is a new request.
    pub fn repeat_after(&self) -> Option<Duration> {
        self.repeat_days.map(|days| DAY.saturating_mul(days))
    }

    /// Whose data is to be erased; `None` where a kind is not one of this version.
    pub fn subject(&self) -> Option<Subject> {
        let identifiers = self.identifiers.iter().map(|(kind, value)| {
            Some(Identifier::restore(Kind::parse(kind)?, value.clone().into_owned()))
        });
        identifiers.collect::<Option<_>>().map(Subject::restore)
    }
}
