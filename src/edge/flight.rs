//! One errand for all who wait for it.

use std::cell::OnceCell;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::select;
use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;

use super::now;
use super::settled::{pause, settled};

/// One errand under way. Those who wait do so on a JavaScript promise: it wakes each of them in
/// its own request, where a Rust waker would go on in the request of the one who runs it.
pub struct Flight<T> {
    landed: Promise,
    /// Resolves it; the promise hands it out while it is made.
    land: Option<Function>,
    result: OnceCell<T>,
    /// In milliseconds since the Unix epoch.
    given_up_at: i64,
}

impl<T: Clone> Flight<T> {
    /// Begins an errand that must have ended after `patience`: whoever runs it may be gone, its
    /// request cancelled.
    pub fn start(patience: Duration) -> Self {
        let mut land = None;
        let landed = Promise::new(&mut |resolve, _| land = Some(resolve));
        let given_up_at = from_now(patience);
        Self { landed, land, result: OnceCell::new(), given_up_at }
    }

    /// Whether it is still worth waiting for.
    pub fn is_awaited(&self) -> bool {
        now().0 < self.given_up_at
    }

    /// Hands out the result.
    pub fn finish(&self, result: T) {
        // Only the one who started a flight finishes it, once; and a resolver does not throw.
        let _ = self.result.set(result);
        let _ = self.land.as_ref().map(|land| land.call0(&JsValue::NULL));
    }

    /// Waits for the landing; `None` where the flight is given up.
    pub async fn wait(&self) -> Option<T> {
        let left = u64::try_from(self.given_up_at.saturating_sub(now().0)).unwrap_or_default();
        let landed = pin!(settled(&self.landed));
        select(landed, pin!(pause(Duration::from_millis(left)))).await;
        self.result.get().cloned()
    }
}

/// That far ahead, in milliseconds since the Unix epoch.
pub fn from_now(duration: Duration) -> i64 {
    now().0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}
