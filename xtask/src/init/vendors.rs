//! The vendors, from the options, from the file or asked for.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use anyhow::Result;
use serde_json::Value;

use super::existing::Existing;
use super::interview::{Interview, Question, visible};
use super::options::{Acceptance, Erase, InstacartAuth, Options, Vendor};

/// Instacart Connect.
pub struct Instacart {
    /// The account's name.
    pub account: String,
    /// The names of its secrets where they are there already, by their setting in `auth`.
    pub names: BTreeMap<String, String>,
    /// How it is authenticated to.
    pub auth: InstacartAuth,
    /// Its host, where it is not the production host.
    pub base_url: Option<String>,
}

/// Insider.
pub struct Insider {
    /// The account's name.
    pub account: String,
    /// The name of the secret with its token.
    pub token: String,
    /// The partner's name.
    pub partner_name: String,
    /// Its host, where it is not the production host.
    pub base_url: Option<String>,
    /// What is erased.
    pub erase: Erase,
    /// Whether an erasure that leaves the profile counts as fulfilled.
    pub partial_erasure: Acceptance,
    /// Whether an option says so: it then holds for sources that are there as well.
    pub is_partial_erasure_given: bool,
}

/// Each vendor's `api`, and the usual name of its account.
const INSTACART: (&str, &str) = ("instacart-connect", "instacart");
const INSIDER: (&str, &str) = ("insider", "insider");

/// A vendor's `api`, and the usual name of its account.
pub fn account_of(vendor: Vendor) -> (&'static str, &'static str) {
    match vendor {
        Vendor::InstacartConnect => INSTACART,
        Vendor::Insider => INSIDER,
    }
}

/// Chooses the vendors: those that are named, or else those that are there.
///
/// # Errors
/// Where the terminal is closed.
pub fn choose(
    options: &Options,
    existing: &Existing,
    interview: &mut Interview<impl BufRead, impl Write>,
) -> Result<Vec<Vendor>> {
    if !options.vendors.is_empty() {
        return Ok(options.vendors.clone());
    }
    let has = |api, usual| existing.account(api, usual).is_some();
    let known = match (has(INSTACART.0, INSTACART.1), has(INSIDER.0, INSIDER.1)) {
        (true, true) => Some("both"),
        (true, false) => Some("instacart-connect"),
        (false, true) => Some("insider"),
        (false, false) => None,
    };
    let question = Question {
        option: "--vendor",
        text: "Which vendors are asked: instacart-connect, insider, or both",
        default: known.or(interview.is_open().then_some("both")),
    };
    let words = ["instacart-connect", "insider", "both"];
    let check = |answer: &str| {
        let known = words.contains(&answer);
        if known { Ok(()) } else { Err(format!("must be one of: {}", words.join(", "))) }
    };
    Ok(match interview.text(None, &question, check)?.as_deref() {
        Some("instacart-connect") => vec![Vendor::InstacartConnect],
        Some("insider") => vec![Vendor::Insider],
        Some(_) => vec![Vendor::InstacartConnect, Vendor::Insider],
        None => Vec::new(),
    })
}

/// A base URL, which may be the default.
fn base_url(
    given: Option<&str>,
    option: &str,
    vendor: &str,
    account: Option<&Value>,
    interview: &mut Interview<impl BufRead, impl Write>,
) -> Result<Option<String>> {
    let text = format!("{vendor}'s host");
    let known = account.and_then(|account| account["base_url"].as_str());
    let default = Some(known.unwrap_or("production"));
    let question = Question { option, text: &text, default };
    let url = interview.text(given, &question, visible)?;
    Ok(url.filter(|url| url != "production"))
}

/// How to reach Instacart Connect; `None` where an answer is missing.
///
/// # Errors
/// Where the terminal is closed.
pub fn instacart(
    options: &Options,
    existing: &Existing,
    interview: &mut Interview<impl BufRead, impl Write>,
) -> Result<Option<Instacart>> {
    let (account, table) = existing.account(INSTACART.0, INSTACART.1).unzip();
    let account = account.unwrap_or(INSTACART.1).to_owned();
    let names = table.and_then(|table| table["auth"].as_object()).into_iter().flatten();
    let names: BTreeMap<String, String> =
        names.filter_map(|(key, name)| Some((key.clone(), name.as_str()?.to_owned()))).collect();
    let known = match (names.contains_key("token"), names.contains_key("client_id")) {
        (true, _) => Some("token"),
        (_, true) => Some("client"),
        _ => None,
    };
    let question = Question {
        option: "--instacart-auth",
        text: "How Instacart Connect is authenticated to: by client credentials, or by one access \
               token that lives for 24 hours",
        default: known.or(interview.is_open().then_some("client")),
    };
    let auth = interview.choice(options.instacart_auth, &question)?;
    let given = options.instacart_base_url.as_deref();
    let base_url = base_url(given, "--instacart-base-url", "Instacart Connect", table, interview)?;
    Ok(auth.map(|auth| Instacart { account, names, auth, base_url }))
}

/// How to reach Insider; `None` where an answer is missing.
///
/// # Errors
/// Where the terminal is closed.
pub fn insider(
    options: &Options,
    existing: &Existing,
    interview: &mut Interview<impl BufRead, impl Write>,
) -> Result<Option<Insider>> {
    let (account, table) = existing.account(INSIDER.0, INSIDER.1).unzip();
    let account = account.unwrap_or(INSIDER.1).to_owned();
    let known = |key: &str| table.and_then(|table| table[key].as_str());
    let token = table.and_then(|table| table["auth"]["token"].as_str());
    let token = token.unwrap_or("INSIDER_TOKEN").to_owned();
    let text = "Your partner name at Insider, lowercase";
    let question = Question { option: "--partner-name", text, default: known("partner_name") };
    let check = |name: &str| {
        let lower = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase());
        if lower { Ok(()) } else { Err("must be lowercase, without spaces".to_owned()) }
    };
    let partner_name = interview.text(options.partner_name.as_deref(), &question, check)?;
    let given = options.insider_base_url.as_deref();
    let base_url = base_url(given, "--insider-base-url", "Insider", table, interview)?;
    let text = "What Insider erases: `profile`, all of it; `anonymize` leaves the profile without \
                personal attributes; `identity` leaves the profile without one identifier";
    let question = Question { option: "--erase", text, default: known("erase") };
    let erase = interview.choice(options.erase, &question)?;
    let mut partial_erasure = Some(Acceptance::Refuse);
    if erase == Some(Erase::Identity) {
        let text = "An erasure then leaves the profile. Does it count as fulfilled, so that platforms \
                    are told that it is completed?";
        let question = Question { option: "--partial-erasure", text, default: Some("refuse") };
        partial_erasure = interview.choice(options.partial_erasure, &question)?;
    } else if options.partial_erasure.is_some() {
        interview.problem("--partial-erasure: has no effect without --erase identity".to_owned());
    }
    let (Some(partner_name), Some(erase), Some(partial_erasure)) =
        (partner_name, erase, partial_erasure)
    else {
        return Ok(None);
    };
    let is_partial_erasure_given = options.partial_erasure.is_some();
    Ok(Some(Insider {
        account,
        token,
        partner_name,
        base_url,
        erase,
        partial_erasure,
        is_partial_erasure_given,
    }))
}
