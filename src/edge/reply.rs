//! Writes the relay's answers.

use serde::Serialize;
use worker::wasm_bindgen::JsValue;
use worker::web_sys::{Headers, Response, ResponseInit};

use crate::problem::Problem;
use crate::receipt::Receipt;
use crate::source::Answer;

/// What the caller is told.
pub enum Reply {
    /// 200: the receipt.
    Receipt(Receipt),
    /// 204: authentic, and nothing to do.
    NoContent,
    /// 200: the configuration is complete; these optional secrets are not set.
    Healthy(Vec<String>),
    /// What the platform wants to hear, with a header that the status asks for.
    Platform(Answer, Option<(&'static str, String)>),
    /// Anything else.
    Problem(Problem),
}

impl Reply {
    /// The receipt that this is, with its status.
    pub fn receipt(&self) -> Option<(u16, &Receipt)> {
        match self {
            Reply::Receipt(receipt) => Some((200, receipt)),
            _ => None,
        }
    }

    /// # Errors
    /// Where the response cannot be written, or the runtime refuses it.
    pub fn into_response(self) -> Result<Response, JsValue> {
        match self {
            Reply::Receipt(receipt) => json(200, &receipt, "application/json", None),
            Reply::Platform(answer, header) => {
                text(answer.status, &answer.json, "application/json", header)
            }
            Reply::NoContent => {
                let init = ResponseInit::new();
                init.set_status(204);
                Response::new_with_opt_str_and_init(None, &init)
            }
            Reply::Healthy(unset) => {
                let health = Health { status: "ok", delivery: "direct", unset };
                json(200, &health, "application/json", None)
            }
            Reply::Problem(problem) => {
                json(problem.status(), &problem, "application/problem+json", problem.header())
            }
        }
    }
}

/// The body of `GET /healthz`.
#[derive(Serialize)]
struct Health {
    status: &'static str,
    delivery: &'static str,
    unset: Vec<String>,
}

fn json(
    status: u16,
    body: &impl Serialize,
    content_type: &str,
    header: Option<(&str, String)>,
) -> Result<Response, JsValue> {
    let body = serde_json::to_string(body).map_err(|error| JsValue::from(error.to_string()))?;
    text(status, &body, content_type, header)
}

fn text(
    status: u16,
    body: &str,
    content_type: &str,
    header: Option<(&str, String)>,
) -> Result<Response, JsValue> {
    let headers = Headers::new()?;
    headers.set("Content-Type", content_type)?;
    headers.set("Cache-Control", "no-store")?;
    if let Some((name, value)) = header {
        headers.set(name, &value)?;
    }
    let init = ResponseInit::new();
    init.set_status(status);
    init.set_headers(&headers);
    Response::new_with_opt_str_and_init(Some(body), &init)
}
