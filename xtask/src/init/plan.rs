//! All answers, checked: what is to be set up.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use anyhow::Result;
use serde_json::Value;

use super::existing::Existing;
use super::interview::{Interview, Question, visible};
use super::options::{
    Acceptance, Delivery, Erase, InstacartAuth, Jurisdiction, Options, Vendor, YesOrNo,
};
use super::recipe::{self, Form, Maker, Recipe, SecretRecipe};
use super::secret_file::SecretFile;

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

/// A sender of webhooks.
pub struct Source {
    /// The last part of the webhook's path.
    pub name: String,
    /// Whether its table is written; one of the same platform that is there only changes.
    pub is_new: bool,
    recipe: &'static Recipe,
    settings: BTreeMap<&'static str, String>,
    /// What its table says already, where it is not new.
    before: BTreeMap<&'static str, String>,
    /// The names of its secrets in the table that is there, by their suffix.
    secret_names: BTreeMap<&'static str, String>,
}

/// Instacart Connect.
pub struct Instacart {
    /// The account's name.
    pub account: String,
    /// The names of its secrets where they are there already, by their setting in `auth`.
    names: BTreeMap<String, String>,
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

/// A secret of the deployed Worker.
pub struct Secret {
    /// Its name.
    pub name: String,
    /// Where its value comes from.
    pub origin: Origin,
}

/// Where a secret's value comes from.
pub enum Origin {
    /// It is made here, in this form; and what to do with it.
    Made(Form, String),
    /// Somebody else shows it.
    Elsewhere(&'static str),
}

impl Origin {
    /// What to do with it, or where to find it.
    pub fn explanation(&self) -> &str {
        match self {
            Origin::Made(_, keep) => keep,
            Origin::Elsewhere(place) => place,
        }
    }
}

impl Source {
    /// The platform's name.
    pub fn platform(&self) -> &'static str {
        self.recipe.platform
    }

    /// The answer to a question of the recipe; empty where there is none.
    pub fn setting(&self, key: &str) -> &str {
        self.settings.get(key).map(String::as_str).unwrap_or_default()
    }

    /// The name of a secret of this source: `consent` and `TOKEN` are `CONSENT_TOKEN`.
    pub fn secret_name(&self, suffix: &str) -> String {
        let known = self.secret_names.get(suffix).cloned();
        known.unwrap_or_else(|| format!("{}_{suffix}", secret_prefix(&self.name)))
    }

    /// The names of the secrets that the setting `secrets` lists: each, and the one before it.
    pub fn listed_secrets(&self) -> Vec<String> {
        let listed = self.recipe.secrets.iter().filter(|secret| secret.is_listed);
        let names = listed.map(|secret| self.secret_name(secret.suffix));
        names.flat_map(|name| [name.clone(), format!("{name}_PREVIOUS")]).collect()
    }

    /// Writes the platform's own settings.
    pub fn write(&self, table: &mut toml_edit::Table) {
        (self.recipe.write)(self, table);
    }

    /// The platform's own settings as they were before those that an option names.
    pub fn write_before(&self, table: &mut toml_edit::Table) {
        let before = Self {
            name: self.name.clone(),
            is_new: self.is_new,
            recipe: self.recipe,
            settings: self.before.clone(),
            before: BTreeMap::new(),
            secret_names: self.secret_names.clone(),
        };
        before.write(table);
    }

    fn needs(&self, secret: &SecretRecipe) -> bool {
        let is_known = self.secret_names.contains_key(secret.suffix);
        let may_be_new = self.is_new || self.settings != self.before;
        is_known || (may_be_new && (secret.is_needed)(self))
    }

    fn secrets(&self) -> impl Iterator<Item = Secret> {
        let needed = self.recipe.secrets.iter().filter(|secret| self.needs(secret));
        needed.map(|secret| {
            let made = match secret.maker {
                Maker::Operator => true,
                Maker::Platform => false,
                Maker::Asked => self.setting("secret_from") != "platform",
            };
            let whsec = secret.form == Form::Whsec
                && ["", "standard-webhooks", "svix"].contains(&self.setting("signature"));
            let form = if whsec { Form::Whsec } else { Form::Token };
            let origin = if made {
                Origin::Made(form, format!("enter it {}", entered(secret.place)))
            } else {
                Origin::Elsewhere(secret.place)
            };
            Secret { name: self.secret_name(secret.suffix), origin }
        })
    }
}

/// Where a secret is entered.
fn entered(place: &str) -> String {
    match place.split_once(' ') {
        Some(("in" | "at", _)) => place.to_owned(),
        _ => format!("at the sender: it is {place}"),
    }
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
        let sources = sources(options, existing, stored, interview)?;
        let vendors = vendors(options, existing, interview)?;
        let has = |vendor| vendors.contains(&vendor);
        let instacart = if has(Vendor::InstacartConnect) {
            instacart(options, existing, interview)?
        } else {
            None
        };
        let insider =
            if has(Vendor::Insider) { insider(options, existing, interview)? } else { None };
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

/// The answer that no platform is added.
const NO_FURTHER: &str = "none";

/// What a name must be.
const NAME_EXPECTED: &str = "the name must be of A-Z a-z 0-9 - _";

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !name.is_empty() && name.bytes().all(plain)
}

fn recipe_of(platform: &str) -> Result<&'static Recipe, String> {
    let found = recipe::ALL.iter().find(|recipe| recipe.platform == platform);
    let names: Vec<&str> = recipe::ALL.iter().map(|recipe| recipe.platform).collect();
    // A secret that was pasted here has digits or capital letters, or is longer.
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
    let is_shown = !platform.is_empty() && platform.len() <= 24 && platform.bytes().all(is_word);
    let given = if is_shown { format!(", not {platform:?}") } else { String::new() };
    found.ok_or_else(|| format!("the platform must be one of: {}{given}", names.join(", ")))
}

