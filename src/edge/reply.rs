//! Writes the relay's answers.

use serde::Serialize;
use worker::wasm_bindgen::JsValue;
use worker::web_sys::{Headers, Response, ResponseInit};

use crate::problem::Problem;
use crate::receipt::Receipt;

/// What the caller is told.
pub enum Reply {
    /// 200: the receipt.
    Receipt(Receipt),
    /// 204: authentic, and nothing to do.
    NoContent,
    /// 200: the configuration is complete; these optional secrets are not set.
    Healthy(Vec<String>),
    /// Anything else.
    Problem(Problem),
}

impl Reply {
    /// # Errors
    /// Where the response cannot be written, or the runtime refuses it.
    pub fn into_response(self) -> Result<Response, JsValue> {
        match self {
            Reply::Receipt(receipt) => json(200, &receipt, "application/json", None),
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
    let headers = Headers::new()?;
    headers.set("Content-Type", content_type)?;
    headers.set("Cache-Control", "no-store")?;
    if let Some((name, value)) = header {
        headers.set(name, &value)?;
    }
    let init = ResponseInit::new();
    init.set_status(status);
    init.set_headers(&headers);
    let text = serde_json::to_string(body).map_err(|error| JsValue::from(error.to_string()))?;
    Response::new_with_opt_str_and_init(Some(&text), &init)
}
