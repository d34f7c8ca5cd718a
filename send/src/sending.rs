//! Sends a message, shows request and answer, and follows what is not final.

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::io::{IsTerminal, Write, stderr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use erasure_relay::secure_url::SecureUrl;
use serde_json::Value;
use ureq::Agent;
use ureq::http::StatusCode;

use crate::output::line;
use crate::parcel::Parcel;

/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(60);

/// How often the receipt is asked for.
const INTERVAL: Duration = Duration::from_millis(500);

/// What is shown in the place of a secret.
const HIDDEN: &str = "••••";

/// The headers of an answer that are shown.
const SHOWN: [&str; 2] = ["content-type", "retry-after"];

/// The request as people read it: JSON is indented, and secrets are hidden.
#[must_use]
pub fn show_request(parcel: &Parcel) -> String {
    let mut text = format!("POST {}\n", parcel.url);
    for (name, value) in &parcel.message.headers {
        text.push_str(&format!("{name}: {}\n", hidden(value, &parcel.secrets)));
    }
    text.push('\n');
    text.push_str(&indented(&String::from_utf8_lossy(&parcel.message.body)));
    text
}

/// A header's value without secrets, and without signed tokens, which are worth as much as long as
/// they live.
fn hidden(value: &str, secrets: &[String]) -> String {
    let mut secrets = secrets.iter().map(|secret| secret.trim());
    if let Some(secret) = secrets.find(|secret| !secret.is_empty() && value.contains(secret)) {
        return value.replace(secret, HIDDEN);
    }
    match value.find("eyJ") {
        Some(start) if value[start..].matches('.').count() == 2 => {
            format!("{}{HIDDEN}", &value[..start])
        }
        _ => value.to_owned(),
    }
}

/// JSON with line ends, anything else as it is.
fn indented(text: &str) -> String {
    let json = serde_json::from_str::<Value>(text);
    json.and_then(|json| serde_json::to_string_pretty(&json)).unwrap_or_else(|_| text.to_owned())
}

/// What came back.
pub struct Answer {
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    /// Whether its status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status.is_success()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
}

impl Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "HTTP {}", self.status)?;
        for (name, value) in &self.headers {
            write!(formatter, "\n{name}: {value}")?;
        }
        if !self.body.is_empty() {
            write!(formatter, "\n\n{}", indented(&self.body))?;
        }
        Ok(())
    }
}

/// Sends one message to one deployment.
pub struct Sender<'a> {
    agent: Agent,
    parcel: &'a Parcel,
}

