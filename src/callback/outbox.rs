//! The tickets of one source, in the storage of its platform's lane. A word is put up in the same
//! transaction as the change that caused it: the outbox is the lane's own table of deliveries.

use std::fmt::Write;
use std::time::Duration;

use super::progress::{Progress, Standing};
use super::ticket::{Ticket, account_of};
use super::wire::{Ask, Begin, Told};
use super::{Callback, Closure, Message, Reply, Target, Word};
use crate::delivery::database::{Database, Row, StorageError, Value};
use crate::delivery::lane;
use crate::delivery::receipt::receipt;
use crate::erasure::{CustomName, Identifier, Kind};
use crate::pseudonym::Pseudonym;
use crate::receipt::{Receipt, Timestamp};
use crate::seal::{NONCE_BYTES, Seal};
use crate::vendor::Call;

type Result<T> = std::result::Result<T, StorageError>;

/// Fills a buffer with random bytes.
type Random<'a> = &'a mut dyn FnMut(&mut [u8]);

/// The tickets of one source.
pub struct Outbox<'a, D> {
    database: D,
    seal: &'a Seal,
    callback: &'a dyn Callback,
    times: Times,
}

/// How long is what.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Until a request must be answered.
    pub answer: Duration,
    /// How long an operator can replay what ended without the vendor's word.
    pub replay: Duration,
    /// How long a ticket is kept.
    pub receipts: Duration,
}

/// A ticket that was read.
#[derive(Clone)]
struct Stored {
    received_at: Timestamp,
    ticket: Ticket,
    reply: Option<String>,
}

/// Names an erasure.
#[derive(Debug, Clone, Copy)]
pub struct Erasure<'a> {
    /// Its source.
    pub source: &'a str,
    /// The platform's id.
    pub request_id: &'a str,
}

/// What to do after a change.
#[derive(Default)]
pub struct Decision {
    /// The messages to send.
    pub messages: Vec<lane::Part>,
    /// Where they bear another word: from this position on, earlier messages of the erasure are void.
    pub void_from: Option<i64>,
    /// When they are given up, where the platform sets a limit.
    pub give_up_at: Option<Timestamp>,
    /// When the erasure came.
    pub received_at: Timestamp,
    /// The ticket before it, where there are messages.
    before: Option<Stored>,
}

impl Decision {
    /// What is needed to [`undo`](Outbox::undo) it.
    pub fn take_before(&mut self) -> Before {
        Before(self.before.take())
    }
}

/// A ticket as it was before a decision.
pub struct Before(Option<Stored>);

