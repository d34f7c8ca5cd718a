//! Headers and bodies of HTTP messages, whoever sent them: a request that comes in, or a response of
//! a vendor. A body is read up to a limit.

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Headers, ReadableStream, ReadableStreamDefaultReader, ReadableStreamReadResult, Request,
    Response,
};

/// What a request and a response have in common.
pub trait Message {
    /// Its body; `None` where it has none.
    fn body(&self) -> Option<ReadableStream>;
    /// Reads all of the body.
    ///
    /// # Errors
    /// Where it was read before.
    fn array_buffer(&self) -> Result<Promise, JsValue>;
}

impl Message for Request {
    fn body(&self) -> Option<ReadableStream> {
        Request::body(self)
    }

    fn array_buffer(&self) -> Result<Promise, JsValue> {
        Request::array_buffer(self)
    }
}

impl Message for Response {
    fn body(&self) -> Option<ReadableStream> {
        Response::body(self)
    }

    fn array_buffer(&self) -> Result<Promise, JsValue> {
        Response::array_buffer(self)
    }
}

/// The value of the header `name`: a constant, or a name in the configuration. Several headers of one
/// name are joined; what cannot be a name has no value.
pub fn header(headers: &Headers, name: &str) -> Option<String> {
    headers.get(name).ok().flatten()
}

/// The first bytes of a body.
pub struct Body {
    /// At most as many as the limit allows.
    pub bytes: Vec<u8>,
    /// There were more; the rest was cancelled.
    pub truncated: bool,
}

/// Reads the body of `message` to its end or to `limit` bytes, whichever comes first. A body whose
/// length is announced, which the transport enforces, is read in one step; an encoded one may become
/// longer.
///
/// # Errors
/// The stream's own, where it broke off before its end.
pub async fn read(
    message: &impl Message,
    headers: &Headers,
    limit: usize,
) -> Result<Body, JsValue> {
    let announced = header(headers, "content-length").and_then(|text| text.parse::<usize>().ok());
    let fits = announced.is_some_and(|length| length <= limit);
    if fits && header(headers, "content-encoding").is_none() {
        let buffer = JsFuture::from(message.array_buffer()?).await?;
        let mut bytes = Uint8Array::new(&buffer).to_vec();
        let truncated = bytes.len() > limit;
        bytes.truncate(limit);
        return Ok(Body { bytes, truncated });
    }
    read_stream(message.body(), limit).await
}

/// The crate `worker` has a stream of its own, which takes an aborted body for a complete one.
async fn read_stream(stream: Option<ReadableStream>, limit: usize) -> Result<Body, JsValue> {
    let mut body = Body { bytes: Vec::new(), truncated: false };
    let Some(stream) = stream else { return Ok(body) };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    loop {
        let result: ReadableStreamReadResult =
            JsFuture::from(reader.read()).await?.unchecked_into();
        if result.get_done() == Some(true) {
            return Ok(body);
        }
        let chunk: Uint8Array = result.get_value().unchecked_into();
        let room = limit.saturating_sub(body.bytes.len());
        let length = usize::try_from(chunk.length()).unwrap_or(usize::MAX);
        if length > room {
            let fits = u32::try_from(room).unwrap_or(u32::MAX);
            body.bytes.extend(chunk.subarray(0, fits).to_vec());
            body.truncated = true;
            // The sender may be gone; nothing depends on the answer.
            let _ = JsFuture::from(reader.cancel()).await;
            return Ok(body);
        }
        body.bytes.extend(chunk.to_vec());
    }
}
