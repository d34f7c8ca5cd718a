//! What became of a webhook, for people: in blocks that fit any terminal without splitting a word.

use std::env;
use std::io::{IsTerminal, stdout};

use rustix::termios::tcgetwinsize;
use serde_json::Value;
use standin::RecordedRequest;
use textwrap::{Options, WordSplitter};

use super::play::Played;

/// The width where there is no terminal, and the least and the most that is used of one.
const USUAL: usize = 100;
const LEAST: usize = 60;
const MOST: usize = 120;

/// How far a block is indented, and how wide its first column is at the most.
const INDENT: usize = 4;
const WIDEST_LABEL: usize = 16;

/// The headers of a vendor request that only its transport adds.
pub(crate) const TRANSPORT: &[&str] =
    &["host", "connection", "content-length", "accept-encoding", "user-agent", "cf-worker"];

/// Headers that say nothing here: every request has them.
const USUAL_HEADERS: [&str; 2] = ["accept", "content-type"];

/// How many columns there are: `COLUMNS`, the terminal's, or 100.
pub fn width() -> usize {
    let set = env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let terminal = || {
        let size = stdout().is_terminal().then(|| tcgetwinsize(stdout()).ok()).flatten();
        size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0)
    };
    set.or_else(terminal).unwrap_or(USUAL).clamp(LEAST, MOST)
}

/// A text on lines of at most `width`.
pub fn wrapped(text: &str, width: usize) -> String {
    textwrap::fill(text, options(width))
}

fn options(width: usize) -> Options<'static> {
    Options::new(width).break_words(false).word_splitter(WordSplitter::NoHyphenation)
}

/// The block of one webhook.
pub fn played(number: usize, played: &Played, width: usize) -> String {
    let names = played.requests.iter().map(|(name, _)| name.len());
    let names =
        names.chain(deliveries(&played.receipt).iter().map(|one| text(one, "vendor").len()));
    let label = names.chain(["receipt".len()]).max().unwrap_or_default().min(WIDEST_LABEL);
    let mut block = Block { lines: Vec::new(), label, width };
    let verdict = if played.faults.is_empty() { "ok" } else { "NOT AS IT MUST BE" };
    block.title(&format!("{number:2}"), &played.title, verdict);
    let then = if played.waited { ", then tried again" } else { "" };
    let status = format!("{}{then}", played.status);
    block.row("webhook", &format!("POST /webhooks/{}", played.source), &status);
    for (vendor, sent) in &played.requests {
        let status = sent.response_status.map_or("no answer".to_owned(), |code| code.to_string());
        block.row(vendor, &format!("{} {}", sent.method, sent.target), &status);
        block.more(&details(sent));
    }
    if played.requests.is_empty() {
        block.row("vendors", "nothing was sent", "");
    }
    if let Some(state) = played.receipt["state"].as_str() {
        block.row("receipt", state, "");
        for one in deliveries(&played.receipt) {
            let words = ["vendor", "call", "identifier"].map(|key| text(one, key));
            let words = words.into_iter().filter(|word| !word.is_empty());
            block.row("", &words.collect::<Vec<_>>().join(" "), text(one, "outcome"));
            if let Some(detail) = one["detail"].as_str() {
                block.more(&format!("({detail})"));
            }
        }
    }
    for told in &played.told {
        let status = told.message.status.to_string();
        let what = format!("{} {}", told.message.method, told.message.target);
        block.row("platform", &what, &status);
        block.more(&readable(&without_receipt(&told.message.body)));
    }
    if let Some(ticket) = played.ticket {
        block.row("ticket", ticket, "");
    }
    for fault in &played.faults {
        block.row("FAULT", fault, "");
    }
    block.lines.push(String::new());
    block.lines.join("\n")
}

struct Block {
    lines: Vec<String>,
    label: usize,
    width: usize,
}

impl Block {
    fn title(&mut self, number: &str, title: &str, verdict: &str) {
        self.put(&format!("{number}  "), title, verdict);
    }

    /// A line with a label in front, and a result at the right edge.
    fn row(&mut self, label: &str, what: &str, result: &str) {
        self.put(&format!("{:INDENT$}{label:width$}  ", "", width = self.label), what, result);
    }

