//! The account that a stand-in for Instacart knows.

use super::documented::{LANGUAGE_HEADER, RETAILER_HEADER};

/// The account that the stand-in knows: how its calls are authorised, and which headers they have.
#[derive(Clone)]
pub struct InstacartAccount {
    pub(super) credentials: Credentials,
    retailer_id: Option<String>,
    language: Option<String>,
}

/// What authorises an account's calls.
#[derive(Clone)]
pub(super) enum Credentials {
    /// A bearer token that was issued elsewhere.
    Token(String),
    /// Tokens issued to these clients (id and secret), for the scope if there is one.
    Clients { clients: Vec<(String, String)>, scope: Option<String> },
}

impl InstacartAccount {
    /// An account without clients, and with a token that was issued elsewhere and is always valid.
    #[must_use]
    pub fn with_token(token: &str) -> Self {
        Self::new(Credentials::Token(token.to_owned()))
    }

    /// An account whose clients, each an id and a secret, are issued tokens. With a `scope`, token
    /// requests must name exactly that one; without, they may name any or none.
    #[must_use]
    pub fn with_clients(clients: &[(&str, &str)], scope: Option<&str>) -> Self {
        let owned = |(id, secret): &(&str, &str)| ((*id).to_owned(), (*secret).to_owned());
        let clients = clients.iter().map(owned).collect();
        Self::new(Credentials::Clients { clients, scope: scope.map(str::to_owned) })
    }

    fn new(credentials: Credentials) -> Self {
        Self { credentials, retailer_id: None, language: None }
    }

    /// `X-Retailer-Id`, "required for multi-banner retailers": required in deletion requests and
    /// allowed in token requests. An account without one refuses the header.
    #[must_use]
    pub fn for_retailer(self, id: &str) -> Self {
        Self { retailer_id: Some(id.to_owned()), ..self }
    }

    /// `Accept-Language`, one of en-US, en-CA and fr-CA: required, allowed and refused likewise.
    #[must_use]
    pub fn in_language(self, language: &str) -> Self {
        Self { language: Some(language.to_owned()), ..self }
    }

    /// The language, if requests must name one.
    pub(crate) fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    /// The account's own headers with their values.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let headers =
            [(LANGUAGE_HEADER, &self.language), (RETAILER_HEADER, &self.retailer_id)].into_iter();
        headers.filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// The clients that are issued tokens.
    pub(super) fn clients(&self) -> &[(String, String)] {
        match &self.credentials {
            Credentials::Token(_) => &[],
            Credentials::Clients { clients, .. } => clients,
        }
    }

    /// The scope that a token request must name.
    pub(super) fn scope(&self) -> Option<&str> {
        match &self.credentials {
            Credentials::Token(_) => None,
            Credentials::Clients { scope, .. } => scope.as_deref(),
        }
    }
}