impl<'a> Sender<'a> {
    /// Sends `parcel`, once or more.
    ///
    /// # Errors
    /// Where secrets may not be sent to its URL.
    pub fn new(parcel: &'a Parcel) -> Result<Self> {
        let url = parcel.url.split('?').next().unwrap_or(&parcel.url);
        ensure!(SecureUrl::parse(url).is_some(), "the URL must be https (http on loopback only)");
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(LIMIT));
        Ok(Self { agent: config.build().new_agent(), parcel })
    }

    /// Sends the message.
    ///
    /// # Errors
    /// Where no answer comes.
    pub fn post(&self) -> Result<Answer> {
        let url = &self.parcel.url;
        let mut request = self.agent.post(url);
        for (name, value) in &self.parcel.message.headers {
            request = request.header(name, value);
        }
        let sent = request.send(&self.parcel.message.body[..]);
        let mut response = sent.with_context(|| format!("no answer of {url}"))?;
        let header = |name: &'static str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some((name, value.to_owned()))
        };
        let headers = SHOWN.into_iter().filter_map(header).collect();
        let body = response.body_mut().read_to_string()?;
        Ok(Answer { status: response.status(), headers, body })
    }

    /// Follows what `answer` does not settle until it is final, for at most `limit`, with a line of
    /// progress; then prints the receipt.
    ///
    /// # Errors
    /// Where a person must look at it, or it is not final in time.
    pub fn follow(&self, answer: &Answer, limit: Duration) -> Result<()> {
        let json = answer.json();
        let several = json["erasures"].as_array().cloned();
        for one in several.unwrap_or_else(|| vec![json]) {
            let id = one["request_id"].as_str().map(str::to_owned);
            let id = id.or_else(|| self.parcel.request_id.clone());
            match (one["state"].as_str(), id, &self.parcel.admin_token) {
                (Some(state), _, _) if state != "pending" => self.judge(&one)?,
                _ if limit.is_zero() || answer.status == StatusCode::NO_CONTENT => {}
                (_, Some(id), Some(token)) => self.follow_one(&id, token, limit)?,
                // A platform's own form of answer, which is final as far as the platform goes.
                (None, ..) if answer.status != StatusCode::ACCEPTED => {}
                (_, _, None) => line(
                    "\nNot followed: that needs the operator's token, in the environment variable \
                     ADMIN_TOKEN or the one that --admin-token-env names.",
                )?,
                (_, None, _) => line("\nNot followed: the answer does not tell the request's id.")?,
            }
        }
        Ok(())
    }

    fn follow_one(&self, id: &str, token: &str, limit: Duration) -> Result<()> {
        let (origin, source) = self.parcel.origin_and_path()?;
        let source = source.split(['/', '?']).next().unwrap_or(source);
        let url = format!("{origin}/erasures/{source}/{}", encoded(id));
        let started = Instant::now();
        let mut progress = Progress::default();
        loop {
            let request = self.agent.get(&url).header("authorization", format!("Bearer {token}"));
            let mut response = request.call().with_context(|| format!("no answer of {url}"))?;
            let body = response.body_mut().read_to_string()?;
            ensure!(response.status() == 200, "GET {url}: {}\n{body}", response.status());
            let receipt: Value = serde_json::from_str(&body).context("no receipt")?;
            let state = receipt["state"].as_str().unwrap_or_default();
            if state != "pending" {
                progress.end();
                let standing =
                    if blocked(&receipt).is_empty() { "Final" } else { "Needs a person" };
                let seconds = started.elapsed().as_secs();
                line(format_args!("\n{standing} after {seconds} s:\n{}", indented(&body)))?;
                return self.judge(&receipt);
            }
            if started.elapsed() > limit {
                progress.end();
                bail!("not final after {} s; the relay goes on with it", limit.as_secs());
            }
            progress.show(started.elapsed(), &waiting(&receipt));
            sleep(INTERVAL);
        }
    }

    /// What a receipt that is not pending says of its erasure.
    fn judge(&self, receipt: &Value) -> Result<()> {
        let vendors = blocked(receipt);
        if !vendors.is_empty() {
            line(how_to_resume(self.parcel.origin_and_path()?.0, &vendors))?;
        }
        ensure!(receipt["state"] != "attention", "attention: a person must look at it");
        Ok(())
    }
}

/// The vendor accounts for which a receipt has a delivery that is `blocked`: it is not final.
fn blocked(receipt: &Value) -> BTreeSet<&str> {
    let deliveries = receipt["deliveries"].as_array().into_iter().flatten();
    let blocked = deliveries.filter(|one| one["outcome"] == "blocked");
    blocked.filter_map(|one| one["vendor"].as_str()).collect()
}

/// What a person can do about accounts that are blocked, at the Worker `origin`.
fn how_to_resume(origin: &str, vendors: &BTreeSet<&str>) -> String {
    let mut text =
        "\nBlocked deliveries are retried automatically. To retry them at once, after the \
                    credentials or the configuration were corrected:"
            .to_owned();
    for vendor in vendors {
        text.push_str(&format!(
            "\n  curl -sS -X POST -H \"Authorization: Bearer $ADMIN_TOKEN\" {origin}/lanes/{}/resume",
            encoded(vendor)
        ));
    }
    text
}

/// What a receipt waits for: `insider identity scheduled, 2 attempts, next at …`.
fn waiting(receipt: &Value) -> String {
    let deliveries = receipt["deliveries"].as_array().into_iter().flatten();
    let waits =
        deliveries.filter(|one| matches!(one["outcome"].as_str(), Some("scheduled" | "blocked")));
    let each = waits.map(|one| {
        let word = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let mut text = format!("{} {} {}", word("vendor"), word("call"), word("outcome"));
        if let Some(attempts) = one["attempts"].as_u64().filter(|attempts| *attempts > 0) {
            let status = one["status"].as_u64();
            let status = status.map_or("no answer".to_owned(), |code| format!("status {code}"));
            text.push_str(&format!(" ({status}, attempts {attempts})"));
        }
        if let Some(next) = one["next_attempt_at"].as_str() {
            text.push_str(&format!(", next at {next}"));
        }
        text
    });
    each.collect::<Vec<_>>().join("; ")
}

