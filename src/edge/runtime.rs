//! The runtime's side of an invocation, as far as it is used.

use js_sys::Promise;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

#[wasm_bindgen]
extern "C" {
    /// The bindings of the Worker: variables, secrets, Durable Objects.
    pub type Env;

    /// The lifetime of one invocation.
    pub type Context;
    /// Lets the invocation go on until `work` is settled, for 30 seconds after its answer at most.
    ///
    /// # Errors
    /// Once the invocation is over.
    #[wasm_bindgen(method, catch, js_name = waitUntil)]
    pub fn wait_until(this: &Context, work: &Promise) -> Result<(), JsValue>;

    /// The state of a Durable Object.
    pub type State;
    /// What it keeps.
    #[wasm_bindgen(method, getter)]
    pub fn storage(this: &State) -> super::sql::Storage;
}
