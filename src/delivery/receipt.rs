//! The receipt that the records of an erasure add up to.

use super::lane::Record;
use crate::receipt::{Receipt, Timestamp};

/// The receipt that the records of each vendor add up to. Of a delivery that two lanes of a vendor
/// know, as after a change of the configuration, the first one counts, but for one that the vendor
/// confirmed; so it is when rows are moved.
pub fn receipt<'a>(
    source: &str,
    request_id: &str,
    received_at: Timestamp,
    parts: impl IntoIterator<Item = (&'a str, Vec<Record>)>,
) -> Receipt {
    let mut first = received_at;
    let mut all: Vec<(&str, Record)> = Vec::new();
    for (vendor, records) in parts {
        for record in records {
            first = first.min(record.received_at);
            let mut known = all.iter_mut();
            match known.find(|(other, known)| *other == vendor && known.is_same_row(&record)) {
                None => all.push((vendor, record)),
                Some((_, known)) if record.outcome.is_good() && !known.outcome.is_good() => {
                    *known = record;
                }
                Some(_) => {}
            }
        }
    }
    let deliveries = all.into_iter().map(|(vendor, record)| record.into_delivery(vendor)).collect();
    Receipt::new(request_id, source, first, deliveries)
}
