//! What the Worker exports. `shim.js` hands it to workerd.
//!
//! A trap (a panic aborts, an overflow of the stack) ends the Wasm instance, and with it what was in
//! flight there. wasm-bindgen puts a new one in its place at the next call, if it is told to.

use std::rc::Rc;

use js_sys::{Object, Promise};
use wasm_bindgen::{JsValue, handler, prelude::wasm_bindgen};
use web_sys::{Request, console};

use super::runtime::{Context, Env, State};
use super::{ingress, lane, task};

thread_local! {
    static INSTANCE: Object = Object::new();
}

/// Stands for this Wasm instance: what was made in another is of no use here.
#[wasm_bindgen]
pub fn instance() -> Object {
    INSTANCE.with(Object::clone)
}

/// Runs once in each instance.
#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|panic| {
        // Where, and not what: a message could hold what came from outside.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        console::error_1(&JsValue::from(format!(r#"{{"event":"panic","place":"{place}"}}"#)));
    }));
    handler::set_on_abort(handler::schedule_reinit);
}

/// Called for each HTTP request.
#[wasm_bindgen]
pub fn fetch(request: Request, env: Env, context: Context) -> Promise {
    task::promise(async move { Ok(ingress::handle(request, env, context).await?.into()) })
}

/// Called now and then: sees to it that no lane sleeps through what waits in it.
#[wasm_bindgen]
pub fn scheduled(_event: JsValue, env: Env, _context: JsValue) -> Promise {
    task::promise(async move {
        ingress::wake_lanes(&env).await;
        Ok(JsValue::UNDEFINED)
    })
}

/// The Durable Object of one account's lane, or of a shard of it.
#[wasm_bindgen]
pub struct Lane(Rc<lane::Lane>);

#[wasm_bindgen]
impl Lane {
    /// Called when the object wakes up.
    #[wasm_bindgen(constructor)]
    pub fn new(state: State, env: Env) -> Self {
        Self(Rc::new(lane::Lane::new(state, env)))
    }

    /// Called by the Worker.
    pub fn fetch(&self, request: Request) -> Promise {
        let lane = self.0.clone();
        task::promise(async move { Ok(lane.fetch(&request).await?.into()) })
    }

    /// Called when the alarm rings.
    pub fn alarm(&self) -> Promise {
        let lane = self.0.clone();
        task::promise(async move { lane.alarm().await.map(|()| JsValue::UNDEFINED) })
    }
}
