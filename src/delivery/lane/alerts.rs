//! What a lane raises alerts of. Triggers write that down, so each is stored in the same transaction as
//! the change, whatever made it. Where it happens again before an hour is over, the next hour's alert
//! tells of it.

use std::time::Duration;

use super::{Lane, Result};
use crate::delivery::alert::{Alert, Reason, hour, start_of};
use crate::delivery::database::{Database, Row, StorageError, Value};
use crate::receipt::Timestamp;

/// When an alert that could not be handed over is tried again.
const AGAIN: Duration = Duration::from_secs(30);

/// Whose lane it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raises {
    /// No alerts are configured, or it is their own lane.
    Nothing,
    /// It is a vendor's lane.
    OfVendor,
    /// It is a platform's lane.
    OfPlatform,
}

/// A trigger: its name, when it runs, the reason, and what is written down: since when, the detail, and
/// the erasure. An outcome of a blocked account is the account's, and not one of a single delivery.
struct Trigger {
    name: &'static str,
    event: &'static str,
    reason: Reason,
    values: &'static str,
}

/// A row of the breaker is replaced as a whole, so the one before is still there when the trigger runs.
const TRIGGERS: [Trigger; 5] = [
    Trigger {
        name: "alert_of_blocked",
        event: "BEFORE INSERT ON breaker WHEN NEW.blocked IS NOT NULL
            AND (SELECT blocked FROM breaker) IS NULL",
        reason: Reason::AccountBlocked,
        values: "NEW.opened_at, NEW.blocked, NULL, NULL",
    },
    Trigger {
        name: "alert_of_opened",
        event: "BEFORE INSERT ON breaker WHEN NEW.opened_at IS NOT NULL AND NEW.blocked IS NULL
            AND (SELECT opened_at FROM breaker) IS NULL",
        reason: Reason::BreakerOpened,
        values: "NEW.opened_at, NULL, NULL, NULL",
    },
    Trigger {
        name: "alert_of_closed",
        event: "BEFORE INSERT ON breaker WHEN NEW.opened_at IS NULL
            AND (SELECT opened_at FROM breaker) IS NOT NULL",
        reason: Reason::BreakerClosed,
        values: "(SELECT opened_at FROM breaker), NULL, NULL, NULL",
    },
    Trigger {
        name: "alert_of_insert",
        event: "AFTER INSERT ON delivery WHEN NEW.outcome = 'insufficient_identification'",
        reason: Reason::DeliveryAttention,
        values: DELIVERY,
    },
    Trigger {
        name: "alert_of_update",
        event: "AFTER UPDATE OF outcome ON delivery WHEN NEW.outcome <> OLD.outcome
            AND (NEW.outcome IN ('not_erased', 'rejected', 'uncertain', 'exhausted',
                'insufficient_identification')
            OR NEW.outcome = 'blocked' AND (SELECT blocked FROM breaker) IS NULL)",
        reason: Reason::DeliveryAttention,
        values: DELIVERY,
    },
];

const DELIVERY: &str = "NEW.updated_at, NEW.outcome || COALESCE(': ' || NEW.detail, ''), NEW.source, \
     NEW.request_id";

impl Trigger {
    /// As SQLite keeps it.
    fn sql(&self, raises: Raises) -> String {
        let Self { name, event, values, .. } = self;
        let reason = match (self.reason, raises) {
            (Reason::DeliveryAttention, Raises::OfPlatform) => Reason::CallbackFailed,
            (reason, _) => reason,
        };
        format!(
            "CREATE TRIGGER {name} {event} BEGIN
                INSERT INTO alert VALUES ('{}', 1, {values}, NULL)
                ON CONFLICT DO UPDATE SET count = count + 1,
                    since = CASE count WHEN 0 THEN excluded.since ELSE since END,
                    detail = excluded.detail, source = excluded.source,
                    request_id = excluded.request_id; END",
            reason.name()
        )
    }
}

