//! One operation for all callers that need its result at the same time (single flight).

use std::cell::{Cell, OnceCell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{LocalBoxFuture, select};
use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;
use worker::Delay;

use super::background::Background;
use super::promise::settled;
use crate::edge::now;
use crate::receipt::Timestamp;

/// How long an operation of another request is waited for before one of the caller's own is begun:
/// the runtime may have ended that request.
const PATIENCE: Duration = Duration::from_secs(1);

/// An operation that is not run twice at the same time without need.
pub struct SingleFlight<T> {
    /// When the last one that has not ended was begun.
    begun: Cell<Option<Timestamp>>,
    waiters: RefCell<Vec<Rc<Waiter<T>>>>,
}

/// One caller. Each waits for a promise of its own: the runtime goes on with a promise in the request
/// that made it, where a shared one, or a Rust waker, would go on in the request of somebody else.
struct Waiter<T> {
    result: OnceCell<T>,
    resolve: Option<Function>,
}

/// Removes a waiter that waits no more.
struct Waiting<'a, T>(&'a SingleFlight<T>, Rc<Waiter<T>>);

impl<T> Drop for Waiting<'_, T> {
    fn drop(&mut self) {
        self.0.waiters.borrow_mut().retain(|other| !Rc::ptr_eq(other, &self.1));
    }
}

impl<T> Default for SingleFlight<T> {
    fn default() -> Self {
        Self { begun: Cell::default(), waiters: RefCell::default() }
    }
}

impl<T: Clone + 'static> SingleFlight<T> {
    /// Begins an operation, which goes on in the background.
    pub fn begin(self: &Rc<Self>, background: &Background, operation: LocalBoxFuture<'static, T>) {
        self.begun.set(Some(now()));
        let flight = self.clone();
        background.run(async move {
            let result = operation.await;
            flight.begun.set(None);
            for waiter in flight.waiters.take() {
                let _ = waiter.result.set(result.clone());
                // A resolver does not throw.
                let _ = waiter.resolve.as_ref().map(|resolve| resolve.call0(&JsValue::NULL));
            }
        });
    }

    /// The result of the operation under way, or else of a new one. An operation of another caller
    /// that takes longer than [`PATIENCE`] is not relied on: one is begun in each such interval,
    /// whatever the number of callers, and the first that ends is everybody's.
    pub async fn join(
        self: &Rc<Self>,
        background: &Background,
        operation: impl Fn() -> LocalBoxFuture<'static, T>,
    ) -> T {
        let mut patience = Some(PATIENCE);
        loop {
            let is_recent = self.begun.get().is_some_and(|at| now() < at.after(PATIENCE));
            if patience.is_some() && !is_recent {
                self.begin(background, operation());
                patience = None; // it ends, since this request goes on
            }
            if let Some(result) = self.wait(patience).await {
                return result;
            }
        }
    }

    async fn wait(&self, patience: Option<Duration>) -> Option<T> {
        let mut resolve = None;
        let done = Promise::new(&mut |function, _| resolve = Some(function));
        let waiter = Rc::new(Waiter { result: OnceCell::new(), resolve });
        self.waiters.borrow_mut().push(waiter.clone());
        let waiting = Waiting(self, waiter);
        let done = pin!(settled::<JsValue>(&done));
        match patience {
            None => drop(done.await),
            Some(patience) => drop(select(done, pin!(Delay::from(patience))).await),
        }
        waiting.1.result.get().cloned()
    }
}