impl<'a, D: Database> Outbox<'a, D> {
    /// Opens the tickets in `database`, or begins new ones.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn open(
        database: D,
        seal: &'a Seal,
        callback: &'a dyn Callback,
        times: Times,
    ) -> Result<Self> {
        const TABLE: &str = "CREATE TABLE IF NOT EXISTS ticket (
                source TEXT NOT NULL,
                request_id TEXT NOT NULL,
                received_at INTEGER NOT NULL,
                due_at INTEGER,
                ticket TEXT NOT NULL,
                reply TEXT,
                PRIMARY KEY (source, request_id)
            ) WITHOUT ROWID";
        const DUE: &str = "CREATE INDEX IF NOT EXISTS ticket_due ON ticket (due_at)
            WHERE due_at IS NOT NULL";
        database.query(TABLE, &[])?;
        database.query(DUE, &[])?;
        Ok(Self { database, seal, callback, times })
    }

    /// Takes in a change; whether it could be.
    ///
    /// A repeated webhook may bring other credentials. What a lane knows may arrive before the webhook is
    /// stored here. Where each webhook is answered, one that comes after the last word opens the ticket
    /// again.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn change(
        &self,
        erasure: Erasure<'_>,
        change: Ask,
        now: Timestamp,
        random: Random<'_>,
    ) -> Result<bool> {
        let new = Stored { received_at: now, ticket: Ticket::default(), reply: None };
        let is_answered = self.callback.answers_each_webhook();
        let is_too_late = |change: &Ask| is_closing(change) || !is_answered;
        let mut stored = match (self.read(erasure)?, &change) {
            (Some(stored), change) if stored.ticket.is_over && is_too_late(change) => {
                return Ok(!is_closing(change));
            }
            (Some(stored), _) => stored,
            (None, Ask::Close(_) | Ask::Find | Ask::Closed(_)) => return Ok(false),
            // A lane has removed what is old: the ticket has gone as well, and must not come back.
            (None, Ask::Tell(told)) if told.records.is_empty() => return Ok(true),
            (None, Ask::Begin(_) | Ask::Tell(_)) => new,
        };
        match change {
            Ask::Begin(Begin { received_at, accounts, reply, parts }) => {
                let ticket = &mut stored.ticket;
                stored.received_at = stored.received_at.min(received_at);
                ticket.accounts = accounts;
                if ticket.is_over {
                    ticket.reopen();
                }
                for (lane, records) in parts {
                    ticket.take_arrival(lane, now, records);
                }
                let lifetime = self.callback.reply_lifetime().filter(|_| !reply.targets.is_empty());
                let expires_at = lifetime.map(|lifetime| received_at.after(lifetime));
                ticket.reply_expires_at = expires_at.or(ticket.reply_expires_at);
                let known = self.unseal(erasure, stored.reply.as_deref()).unwrap_or_default();
                let before = known.targets.clone();
                let reply = self.callback.merge(known, reply);
                if is_answered {
                    ticket.unheard = unheard(&before, &ticket.unheard, &reply.targets);
                }
                stored.reply = self.sealed(erasure, &reply, random);
            }
            Ask::Tell(Told { account, at, records }) => stored.ticket.take(account, at, records),
            Ask::Close(closure) => {
                stored.ticket.closed = Some(closure);
                stored.ticket.is_reopened = false;
            }
            Ask::Find | Ask::Closed(_) => {}
        }
        self.write(erasure, &stored, None)?;
        Ok(true)
    }

    /// What is known of an erasure.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn find(&self, erasure: Erasure<'_>) -> Result<Option<Ticket>> {
        Ok(self.read(erasure)?.map(|stored| stored.ticket))
    }

    /// Which of these erasures of `source` an operator has closed, each by its id, and how.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn closed(&self, source: &str, ids: Vec<String>) -> Result<Vec<(String, Closure)>> {
        let mut closed = Vec::new();
        for request_id in ids {
            let stored = self.read(Erasure { source, request_id: &request_id })?;
            let closure = stored.and_then(|stored| stored.ticket.closed);
            closed.extend(closure.map(|closure| (request_id, closure)));
        }
        Ok(closed)
    }

    /// Whether the platform is to be told something else than it was told last. What is decided is
    /// stored; the messages must be handed to the lane in the same transaction.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn decide(
        &self,
        erasure: Erasure<'_>,
        is_partial: &dyn Fn(&Receipt) -> bool,
        now: Timestamp,
        random: Random<'_>,
    ) -> Result<Decision> {
        let Some(mut stored) = self.read(erasure)?.filter(|one| !one.ticket.is_over) else {
            return Ok(Decision::default());
        };
        let Some(reply) = self.unseal(erasure, stored.reply.as_deref()) else {
            return Ok(Decision::default()); // the webhook is not stored yet, or its key is gone
        };
        let received_at = stored.received_at;
        let receipt = self.receipt(erasure, &stored);
        let ended_at = receipt.deliveries.iter().map(|one| one.updated_at).max();
        let over_at = ended_at.unwrap_or(received_at).after(self.times.replay);
        let ticket = &mut stored.ticket;
        let is_complete = ticket.is_complete();
        let closed = ticket.closure().map(|closure| closure.outcome);
        let standing =
            Standing::of(&receipt, is_complete, now >= over_at, is_partial(&receipt), closed);
        // What no message has ended is given up later: the credentials must not be kept for ever.
        let gone_at = over_at.after(self.times.replay);
        let due_at = match standing {
            Standing::UnderWay => None,
            Standing::Attention => Some(over_at),
            _ => Some(gone_at),
        };
        let progress = Progress { receipt: &receipt, standing, reply: &reply, now };
        let word = self.callback.word(&progress);
        let is_new = |word: &Word| ticket.told.as_ref() != Some(&word.text);
        let word = word.filter(|word| is_new(word) || !ticket.unheard.is_empty());
        let Some(word) = word else {
            if due_at == Some(gone_at) && now >= gone_at {
                ticket.is_over = true;
                stored.reply = None;
            }
            let due_at = due_at.filter(|_| !stored.ticket.is_over);
            self.write(erasure, &stored, due_at)?;
            return Ok(Decision { received_at, ..Decision::default() });
        };
        let is_new_word = is_new(&word);
        let mut before =
            Stored { received_at, ticket: ticket.clone(), reply: stored.reply.clone() };
        let unheard = std::mem::take(&mut ticket.unheard);
        ticket.words = ticket.words.saturating_add(1);
        ticket.told = Some(word.text.clone());
        ticket.is_over = word.is_last;
        if ticket.is_over {
            stored.reply = None; // the messages have what they need of it
            if !self.callback.answers_each_webhook() {
                ticket.parts.clear();
            }
        }
        let give_up_at = ticket.reply_expires_at;
        let void_from = is_new_word.then_some(ticket.messages_before);
        let number = stored.ticket.words;
        let name = self.callback.message().first().map(|kind| kind.name).unwrap_or_default();
        let mut messages = Vec::new();
        for (index, target) in reply.targets.iter().enumerate() {
            if !is_new_word && !unheard.contains(&index) {
                continue;
            }
            let slot = format!("{number}.{index}");
            let body = self.callback.body(&progress, &word, target);
            let message = Message::new(message_id(random), &word, target, body).into_call(name);
            let subject = Pseudonym { shown: word.text.clone(), stored: slot, stored_before: None };
            messages.extend(message.map(|call| lane::Part::Call {
                call,
                subject,
                alternatives: Vec::new(),
            }));
        }
        let put_up = i64::try_from(messages.len()).unwrap_or_default();
        stored.ticket.messages = stored.ticket.messages.saturating_add(put_up);
        let due_at = due_at.filter(|_| !stored.ticket.is_over);
        self.write(erasure, &stored, due_at)?;
        // A slot is never used twice.
        (before.ticket.words, before.ticket.messages) =
            (stored.ticket.words, stored.ticket.messages);
        Ok(Decision { messages, void_from, give_up_at, received_at, before: Some(before) })
    }

    /// The messages of a decision could not be handed to the lane: the word has not been told, and is
    /// decided again at `again`.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn undo(&self, erasure: Erasure<'_>, before: Before, again: Timestamp) -> Result<()> {
        before.0.map_or(Ok(()), |before| self.write(erasure, &before, Some(again)))
    }

    /// An erasure must be looked at again by `at`: nothing could be decided.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn postpone(&self, erasure: Erasure<'_>, at: Timestamp) -> Result<()> {
        const STATEMENT: &str = "UPDATE ticket SET due_at = ?
            WHERE source = ? AND request_id = ? AND reply IS NOT NULL";
        let Erasure { source, request_id } = erasure;
        self.database.query(STATEMENT, &[at.0.into(), source.into(), request_id.into()]).map(drop)
    }

    /// The erasures that must be looked at by `now`, at most so many.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn due(&self, now: Timestamp, most: u32) -> Result<Vec<(String, String)>> {
        let statement = "SELECT source, request_id FROM ticket WHERE due_at <= ? LIMIT ?";
        let rows = self.database.query(statement, &[now.0.into(), most.into()])?;
        let name = |row: &Row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()));
        rows.iter().map(name).collect()
    }

    /// When the next erasure must be looked at, or the next ticket removed.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn wake(&self) -> Result<Option<Timestamp>> {
        let rows = self.database.query("SELECT MIN(due_at) FROM ticket", &[])?;
        let due = rows.first().map(|row| row.optional_integer(0)).transpose()?;
        Ok(due.flatten().map(Timestamp))
    }

    /// Removes tickets whose time is over.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn clean(&self, now: Timestamp) -> Result<()> {
        let before = now.0.saturating_sub(Timestamp(0).after(self.times.receipts).0);
        let statement = "DELETE FROM ticket WHERE received_at <= ?";
        self.database.query(statement, &[before.into()]).map(drop)
    }

    fn receipt(&self, erasure: Erasure<'_>, stored: &Stored) -> Receipt {
        let Stored { received_at, ticket, .. } = stored;
        let parts = || ticket.parts.iter().map(|(lane, part)| (account_of(lane), part));
        let accounts = ticket.accounts.iter();
        let known = accounts.flat_map(|account| parts().filter(move |(name, _)| name == account));
        let others = parts().filter(|(name, _)| !ticket.accounts.iter().any(|one| one == name));
        let parts = known.chain(others).map(|(name, part)| (name, part.records.clone()));
        let mut receipt = receipt(erasure.source, erasure.request_id, *received_at, parts);
        receipt.due_by = Some(receipt.received_at.after(self.times.answer));
        receipt.closed = ticket.closed.clone().map(Into::into);
        receipt
    }

    fn read(&self, Erasure { source, request_id }: Erasure<'_>) -> Result<Option<Stored>> {
        let statement =
            "SELECT received_at, ticket, reply FROM ticket WHERE source = ? AND request_id = ?";
        let rows = self.database.query(statement, &[source.into(), request_id.into()])?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(Stored {
            received_at: Timestamp(row.integer(0)?),
            ticket: serde_json::from_slice(row.text(1)?.as_bytes())
                .map_err(|_| StorageError::Corrupt)?,
            reply: row.optional_text(2)?.map(str::to_owned),
        }))
    }

    fn write(
        &self,
        Erasure { source, request_id }: Erasure<'_>,
        stored: &Stored,
        due_at: Option<Timestamp>,
    ) -> Result<()> {
        const STATEMENT: &str = "INSERT OR REPLACE INTO ticket VALUES (?, ?, ?, ?, ?, ?)";
        let ticket = serde_json::to_string(&stored.ticket).map_err(|_| StorageError::Failed)?;
        let bindings: [Value; 6] = [
            source.into(),
            request_id.into(),
            stored.received_at.0.into(),
            due_at.map(|due| due.0).into(),
            ticket.into(),
            stored.reply.as_deref().into(),
        ];
        self.database.query(STATEMENT, &bindings).map(drop)
    }

    fn sealed(&self, erasure: Erasure<'_>, reply: &Reply, random: Random<'_>) -> Option<String> {
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce);
        let kind = Kind::Custom(CustomName::parse("reply")?);
        let identifier = Identifier::restore(kind, serde_json::to_string(reply).ok()?);
        let call = Call { name: "reply", identifier, alternatives: Vec::new() };
        self.seal.close(&call, &place(erasure), nonce).ok()
    }

    fn unseal(&self, erasure: Erasure<'_>, sealed: Option<&str>) -> Option<Reply> {
        let (reply, _) = self.seal.open(sealed?, &place(erasure)).ok()?;
        serde_json::from_slice(reply.expose().as_bytes()).ok()
    }
}

/// Which of `targets` have not heard what the others have: those that are new, and those of `before`
/// that had not.
fn unheard(before: &[Target], unheard: &[usize], targets: &[Target]) -> Vec<usize> {
    let has_heard = |target: &Target| {
        let known = before.iter().position(|known| known == target);
        known.is_some_and(|index| !unheard.contains(&index))
    };
    let of_those = targets.iter().enumerate().filter(|(_, target)| !has_heard(target));
    of_those.map(|(index, _)| index).collect()
}

fn is_closing(change: &Ask) -> bool {
    matches!(change, Ask::Close(_))
}

/// A name that no other message has, and that tells nothing.
fn message_id(random: Random<'_>) -> String {
    let mut bytes = [0; 12];
    random(&mut bytes);
    let mut id = "msg_".to_owned();
    for byte in bytes {
        let _ = write!(id, "{byte:02x}"); // a String takes every write
    }
    id
}

/// What a sealed reply is bound to.
fn place(Erasure { source, request_id }: Erasure<'_>) -> String {
    format!("ticket\0{source}\0{request_id}")
}
