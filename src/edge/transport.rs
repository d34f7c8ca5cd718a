//! Calls a vendor over HTTP.

use std::time::Duration;

use secrecy::ExposeSecret;
use worker::js_sys::{Date, Promise, Uint8Array};
use worker::wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::wasm_bindgen_futures::JsFuture;
use worker::web_sys::{AbortSignal, Headers, RequestInit, RequestRedirect, Response};

use super::body;
use crate::relay::VendorHeaders;
use crate::vendor::{Answer, Failure, Request};

/// How much of an answer is read, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch)]
    fn fetch(url: &str, init: &RequestInit) -> Result<Promise, JsValue>;
}

/// The way to one vendor account: all of its requests that never changes, made once.
pub struct Channel {
    init: RequestInit,
    timeout: Duration,
}

impl Channel {
    /// # Errors
    /// Where the runtime refuses a header.
    pub fn new(headers: &VendorHeaders, timeout: Duration) -> Result<Self, JsValue> {
        let values = Headers::new()?;
        for (name, value) in headers {
            values.set(name, value.expose_secret())?;
        }
        let init = RequestInit::new();
        init.set_headers(&values);
        // The runtime follows redirects by default: a vendor's token must not go elsewhere.
        init.set_redirect(RequestRedirect::Manual);
        Ok(Self { init, timeout })
    }

    /// Sends `request` and reads the answer.
    ///
    /// # Errors
    /// [`Failure`] where there is no whole answer within the time.
    pub async fn send(&self, request: &Request) -> Result<Answer, Failure> {
        let millis = u32::try_from(self.timeout.as_millis()).unwrap_or(u32::MAX);
        let signal = AbortSignal::timeout_with_u32(millis);
        let exchange = self.exchange(request, &signal).await;
        exchange.map_err(|_| if signal.aborted() { Failure::Timeout } else { Failure::Network })
    }

    async fn exchange(&self, request: &Request, signal: &AbortSignal) -> Result<Answer, JsValue> {
        // `fetch` reads `init` before it returns, so calls at the same time can share it.
        self.init.set_method(request.method.as_str());
        self.init.set_signal(Some(signal));
        let body = request.body.as_ref().map(|text| Uint8Array::from(text.as_bytes()));
        self.init.set_body_opt_u8_array(body.as_ref());
        let response = JsFuture::from(fetch(&request.url, &self.init)?).await?;
        let response: Response = response.unchecked_into();
        let headers = response.headers();
        let now = Date::now();
        let retry_after = headers.get("retry-after")?;
        let trace = match headers.get("cf-ray")? {
            Some(ray) => Some(ray),
            None => headers.get("x-request-id")?,
        };
        let body = body::read(response.body(), MAX_ANSWER_BYTES).await?;
        Ok(Answer {
            status: response.status(),
            body: body.bytes,
            truncated: body.truncated,
            retry_after: retry_after
                .and_then(|value| Answer::parse_retry_after(&value, now as i64)),
            trace,
        })
    }
}
