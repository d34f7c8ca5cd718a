//! Hands what a lane raises to the lane of the alerts, which sends it.

use std::rc::Rc;
use std::time::Duration;

use super::fault::Fault;
use super::object::Object;
use crate::alert;
use crate::delivery::alert::ACCOUNT;
use crate::delivery::lane::Arrival;
use crate::edge::{log, now};

/// When a lane of the alerts that did not answer is asked again.
const LATER: Duration = Duration::from_secs(30);

/// The source of alerts, as the log has it.
const SOURCE: &str = "alerts";

impl Object {
    /// Hands over what has been raised, while nobody waits for that. A failure is logged, and the alarm
    /// tries again.
    pub(super) fn raise_alerts(self: &Rc<Self>) {
        let raised = self.with(|open| Ok(open.dispatcher.stored().alerts(now())?));
        // Where the storage fails, whatever the event did has failed as well.
        if raised.map_or(true, |alerts| alerts.is_empty()) || self.raising.replace(true) {
            return;
        }
        let object = self.clone();
        self.state.wait_until(async move {
            let raised = object.hand_over().await;
            object.raising.set(false);
            let woken = match raised {
                Ok(()) => object.wake_for_alerts().await,
                Err(fault) => {
                    log::internal(fault.place());
                    log::internal("an alert could not be handed over; it will be tried again");
                    object.wake_by(Some(now().after(LATER))).await
                }
            };
            if let Err(fault) = woken {
                log::internal(fault.place());
            }
        });
    }

    async fn hand_over(&self) -> Result<(), Fault> {
        loop {
            let (alerts, environment, lane) = self.with(|open| {
                let alerts = open.dispatcher.stored().alerts(now())?;
                Ok((alerts, open.environment.clone(), open.place.object_name()))
            })?;
            let Some(client) = environment.alerts.as_ref().filter(|_| !alerts.is_empty()) else {
                return Ok(());
            };
            let names = environment.keys.pseudonyms.as_ref();
            for mut alert in alerts {
                alert.lane = Some(lane.clone());
                let shown = alert.request_id.as_deref().map(|id| log::name_of(id, names));
                let lanes = self.lanes()?;
                let to = lanes.first(&client.account).map_err(|_| Fault::Runtime)?;
                let is_new: Result<bool, _> = to.ask(&alert::request(&alert, shown)).await;
                let is_new = is_new.map_err(|_| Fault::Runtime)?;
                self.with(|open| Ok(open.dispatcher.stored().forget_alert(&alert, is_new)?))?;
            }
        }
    }

    /// Sets the alarm for what is to be handed over later.
    pub(super) async fn wake_for_alerts(&self) -> Result<(), Fault> {
        let next = self.with(|open| Ok(open.dispatcher.stored().next_alert(now())?))?;
        self.wake_by(next).await
    }

    /// Stores an alert in the lane of the alerts, and sends it. Returns whether it is new.
    pub(super) async fn take_alert(self: &Rc<Self>, text: &str) -> Result<bool, Fault> {
        let accepted = self.with(|open| {
            if open.place.vendor != ACCOUNT || open.vendor.is_none() {
                return Err(Fault::Orphaned);
            }
            let (request_id, _) = alert::name_and_body(text);
            let (source, received_at) = (SOURCE, now());
            let parts = alert::part(text).into_iter().collect();
            let arrival = Arrival { source, request_id, received_at, repeat_after: None, parts };
            Ok(open.dispatcher.deliver(arrival, now())?)
        })?;
        self.send_due();
        self.wake_by(accepted.wake_by).await?;
        Ok(accepted.wake_by.is_some())
    }
}