    /// `what` behind `front`, and a result at the right edge of its last line.
    fn put(&mut self, front: &str, what: &str, result: &str) {
        let behind = " ".repeat(front.chars().count());
        let options = options(self.width).initial_indent(front).subsequent_indent(&behind);
        let mut lines: Vec<String> =
            textwrap::wrap(what, options).into_iter().map(String::from).collect();
        let last = lines.pop().unwrap_or_else(|| front.to_owned());
        self.lines.extend(lines);
        self.lines.push(beside(&last, result, self.width));
    }

    /// Further lines below a row.
    fn more(&mut self, what: &str) {
        let indent = " ".repeat(INDENT + self.label + 4);
        let options = options(self.width).initial_indent(&indent).subsequent_indent(&indent);
        if !what.is_empty() {
            self.lines.extend(textwrap::wrap(what, options).into_iter().map(String::from));
        }
    }
}

/// `left`, and `right` at the right edge; on a line of its own where both do not fit.
fn beside(left: &str, right: &str, width: usize) -> String {
    let (left_width, right_width) = (left.chars().count(), right.chars().count());
    if right.is_empty() {
        left.to_owned()
    } else if left_width + 1 + right_width <= width {
        format!("{left}{right:>space$}", space = width - left_width)
    } else {
        format!("{left}\n{right:>width$}")
    }
}

/// What a vendor request holds, without what every request has and what only its transport adds; its
/// secrets are masked.
fn details(sent: &RecordedRequest) -> String {
    let mut parts = Vec::new();
    for (name, value) in &sent.headers {
        let value = match name.as_str() {
            name if TRANSPORT.contains(&name) || USUAL_HEADERS.contains(&name) => continue,
            "authorization" => "Bearer ••••",
            "x-request-token" => "••••",
            _ => value,
        };
        parts.push(format!("{name}: {value}"));
    }
    let mut text = parts.join(", ");
    if sent.path() == standin::instacart::TOKEN {
        return text; // its body is a secret
    }
    let body = readable(&sent.body);
    if !body.is_empty() {
        text.push('\n');
        text.push_str(&body);
    }
    text
}

/// A message to a platform, with a word in the place of the receipt that is shown already.
fn without_receipt(body: &[u8]) -> Vec<u8> {
    let Ok(mut json) = serde_json::from_slice::<Value>(body) else { return body.to_vec() };
    if json["data"]["deliveries"].is_array() {
        json["data"] = Value::from("(the receipt)");
    }
    json.to_string().into_bytes()
}

/// JSON with spaces at which lines can be broken; empty for anything else.
fn readable(body: &[u8]) -> String {
    let body = serde_json::from_slice::<Value>(body);
    let spaced = |body: Value| body.to_string().replace(",\"", ", \"").replace("\":", "\": ");
    body.map(spaced).unwrap_or_default()
}

fn deliveries(receipt: &Value) -> &[Value] {
    receipt["deliveries"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(delivery: &'a Value, key: &str) -> &'a str {
    delivery[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn example() -> Played {
        let delivery = |vendor: &str, call: &str, outcome: &str| {
            json!({ "vendor": vendor, "call": call, "identifier": "phone_number",
                    "outcome": outcome, "detail": "this identifier only; the profile stays" })
        };
        Played {
            title: "instacart does not know the person, who has a long name".into(),
            source: "consent".into(),
            status: 200,
            receipt: json!({ "state": "done", "deliveries": [
                delivery("instacart", "privacy_request", "already_absent"),
                delivery("insider", "identity", "insufficient_identification")] }),
            waited: true,
            requests: Vec::new(),
            told: Vec::new(),
            ticket: Some("has closed by itself"),
            faults: vec!["other calls than the two that must be made for this person".into()],
        }
    }

    #[test]
    fn a_block_fits_its_width_and_splits_no_word() {
        let words = |text: &str| -> Vec<String> {
            let mut words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
            words.sort();
            words
        };
        let whole = played(7, &example(), 400);
        for width in [60, 80, 120] {
            let block = played(7, &example(), width);
            for line in block.lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
            assert_eq!(words(&block), words(&whole), "{width}");
        }
        assert!(
            whole.contains("receipt    done") && whole.contains("NOT AS IT MUST BE"),
            "{whole}"
        );
    }

    #[test]
    fn a_result_stands_at_the_right_edge_or_below() {
        assert_eq!(beside("left", "ok", 10), "left    ok");
        assert_eq!(beside("left", "right-hand", 10), "left\nright-hand");
        assert_eq!(beside("left", "", 10), "left");
    }
}
