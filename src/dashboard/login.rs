//! The form that takes the operator's token.

use maud::html;

use super::layout::{Frame, Section, page};

/// What was wrong with the last attempt to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No such token.
    WrongToken,
    /// The form did not come from this page.
    Foreign,
    /// An action was sent without a session; it has not been done.
    Expired,
}

impl Refusal {
    fn text(self) -> &'static str {
        match self {
            Self::WrongToken => "This token is not one of this relay.",
            Self::Foreign => {
                "The form was not sent from this page. Open the dashboard in its own tab, and try \
                 again."
            }
            Self::Expired => "You are not logged in any more. Nothing was changed.",
        }
    }
}

/// The page. `next` is the path to go on with.
pub fn login(next: &str, refusal: Option<Refusal>) -> String {
    let content = html! {
        div.narrow {
            h1 { "Log in" }
            @if let Some(refusal) = refusal {
                p.error #error role="alert" { (refusal.text()) }
            }
            form method="post" action="/login" {
                input type="hidden" name="next" value=(next);
                div.field {
                    label for="token" { "Token" }
                    input #token type="password" name="token" required
                        autocomplete="current-password" spellcheck="false"
                        aria-describedby=[refusal.map(|_| "error")]
                        aria-invalid=[refusal.map(|_| "true")];
                    p.hint {
                        "The Worker's secret " code { "ADMIN_TOKEN" } ", or " code { "READ_TOKEN" }
                        " to look without changing anything."
                    }
                }
                button type="submit" { "Log in" }
            }
            @if next != "/" {
                p { a href=(next) { "Go on without logging in" } ", if you have logged in already." }
            }
            p.muted { "A session lasts one hour." }
        }
    };
    let frame =
        Frame { title: "Log in", section: Section::Elsewhere, session: None, message: None };
    page(&frame, &content)
}
