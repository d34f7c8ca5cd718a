//! What a lane can be asked for, by the Worker or for the operator.

use wasm_bindgen::JsValue;

use super::{Fault, Lane};
use crate::delivery::lane::{self, Accepted, Record};
use crate::delivery::wire;
use crate::edge::isolate::Isolate;
use crate::edge::sql::Sql;
use crate::edge::{log, now};
use crate::erasure::RequestId;
use crate::json::Json;
use crate::receipt::Timestamp;

/// An answer, and when there will be something to do.
type Done = (String, Option<Timestamp>);

impl Lane {
    /// Does what is asked, in one step.
    pub(super) fn perform(
        &self,
        operation: &str,
        message: &Json<'_>,
        (isolate, account): (&Isolate, &str),
    ) -> Result<Done, Fault> {
        let mut lane = self.lane.borrow_mut();
        let lane = lane.as_mut().ok_or(Fault::Runtime)?;
        let now = now();
        match operation {
            "accept" => {
                let named = |name: &str| lane.call_named(name);
                let accepted = lane.accept(&wire::read_arrival(message, &named)?, now)?;
                let due = lane.first_due(&accepted.records);
                Ok((wire::write_accepted(&accepted), due))
            }
            "settle" => {
                let named = |name: &str| lane.call_named(name);
                let (source, request_id, settlements) = wire::read_settlements(message, &named)?;
                let mut leases = Vec::new();
                for (index, settlement) in settlements.iter().enumerate() {
                    let settled = lane.settle(settlement, now)?;
                    leases.extend(settled.lease.map(|lease| (index, lease)));
                }
                let records = lane.find(source, request_id)?;
                for settlement in &settlements {
                    tell(isolate, account, &records, settlement.lease.id);
                }
                let due = lane.first_due(&records);
                Ok((wire::write_accepted(&Accepted { records, leases }), due))
            }
            "give_back" => {
                for lease in wire::read_leases(message)? {
                    lane.give_back(lease, now)?;
                }
                Ok((String::new(), Some(now)))
            }
            "find" | "replay" => {
                let mut records = Vec::new();
                for key in wire::read_keys(message)? {
                    if operation == "replay" {
                        lane.replay(&key.source, &key.request_id, now)?;
                    }
                    records.extend(lane.find(&key.source, &key.request_id)?);
                }
                let due = lane.first_due(&records).filter(|_| operation == "replay");
                Ok((wire::write_records(&records), due))
            }
            "list" => {
                let (state, before, most) = wire::read_query(message)?;
                Ok((wire::write_keys(&lane.list(state, before.as_ref(), most)?), None))
            }
            "resume" => {
                lane.resume(now)?;
                Ok((status(lane, now)?, Some(now)))
            }
            "status" => Ok((status(lane, now)?, None)),
            "wake" => {
                lane.sweep(now)?;
                // Whatever is believed of the alarm: it may have been lost.
                self.armed.set(None);
                Ok((String::new(), lane.wake()?))
            }
            _ => Err(Fault::NoSuchOperation),
        }
    }
}

/// Logs what became of the row `id`.
pub(super) fn tell(isolate: &Isolate, account: &str, records: &[Record], id: i64) {
    let Some(record) = records.iter().find(|record| record.id == id) else { return };
    let request_id = RequestId::parse(&record.request_id);
    let names = isolate.keys.pseudonyms.as_ref();
    let name = request_id.map(|id| log::name(&id, names)).unwrap_or_default();
    log::delivery(&record.source, name, record.clone().into_delivery(account));
}

/// Fills a buffer with the runtime's randomness, which does not fail.
pub(super) fn random(buffer: &mut [u8]) {
    let _: Result<(), JsValue> = super::get_random_values(buffer);
}

fn status(lane: &lane::Lane<Sql>, now: Timestamp) -> Result<String, Fault> {
    serde_json::to_string(&lane.status(now)?).map_err(|_| Fault::Runtime)
}
