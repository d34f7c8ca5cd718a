//! Which page it is.

use super::super::route::decode;
use crate::access::Access;
use crate::dashboard::account;
use crate::dashboard::request::Action;
use crate::problem::Problem;

/// A page of the dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page<'a> {
    /// `/dashboard.css`
    Css,
    /// `/login`
    Login,
    /// `/logout`
    Logout,
    /// `/`
    Overview,
    /// `/requests`
    Requests,
    /// `/requests/search`
    Search,
    /// `/requests/{source}/{request_id}`
    Request(&'a str, String),
    /// `/requests/{source}/{request_id}/proof`
    Proof(&'a str, String),
    /// `/requests/{source}/{request_id}/receipt.http`
    Download(&'a str, String),
    /// `/requests/{source}/{request_id}/{action}`
    Act(&'a str, String, Action),
    /// `/accounts/{account}`
    Account(String),
    /// `/accounts/{account}/{action}`
    ActOnAccount(String, account::Action),
    /// `/records`
    Records,
    /// `/records/export`
    Export,
    /// `/records/statistics.json`
    Statistics,
    /// `/actions`
    Trail,
}

impl<'a> Page<'a> {
    /// The page of a path's segments.
    ///
    /// # Errors
    /// 404.
    pub fn of(segments: &[&'a str]) -> Result<Self, Problem> {
        let page = match *segments {
            [""] => Self::Overview,
            ["dashboard.css"] => Self::Css,
            ["login"] => Self::Login,
            ["logout"] => Self::Logout,
            ["requests"] => Self::Requests,
            ["requests", "search"] => Self::Search,
            ["requests", source, id] => Self::Request(source, decode(id)?),
            ["requests", source, id, "proof"] => Self::Proof(source, decode(id)?),
            ["requests", source, id, "receipt.http"] => Self::Download(source, decode(id)?),
            ["requests", source, id, action] => {
                let action = Action::parse(action).ok_or(Problem::NotFound)?;
                Self::Act(source, decode(id)?, action)
            }
            ["accounts", account] => Self::Account(decode(account)?),
            ["accounts", account, action] => {
                let action = account::Action::parse(action).ok_or(Problem::NotFound)?;
                Self::ActOnAccount(decode(account)?, action)
            }
            ["records"] => Self::Records,
            ["records", "export"] => Self::Export,
            ["records", "statistics.json"] => Self::Statistics,
            ["actions"] => Self::Trail,
            _ => return Err(Problem::NotFound),
        };
        Ok(page)
    }

    /// The methods that it takes.
    pub fn methods(&self) -> &'static str {
        match self {
            Self::Logout | Self::Search => "POST",
            Self::Login | Self::Act(..) | Self::ActOnAccount(..) => "GET, HEAD, POST",
            _ => "GET, HEAD",
        }
    }

    /// What a session must allow for its form, or for its page that asks whether it is meant.
    pub fn needs(&self) -> Access {
        match self {
            Self::Act(..) | Self::ActOnAccount(..) => Access::Act,
            _ => Access::Read,
        }
    }
}
