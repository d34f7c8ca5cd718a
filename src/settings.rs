//! Reads the configuration's tables and reports every problem with its path, so that an operator
//! sees all of them at once.

mod findings;
mod misconfiguration;
mod notice;
mod secret_name;
mod shown;

use std::fmt;

use crate::json::{Json, Object};

pub use findings::{Findings, NamedSecret};
pub use misconfiguration::Misconfiguration;
pub use notice::Notice;
pub use secret_name::SecretName;
pub(crate) use shown::shown;

/// One table of the configuration. Call [`Settings::finish`] when every known key has been read.
pub struct Settings<'a> {
    path: String,
    table: &'a Object<'a>,
    read: Vec<&'static str>,
    /// Keys that were not read are not reported.
    open: bool,
    findings: &'a Findings,
}

impl<'a> Settings<'a> {
    /// The table `value` at `path`; where it is not a table, reports that and returns `None`.
    pub fn new(path: String, value: &'a Json<'a>, findings: &'a Findings) -> Option<Self> {
        match value {
            Json::Object(table) => {
                Some(Self { path, table, read: Vec::new(), open: false, findings })
            }
            _ => {
                findings.problem(Misconfiguration::new(&path, "must be a table"));
                None
            }
        }
    }

    /// Reports a problem of the setting `key`.
    pub fn problem(&self, key: &str, message: impl fmt::Display) {
        let path = format!("{}.{key}", self.path);
        self.findings.problem(Misconfiguration::new(&path, message));
    }

    /// Tells the operator something of the setting `key`, which is no problem.
    pub fn notice(&self, key: &str, message: impl fmt::Display) {
        let path = format!("{}.{key}", self.path);
        self.findings.notice([Notice::new(Misconfiguration::new(&path, message))]);
    }

    /// The text `key`, if it is set.
    pub fn text(&mut self, key: &'static str) -> Option<&'a str> {
        match self.value(key)? {
            Json::Text(text) if !text.is_empty() => {
                let path = format!("{}.{key}", self.path);
                self.findings.notice(Notice::placeholder(&path, text));
                Some(text)
            }
            _ => {
                self.problem(key, "must be a non-empty string");
                None
            }
        }
    }

    /// The text `key`, which must be set.
    pub fn required_text(&mut self, key: &'static str) -> Option<&'a str> {
        self.require(key);
        self.text(key)
    }

    /// The whole number `key`, or `default` where it is not set.
    pub fn number(
        &mut self,
        key: &'static str,
        default: u32,
        range: std::ops::RangeInclusive<u32>,
    ) -> u32 {
        if self.has(key) { self.required_number(key, range).unwrap_or(default) } else { default }
    }

    /// The whole number `key`, which must be set.
    pub fn required_number(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        self.require(key);
        let number = match self.value(key)? {
            Json::Integer(number) => u32::try_from(*number).ok(),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (low, high) = (range.start(), range.end());
            let found = self.table.get(key).and_then(shown).unwrap_or_default();
            self.problem(key, format_args!("must be an integer from {low} to {high}{found}"));
        }
        number
    }

    /// The list of texts `key`, if it is set.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<&'a str>> {
        let texts: Option<Vec<&str>> = match self.value(key)? {
            Json::Array(items) if !items.is_empty() => items.iter().map(Json::as_text).collect(),
            _ => None,
        };
        if texts.is_none() {
            self.problem(key, "must be a non-empty array of strings");
        }
        texts
    }

    /// The list of texts `key`, which must be set.
    pub fn required_texts(&mut self, key: &'static str) -> Option<Vec<&'a str>> {
        self.require(key);
        self.texts(key)
    }

    /// Whether `key` is set to the text `value`; only then does it count as read.
    pub fn text_is(&mut self, key: &'static str, value: &str) -> bool {
        let is = self.table.get(key).and_then(Json::as_text) == Some(value);
        if is {
            self.read.push(key);
        }
        is
    }

    /// The secret's name `key`, which must be named and set.
    pub fn required_secret(&mut self, key: &'static str) -> Option<SecretName> {
        let name = self.required_text(key)?;
        self.secret_name(key, name, true)
    }

    /// The secret's name `key`, which must be named. The secret itself may be unset.
    pub fn optional_secret(&mut self, key: &'static str) -> Option<SecretName> {
        let name = self.required_text(key)?;
        self.secret_name(key, name, false)
    }

    /// The list of secrets' names `key`, which must be set. The first of the secrets must be set, too.
    pub fn required_secrets(&mut self, key: &'static str) -> Option<Vec<SecretName>> {
        let names = self.required_texts(key)?.into_iter().enumerate();
        let parsed = names
            .map(|(index, name)| self.secret_name(&format!("{key}[{index}]"), name, index == 0));
        parsed.collect::<Vec<_>>().into_iter().collect()
    }

    /// Whether `key` is set at all.
    pub fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    /// Whether `key` is set to a table.
    pub fn has_table(&self, key: &str) -> bool {
        matches!(self.table.get(key), Some(Json::Object(_)))
    }

    /// Whether `key` is set to a table that has `member`.
    pub fn has_in(&self, key: &str, member: &str) -> bool {
        self.table.get(key).is_some_and(|table| table.get(member).is_some())
    }

    /// Reports that `key` is known, and must not be set beside the other settings.
    pub fn misplaced(&mut self, key: &'static str, message: &str) {
        self.read.push(key);
        self.problem(key, message);
    }

    /// Whether `key` is set to `false`; only then does it count as read.
    pub fn is_false(&mut self, key: &'static str) -> bool {
        let set = matches!(self.table.get(key), Some(Json::Bool(false)));
        if set {
            self.read.push(key);
        }
        set
    }

    /// The members of the table `key`, whose names the operator chooses. All values must be texts.
    pub fn text_entries(&mut self, key: &'static str) -> Vec<(&'a str, &'a str)> {
        let entries: Option<Vec<(&str, &str)>> = match self.value(key) {
            None => return Vec::new(),
            Some(Json::Object(table)) => {
                table.iter().map(|(name, value)| Some((name, value.as_text()?))).collect()
            }
            Some(_) => None,
        };
        entries.unwrap_or_else(|| {
            self.problem(key, "must be a table of strings");
            Vec::new()
        })
    }

    /// One of `choices` by its name, or `default` where `key` is not set.
    pub fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        default: T,
        choices: &[(&str, T)],
    ) -> Option<T> {
        if !self.has(key) {
            return Some(default);
        }
        self.required_choice(key, choices)
    }

    /// One of `choices` by its name, which must be set.
    pub fn required_choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let name = self.required_text(key)?;
        let chosen = choices.iter().find(|(known, _)| *known == name);
        if chosen.is_none() {
            let names: Vec<&str> = choices.iter().map(|(known, _)| *known).collect();
            let found = shown(&Json::Text(name.into())).unwrap_or_default();
            self.problem(key, format_args!("must be one of: {}{found}", names.join(", ")));
        }
        chosen.map(|(_, choice)| *choice)
    }

