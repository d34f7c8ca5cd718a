//! How a vendor fails as a whole, until it is told otherwise.

use std::fmt;
use std::str::FromStr;

use anyhow::{Error, bail};

/// What a stand-in does with every request that is as documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// 503 with an HTML page, as a vendor's edge answers while the vendor is down.
    Down,
    /// 429 with a `Retry-After` of ten seconds.
    Throttled,
    /// 401: the account's credentials are rejected.
    CredentialsRejected,
    /// No answer.
    Hanging,
}

impl Outage {
    /// Each by its name on a command line.
    pub const ALL: &[(&str, Outage)] = &[
        ("down", Outage::Down),
        ("throttle", Outage::Throttled),
        ("reject", Outage::CredentialsRejected),
        ("hang", Outage::Hanging),
    ];
}

impl fmt::Display for Outage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Outage::Down => "answers 503",
            Outage::Throttled => "answers 429 with Retry-After: 10",
            Outage::CredentialsRejected => "answers 401, as if the credentials were wrong",
            Outage::Hanging => "does not answer",
        })
    }
}

impl FromStr for Outage {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let Some((_, outage)) = Self::ALL.iter().find(|(known, _)| *known == name) else {
            let names: Vec<&str> = Self::ALL.iter().map(|(known, _)| *known).collect();
            bail!("must be one of: {}", names.join(", "));
        };
        Ok(*outage)
    }
}
