//! What the vendors have confirmed: the only proof that a delivery was made.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use standin::{RecordedRequest, StandIn};
use tokio::time::sleep;

/// Between two looks at what a vendor has confirmed.
const PAUSE: Duration = Duration::from_millis(500);

/// Whether a call was answered with a 2xx.
#[must_use]
pub fn confirmed(call: &RecordedRequest) -> bool {
    call.response_status.is_some_and(|status| (200..300).contains(&status))
}

/// Waits until the vendor has confirmed calls about so many different identifiers, and says whether
/// it has within `limit`. The Worker is not asked: it is left to itself.
pub async fn confirm(vendor: &StandIn, wanted: usize, limit: Duration) -> bool {
    let started = Instant::now();
    loop {
        let calls = vendor.requests();
        let good = calls.iter().filter(|call| confirmed(call));
        let identifiers: HashSet<_> = good.filter_map(|call| call.identifier.as_ref()).collect();
        if identifiers.len() >= wanted {
            return true;
        }
        if started.elapsed() > limit {
            return false;
        }
        sleep(PAUSE).await;
    }
}
