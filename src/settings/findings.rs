//! What is found while the configuration is read.

use std::cell::RefCell;

use super::{Misconfiguration, Notice, SecretName};

/// What is found while the configuration is read.
#[derive(Debug, Default)]
pub struct Findings {
    problems: RefCell<Vec<Misconfiguration>>,
    secrets: RefCell<Vec<NamedSecret>>,
    notices: RefCell<Vec<Notice>>,
}

/// A secret that a setting names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSecret {
    /// The setting, such as `VENDORS.insider.auth.token`.
    pub path: String,
    /// The secret's name.
    pub name: SecretName,
    /// Whether it must be set.
    pub required: bool,
}

impl Findings {
    /// Adds a problem.
    pub fn problem(&self, problem: Misconfiguration) {
        self.problems.borrow_mut().push(problem);
    }

    /// Adds notices.
    pub fn notice(&self, notices: impl IntoIterator<Item = Notice>) {
        self.notices.borrow_mut().extend(notices);
    }

    /// The notices, each once.
    pub fn notices(&self) -> Vec<Notice> {
        let mut notices = self.notices.borrow().clone();
        notices.dedup();
        notices
    }

    /// Adds a secret.
    pub(super) fn secret(&self, secret: NamedSecret) {
        self.secrets.borrow_mut().push(secret);
    }

    /// The names of the secrets, each once.
    pub fn secret_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for secret in self.secrets.borrow().iter() {
            let name = secret.name.as_str();
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// The problems, in the order in which they were found.
    pub fn into_problems(self) -> Vec<Misconfiguration> {
        self.problems.into_inner()
    }

    /// The problems, and every secret that is named, those of tables with a problem included.
    pub fn into_parts(self) -> (Vec<Misconfiguration>, Vec<NamedSecret>) {
        (self.problems.into_inner(), self.secrets.into_inner())
    }
}
