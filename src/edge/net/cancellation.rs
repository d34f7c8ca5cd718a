//! The end of a request whose sender has hung up.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_util::future::{Either, select};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::AbortSignal;

/// Runs `work`, and drops it where `signal` says that nobody waits for its result any more: `None`.
///
/// The signal of a request is sent with the compatibility flag `enable_request_signal`. Without it the
/// runtime cancels a request in silence, and whatever its future holds stays in the Wasm memory.
/// (<https://developers.cloudflare.com/workers/runtime-apis/request/>)
pub async fn unless_cancelled<T>(signal: AbortSignal, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), Cancelled::by(signal)).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(_) => None,
    }
}

/// Resolves when its signal is aborted.
struct Cancelled {
    signal: AbortSignal,
    state: Rc<State>,
    /// Called by the signal as long as this lives.
    _listener: Closure<dyn FnMut()>,
}

#[derive(Default)]
struct State {
    is_aborted: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Cancelled {
    fn by(signal: AbortSignal) -> Self {
        let state = Rc::<State>::default();
        state.is_aborted.set(signal.aborted());
        let shared = state.clone();
        let listener = Closure::own_aborting(move || {
            shared.is_aborted.set(true);
            if let Some(waker) = shared.waker.take() {
                waker.wake();
            }
        });
        signal.set_onabort(Some(listener.as_ref().unchecked_ref()));
        Self { signal, state, _listener: listener }
    }
}

impl Future for Cancelled {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.state.is_aborted.get() {
            return Poll::Ready(());
        }
        self.state.waker.set(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Cancelled {
    fn drop(&mut self) {
        self.signal.set_onabort(None);
    }
}
