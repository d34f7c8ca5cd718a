//! What can be typed while the Worker is served: how a vendor fails.

use anyhow::{Context, Result, anyhow, bail};
use standin::Outage;

use crate::local::{Local, Vendor};

/// One line that was typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// The account (by its index) fails in this way from now on, or not any more.
    Fail(usize, Option<Outage>),
    /// How each vendor is.
    Status,
    Help,
    Quit,
}

impl Command {
    /// Reads `ACCOUNT HOW`, `status`, `help` or `quit`.
    pub(super) fn parse(text: &str, local: &Local) -> Result<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            [] | ["help" | "?"] => Ok(Self::Help),
            ["status"] => Ok(Self::Status),
            ["quit" | "exit" | "q"] => Ok(Self::Quit),
            [account, how] => {
                let found = local.vendors.iter().position(|vendor| vendor.name == account);
                let index = found.with_context(|| {
                    format!("there is no account {account:?}; they are {}", accounts(local))
                })?;
                let outage =
                    match how {
                        "ok" => None,
                        _ => Some(how.parse::<Outage>().map_err(|_| {
                            anyhow!("unknown outage {how:?}: use one of {}", modes())
                        })?),
                    };
                Ok(Self::Fail(index, outage))
            }
            _ => bail!("{}", help(local)),
        }
    }

    /// Carries it out, and returns what to say about it.
    pub(super) fn apply(&self, local: &Local) -> Result<String> {
        Ok(match self {
            Self::Fail(index, outage) => {
                let vendor = local.vendors.get(*index).context("no such account")?;
                vendor.stand_in.set_outage(*outage);
                format!("{}: {}", vendor.name, state(vendor))
            }
            Self::Status => {
                let each = local.vendors.iter();
                let each = each.map(|vendor| format!("{}: {}", vendor.name, state(vendor)));
                each.collect::<Vec<_>>().join("\n")
            }
            Self::Help | Self::Quit => help(local),
        })
    }
}

/// What makes a vendor's lane try again at once, after its credentials were rejected: the command with
/// the operator's `header` for the Worker at `origin`. `None` for any other vendor.
pub(super) fn how_to_resume(vendor: &Vendor, header: &str, origin: &str) -> Option<String> {
    let is_rejected = vendor.stand_in.outage() == Some(Outage::CredentialsRejected);
    is_rejected.then(|| {
        let name = &vendor.name;
        format!(
            "  After `{name} ok`, what is blocked is retried at once by\n  \
             curl -sS -X POST {header} {origin}/lanes/{name}/resume"
        )
    })
}

/// How a vendor answers, and what it was asked.
pub(super) fn state(vendor: &Vendor) -> String {
    let outage = vendor.stand_in.outage().map(|outage| outage.to_string());
    let mut state = outage.unwrap_or_else(|| "accepts what is as documented".to_owned());
    let calls = vendor.stand_in.requests().len();
    if calls > 0 {
        state.push_str(&format!("; {calls} requests so far"));
    }
    let mismatches = vendor.stand_in.mismatches();
    if !mismatches.is_empty() {
        state.push_str(&format!(", NOT as documented: {}", mismatches.join("; ")));
    }
    state
}

pub(super) fn help(local: &Local) -> String {
    let account = local.vendors.first().map_or("ACCOUNT", |vendor| vendor.name.as_str());
    format!(
        "Type `{account} down` to make a vendor fail ({}), `status`, `help` or `quit`.\n\
         Accounts: {}. After `{account} ok`, what waits is sent at its next attempt.",
        modes(),
        accounts(local)
    )
}

fn accounts(local: &Local) -> String {
    local.vendors.iter().map(|vendor| vendor.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn modes() -> String {
    let names = Outage::ALL.iter().map(|(name, _)| *name);
    names.chain(["ok"]).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_line_makes_a_vendor_fail_and_recover() {
        let account = |name: &str| {
            json!({ "api": "insider", "partner_name": name, "erase": "profile",
                    "auth": { "token": format!("TOKEN_{}", name.to_uppercase()) } })
        };
        let vars = json!({
            "SOURCES": { "shop": { "platform": "shopify", "secrets": ["SHOP"] } },
            "VENDORS": { "one": account("a"), "two": account("b") },
        });
        let local = Local::of(vars, true).await.unwrap();
        let typed = |text: &str| Command::parse(text, &local);
        assert_eq!(typed(" two  down ").unwrap(), Command::Fail(1, Some(Outage::Down)));
        let said = typed("two down").unwrap().apply(&local).unwrap();
        assert_eq!(said, "two: answers 503");
        assert_eq!(local.vendors[1].stand_in.outage(), Some(Outage::Down));
        assert_eq!(local.vendors[0].stand_in.outage(), None, "the other account goes on");
        let resumed = |index: usize| {
            how_to_resume(
                &local.vendors[index],
                "-H 'authorization: Bearer t'",
                "http://127.0.0.1:1",
            )
        };
        assert_eq!(resumed(1), None, "its credentials are not rejected");
        typed("two reject").unwrap().apply(&local).unwrap();
        let command =
            "curl -sS -X POST -H 'authorization: Bearer t' http://127.0.0.1:1/lanes/two/resume";
        assert!(resumed(1).is_some_and(|text| text.ends_with(command)), "{:?}", resumed(1));
        typed("two ok").unwrap().apply(&local).unwrap();
        assert_eq!(local.vendors[1].stand_in.outage(), None);
        assert_eq!(typed("").unwrap(), Command::Help);
        assert_eq!(typed("quit").unwrap(), Command::Quit);
        for (wrong, says) in [
            ("three down", "they are one, two"),
            (
                "one asleep",
                "unknown outage \"asleep\": use one of down, throttle, reject, hang, ok",
            ),
            ("one down now", "Type `one down`"),
        ] {
            let error = format!("{:#}", typed(wrong).unwrap_err());
            assert!(error.contains(says), "{wrong}: {error}");
        }
    }
}
