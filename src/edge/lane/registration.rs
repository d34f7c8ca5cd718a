//! Has the directory know the lane, once in the lane's life.

use std::rc::Rc;

use super::fault::Fault;
use super::object::Object;
use crate::delivery::wire::Request;
use crate::edge::log;

impl Object {
    /// Where the lane holds something that the directory was not told of, tells it, while nobody
    /// waits for that. A failure is logged, and the next event tries again.
    pub(super) fn register(self: &Rc<Self>) {
        if self.registered.get() {
            return;
        }
        let known = self.lane(|lane| Ok((lane.is_registered()?, lane.is_empty()?)));
        match known {
            Ok((false, true)) => return,
            Ok((true, _)) => return self.registered.set(true),
            Ok((false, false)) => self.registered.set(true),
            Err(fault) => return log::internal(fault.place()),
        }
        let object = self.clone();
        self.state.wait_until(async move {
            if object.tell_directory().await.is_err() {
                object.registered.set(false);
                log::internal("lane: the directory could not be told of it");
            }
        });
    }

    async fn tell_directory(&self) -> Result<(), Fault> {
        let lane = self.with(|open| Ok(open.place.to_string()))?;
        let directory = self.lanes()?.directory().map_err(|_| Fault::Runtime)?;
        let told = directory.exchange(&Request::Register(lane)).await;
        told.map_err(|_| Fault::Runtime)?;
        self.lane(|lane| Ok(lane.set_registered()?))
    }
}
