//! One HTTP exchange with a vendor.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use js_sys::{Promise, Uint8Array, try_iter};
use secrecy::{ExposeSecret, SecretString};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use web_sys::{AbortController, AbortSignal, Headers, RequestInit, RequestRedirect, Response};
use worker::Delay;

use super::message::{self, header};
use super::promise::settled;
use crate::edge::now;
use crate::vendor::{Answer, Failure, Request};

/// How much of an answer is read, in bytes.
const MAX_ANSWER_BYTES: u32 = 64 * 1024;

#[wasm_bindgen]
extern "C" {
    /// `web_sys` declares a `fetch` that does not throw; this one may, for a URL that cannot be read.
    #[wasm_bindgen(catch)]
    fn fetch(url: &str, init: &RequestInit) -> Result<Promise, JsValue>;
}

/// Breaks a request off when it is dropped.
struct Exchange {
    controller: AbortController,
    has_ended: bool,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.has_ended {
            self.controller.abort();
        }
    }
}

/// What all requests of an account have in common, made once: the headers, with the token.
pub struct Session(RequestInit, Headers);

impl Session {
    /// # Errors
    /// Where the runtime refuses a header.
    pub fn new(headers: &[(&str, SecretString)]) -> Result<Self, JsValue> {
        let values = Headers::new()?;
        for (name, value) in headers {
            values.set(name, value.expose_secret())?;
        }
        let init = RequestInit::new();
        init.set_headers(&values);
        // The runtime follows redirects by default: a token must not go elsewhere.
        init.set_redirect(RequestRedirect::Manual);
        Ok(Self(init, values))
    }

    /// Sends `request` and reads the answer. Dropped before that, it breaks the request off.
    ///
    /// # Errors
    /// [`Failure`] where there is no whole answer within `timeout`.
    pub async fn send(&self, request: &Request, timeout: Duration) -> Result<Answer, Failure> {
        // Not `AbortSignal::timeout`, whose timer goes on after the answer: an object may have 10,000.
        let controller = AbortController::new().map_err(|_| Failure::Network)?;
        let signal = controller.signal();
        let mut under_way = Exchange { controller, has_ended: false };
        let exchange = pin!(self.exchange(request, &signal));
        match select(exchange, pin!(Delay::from(timeout))).await {
            Either::Left((answer, _)) => {
                under_way.has_ended = true;
                answer.map_err(|_| Failure::Network)
            }
            Either::Right(_) => Err(Failure::Timeout),
        }
    }

    async fn exchange(&self, request: &Request, signal: &AbortSignal) -> Result<Answer, JsValue> {
        // `fetch` reads `init` before it returns, so calls at the same time can share it.
        self.0.set_method(request.method.as_str());
        self.0.set_signal(Some(signal));
        let body = request.body.as_ref().map(|text| Uint8Array::from(text.as_bytes()));
        self.0.set_body_opt_u8_array(body.as_ref());
        if !request.headers.is_empty() {
            let headers = Headers::new_with_headers(&self.1)?;
            for (name, value) in &request.headers {
                headers.set(name, value.expose_secret())?;
            }
            self.0.set_headers(&headers);
        }
        let answer = fetch(&request.url, &self.0);
        if !request.headers.is_empty() {
            self.0.set_headers(&self.1);
        }
        self.0.set_body_opt_u8_array(None); // it is personal data
        self.0.set_signal(None);
        let response: Response = settled(&answer?).await?;
        let headers = response.headers();
        let now = now().0;
        let retry_after = header(&headers, "retry-after");
        let trace = trace(&headers)?;
        let body = message::read(&response, message::announced(&headers), MAX_ANSWER_BYTES).await?;
        Ok(Answer {
            status: response.status(),
            body: body.bytes,
            truncated: body.truncated,
            retry_after: retry_after.and_then(|value| Answer::parse_retry_after(&value, now)),
            trace,
        })
    }
}

/// What may be the vendor's id of its answer: `CF-RAY`, or any header with `request-id` in its name.
fn trace(headers: &Headers) -> Result<Option<String>, JsValue> {
    if let Some(ray) = header(headers, "cf-ray") {
        return Ok(Some(ray));
    }
    for name in try_iter(&headers.keys())?.into_iter().flatten() {
        if let Some(name) = name?.as_string().filter(|name| name.contains("request-id")) {
            return headers.get(&name);
        }
    }
    Ok(None)
}
