//! One HTTP exchange with a vendor.

use std::time::Duration;

use js_sys::{JsString, Promise, Uint8Array, try_iter};
use secrecy::{ExposeSecret, SecretString};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use web_sys::{AbortSignal, RequestInit, RequestRedirect, Response};

use super::interned::interned;
use super::message::{self, Headers, Message};
use super::now;
use super::settled::settled;
use crate::vendor::{Answer, Failure, Request};

/// How much of an answer is read, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch)]
    fn fetch(url: &str, init: &RequestInit) -> Result<Promise, JsValue>;

    /// The method of a request to be.
    type Init;
    #[wasm_bindgen(method, setter)]
    fn set_method(this: &Init, method: &JsString);
}

/// All of an account's requests that does not change, made once: the headers, a token among them.
pub struct Session(RequestInit);

impl Session {
    /// # Errors
    /// Where the runtime refuses a header.
    pub fn new(headers: &[(&str, SecretString)]) -> Result<Self, JsValue> {
        let values = web_sys::Headers::new()?;
        for (name, value) in headers {
            values.set(name, value.expose_secret())?;
        }
        let init = RequestInit::new();
        init.set_headers(&values);
        // The runtime follows redirects by default: a token must not go elsewhere.
        init.set_redirect(RequestRedirect::Manual);
        Ok(Self(init))
    }

    /// Sends `request` and reads the answer.
    ///
    /// # Errors
    /// [`Failure`] where there is no whole answer within `timeout`.
    pub async fn send(&self, request: &Request, timeout: Duration) -> Result<Answer, Failure> {
        let millis = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        let signal = AbortSignal::timeout_with_u32(millis);
        let exchange = self.exchange(request, &signal).await;
        exchange.map_err(|_| if signal.aborted() { Failure::Timeout } else { Failure::Network })
    }

    async fn exchange(&self, request: &Request, signal: &AbortSignal) -> Result<Answer, JsValue> {
        // `fetch` reads `init` before it returns, so calls at the same time can share it.
        self.0.unchecked_ref::<Init>().set_method(&interned(request.method.as_str()));
        self.0.set_signal(Some(signal));
        let body = request.body.as_ref().map(|text| Uint8Array::from(text.as_bytes()));
        self.0.set_body_opt_u8_array(body.as_ref());
        let answer = fetch(&request.url, &self.0);
        self.0.set_body_opt_u8_array(None); // it is somebody's
        self.0.set_signal(None);
        let response = settled(&answer?).await?;
        let response: Response = response.unchecked_into();
        let message: &Message = response.unchecked_ref();
        let headers = message.headers();
        let now = now().0;
        let retry_after = headers.get("retry-after");
        let trace = trace(&headers)?;
        let body = message::read(message, &headers, MAX_ANSWER_BYTES).await?;
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
    if let Some(ray) = headers.get("cf-ray") {
        return Ok(Some(ray));
    }
    for name in try_iter(&headers.keys())?.into_iter().flatten() {
        if let Some(name) = name?.as_string().filter(|name| name.contains("request-id")) {
            return headers.named(&JsString::from(name));
        }
    }
    Ok(None)
}
