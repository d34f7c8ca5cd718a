//! Pages and redirects as replies.

use super::super::reply::Reply;
use crate::dashboard::CSS;

/// The headers of everything that the dashboard sends: a page loads its style sheet and nothing else,
/// sends forms to this host alone, is in no frame and no index, and its URL goes nowhere.
const HEADERS: [(&str, &str); 6] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Robots-Tag", "noindex"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
];

fn written(status: u16, text: String, further: Vec<(&'static str, String)>) -> Reply {
    let mut headers: Vec<_> = HEADERS.map(|(name, value)| (name, value.to_owned())).into();
    headers.extend(further);
    Reply::Written(status, text, headers)
}

/// A page.
pub fn page(status: u16, html: String) -> Reply {
    written(status, html, vec![("Content-Type", "text/html; charset=utf-8".to_owned())])
}

/// The style sheet. It holds nothing that only an operator may see.
pub fn css() -> Reply {
    let headers = vec![
        ("Content-Type", "text/css; charset=utf-8".to_owned()),
        ("Cache-Control", "max-age=300".to_owned()),
    ];
    written(200, CSS.to_owned(), headers)
}

/// A file to keep.
pub fn file(content_type: &str, name: &str, content: String) -> Reply {
    let headers = vec![
        ("Content-Type", content_type.to_owned()),
        ("Content-Disposition", format!("attachment; filename=\"{name}\"")),
    ];
    written(200, content, headers)
}

/// Leads to another page, by GET.
pub fn redirect(path: &str, cookie: Option<String>) -> Reply {
    let mut headers = vec![("Location", path.to_owned())];
    headers.extend(cookie.map(|cookie| ("Set-Cookie", cookie)));
    written(303, String::new(), headers)
}
