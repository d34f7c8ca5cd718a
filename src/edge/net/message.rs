//! Headers and bodies of HTTP messages, whoever sent them: a request that comes in, or a response of
//! a vendor. A body is read up to a limit.

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use web_sys::{
    Headers, ReadableStream, ReadableStreamDefaultReader, ReadableStreamReadResult, Request,
    Response,
};

pub use super::length::Length;
use super::promise::settled;

/// The longest body that is read in one step, in bytes: the buffer is made before anything came. A
/// longer one is read in steps that are no longer than what has come before.
const ONE_STEP: u32 = 64 * 1024;

#[wasm_bindgen]
extern "C" {
    /// A reader that fills buffers. `readAtLeast` is an extension of the Workers runtime.
    /// (<https://developers.cloudflare.com/workers/runtime-apis/streams/readablestreambyobreader/>)
    type BufferReader;
    #[wasm_bindgen(method, js_name = readAtLeast)]
    fn read_at_least(this: &BufferReader, bytes: u32, buffer: &Uint8Array) -> Promise;
    #[wasm_bindgen(method, js_name = releaseLock)]
    fn release_lock(this: &BufferReader);

    /// A stream that has such readers.
    type ByteStream;
    #[wasm_bindgen(method, catch, js_name = getReader)]
    fn get_reader(this: &ByteStream, options: &JsValue) -> Result<BufferReader, JsValue>;
}

#[wasm_bindgen(inline_js = "export const BUFFERS = { mode: 'byob' };")]
extern "C" {
    #[wasm_bindgen(thread_local_v2)]
    static BUFFERS: JsValue;
}

/// What a request and a response have in common.
pub trait Message {
    /// Its body; `None` where it has none.
    fn body(&self) -> Option<ReadableStream>;
}

impl Message for Request {
    fn body(&self) -> Option<ReadableStream> {
        Request::body(self)
    }
}

impl Message for Response {
    fn body(&self) -> Option<ReadableStream> {
        Response::body(self)
    }
}

/// The value of the header `name`: a constant, or a name in the configuration. Several headers of one
/// name are joined; what cannot be a name has no value.
pub fn header(headers: &Headers, name: &str) -> Option<String> {
    headers.get(name).ok().flatten()
}

/// What the message says of its length; `None` where it says nothing.
pub fn announced(headers: &Headers) -> Option<Length> {
    header(headers, "content-length").map(|value| Length::parse(&value))
}

/// The first bytes of a body.
pub struct Body {
    /// At most as many as the limit allows.
    pub bytes: Vec<u8>,
    /// There were more; the rest was cancelled.
    pub truncated: bool,
}

/// Reads the body of `message` to its end or to `limit` bytes, whichever comes first.
///
/// `announced` only says how much is asked for at first. It may be wrong: a message that announces a
/// length and is chunked as well is as long as its chunks (RFC 9112, 6.3), and an encoded one may
/// become longer.
///
/// # Errors
/// The stream's own, where it broke off before its end.
pub async fn read(
    message: &impl Message,
    announced: Option<Length>,
    limit: u32,
) -> Result<Body, JsValue> {
    let Some(stream) = message.body() else {
        return Ok(Body { bytes: Vec::new(), truncated: false });
    };
    let mut gathered = Gathered::default();
    if let Some(Length::Bytes(length)) = announced
        && let Ok(length) = u32::try_from(length)
        && length <= limit
    {
        // With room for one byte more than announced, the last read shows whether that was all.
        let whole = length.saturating_add(1);
        let reader = ByteStream::get_reader(stream.unchecked_ref(), &BUFFERS.with(JsValue::clone))?;
        while gathered.length < whole {
            let missing = whole.saturating_sub(gathered.length);
            let room = missing.min(gathered.length.max(ONE_STEP));
            let buffer = Uint8Array::new_with_length(room);
            let result: ReadableStreamReadResult =
                settled(&reader.read_at_least(room, &buffer)).await?;
            let chunk: Option<Uint8Array> = result.get_value().dyn_into().ok();
            let came = chunk.as_ref().map_or(0, Uint8Array::length);
            if let Some(chunk) = chunk {
                gathered.add(chunk);
            }
            if came < room {
                return Ok(gathered.body(limit));
            }
        }
        reader.release_lock();
    }
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    while gathered.length <= limit {
        let result: ReadableStreamReadResult = settled(&reader.read()).await?;
        if result.get_done() == Some(true) {
            return Ok(gathered.body(limit));
        }
        gathered.add(result.get_value().unchecked_into());
    }
    // The sender may be gone; nothing depends on the answer.
    let _ = settled::<JsValue>(&reader.cancel()).await;
    Ok(gathered.body(limit))
}

/// What has come of a body. It stays in JavaScript's memory until it is whole: the memory of Wasm only
/// grows, and a body that never ends, or is never proven, must leave nothing there.
#[derive(Default)]
struct Gathered {
    /// Its first `length` bytes are filled.
    buffer: Option<Uint8Array>,
    length: u32,
}

impl Gathered {
    fn add(&mut self, chunk: Uint8Array) {
        let length = self.length.saturating_add(chunk.length());
        let buffer = match self.buffer.take() {
            None => chunk,
            Some(buffer) => {
                let buffer = if length > buffer.length() {
                    // Twice as long, so that many small chunks are not copied each time.
                    let longer = Uint8Array::new_with_length(length.saturating_mul(2));
                    longer.set(&buffer.subarray(0, self.length), 0);
                    longer
                } else {
                    buffer
                };
                buffer.set(&chunk, self.length);
                buffer
            }
        };
        (self.buffer, self.length) = (Some(buffer), length);
    }

    fn body(self, limit: u32) -> Body {
        let filled = self.buffer.map(|buffer| buffer.subarray(0, self.length.min(limit)));
        let bytes = filled.map_or_else(Vec::new, |filled| filled.to_vec());
        Body { bytes, truncated: self.length > limit }
    }
}
