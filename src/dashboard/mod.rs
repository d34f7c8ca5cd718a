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
//! request   one request: its time line, what it waits for, its actions
//! confirm   what an action will do, before it is done
//! proof     a receipt to print, its signature, how to verify it
//! records   statistics and exports of a period
//! failure   what went wrong
//! ```

pub mod chart;
pub mod confirm;
pub mod failure;
pub mod layout;
pub mod login;
pub mod overview;
pub mod parts;
pub mod path;
pub mod proof;
pub mod request;
pub mod requests;

/// The style sheet of all pages.
pub const CSS: &str = include_str!("dashboard.css");
