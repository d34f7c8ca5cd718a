//! What the Worker and a lane tell each other, over a channel of the runtime that nobody else can
//! reach: JSON arrays, read by position. Times are in milliseconds since the Unix epoch.

use std::time::Duration;

use thiserror::Error;

use super::lane::{Accepted, Arrival, Key, Lease, Part, Record, Settlement};
use crate::erasure::{Identifier, Kind};
use crate::json::{Array, Json};
use crate::receipt::{Outcome, State, Timestamp};
use crate::vendor::{Call, Verdict};

/// The text is not what the other side writes: the two are of different versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the Worker and the lane do not understand each other")]
pub struct Garbled;

type Result<T> = std::result::Result<T, Garbled>;

/// Finds the account's call of a name.
pub type CallNamed<'a> = &'a dyn Fn(&str) -> Option<&'static str>;

/// Writes an arrival, for [`read_arrival`].
pub fn write_arrival(arrival: &Arrival<'_>) -> String {
    Array::write(|array| {
        array.text(arrival.source).text(arrival.request_id).integer(arrival.received_at.0);
        array.integer(i64::try_from(arrival.inline).unwrap_or(i64::MAX));
        array.arrays(&arrival.parts, |array, part| match part {
            Part::Call { call, subject, names } => {
                array.text(call.name).text(subject).array(|array| people(array, call)).text(names);
            }
            Part::Unusable { identifier, detail } => {
                array.null().null().null().optional_text(identifier.as_deref()).text(detail);
            }
        });
    })
}

/// Reads what [`write_arrival`] wrote.
///
/// # Errors
/// [`Garbled`]
pub fn read_arrival<'a>(json: &'a Json<'_>, named: CallNamed<'_>) -> Result<Arrival<'a>> {
    let fields = Fields::of(json)?;
    let part = |part: &Json<'_>| {
        let fields = Fields::of(part)?;
        match fields.optional_text(0)? {
            Some(name) => {
                let call = read_call(name, fields.at(2)?, named)?;
                let (subject, names) = (fields.text(1)?.to_owned(), fields.text(3)?.to_owned());
                Ok(Part::Call { call, subject, names })
            }
            None => Ok(Part::Unusable {
                identifier: fields.owned(3)?,
                detail: fields.text(4)?.to_owned(),
            }),
        }
    };
    let parts = items(fields.at(4)?)?.iter().map(part).collect::<Result<_>>()?;
    let (source, request_id) = (fields.text(0)?, fields.text(1)?);
    let received_at = Timestamp(fields.integer(2)?);
    let inline = fields.narrow::<i64>(3)?.and_then(|count| usize::try_from(count).ok());
    Ok(Arrival { source, request_id, received_at, inline: inline.ok_or(Garbled)?, parts })
}

/// Writes what became of an arrival, for [`read_accepted`].
pub fn write_accepted(accepted: &Accepted) -> String {
    Array::write(|array| {
        array.arrays(&accepted.records, record);
        array.arrays(&accepted.leases, |array, (part, lease)| {
            array.integer(i64::try_from(*part).unwrap_or(i64::MAX));
            array.integer(lease.id).integer(lease.number);
        });
    })
}

/// Reads what [`write_accepted`] wrote.
///
/// # Errors
/// [`Garbled`]
pub fn read_accepted(json: &Json<'_>) -> Result<Accepted> {
    let fields = Fields::of(json)?;
    let lease = |lease: &Json<'_>| {
        let fields = Fields::of(lease)?;
        let part = usize::try_from(fields.integer(0)?).map_err(|_| Garbled)?;
        Ok((part, Lease { id: fields.integer(1)?, number: fields.integer(2)? }))
    };
    let leases = items(fields.at(1)?)?.iter().map(lease).collect::<Result<_>>()?;
    Ok(Accepted { records: read_records(fields.at(0)?)?, leases })
}

/// Writes settlements of one erasure, for [`read_settlements`].
pub fn write_settlements(source: &str, request_id: &str, settlements: &[Settlement]) -> String {
    Array::write(|array| {
        array.text(source).text(request_id);
        array.arrays(settlements, |array, settlement| {
            let Settlement { lease, verdict, attempts, follow_up } = settlement;
            array.integer(lease.id).integer(lease.number).integer(*attempts);
            let pause = verdict.retry_after.map(|pause| pause.as_millis());
            array.array(|array| {
                array.text(verdict.outcome.name()).optional_text(verdict.detail.as_deref());
                array.optional_integer(verdict.status);
                array.optional_integer(pause.and_then(|millis| i64::try_from(millis).ok()));
                array.optional_text(verdict.trace.as_deref());
            });
            match follow_up {
                None => array.null(),
                Some((call, subject)) => array.array(|array| {
                    array.text(call.name).array(|array| people(array, call)).text(subject);
                }),
            };
        });
    })
}