impl<D: Database> Lane<D> {
    /// From now on the lane raises these alerts, and no others.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn raise(&mut self, raises: Raises) -> Result<()> {
        // `told_in` is the hour of the last alert of this reason, counted from the Unix epoch.
        const TABLE: &str = "CREATE TABLE IF NOT EXISTS alert (
            reason TEXT PRIMARY KEY,
            count INTEGER NOT NULL,
            since INTEGER,
            detail TEXT,
            source TEXT,
            request_id TEXT,
            told_in INTEGER
        ) WITHOUT ROWID";
        const KNOWN: &str = "SELECT name, sql FROM sqlite_master
            WHERE type = 'trigger' AND name LIKE 'alert_of_%'";
        let known = self.database.query(KNOWN, &[])?;
        let is_quiet = raises == Raises::Nothing;
        if is_quiet && known.is_empty() {
            return Ok(());
        }
        // Last the triggers go: as long as there is one, this goes on where it failed.
        let table = if is_quiet { "DROP TABLE IF EXISTS alert" } else { TABLE };
        self.database.query(table, &[])?;
        for trigger in &TRIGGERS {
            let wanted = trigger.sql(raises);
            let mut of_name = None;
            for row in &known {
                if row.text(0)? == trigger.name {
                    of_name = Some(row.text(1)?);
                }
            }
            if of_name == Some(wanted.as_str()) && !is_quiet {
                continue;
            }
            if of_name.is_some() {
                self.database.query(&format!("DROP TRIGGER {}", trigger.name), &[])?;
            }
            if !is_quiet {
                self.database.query(&wanted, &[])?;
            }
        }
        self.raises_alerts = !is_quiet;
        Ok(())
    }

    /// What is to be told now. Of a breaker that has opened and closed, what holds comes last.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn alerts(&self, now: Timestamp) -> Result<Vec<Alert>> {
        const STATEMENT: &str = "SELECT reason, count, since, detail, source, request_id FROM alert
            WHERE count > 0 AND told_in IS NOT ?";
        if !self.raises_alerts {
            return Ok(Vec::new());
        }
        let rows = self.database.query(STATEMENT, &[hour(now).into()])?;
        let mut alerts = Vec::new();
        for row in &rows {
            alerts.push(read(row, now)?);
        }
        if let Some(at) = alerts.iter().position(|alert| alert.reason == Reason::BreakerClosed) {
            let closed = alerts.remove(at);
            alerts.insert(if self.breaker.is_open() { 0 } else { alerts.len() }, closed);
        }
        Ok(alerts)
    }

    /// The lane of the alerts has this one. `is_new` says whether it has taken it: where it knew one of
    /// the same hour, this one is told again in the next.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn forget_alert(&self, alert: &Alert, is_new: bool) -> Result<()> {
        let statement = "UPDATE alert SET told_in = ?, count = MAX(0, count - ?) WHERE reason = ?";
        let told = if is_new { alert.count } else { 0 };
        let bindings: [Value; 3] = [hour(alert.at).into(), told.into(), alert.reason.name().into()];
        self.database.query(statement, &bindings).map(drop)
    }

    /// When there is something to tell; `None` where nothing has happened. What could be told now is
    /// being told, or could not be.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn next_alert(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        const STATEMENT: &str = "SELECT MIN(told_in IS ?) FROM alert WHERE count > 0";
        if !self.raises_alerts {
            return Ok(None);
        }
        let hour = hour(now);
        let rows = self.database.query(STATEMENT, &[hour.into()])?;
        let all_told = rows.first().map(|row| row.optional_integer(0)).transpose()?.flatten();
        Ok(all_told.map(|all| match all {
            0 => now.after(AGAIN),
            _ => start_of(hour.saturating_add(1)),
        }))
    }
}

fn read(row: &Row, at: Timestamp) -> Result<Alert> {
    let text = |at| Ok(row.optional_text(at)?.map(str::to_owned));
    Ok(Alert {
        reason: Reason::parse(row.text(0)?).ok_or(StorageError::Corrupt)?,
        at,
        lane: None,
        source: text(4)?,
        request_id: text(5)?,
        count: row.integer(1)?,
        // Of a breaker that an earlier version has opened it is not known.
        since: row.optional_integer(2)?.filter(|since| *since > 0).map(Timestamp),
        due_by: None,
        detail: text(3)?,
    })
}
