//! Writes the relay's answers.

use js_sys::Uint8Array;
use serde::Serialize;
use wasm_bindgen::JsValue;
use worker::web_sys::{Headers, ReadableStream, Response, ResponseInit};

use crate::problem::Problem;
use crate::receipt::Receipt;

/// What the caller is told.
pub enum Reply {
    /// 200, or 202 where something still waits: the receipt of an erasure, or those of several.
    Receipts(u16, Vec<Receipt>),
    /// 200: receipts, and where the next page begins.
    List(Vec<Receipt>, Option<String>),
    /// Written already: status, JSON, and further headers.
    Written(u16, String, Vec<(&'static str, String)>),
    /// 200: a file that is made while it is sent, of this media type and name.
    File(ReadableStream, &'static str, String),
    /// Written already, in another form than JSON: status, content type, and text.
    Typed(u16, &'static str, String),
    /// A page for a person: status and HTML.
    Page(u16, String),
    /// 204: authentic, and nothing to do.
    NoContent,
    /// Anything else.
    Problem(Problem),
}

impl Reply {
    /// The status, and the receipt, where this tells of one erasure or more.
    pub fn receipt(&self) -> Option<(u16, &Receipt)> {
        match self {
            Reply::Receipts(status, receipts) => Some((*status, receipts.first()?)),
            _ => None,
        }
    }

    /// `status` with any JSON.
    ///
    /// # Errors
    /// Where `body` cannot be written.
    pub fn json(status: u16, body: &impl Serialize) -> Result<Self, Problem> {
        let text = serde_json::to_string(body).map_err(|_| Problem::Internal)?;
        Ok(Reply::Written(status, text, Vec::new()))
    }

    /// # Errors
    /// Where the response cannot be written, or the runtime refuses it.
    pub fn into_response(self) -> Result<Response, JsValue> {
        match self {
            Reply::Receipts(status, erasures) => match &erasures[..] {
                [receipt] => json(status, receipt, PLAIN, &[]),
                _ => json(status, &List { erasures, next: None }, PLAIN, &[]),
            },
            Reply::List(erasures, next) => json(200, &List { erasures, next }, PLAIN, &[]),
            Reply::Written(status, text, headers) => respond(status, &text, PLAIN, &headers),
            Reply::Typed(status, content_type, text) => respond(status, &text, content_type, &[]),
            Reply::Page(status, html) => {
                let headers = PAGE.map(|(name, value)| (name, value.to_owned()));
                respond(status, &html, "text/html; charset=utf-8", &headers)
            }
            Reply::File(stream, media_type, name) => {
                let disposition = format!("attachment; filename=\"{name}\"");
                let headers = [
                    ("Content-Disposition", disposition),
                    ("X-Content-Type-Options", "nosniff".to_owned()),
                ];
                let init = init(media_type, &headers)?;
                Response::new_with_opt_readable_stream_and_init(Some(&stream), &init)
            }
            Reply::NoContent => {
                let init = ResponseInit::new();
                init.set_status(204);
                Response::new_with_opt_str_and_init(None, &init)
            }
            Reply::Problem(problem) => {
                let header: Vec<_> = problem.header().into_iter().collect();
                json(problem.status(), &problem, "application/problem+json", &header)
            }
        }
    }
}

const PLAIN: &str = "application/json";

/// The headers of a page: it loads and runs nothing, is in no frame and no index, and its URL goes
/// nowhere.
const PAGE: [(&str, &str); 4] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Robots-Tag", "noindex"),
];

/// The body of `GET /erasures`, and of the answer to a webhook with several erasures.
#[derive(Serialize)]
struct List {
    erasures: Vec<Receipt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

fn json(
    status: u16,
    body: &impl Serialize,
    content_type: &str,
    headers: &[(&'static str, String)],
) -> Result<Response, JsValue> {
    let text = serde_json::to_string(body).map_err(|error| JsValue::from(error.to_string()))?;
    respond(status, &text, content_type, headers)
}

fn respond(
    status: u16,
    text: &str,
    content_type: &str,
    further: &[(&'static str, String)],
) -> Result<Response, JsValue> {
    // As bytes: the runtime would only encode a string again.
    let body = Uint8Array::from(text.as_bytes());
    if content_type == PLAIN && further.is_empty() {
        return JSON.with(|init| {
            let init = init.as_ref().map_err(JsValue::clone)?;
            init.set_status(status);
            Response::new_with_opt_js_u8_array_and_init(Some(&body), init)
        });
    }
    let init = init(content_type, further)?;
    init.set_status(status);
    Response::new_with_opt_js_u8_array_and_init(Some(&body), &init)
}

thread_local! {
    /// What all answers in JSON without further headers have in common, made once: the runtime copies it.
    static JSON: Result<ResponseInit, JsValue> = init(PLAIN, &[]);
}

fn init(content_type: &str, further: &[(&'static str, String)]) -> Result<ResponseInit, JsValue> {
    let headers = Headers::new()?;
    headers.set("Content-Type", content_type)?;
    headers.set("Cache-Control", "no-store")?;
    for (name, value) in further {
        headers.set(name, value)?;
    }
    let init = ResponseInit::new();
    init.set_headers(&headers);
    Ok(init)
}
