//! An alert as it is sent: Standard Webhooks 1.0 (<https://www.standardwebhooks.com>), with a member
//! `text` beside the standard's, which is what chat services such as Slack show
//! (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).
//!
//! | `type` | `data.reason` |
//! |---|---|
//! | `relay.account.blocked` | `account_blocked` |
//! | `relay.breaker.opened` | `breaker_opened` |
//! | `relay.breaker.closed` | `breaker_closed` |
//! | `relay.delivery.attention` | `delivery_attention` |
//! | `relay.callback.failed` | `callback_failed` |
//! | `relay.erasure.due` | `erasure_due` |
//! | `relay.erasure.overdue` | `erasure_overdue` |

use std::fmt::Write;

use serde::Serialize;

use crate::delivery::alert::{Alert, Reason};
use crate::delivery::lane::Part;
use crate::delivery::wire::Request;
use crate::erasure::{CustomName, Identifier, Kind};
use crate::json;
use crate::pseudonym::Pseudonym;
use crate::receipt::Timestamp;
use crate::vendor::Call;

/// The name of the call that sends an alert.
pub(super) const CALL: &str = "alert";

/// What is sent.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: Timestamp,
    data: Data<'a>,
    text: String,
}

#[derive(Serialize)]
struct Data<'a> {
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lane: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    count: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_by: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

/// Of the text of an alert its name and its body.
pub fn name_and_body(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or_default()
}

/// The id of an alert, which is the same for every attempt, and for no other. The standard signs an id
/// with dots around it.
pub(super) fn id_of(name: &str) -> String {
    let plain = |one: char| if one.is_ascii_alphanumeric() || one == '_' { one } else { '-' };
    format!("alert_{}", name.chars().map(plain).collect::<String>())
}

/// Asks the lane of the alerts to send `alert`. `request_id` is that of its erasure, as logs show it.
pub fn request(alert: &Alert, request_id: Option<String>) -> Request<'static> {
    Request::Alert(format!("{}\n{}", alert.id(), body(alert, request_id.as_deref())))
}

/// What the lane of the alerts stores of the text of an alert: it is sealed as every call is, although it
/// holds no personal data. `None` never, since the name of the kind is right.
pub fn part(text: &str) -> Option<Part> {
    let (name, _) = name_and_body(text);
    let reason = name.rsplit(':').nth(1).unwrap_or_default().to_owned();
    let kind = Kind::Custom(CustomName::parse("message")?);
    let identifier = Identifier::restore(kind, text.to_owned());
    let call = Call { name: CALL, identifier, alternatives: Vec::new() };
    let subject = Pseudonym { shown: reason, stored: String::new(), stored_before: None };
    Some(Part::Call { call, subject, alternatives: Vec::new() })
}

fn body(alert: &Alert, request_id: Option<&str>) -> String {
    let Alert { reason, at, count, since, due_by, .. } = *alert;
    let data = Data {
        reason: reason.name(),
        lane: alert.lane.as_deref(),
        source: alert.source.as_deref(),
        request_id,
        count,
        since,
        due_by,
        detail: alert.detail.as_deref(),
    };
    json::to_string(&Body {
        kind: kind(reason),
        timestamp: at,
        data,
        text: text(alert, request_id),
    })
}

fn kind(reason: Reason) -> &'static str {
    match reason {
        Reason::AccountBlocked => "relay.account.blocked",
        Reason::BreakerOpened => "relay.breaker.opened",
        Reason::BreakerClosed => "relay.breaker.closed",
        Reason::DeliveryAttention => "relay.delivery.attention",
        Reason::CallbackFailed => "relay.callback.failed",
        Reason::ErasureDue => "relay.erasure.due",
        Reason::ErasureOverdue => "relay.erasure.overdue",
    }
}