/// Reads what [`write_settlements`] wrote: the source, the request's id, and the settlements.
///
/// # Errors
/// [`Garbled`]
pub fn read_settlements<'a>(
    json: &'a Json<'_>,
    named: CallNamed<'_>,
) -> Result<(&'a str, &'a str, Vec<Settlement>)> {
    let fields = Fields::of(json)?;
    let one = |settlement: &Json<'_>| {
        let fields = Fields::of(settlement)?;
        let said = Fields::of(fields.at(3)?)?;
        let verdict = Verdict {
            outcome: Outcome::parse(said.text(0)?).ok_or(Garbled)?,
            detail: said.owned(1)?.map(Into::into),
            status: said.narrow(2)?,
            retry_after: said.narrow(3)?.map(Duration::from_millis),
            trace: said.owned(4)?,
        };
        let follow_up = match fields.at(4)? {
            Json::Null => None,
            next => {
                let next = Fields::of(next)?;
                let call = read_call(next.text(0)?, next.at(1)?, named)?;
                Some((call, next.text(2)?.to_owned()))
            }
        };
        let lease = Lease { id: fields.integer(0)?, number: fields.integer(1)? };
        let attempts = fields.narrow(2)?.ok_or(Garbled)?;
        Ok(Settlement { lease, verdict, attempts, follow_up })
    };
    let settlements = items(fields.at(2)?)?.iter().map(one).collect::<Result<_>>()?;
    Ok((fields.text(0)?, fields.text(1)?, settlements))
}

/// Writes leases that are given back, for [`read_leases`].
pub fn write_leases(leases: &[Lease]) -> String {
    Array::write(|array| {
        array.each(leases, |array, lease| {
            array.integer(lease.id).integer(lease.number);
        });
    })
}

/// Reads what [`write_leases`] wrote.
///
/// # Errors
/// [`Garbled`]
pub fn read_leases(json: &Json<'_>) -> Result<Vec<Lease>> {
    let lease = |lease: &Json<'_>| {
        let fields = Fields::of(lease)?;
        Ok(Lease { id: fields.integer(0)?, number: fields.integer(1)? })
    };
    items(json)?.iter().map(lease).collect()
}

/// Writes the places of erasures, for [`read_keys`].
pub fn write_keys(keys: &[Key]) -> String {
    Array::write(|array| array.each(keys, place))
}

/// Reads what [`write_keys`] wrote.
///
/// # Errors
/// [`Garbled`]
pub fn read_keys(json: &Json<'_>) -> Result<Vec<Key>> {
    let key = |key: &Json<'_>| {
        let fields = Fields::of(key)?;
        Ok(Key {
            received_at: Timestamp(fields.integer(0)?),
            source: fields.text(1)?.to_owned(),
            request_id: fields.text(2)?.to_owned(),
        })
    };
    items(json)?.iter().map(key).collect()
}

/// Writes what to list, for [`read_query`].
pub fn write_query(state: Option<State>, before: Option<&Key>, most: u32) -> String {
    Array::write(|array| {
        array.optional_text(state.map(State::name));
        match before {
            None => array.null(),
            Some(key) => array.array(|array| place(array, key)),
        };
        array.integer(most);
    })
}

/// Reads what [`write_query`] wrote.
///
/// # Errors
/// [`Garbled`]
pub fn read_query(json: &Json<'_>) -> Result<(Option<State>, Option<Key>, u32)> {
    let fields = Fields::of(json)?;
    let state = fields.optional_text(0)?;
    let state = state.map(|name| State::parse(name).ok_or(Garbled)).transpose()?;
    let before = match fields.at(1)? {
        Json::Null => None,
        key => {
            let key = Fields::of(key)?;
            Some(Key {
                received_at: Timestamp(key.integer(0)?),
                source: key.text(1)?.to_owned(),
                request_id: key.text(2)?.to_owned(),
            })
        }
    };
    Ok((state, before, fields.narrow(2)?.ok_or(Garbled)?))
}

