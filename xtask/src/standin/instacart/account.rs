//! The account that a stand-in for Instacart knows.

/// The account that the stand-in knows: how its calls are authorised, and which headers they have.
#[derive(Clone)]
pub struct InstacartAccount {
    pub(super) credentials: Credentials,
    pub(super) retailer_id: Option<String>,
    pub(in super::super) language: Option<String>,
}

/// What authorises an account's calls.
#[derive(Clone)]
pub(super) enum Credentials {
    /// A bearer token that was issued elsewhere.
    Token(String),
    /// Tokens that these clients (id and secret) are issued, for the scope if there is one.
    Clients { clients: Vec<(String, String)>, scope: Option<String> },
}

impl InstacartAccount {
    /// An account with a token that was issued elsewhere, is always good, and has no clients.
    pub fn with_token(token: &str) -> Self {
        Self::new(Credentials::Token(token.to_owned()))
    }

    /// An account whose clients, each an id and a secret, are issued tokens. With a `scope`, token
    /// requests must name exactly that one; without, they may name any or none.
    pub fn with_clients(clients: &[(&str, &str)], scope: Option<&str>) -> Self {
        let owned = |(id, secret): &(&str, &str)| ((*id).to_owned(), (*secret).to_owned());
        let clients = clients.iter().map(owned).collect();
        Self::new(Credentials::Clients { clients, scope: scope.map(str::to_owned) })
    }

    fn new(credentials: Credentials) -> Self {
        Self { credentials, retailer_id: None, language: None }
    }

    /// `X-Retailer-Id`, "required for multi-banner retailers": demanded of deletion requests and
    /// allowed in token requests. An account without one refuses the header.
    pub fn for_retailer(self, id: &str) -> Self {
        Self { retailer_id: Some(id.to_owned()), ..self }
    }

    /// `Accept-Language`, one of en-US, en-CA and fr-CA: demanded, allowed and refused likewise.
    pub fn in_language(self, language: &str) -> Self {
        Self { language: Some(language.to_owned()), ..self }
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