    /// The table `key`, if it is set.
    pub fn table(&mut self, key: &'static str) -> Option<Settings<'a>> {
        let value = self.value(key)?;
        Settings::new(format!("{}.{key}", self.path), value, self.findings)
    }

    /// The table `key`, which must be set.
    pub fn required_table(&mut self, key: &'static str) -> Option<Settings<'a>> {
        self.require(key);
        self.table(key)
    }

    /// Does not report unknown keys: which are known depends on a setting that is wrong.
    pub fn leave_open(&mut self) {
        self.open = true;
    }

    /// Reports every key that was not read: most often a misspelling, which would otherwise leave a
    /// default in force.
    pub fn finish(self) {
        for (key, _) in self.table.iter() {
            if self.open || self.read.contains(&key) {
                continue;
            }
            if shown(&Json::Text(key.into())).is_some() {
                self.problem(key, "is not a known setting");
            } else {
                let message = "has a setting that is not known and is not shown, since it may be a \
                               secret";
                self.findings.problem(Misconfiguration::new(&self.path, message));
            }
        }
    }

    fn value(&mut self, key: &'static str) -> Option<&'a Json<'a>> {
        self.read.push(key);
        self.table.get(key)
    }

    fn require(&mut self, key: &'static str) {
        if self.value(key).is_none() {
            self.problem(key, "must be set");
        }
    }

    fn secret_name(&self, key: &str, name: &str, required: bool) -> Option<SecretName> {
        let Some(name) = SecretName::parse(name) else {
            // It may be the secret itself, so it is not repeated.
            self.problem(key, SecretName::EXPECTED);
            return None;
        };
        let path = format!("{}.{key}", self.path);
        self.findings.secret(NamedSecret { path, name: name.clone(), required });
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_reported_with_its_path() {
        let json = Json::parse(
            br#"{"text":7,"number":0,"list":[1],"secret":"whsec_a+b","table":3,"typo":1}"#,
        )
        .unwrap();
        let findings = Findings::default();
        let mut settings = Settings::new("VENDORS.x".into(), &json, &findings).unwrap();
        settings.required_text("text");
        settings.required_text("absent");
        settings.number("number", 5, 1..=9);
        settings.texts("list");
        settings.required_secret("secret");
        assert!(settings.required_table("table").is_none());
        settings.finish();
        let problems: Vec<String> =
            findings.into_problems().iter().map(Misconfiguration::to_string).collect();
        assert_eq!(
            problems,
            [
                "VENDORS.x.text: must be a non-empty string",
                "VENDORS.x.absent: must be set",
                "VENDORS.x.number: must be an integer from 1 to 9, not 0",
                "VENDORS.x.list: must be a non-empty array of strings",
                "VENDORS.x.secret: must be the name of a secret (^[A-Z][A-Z0-9_]*$), not its value",
                "VENDORS.x.table: must be a table",
                "VENDORS.x.typo: is not a known setting",
            ]
        );
    }

    #[test]
    fn a_secret_in_the_place_of_a_setting_is_not_shown() {
        let json = Json::parse(br#"{"1a2b3c4e5d6f":"token","tokne":"T"}"#).unwrap();
        let findings = Findings::default();
        Settings::new("VENDORS.x.auth".into(), &json, &findings).unwrap().finish();
        let problems: Vec<String> =
            findings.into_problems().iter().map(Misconfiguration::to_string).collect();
        assert_eq!(
            problems,
            [
                "VENDORS.x.auth: has a setting that is not known and is not shown, since it may be a \
                 secret",
                "VENDORS.x.auth.tokne: is not a known setting",
            ]
        );
    }

    #[test]
    fn what_is_right_is_read() {
        let json = Json::parse(br#"{"text":"t","number":9,"list":["A","B"]}"#).unwrap();
        let findings = Findings::default();
        let mut settings = Settings::new("S".into(), &json, &findings).unwrap();
        assert_eq!(settings.text("text"), Some("t"));
        assert_eq!(settings.text("absent"), None);
        assert_eq!(settings.number("number", 5, 1..=9), 9);
        assert_eq!(settings.number("absent", 5, 1..=9), 5);
        assert_eq!(settings.required_secrets("list").unwrap().len(), 2);
        settings.finish();
        assert!(findings.into_problems().is_empty());
    }
}