/// Writes records, for [`read_records`].
pub fn write_records(list: &[Record]) -> String {
    Array::write(|array| array.each(list, record))
}

/// Reads what [`write_records`] wrote.
///
/// # Errors
/// [`Garbled`]
pub fn read_records(json: &Json<'_>) -> Result<Vec<Record>> {
    let record = |record: &Json<'_>| {
        let fields = Fields::of(record)?;
        Ok(Record {
            id: fields.integer(0)?,
            source: fields.text(1)?.to_owned(),
            request_id: fields.text(2)?.to_owned(),
            received_at: Timestamp(fields.integer(3)?),
            call: fields.owned(4)?,
            identifier: fields.owned(5)?,
            subject: fields.owned(6)?,
            outcome: Outcome::parse(fields.text(7)?).ok_or(Garbled)?,
            status: fields.narrow(8)?,
            attempts: fields.narrow(9)?.ok_or(Garbled)?,
            detail: fields.owned(10)?,
            trace: fields.owned(11)?,
            updated_at: Timestamp(fields.integer(12)?),
            due_at: fields.narrow::<i64>(13)?.map(Timestamp),
        })
    };
    items(json)?.iter().map(record).collect()
}

fn record(array: &mut Array, record: &Record) {
    array.integer(record.id).text(&record.source).text(&record.request_id);
    array.integer(record.received_at.0).optional_text(record.call.as_deref());
    array.optional_text(record.identifier.as_deref()).optional_text(record.subject.as_deref());
    array.text(record.outcome.name()).optional_integer(record.status);
    array.integer(record.attempts).optional_text(record.detail.as_deref());
    array.optional_text(record.trace.as_deref()).integer(record.updated_at.0);
    array.optional_integer(record.due_at.map(|due| due.0));
}

fn place(array: &mut Array, key: &Key) {
    array.integer(key.received_at.0).text(&key.source).text(&key.request_id);
}

/// Kind and value of each of a call's people, flat.
fn people(array: &mut Array, call: &Call) {
    for each in std::iter::once(&call.identifier).chain(&call.alternatives) {
        array.text(&each.kind().to_string()).text(each.expose());
    }
}

fn read_call(name: &str, people: &Json<'_>, named: CallNamed<'_>) -> Result<Call> {
    let name = named(name).ok_or(Garbled)?;
    let mut identifiers = Vec::new();
    for pair in items(people)?.chunks(2) {
        let [kind, value] = pair else { return Err(Garbled) };
        let kind = kind.as_text().and_then(Kind::parse).ok_or(Garbled)?;
        let value = value.as_text().ok_or(Garbled)?;
        identifiers.push(Identifier::restore(kind, value.to_owned()));
    }
    let mut identifiers = identifiers.into_iter();
    let identifier = identifiers.next().ok_or(Garbled)?;
    Ok(Call { name, identifier, alternatives: identifiers.collect() })
}

fn items<'a, 'b>(json: &'a Json<'b>) -> Result<&'a [Json<'b>]> {
    match json {
        Json::Array(items) => Ok(items),
        _ => Err(Garbled),
    }
}

/// An array, read by position.
struct Fields<'a, 'b>(&'a [Json<'b>]);

impl<'a, 'b> Fields<'a, 'b> {
    fn of(json: &'a Json<'b>) -> Result<Self> {
        items(json).map(Self)
    }

    fn at(&self, at: usize) -> Result<&'a Json<'b>> {
        self.0.get(at).ok_or(Garbled)
    }

    fn optional_text(&self, at: usize) -> Result<Option<&'a str>> {
        match self.at(at)? {
            Json::Null => Ok(None),
            Json::Text(text) => Ok(Some(text)),
            _ => Err(Garbled),
        }
    }

    fn text(&self, at: usize) -> Result<&'a str> {
        self.optional_text(at)?.ok_or(Garbled)
    }

    fn owned(&self, at: usize) -> Result<Option<String>> {
        Ok(self.optional_text(at)?.map(str::to_owned))
    }

    fn integer(&self, at: usize) -> Result<i64> {
        self.narrow(at)?.ok_or(Garbled)
    }

    /// An integer that fits, if there is one.
    fn narrow<T: TryFrom<i64>>(&self, at: usize) -> Result<Option<T>> {
        match self.at(at)? {
            Json::Null => Ok(None),
            Json::Integer(number) => T::try_from(*number).map(Some).map_err(|_| Garbled),
            _ => Err(Garbled),
        }
    }
}