/// What people read. It holds nothing that a chat service would take for a link or for its own markup.
fn text(alert: &Alert, request_id: Option<&str>) -> String {
    let says = match alert.reason {
        Reason::AccountBlocked => "the account is rejected; calls wait until that is corrected",
        Reason::BreakerOpened => "calls fail; they go one at a time until one succeeds",
        Reason::BreakerClosed => "calls succeed again",
        Reason::DeliveryAttention => "a delivery needs attention",
        Reason::CallbackFailed => "the platform was not told; its message has failed",
        Reason::ErasureDue => "an erasure must be answered soon",
        Reason::ErasureOverdue => "an erasure should have been answered",
    };
    let about = alert.lane.as_deref().or(alert.source.as_deref()).unwrap_or_default();
    let mut text = format!("Erasure Relay, {about}: {says}");
    // A String takes every write.
    if let Some(detail) = &alert.detail {
        let _ = write!(text, " ({detail})");
    }
    if let Some(request_id) = request_id {
        let _ = write!(text, "; request {request_id}");
    }
    if let Some(due_by) = alert.due_by {
        let _ = write!(text, ", due by {due_by}");
    }
    if alert.count > 1 {
        let _ = write!(text, "; {} in all", alert.count);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(reason: Reason) -> Alert {
        Alert {
            reason,
            at: Timestamp(1_795_325_400_000),
            lane: Some("insider.2".to_owned()),
            source: None,
            request_id: None,
            count: 1,
            since: Some(Timestamp(1_795_325_390_000)),
            due_by: None,
            detail: Some("the token was refused".to_owned()),
        }
    }

    #[test]
    fn an_event_is_the_contracts_json() {
        assert_eq!(
            body(&alert(Reason::AccountBlocked), None),
            concat!(
                r#"{"type":"relay.account.blocked","timestamp":"2026-11-22T05:30:00Z","#,
                r#""data":{"reason":"account_blocked","lane":"insider.2","count":1,"#,
                r#""since":"2026-11-22T05:29:50Z","detail":"the token was refused"},"#,
                r#""text":"Erasure Relay, insider.2: the account is rejected; calls wait until that "#,
                r#"is corrected (the token was refused)"}"#
            )
        );
        let about_erasures = Alert {
            lane: None,
            source: Some("consent".to_owned()),
            request_id: Some("sample@useinsider.com".to_owned()),
            count: 3,
            since: None,
            due_by: Some(Timestamp(1_795_757_400_000)),
            detail: None,
            ..alert(Reason::ErasureDue)
        };
        assert_eq!(
            body(&about_erasures, Some("k4f2a:9f2c41d07b6e")),
            concat!(
                r#"{"type":"relay.erasure.due","timestamp":"2026-11-22T05:30:00Z","#,
                r#""data":{"reason":"erasure_due","source":"consent","#,
                r#""request_id":"k4f2a:9f2c41d07b6e","count":3,"due_by":"2026-11-27T05:30:00Z"},"#,
                r#""text":"Erasure Relay, consent: an erasure must be answered soon; request "#,
                r#"k4f2a:9f2c41d07b6e, due by 2026-11-27T05:30:00Z; 3 in all"}"#
            )
        );
    }

    #[test]
    fn each_reason_has_a_type_and_words_without_links_and_markup() {
        let mut kinds: Vec<&str> = Reason::ALL.into_iter().map(kind).collect();
        for reason in Reason::ALL {
            let text = text(&alert(reason), None);
            assert!(!text.contains(['<', '>', '&', '`', '*', '/']), "{text}");
            assert_eq!(Reason::parse(reason.name()), Some(reason));
        }
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), Reason::ALL.len());
    }

    #[test]
    fn one_alert_is_sent_for_each_lane_reason_and_hour() {
        let of = |lane: &str, reason, at| {
            Alert { lane: Some(lane.to_owned()), at: Timestamp(at), ..alert(reason) }.id()
        };
        const HOUR: i64 = 3_600_000;
        let one = of("insider", Reason::BreakerOpened, 20_000 * HOUR);
        assert_eq!(one, of("insider", Reason::BreakerOpened, 20_001 * HOUR - 1));
        for other in [
            of("insider", Reason::BreakerOpened, 20_001 * HOUR),
            of("insider.1", Reason::BreakerOpened, 20_000 * HOUR),
            of("insider", Reason::BreakerClosed, 20_000 * HOUR),
        ] {
            assert_ne!(one, other);
        }
        let day = |at| of("consent", Reason::ErasureOverdue, at);
        assert_eq!(day(24_000 * HOUR), day(24_023 * HOUR));
        assert_ne!(day(24_000 * HOUR), day(24_024 * HOUR));
    }

    #[test]
    fn the_id_of_a_message_has_no_dot() {
        let Request::Alert(text) = request(&alert(Reason::AccountBlocked), None) else {
            panic!("an alert")
        };
        let Some(Part::Call { call, subject, .. }) = part(&text) else { panic!("a call") };
        assert_eq!(subject.shown, "account_blocked");
        let (name, sent) = name_and_body(call.identifier.expose());
        assert_eq!(name, "insider.2:account_blocked:498701");
        assert_eq!(id_of(name), "alert_insider-2-account_blocked-498701");
        assert_eq!(sent, body(&alert(Reason::AccountBlocked), None));
    }
}
