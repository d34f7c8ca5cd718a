//! A JavaScript promise as a future that can be dropped.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use js_sys::Promise;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};

#[wasm_bindgen(inline_js = "
export function watch(promise, settle) {
  const watcher = { settle };
  promise.then(
    (value) => watcher.settle?.(true, value),
    (error) => watcher.settle?.(false, error),
  );
  return watcher;
}
export function unwatch(watcher) { watcher.settle = undefined; }
")]
extern "C" {
    /// Has `settle` called when `promise` is settled: whether it was resolved, and with what.
    fn watch(promise: &Promise, settle: &Closure<dyn FnMut(bool, JsValue)>) -> JsValue;
    /// From now on it is not called.
    fn unwatch(watcher: &JsValue);
}

/// What a promise comes to. The promises of a request that the runtime cancels are never settled, and
/// `JsFuture` keeps its callbacks, its waker and the task that waits until its promise is: such a
/// request would never be freed. This future frees everything when it is dropped.
pub struct Settled {
    state: Rc<RefCell<State>>,
    watcher: JsValue,
    /// Called by the watcher as long as this lives.
    _settle: Closure<dyn FnMut(bool, JsValue)>,
}

#[derive(Default)]
struct State {
    result: Option<Result<JsValue, JsValue>>,
    waker: Option<Waker>,
}

/// Waits for `promise`, and takes its value for a `T` without a check.
///
/// # Errors
/// What the promise was rejected with.
pub async fn settled<T: JsCast>(promise: &Promise) -> Result<T, JsValue> {
    Settled::of(promise).await.map(JsValue::unchecked_into)
}

impl Settled {
    fn of(promise: &Promise) -> Self {
        let state = Rc::<RefCell<State>>::default();
        let shared = state.clone();
        let settle = Closure::own_aborting(move |resolved, value| {
            let waker = {
                let mut state = shared.borrow_mut();
                state.result = Some(if resolved { Ok(value) } else { Err(value) });
                state.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        let watcher = watch(promise, &settle);
        Self { state, watcher, _settle: settle }
    }
}

impl Future for Settled {
    type Output = Result<JsValue, JsValue>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.state.borrow_mut();
        match state.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Settled {
    fn drop(&mut self) {
        unwatch(&self.watcher);
    }
}
