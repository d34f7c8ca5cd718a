//! What a Wasm instance begins with.

use std::cell::Cell;
use std::panic;

use js_sys::{Reflect, global};
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen(inline_js = "
const settled = Promise.resolve();

export function schedule_by_promise() {
  globalThis.queueMicrotask = (step) => void settled.then(step);
}
")]
extern "C" {
    /// Has `queueMicrotask` put its step on a settled promise. wasm-bindgen's executor calls it for
    /// every step of a future, and workerd's own makes a function object for each call: a quarter of
    /// the CPU time of a webhook (docs/performance.md). A step that throws becomes an unhandled
    /// rejection instead of an error event; steps of the executor do not throw.
    fn schedule_by_promise();
}

/// Called once in each Wasm instance, before it handles anything.
pub fn start() {
    schedule_by_promise();
}

thread_local! {
    static IS_PREPARED: Cell<bool> = const { Cell::new(false) };
}

/// Sets what happens on a panic, once in each instance. Called by the first event, since the crate
/// `worker` sets its own hook after [`start`].
pub fn prepare() {
    if !IS_PREPARED.replace(true) {
        set_panic_hook();
    }
}

/// In a development build: the message and the stack of a panic as well.
#[cfg(feature = "development")]
fn set_panic_hook() {
    panic::set_hook(Box::new(|panic| {
        console_error_panic_hook::hook(panic);
        replace_instance();
    }));
}

/// In a release build: the place of a panic alone, since a message can hold what came from outside.
#[cfg(not(feature = "development"))]
fn set_panic_hook() {
    panic::set_hook(Box::new(|panic| {
        super::log::panic(&panic.location().map(ToString::to_string).unwrap_or_default());
        replace_instance();
    }));
}

/// Marks the instance as broken, as the hook of the crate `worker` does: before the next call, the
/// shim of worker-build makes a new one.
fn replace_instance() {
    if let Ok(state) = Reflect::get(&global(), &"__worker_init_state".into()) {
        let _ = Reflect::set(&state, &"criticalError".into(), &true.into());
    }
}
