//! What a platform is told in its own form.

use crate::json::{Json, quote};
use crate::receipt::Receipt;

/// What became of an authentic message.
#[derive(Clone, Copy)]
pub enum Outcome<'a> {
    /// It was an erasure, and was taken; with this status the relay would answer.
    Taken(u16, &'a Receipt),
    /// It was something else.
    Other,
    /// It could not be acted on, or must be sent again: the status and the title of the problem.
    Failed(u16, &'static str),
}

/// What a platform's answer is made of.
pub struct Told<'a> {
    /// The source's name.
    pub source: &'a str,
    /// The message's body.
    pub body: &'a [u8],
    /// What became of it.
    pub outcome: Outcome<'a>,
    /// The platform's own setting, empty where it has none.
    pub setting: &'a str,
}

/// An answer in a platform's form.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// JSON.
    pub json: String,
}

/// The members `keys` of the object at `pointer` that are texts, as a JSON object.
pub(super) fn echo(body: &[u8], pointer: &str, keys: &[&str]) -> String {
    let json = Json::parse(body).unwrap_or(Json::Null);
    let object = json.at(pointer).ok().flatten().unwrap_or(&Json::Null);
    let member = |key: &&str| {
        let text = object.get(key).and_then(Json::as_text)?;
        Some(format!("{}:{}", quote(key), quote(text)))
    };
    let members: Vec<String> = keys.iter().filter_map(member).collect();
    format!("{{{}}}", members.join(","))
}
