//! One operation for all callers that need its result at the same time (single flight).

use std::cell::OnceCell;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::select;
use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use worker::Delay;

use crate::edge::now;

/// One operation under way. The other callers wait on a JavaScript promise: the runtime resumes each
/// of them in its own request, where a Rust waker would resume them in the request that runs the
/// operation.
pub struct SingleFlight<T> {
    done: Promise,
    /// Resolves it; the promise hands it out while it is made.
    resolve: Option<Function>,
    result: OnceCell<T>,
    /// In milliseconds since the Unix epoch.
    given_up_at: i64,
}

impl<T: Clone> SingleFlight<T> {
    /// Begins an operation that must have ended within `limit`: the request that runs it may be
    /// cancelled.
    pub fn start(limit: Duration) -> Self {
        let mut resolve = None;
        let done = Promise::new(&mut |function, _| resolve = Some(function));
        Self { done, resolve, result: OnceCell::new(), given_up_at: from_now(limit) }
    }

    /// Whether it is still worth waiting for.
    pub fn is_running(&self) -> bool {
        now().0 < self.given_up_at
    }

    /// Hands out the result.
    pub fn finish(&self, result: T) {
        // Only the caller that started it finishes it, once; and a resolver does not throw.
        let _ = self.result.set(result);
        let _ = self.resolve.as_ref().map(|resolve| resolve.call0(&JsValue::NULL));
    }

    /// Waits for the result; `None` where the operation is given up.
    pub async fn wait(&self) -> Option<T> {
        let left = u64::try_from(self.given_up_at.saturating_sub(now().0)).unwrap_or_default();
        let done = pin!(JsFuture::from(self.done.clone()));
        select(done, pin!(Delay::from(Duration::from_millis(left)))).await;
        self.result.get().cloned()
    }
}

/// That far ahead, in milliseconds since the Unix epoch.
pub fn from_now(duration: Duration) -> i64 {
    now().0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}
