//! The command line of `cargo xtask init`.

use clap::{Args, ValueEnum};

/// What can be said on the command line. At a terminal, what is left out is asked for; elsewhere it is
/// an error, unless wrangler.toml or .dev.vars answers it already or a default is named here. A source
/// that is there with the same platform stays as it is: only what an option names changes.
#[derive(Debug, Clone, Default, Args)]
pub struct Options {
    /// A sender of webhooks, such as `consent=ketch`: its name, the last part of the webhook's path,
    /// and its platform. Repeat it for several [default: those that are there]
    #[arg(long = "source", value_name = "NAME=PLATFORM")]
    pub sources: Vec<String>,
    /// A setting that the source's platform needs, such as `consent.audience=acme`. Repeat it for
    /// several
    #[arg(long = "set", value_name = "SOURCE.SETTING=VALUE")]
    pub settings: Vec<String>,
    /// A vendor that is asked to delete. Repeat it for several
    #[arg(long = "vendor", value_enum)]
    pub vendors: Vec<Vendor>,
    /// How Instacart Connect is authenticated to: `client` has the relay request its tokens, `token`
    /// is one access token, which lives for 24 hours
    #[arg(long, value_enum)]
    pub instacart_auth: Option<InstacartAuth>,
    /// Instacart Connect's host [default: the production host]
    #[arg(long, value_name = "URL")]
    pub instacart_base_url: Option<String>,
    /// Your partner name at Insider, lowercase
    #[arg(long, value_name = "NAME")]
    pub partner_name: Option<String>,
    /// Insider's host [default: the production host]
    #[arg(long, value_name = "URL")]
    pub insider_base_url: Option<String>,
    /// What Insider erases: the `profile` with all its data; `anonymize` leaves the profile without
    /// personal attributes; `identity` leaves the profile without one identifier
    #[arg(long, value_enum)]
    pub erase: Option<Erase>,
    /// With `--erase identity`: whether such an erasure counts as fulfilled, so that platforms are told
    /// that it is completed [default: refuse]
    #[arg(long, value_enum)]
    pub partial_erasure: Option<Acceptance>,
    /// `durable` stores each erasure and sends it until it is done; `direct` stores nothing
    #[arg(long, value_enum)]
    pub delivery: Option<Delivery>,
    /// Where the lanes run and store; it cannot be changed later without moving what they hold
    /// [default: none, or where an account's lanes are already]
    #[arg(long, value_enum)]
    pub jurisdiction: Option<Jurisdiction>,
    /// Whether to make ADMIN_TOKEN, which opens the operator's routes and the details of /healthz
    #[arg(long, value_enum)]
    pub admin: Option<YesOrNo>,
    /// Whether to make RECEIPT_SIGNING_KEY and RECEIPT_SECRET, with which receipts are signed
    #[arg(long, value_enum)]
    pub signed_receipts: Option<YesOrNo>,
    /// The environment of wrangler.toml to set up, such as `staging` [default: the top level]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
}

/// A vendor, by its `api` in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Vendor {
    /// Instacart Connect.
    InstacartConnect,
    /// Insider.
    Insider,
}

/// How Instacart Connect is authenticated to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InstacartAuth {
    /// By client credentials.
    Client,
    /// By one access token.
    Token,
}

/// What Insider erases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Erase {
    /// The profile and all its data.
    Profile,
    /// Personal attributes.
    Anonymize,
    /// One identifier a call.
    Identity,
}

/// Whether something counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Acceptance {
    /// It does not.
    Refuse,
    /// It does.
    Accept,
}

/// How erasures are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Delivery {
    /// Stored in lanes.
    Durable,
    /// While the platform waits.
    Direct,
}

/// Where lanes run and store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Jurisdiction {
    /// Anywhere.
    None,
    /// In the European Union.
    Eu,
    /// Where FedRAMP allows.
    Fedramp,
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum YesOrNo {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// The word of a choice, on the command line and in the configuration.
pub fn word(choice: impl ValueEnum) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
