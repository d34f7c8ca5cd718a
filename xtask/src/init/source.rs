//! The senders of webhooks, from the options, from the file or asked for.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use anyhow::Result;

use super::existing::Existing;
use super::interview::{Interview, Question};
use super::options::Options;
use super::recipe::{self, Form, Maker, Recipe, SecretRecipe};
use super::secret::{Origin, Secret};
use super::secret_file::SecretFile;

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

    /// Every secret that it needs.
    pub fn secrets(&self) -> impl Iterator<Item = Secret> {
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

/// The answer that no platform is added.
const NO_FURTHER: &str = "none";

/// What a name must be.
pub const NAME_EXPECTED: &str = "the name must be of A-Z a-z 0-9 - _";

/// Whether it is a name of a source or an environment.
pub fn is_name(name: &str) -> bool {
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

/// Collects the sources: those that are named, or else those that are there.
///
/// # Errors
/// Where the terminal is closed.
pub fn collect(
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
