//! Work that outlives the request that began it.

use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;
use worker::Context;

/// Where work goes on that others wait for too, whatever becomes of the request that began it.
#[derive(Clone)]
pub enum Background {
    /// A request of the Worker, which the runtime keeps until the work has ended, for 30 seconds at
    /// most after its sender has hung up.
    Request(Rc<Context>),
    /// A Durable Object, which all of its events share.
    Object,
}

impl Background {
    /// Does `work`.
    pub fn run(&self, work: impl Future<Output = ()> + 'static) {
        match self {
            Background::Request(context) => context.wait_until(work),
            Background::Object => spawn_local(work),
        }
    }
}