/// Everything but letters, digits, `-` and `_` percent-encoded.
fn encoded(id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let byte = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    id.bytes().map(byte).collect()
}

/// One line that is rewritten on a terminal; elsewhere a line where something has changed.
#[derive(Default)]
struct Progress {
    last: String,
    shown: bool,
}

impl Progress {
    fn show(&mut self, elapsed: Duration, what: &str) {
        let terminal = stderr().is_terminal();
        if terminal {
            // Whether it can be shown changes nothing.
            let _ = write!(stderr(), "\r\x1b[2Kpending, {} s: {what}", elapsed.as_secs());
            self.shown = true;
        } else if self.last != what {
            let _ = writeln!(stderr(), "pending, {} s: {what}", elapsed.as_secs());
            what.clone_into(&mut self.last);
        }
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(stderr(), "\r\x1b[2K");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Message;

    #[test]
    fn a_request_is_shown_without_secrets() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let parcel = Parcel {
            url: "http://127.0.0.1:1/webhooks/shop".into(),
            message: Message {
                headers: vec![
                    header("x-signature", "c2lnbmVk"),
                    header("authorization", "Bearer s3cret-token"),
                    header("x-sombra-token", "eyJhbGci.eyJ2YWx1.c2ln"),
                ],
                body: br#"{"customer":{"id":7}}"#.to_vec(),
            },
            request_id: None,
            admin_token: None,
            secrets: vec![String::new(), "s3cret-token".into()],
        };
        let shown = "POST http://127.0.0.1:1/webhooks/shop\nx-signature: c2lnbmVk\n\
                     authorization: Bearer ••••\nx-sombra-token: ••••\n\n\
                     {\n  \"customer\": {\n    \"id\": 7\n  }\n}";
        assert_eq!(show_request(&parcel), shown);
    }

    #[test]
    fn progress_says_what_is_waited_for() {
        let receipt = json!({ "state": "pending", "deliveries": [
            { "vendor": "a", "call": "c", "outcome": "accepted" },
            { "vendor": "b", "call": "identity", "outcome": "scheduled", "status": 503,
              "attempts": 2, "next_attempt_at": "2026-11-26T01:00:00Z" },
            { "vendor": "c", "call": "delete", "outcome": "scheduled", "status": null, "attempts": 1 },
            { "vendor": "d", "call": "delete", "outcome": "blocked", "attempts": 0 } ] });
        let expected = "b identity scheduled (status 503, attempts 2), next at \
                        2026-11-26T01:00:00Z; c delete scheduled (no answer, attempts 1); \
                        d delete blocked";
        assert_eq!(waiting(&receipt), expected);
    }

    #[test]
    fn blocked_is_not_final_and_each_account_can_be_resumed() {
        let receipt = json!({ "state": "attention", "deliveries": [
            { "vendor": "b", "outcome": "blocked" }, { "vendor": "a", "outcome": "accepted" },
            { "vendor": "b", "outcome": "blocked" }, { "vendor": "c", "outcome": "blocked" } ] });
        let vendors = blocked(&receipt);
        assert_eq!(vendors.iter().copied().collect::<Vec<_>>(), ["b", "c"]);
        let text = how_to_resume("https://relay.example", &vendors);
        let commands: Vec<&str> = text.lines().filter(|line| line.contains("curl")).collect();
        assert_eq!(commands.len(), 2, "{text}");
        assert!(commands[1].ends_with(" https://relay.example/lanes/c/resume"), "{text}");
        let rejected = json!({ "deliveries": [{ "vendor": "a", "outcome": "rejected" }] });
        assert!(blocked(&rejected).is_empty());
    }

    #[test]
    fn an_id_is_encoded_for_a_path() {
        assert_eq!(encoded("a-1_b/c d.é"), "a-1_b%2Fc%20d%2E%C3%A9");
    }
}
