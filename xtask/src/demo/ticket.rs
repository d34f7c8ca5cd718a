//! The ticket that a platform has of a request: whether it closes by itself.

use anyhow::Result;
use erasure_relay::config::Config;
use send::configured::{self, item_id, task_id};
use serde_json::{Value, json};
use standin::platform::Message;

use crate::local::Recipient;
use crate::webhook::Reply;

/// The secret that signs the events of a callback that the demo adds.
const SECRET: &str = "DEMO_EVENT_SECRET";

/// The ticket of one request.
pub struct Ticket<'a> {
    /// The stand-in of its platform.
    pub recipient: &'a Recipient,
    /// Whether it must close. Where a vendor keeps a profile of the person, it must stay open.
    pub closes: bool,
}

/// A message that the platform was sent about it.
pub struct Told {
    /// Method, path, body and status.
    pub message: Message,
    /// Whether it closes the ticket.
    pub closes: bool,
}

impl Ticket<'_> {
    /// The messages about the request of these ids.
    pub fn told(&self, ids: &[&str]) -> Vec<Told> {
        let made = ids.iter().flat_map(|id| [task_id(id), item_id(id).to_string()]);
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).chain(made).collect();
        let is_about = |message: &Message| {
            let names = |text: &str| ids.iter().any(|id| !id.is_empty() && text.contains(id));
            let body = String::from_utf8_lossy(&message.body);
            names(&message.target)
                || names(&body)
                || message.headers.iter().any(|(_, value)| names(value))
        };
        let about = self.recipient.stand_in.messages().into_iter().filter(is_about);
        about.map(|message| Told { closes: self.recipient.closes(&message), message }).collect()
    }

    /// Whether nothing more is to be waited for.
    pub fn has_ended(&self, told: &[Told], reply: &Reply, receipt: &Value) -> bool {
        let messages = receipt["callbacks"].as_array().map_or(&[][..], Vec::as_slice);
        let all_sent = messages.iter().all(|one| one["state"] != "scheduled");
        let has_closed = self.closed_by(told, reply).is_some();
        all_sent && (has_closed || !self.closes)
    }

    /// What the ticket is now; what is not as it must be is added to `faults`.
    pub fn judge(&self, told: &[Told], reply: &Reply, faults: &mut Vec<String>) -> &'static str {
        faults.extend(self.recipient.stand_in.mismatches());
        let closed = self.closed_by(told, reply);
        if closed.is_some() != self.closes {
            let fault =
                if self.closes { "the ticket is still open" } else { "the ticket has closed" };
            faults.push(fault.to_owned());
        }
        closed.unwrap_or("stays open: a vendor keeps the person's profile")
    }

    /// How it was closed: Fides goes on by the answer where nothing waits any more.
    fn closed_by(&self, told: &[Told], reply: &Reply) -> Option<&'static str> {
        if told.iter().any(|one| one.closes) {
            return Some("has closed by itself");
        }
        let by_answer = self.recipient.kind == "fides" && reply.json()["halt"] == json!(false);
        by_answer.then_some("has closed by the answer")
    }
}

/// Where no source has a callback, gives the first one a callback of the demo's own, so that a ticket is
/// shown. Returns what to say about it.
///
/// # Errors
/// Where the configuration has problems.
pub fn add(vars: &mut Value) -> Result<Option<String>> {
    let config: Config = configured::read(vars)?;
    if config.sources.iter().any(|source| source.callback.is_some()) {
        return Ok(None);
    }
    let Some(source) = config.sources.first() else { return Ok(None) };
    let is_asked = |name: &String| source.vendors.contains(name);
    let mut asked = config.vendors.iter().filter(|account| is_asked(&account.name));
    let leaves_profile = asked.any(|account| {
        let first = account.vendor.calls().first().map(|kind| kind.name);
        first.is_some_and(|call| account.vendor.leaves_profile(call))
    });
    let name = &source.name;
    let mut note = format!(
        "{name}: with a callback that wrangler.toml does not have, so that a ticket is shown: a \
         signed event to a stand-in of its platform"
    );
    let table = &mut vars["SOURCES"][name];
    table["callback"] =
        json!({ "kind": "event", "url": "https://platform.example/", "secret": SECRET });
    if leaves_profile && !source.accepts_partial_erasure {
        table["partial_erasure"] = json!("accept");
        note.push_str("; and with partial_erasure = \"accept\", or else it would stay open");
    }
    Ok(Some(note))
}
