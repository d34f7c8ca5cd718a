//! The operator's dashboard: pages from what is known, as HTML. No page loads or runs anything but its
//! style sheet, and everything from outside is escaped by the templates.
//!
//! ```text
//! layout    what all pages have: head, navigation, messages
//! parts     times, states, tables of requests, fields of forms
//! chart     a lane's last day as a picture
//! login     the form that takes the token
//! overview  what needs a person, what is due, lanes, what came
//! requests  the list with its filters, and the search
//! request   one request: what it waits for, its actions, its deliveries; timeline: what has happened
//! account   the lanes of one account, and what is done to all that they hold
//! confirm   what an action will do, before it is done
//! proof     a receipt to print, its signature, how to verify it
//! records   statistics and exports of a period
//! trail     what operators did
//! failure   what went wrong
//! ```

pub mod account;
pub mod chart;
pub mod confirm;
pub mod failure;
pub mod layout;
pub mod login;
pub mod overview;
pub mod parts;
pub mod path;
pub mod proof;
pub mod records;
pub mod request;
pub mod requests;
mod timeline;
pub mod trail;

/// The style sheet of all pages.
pub const CSS: &str = include_str!("dashboard.css");
