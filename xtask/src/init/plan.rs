//! All answers, checked: what is to be set up.

use std::io::{BufRead, Write};

use anyhow::Result;

use super::existing::Existing;
use super::interview::{Interview, Question};
use super::options::{Delivery, InstacartAuth, Jurisdiction, Options, Vendor, YesOrNo};
use super::recipe::Form;
use super::secret::{Origin, Secret};
use super::secret_file::SecretFile;
use super::source::{self, NAME_EXPECTED, Source, is_name};
use super::vendors::{self, Insider, Instacart, account_of};

/// What is to be set up.
pub struct Plan {
    /// The environment of wrangler.toml; `None` for its top level.
    pub env: Option<String>,
    /// Who may ask.
    pub sources: Vec<Source>,
    /// How to reach Instacart Connect, where it is asked.
    pub instacart: Option<Instacart>,
    /// How to reach Insider, where it is asked.
    pub insider: Option<Insider>,
    /// How erasures are delivered.
    pub delivery: Delivery,
    /// Where lanes run and store.
    pub jurisdiction: Jurisdiction,
    /// Whether an option says so: it then holds for accounts that are there as well.
    pub is_jurisdiction_given: bool,
    /// Whether there is an operator's token.
    pub admin: bool,
    /// Whether receipts are signed.
    pub signed_receipts: bool,
}

impl Plan {
    /// Collects every answer.
    ///
    /// # Errors
    /// All that are missing or wrong.
    pub fn make(
        options: &Options,
        existing: &Existing,
        stored: &SecretFile,
        interview: &mut Interview<impl BufRead, impl Write>,
    ) -> Result<Self> {
        let sources = source::collect(options, existing, stored, interview)?;
        let vendors = vendors::choose(options, existing, interview)?;
        let has = |vendor| vendors.contains(&vendor);
        let instacart = if has(Vendor::InstacartConnect) {
            vendors::instacart(options, existing, interview)?
        } else {
            None
        };
        let insider = if has(Vendor::Insider) {
            vendors::insider(options, existing, interview)?
        } else {
            None
        };
        let question = Question {
            option: "--delivery",
            text: "How erasures are delivered: stored and sent until they are done, or while the \
                   platform waits",
            default: existing.delivery().or(interview.is_open().then_some("durable")),
        };
        let delivery = interview.choice(options.delivery, &question)?;
        let question = Question {
            option: "--jurisdiction",
            text: "Where the lanes run and store",
            default: Some("none"),
        };
        // Lanes that are there stay where they are, unless an option says otherwise.
        let has_new_account = vendors.iter().any(|vendor| {
            let (api, usual) = account_of(*vendor);
            existing.account(api, usual).is_none()
        });
        let jurisdiction = if has_new_account || options.jurisdiction.is_some() {
            interview.choice(options.jurisdiction, &question)?
        } else {
            None
        };
        // Who has made secrets before has answered by which ones.
        let answered = |name: &str| match (stored.has(name), stored.has("PSEUDONYM_KEY")) {
            (true, _) => Some("yes"),
            (false, true) => Some("no"),
            (false, false) => None,
        };
        let suggested = interview.is_open().then_some("yes");
        let question = Question {
            option: "--admin",
            text: "Make ADMIN_TOKEN, which opens the operator's routes",
            default: answered("ADMIN_TOKEN").or(suggested),
        };
        let admin = interview.choice(options.admin, &question)?;
        let question = Question {
            option: "--signed-receipts",
            text: "Make RECEIPT_SIGNING_KEY and RECEIPT_SECRET, with which receipts are signed",
            default: answered("RECEIPT_SIGNING_KEY").or(suggested),
        };
        let signed_receipts = interview.choice(options.signed_receipts, &question)?;
        if options.env.as_deref().is_some_and(|env| !is_name(env)) {
            interview.problem(format!("--env: {NAME_EXPECTED}"));
        }
        interview.conclude()?;
        Ok(Self {
            env: options.env.clone(),
            sources,
            instacart,
            insider,
            delivery: delivery.unwrap_or(Delivery::Durable),
            jurisdiction: jurisdiction.unwrap_or(Jurisdiction::None),
            is_jurisdiction_given: options.jurisdiction.is_some(),
            admin: admin == Some(YesOrNo::Yes),
            signed_receipts: signed_receipts == Some(YesOrNo::Yes),
        })
    }

    /// The names of the vendor accounts.
    pub fn vendors(&self) -> Vec<&str> {
        let instacart = self.instacart.as_ref().map(|instacart| instacart.account.as_str());
        let insider = self.insider.as_ref().map(|insider| insider.account.as_str());
        instacart.into_iter().chain(insider).collect()
    }

    /// Every secret that the Worker needs, or that was asked for.
    pub fn secrets(&self) -> Vec<Secret> {
        let mut secrets: Vec<Secret> = self.sources.iter().flat_map(Source::secrets).collect();
        let mut add = |name: &str, origin| secrets.push(Secret { name: name.to_owned(), origin });
        let name = |key: &str, usual: &str| {
            let known = self.instacart.as_ref().and_then(|instacart| instacart.names.get(key));
            known.cloned().unwrap_or_else(|| usual.to_owned())
        };
        match self.instacart.as_ref().map(|instacart| instacart.auth) {
            Some(InstacartAuth::Token) => {
                let place = "an access token of Instacart Connect, which lives for 24 hours";
                add(&name("token", "INSTACART_TOKEN"), Origin::Elsewhere(place));
            }
            Some(InstacartAuth::Client) => {
                let place = "the client id of your Instacart Connect application";
                add(&name("client_id", "INSTACART_CLIENT_ID"), Origin::Elsewhere(place));
                let place = "the client secret of your Instacart Connect application";
                add(&name("client_secret", "INSTACART_CLIENT_SECRET"), Origin::Elsewhere(place));
            }
            None => {}
        }
        if let Some(insider) = &self.insider {
            let place = "Insider, InOne › Inone Settings › Integration Settings › API Keys";
            add(&insider.token, Origin::Elsewhere(place));
        }
        let made = |form, keep: &str| Origin::Made(form, keep.to_owned());
        let keep = "keep it in your password manager or vault: without it, what waits cannot be \
                    decrypted; the same value for as long as something waits";
        add("PSEUDONYM_KEY", made(Form::Token, keep));
        if self.admin {
            let keep = "keep it in your password manager: it opens the operator's routes";
            add("ADMIN_TOKEN", made(Form::Token, keep));
        }
        if self.signed_receipts && self.delivery == Delivery::Durable {
            let keep = "it signs receipts; to verify them, keep the public document at \
                        /.well-known/erasure-relay.json, not this key";
            add("RECEIPT_SIGNING_KEY", made(Form::Whsk, keep));
            let keep = "keep it in your vault: it verifies the HMAC of receipts";
            add("RECEIPT_SECRET", made(Form::Whsec, keep));
        }
        secrets
    }
}

/// Where wrangler reads the secrets of an environment's local runs from.
pub fn secret_file(env: Option<&str>) -> String {
    let env = env.map(|env| format!(".{env}")).unwrap_or_default();
    format!(".dev.vars{env}")
}
