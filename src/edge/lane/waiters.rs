//! Those who wait for what becomes of a delivery.

use std::cell::RefCell;
use std::rc::Rc;

use futures_channel::oneshot::{Receiver, Sender, channel};

use crate::delivery::lane::Record;
use crate::receipt::Timestamp;

/// Everybody who waits for an answer of a lane.
#[derive(Default)]
pub struct Waiters(RefCell<Vec<Rc<Waiter>>>);

/// An erasure of which something is expected.
pub struct Waiter {
    /// When it is answered at the latest.
    deadline: Timestamp,
    /// What is known, and before it whether more is expected.
    records: RefCell<Vec<(bool, Record)>>,
    /// Sends the signal that no more is expected.
    done: RefCell<Option<Sender<()>>>,
}

impl Waiter {
    /// Whether anything is expected that is not known.
    pub fn expects_more(&self) -> bool {
        self.records.borrow().iter().any(|(more, _)| *more)
    }
}

impl Waiters {
    /// Adds one for an erasure of which this is known, and before each row whether more is expected.
    /// The receiver resolves once no more is.
    pub fn add(
        &self,
        records: Vec<(bool, Record)>,
        deadline: Timestamp,
    ) -> (Rc<Waiter>, Receiver<()>) {
        let (done, ended) = channel();
        let records = RefCell::new(records);
        let waiter = Rc::new(Waiter { deadline, records, done: RefCell::new(Some(done)) });
        self.0.borrow_mut().push(waiter.clone());
        (waiter, ended)
    }

    /// Removes one, and returns what is known of its erasure.
    pub fn remove(&self, waiter: &Rc<Waiter>) -> Vec<Record> {
        self.0.borrow_mut().retain(|other| !Rc::ptr_eq(other, waiter));
        waiter.records.take().into_iter().map(|(_, record)| record).collect()
    }

    /// Notes what became of a row. `is_expected` tells whether more of it is expected by a deadline.
    pub fn update(&self, record: &Record, is_expected: impl Fn(Timestamp) -> bool) {
        for waiter in self.0.borrow().iter() {
            let mut records = waiter.records.borrow_mut();
            let Some(known) = records.iter_mut().find(|(_, known)| known.is_same_row(record))
            else {
                continue;
            };
            *known = (is_expected(waiter.deadline), record.clone());
            drop(records);
            if !waiter.expects_more() {
                // Where nobody waits any more, nobody needs to be told.
                let _ = waiter.done.take().map(|done| done.send(()));
            }
        }
    }
}