fn sources(
    options: &Options,
    existing: &Existing,
    stored: &SecretFile,
    interview: &mut Interview<impl BufRead, impl Write>,
) -> Result<Vec<Source>> {
    let mut named: Vec<(String, &'static Recipe)> = Vec::new();
    for given in &options.sources {
        let known = existing.sources().find(|(name, _)| name == given);
        let (name, platform) = known.or(given.split_once('=')).unwrap_or((given, given));
        match recipe_of(platform) {
            Ok(recipe) if is_name(name) => named.push((name.to_owned(), recipe)),
            Ok(_) => interview.problem(format!("--source: {NAME_EXPECTED}")),
            Err(must) if name == platform => interview.problem(format!("--source: {must}")),
            Err(must) => interview.problem(format!("--source {name}: {must}")),
        }
    }
    if options.sources.is_empty() {
        let names: Vec<&str> = recipe::ALL.iter().map(|recipe| recipe.platform).collect();
        let known = existing.sources().filter_map(|(name, platform)| {
            recipe_of(platform).ok().map(|recipe| (name.to_owned(), recipe))
        });
        named.extend(known);
        let (text, default) = if named.is_empty() {
            ("The platform that sends the requests", None)
        } else {
            ("A further platform that sends requests, or none", Some(NO_FURTHER))
        };
        let text = format!("{text} ({})", names.join(", "));
        let question = Question { option: "--source", text: &text, default };
        let check = |answer: &str| {
            if default == Some(answer) { Ok(()) } else { recipe_of(answer).map(drop) }
        };
        let platform = interview.text(None, &question, check)?;
        if let Some(platform) = platform.filter(|platform| platform != NO_FURTHER) {
            let text = "The source's name, the last part of its path /webhooks/NAME";
            let question = Question { option: "--source", text, default: Some("consent") };
            let check =
                |answer: &str| if is_name(answer) { Ok(()) } else { Err(NAME_EXPECTED.to_owned()) };
            let name = interview.text(None, &question, check)?;
            if let (Some(name), Ok(recipe)) = (name, recipe_of(&platform)) {
                named.push((name, recipe));
            }
        }
    }
    for given in &options.settings {
        let path = given.split_once('=').and_then(|(path, _)| path.split_once('.'));
        let is_known = path.is_some_and(|(name, key)| {
            let mut sources = named.iter().filter(|(known, _)| known == name);
            sources.any(|(_, recipe)| recipe.asks.iter().any(|ask| ask.key == key))
        });
        if !is_known {
            let path = path.map(|(name, key)| format!(" {name}.{key}")).unwrap_or_default();
            interview.problem(format!("--set{path}: is not a setting of any --source"));
        }
    }
    let mut sources: Vec<Source> = Vec::new();
    for (name, recipe) in named {
        if sources.iter().any(|other| secret_prefix(&other.name) == secret_prefix(&name)) {
            interview.problem(format!("--source {name}: another source has the same name"));
            continue;
        }
        let table = existing.source(&name).filter(|table| table["platform"] == recipe.platform);
        let read = |ask: &recipe::Ask| Some((ask.key, (ask.read)(table?)?));
        let mut before: BTreeMap<_, _> = recipe.asks.iter().filter_map(read).collect();
        let name_of = |secret: &SecretRecipe| Some((secret.suffix, (secret.read)(table?)?));
        let secret_names: BTreeMap<_, _> = recipe.secrets.iter().filter_map(name_of).collect();
        if secret_names.values().any(|name| stored.awaits(name)) {
            before.insert("secret_from", "platform".to_owned());
        }
        let mut settings = before.clone();
        for ask in recipe.asks {
            let path = format!("{name}.{}", ask.key);
            let given = options.settings.iter().find_map(|given| {
                given.split_once('=').filter(|(known, _)| *known == path).map(|(_, value)| value)
            });
            if table.is_some() && given.is_none() {
                continue;
            }
            let option = format!("--set {path}");
            let question = Question { option: &option, text: ask.text, default: ask.default };
            if let Some(answer) = interview.text(given, &question, ask.check)? {
                settings.insert(ask.key, answer);
            }
        }
        let is_new = table.is_none();
        sources.push(Source { name, is_new, recipe, settings, before, secret_names });
    }
    Ok(sources)
}

/// What the names of a source's secrets begin with: upper case, and a letter first.
fn secret_prefix(name: &str) -> String {
    let name = name.to_ascii_uppercase().replace('-', "_");
    let is_fit = name.starts_with(|first: char| first.is_ascii_uppercase());
    if is_fit { name } else { format!("SOURCE_{name}") }
}

/// Each vendor's `api`, and the usual name of its account.
const INSTACART: (&str, &str) = ("instacart-connect", "instacart");
const INSIDER: (&str, &str) = ("insider", "insider");

fn account_of(vendor: Vendor) -> (&'static str, &'static str) {
    match vendor {
        Vendor::InstacartConnect => INSTACART,
        Vendor::Insider => INSIDER,
    }
}

fn vendors(
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

fn instacart(
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

fn insider(
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
