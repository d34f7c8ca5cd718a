//! Waits for promises and timers. One pair of callbacks serves all of them: each promise gets it bound to a
//! number, which costs less than a pair of closures of its own, with their memory and finalizers.

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::Duration;

use js_sys::Promise;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};

#[wasm_bindgen]
extern "C" {
    /// A JavaScript function of a wait's number and a promise's value.
    type Callback;
    #[wasm_bindgen(method)]
    fn bind(this: &Callback, context: &JsValue, number: u32) -> Callback;

    type Thenable;
    #[wasm_bindgen(method)]
    fn then(this: &Thenable, fulfilled: &Callback, rejected: &Callback);

    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Callback, millis: f64) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(id: &JsValue);
}

/// What a promise came to.
type Settlement = Result<JsValue, JsValue>;

/// One promise that somebody waits for, or did.
enum Wait {
    Pending(Option<Waker>),
    Settled(Settlement),
    /// Nobody cares any more. The number is free once the promise is settled.
    Forgotten,
    Free,
}

#[derive(Default)]
struct Waits {
    by_number: Vec<Wait>,
    free: Vec<u32>,
}

thread_local! {
    static WAITS: RefCell<Waits> = RefCell::default();
    static CALLBACKS: [Callback; 2] = [callback(Ok), callback(Err)];
}

fn callback(settlement: fn(JsValue) -> Settlement) -> Callback {
    let closure = move |number, value| {
        let waker = WAITS.with_borrow_mut(|waits| waits.settle(number, settlement(value)));
        if let Some(waker) = waker {
            waker.wake();
        }
    };
    Closure::<dyn Fn(u32, JsValue)>::new(closure).into_js_value().unchecked_into()
}

/// What `promise` settles to.
///
/// # Errors
/// What it was rejected with.
pub async fn settled(promise: &Promise) -> Settlement {
    let number = Number::begin();
    let [fulfilled, rejected] = number.callbacks();
    promise.unchecked_ref::<Thenable>().then(&fulfilled, &rejected);
    number.settled().await
}

/// Waits that long. Whoever waits no more stops the timer.
pub async fn pause(duration: Duration) {
    let mut number = Number::begin();
    let [elapsed, _] = number.callbacks();
    number.timer = Some(set_timeout(&elapsed, duration.as_millis() as f64));
    // Its promise is never rejected.
    let _ = number.settled().await;
}

/// The number of a wait, for as long as somebody waits.
struct Number {
    number: u32,
    timer: Option<JsValue>,
}

impl Number {
    fn begin() -> Self {
        Self { number: WAITS.with_borrow_mut(Waits::begin), timer: None }
    }

    /// To be called with what is waited for, one of them once.
    fn callbacks(&self) -> [Callback; 2] {
        CALLBACKS.with(|callbacks| {
            callbacks.each_ref().map(|callback| callback.bind(&JsValue::UNDEFINED, self.number))
        })
    }

    async fn settled(&self) -> Settlement {
        poll_fn(|context| WAITS.with_borrow_mut(|waits| waits.poll(self.number, context.waker())))
            .await
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        if let Some(timer) = &self.timer {
            clear_timeout(timer);
        }
        let stopped = self.timer.is_some();
        WAITS.with_borrow_mut(|waits| waits.forget(self.number, stopped));
    }
}

impl Waits {
    fn begin(&mut self) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.by_number.push(Wait::Free);
            u32::try_from(self.by_number.len().saturating_sub(1)).unwrap_or(u32::MAX)
        });
        self.replace(number, Wait::Pending(None));
        number
    }

    fn poll(&mut self, number: u32, waker: &Waker) -> Poll<Settlement> {
        match self.replace(number, Wait::Pending(Some(waker.clone()))) {
            Wait::Settled(settlement) => {
                self.replace(number, Wait::Free);
                Poll::Ready(settlement)
            }
            _ => Poll::Pending,
        }
    }

    /// Returns whom to wake.
    fn settle(&mut self, number: u32, settlement: Settlement) -> Option<Waker> {
        match self.replace(number, Wait::Settled(settlement)) {
            Wait::Pending(waker) => waker,
            _ => {
                self.release(number);
                None
            }
        }
    }

    /// Nobody waits any more. What is not settled keeps its number, which its callbacks know, unless
    /// it is a timer that was `stopped`.
    fn forget(&mut self, number: u32, stopped: bool) {
        if !matches!(self.replace(number, Wait::Forgotten), Wait::Pending(_)) || stopped {
            self.release(number);
        }
    }

    fn release(&mut self, number: u32) {
        self.replace(number, Wait::Free);
        self.free.push(number);
    }

    fn replace(&mut self, number: u32, wait: Wait) -> Wait {
        let place = usize::try_from(number).ok().and_then(|number| self.by_number.get_mut(number));
        place.map_or(Wait::Free, |place| std::mem::replace(place, wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: JsValue = JsValue::TRUE;

    #[test]
    fn a_number_is_free_once_nobody_waits_and_nobody_calls() {
        let mut waits = Waits::default();
        let waker = Waker::noop();
        let settled = waits.begin();
        assert!(waits.poll(settled, waker).is_pending());
        assert!(waits.settle(settled, Ok(VALUE)).is_some());
        assert!(waits.poll(settled, waker).is_ready());
        waits.forget(settled, false);
        let forgotten = waits.begin();
        assert_eq!(forgotten, settled, "it was free");
        assert!(waits.poll(forgotten, waker).is_pending());
        waits.forget(forgotten, false);
        assert_ne!(waits.begin(), forgotten, "its promise may settle yet");
        assert!(waits.settle(forgotten, Ok(VALUE)).is_none());
        assert_eq!(waits.begin(), forgotten);
        waits.forget(forgotten, true);
        assert_eq!(waits.begin(), forgotten, "a timer that was stopped does not call");
    }

    #[test]
    fn a_promise_may_settle_before_anybody_asks() {
        let mut waits = Waits::default();
        let number = waits.begin();
        assert!(waits.settle(number, Err(VALUE)).is_none());
        assert!(matches!(waits.poll(number, Waker::noop()), Poll::Ready(Err(_))));
    }
}
