//! Which erasures must be answered soon, or should have been: an alert for each source and day.

use std::time::Duration;

use crate::delivery::alert::{Alert, Reason};
use crate::receipt::{Receipt, Timestamp};

const DAY: Duration = Duration::from_secs(86_400);

/// How long before an erasure must be answered its operator is alerted.
pub const SOON: Duration = DAY.saturating_mul(5);

/// For how long the operator is alerted of one that is overdue. Some can never be closed, such as those
/// of a platform that is not told.
pub const LONGEST: Duration = DAY.saturating_mul(30);

/// Adds erasures that are not over to the alerts. Those that are not due soon, or have been overdue for
/// long, are left out.
pub fn add(alerts: &mut Vec<Alert>, receipts: &[Receipt], now: Timestamp) {
    for receipt in receipts {
        let Some(due_by) = receipt.due_by else { continue };
        if due_by > now.after(SOON) || is_long_ago(receipt, now) {
            continue;
        }
        let reason = if due_by <= now { Reason::ErasureOverdue } else { Reason::ErasureDue };
        let is_of = |alert: &&mut Alert| {
            alert.reason == reason && alert.source.as_ref() == Some(&receipt.source)
        };
        let known = alerts.iter_mut().find(is_of);
        match known {
            Some(alert) => {
                alert.count = alert.count.saturating_add(1);
                if alert.due_by > Some(due_by) {
                    alert.due_by = Some(due_by);
                    alert.request_id = Some(receipt.request_id.clone());
                }
            }
            None => alerts.push(Alert {
                reason,
                at: now,
                lane: None,
                source: Some(receipt.source.clone()),
                request_id: Some(receipt.request_id.clone()),
                count: 1,
                since: None,
                due_by: Some(due_by),
                detail: None,
            }),
        }
    }
}

/// Whether an erasure is overdue for so long that nobody is alerted any more.
pub fn is_long_ago(receipt: &Receipt, now: Timestamp) -> bool {
    receipt.due_by.is_some_and(|due_by| due_by < now.before(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_has_an_alert_for_what_is_due_and_one_for_what_is_overdue() {
        let now = Timestamp(0).after(DAY * 100);
        let receipt = |source: &str, request_id: &str, days: i64| {
            let mut receipt = Receipt::new(request_id, source, Timestamp(0), Vec::new());
            receipt.due_by = Some(Timestamp(now.0 + days * 86_400_000));
            receipt
        };
        let receipts = [
            receipt("consent", "a", 4),
            receipt("consent", "b", 1),
            receipt("consent", "c", 5),
            receipt("consent", "d", 6),
            receipt("consent", "e", 0),
            receipt("shop", "f", -30),
            receipt("shop", "g", -2),
            receipt("shop", "h", -31),
        ];
        let mut alerts = Vec::new();
        add(&mut alerts, &receipts[..4], now);
        add(&mut alerts, &receipts[4..], now);
        let found: Vec<_> = alerts
            .iter()
            .map(|alert| {
                let id = alert.request_id.as_deref().unwrap();
                (alert.source.as_deref().unwrap(), alert.reason, alert.count, id)
            })
            .collect();
        assert_eq!(
            found,
            [
                ("consent", Reason::ErasureDue, 3, "b"),
                ("consent", Reason::ErasureOverdue, 1, "e"),
                ("shop", Reason::ErasureOverdue, 2, "f"),
            ]
        );
        assert!(is_long_ago(&receipts[7], now) && !is_long_ago(&receipts[5], now));
    }
}
