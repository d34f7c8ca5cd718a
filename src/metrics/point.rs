//! One outcome of a call as a data point of Workers Analytics Engine. What each column holds is
//! documented in `docs/observability.md` and stable.

use std::time::Duration;

use crate::receipt::{Delivery, Timestamp};

/// A data point. None of its values is personal.
#[derive(Debug, PartialEq)]
pub struct Point<'a> {
    /// What points are sampled by: the account.
    pub index: &'a str,
    /// `blob1` and those after it: source, account, call, outcome, state.
    pub blobs: [&'a str; 5],
    /// `double1` and those after it: the vendor's HTTP status, 0 where there was no answer; the calls
    /// made so far; the seconds since the webhook came.
    pub doubles: [f64; 3],
}

impl<'a> Point<'a> {
    /// The point of a delivery of `source` whose webhook came at `received_at`.
    pub fn of(source: &'a str, delivery: &'a Delivery, received_at: Timestamp) -> Self {
        let Delivery { vendor, call, outcome, status, attempts, updated_at, .. } = delivery;
        let age: Duration = updated_at.since(received_at);
        Self {
            index: vendor,
            blobs: [
                source,
                vendor,
                call.as_deref().unwrap_or_default(),
                outcome.name(),
                outcome.state().name(),
            ],
            doubles: [status.unwrap_or_default().into(), (*attempts).into(), age.as_secs_f64()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::Outcome;
    use crate::receipt::tests::delivery;

    #[test]
    fn a_point_says_what_came_of_a_call_and_not_of_whom() {
        let mut accepted = delivery(Outcome::Accepted);
        accepted.subject = Some("k4f2a:9f2c41d07b6e".to_owned());
        let received_at = accepted.updated_at.before(Duration::from_millis(1500));
        let point = Point::of("consent", &accepted, received_at);
        assert_eq!(point.index, "instacart");
        let blobs = ["consent", "instacart", "privacy_request", "accepted", "done"];
        assert_eq!((point.blobs, point.doubles), (blobs, [200.0, 1.0, 1.5]));
        let silent = Delivery { call: None, status: None, ..delivery(Outcome::Blocked) };
        let point = Point::of("consent", &silent, silent.updated_at);
        assert_eq!(point.blobs, ["consent", "instacart", "", "blocked", "attention"]);
        assert_eq!(point.doubles, [0.0, 1.0, 0.0]);
    }
}
