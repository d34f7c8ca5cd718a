//! What an HTTP request that comes in and a response that a vendor gives have in common: headers,
//! and a body that is read up to a limit, whoever sent it.

use js_sys::{JsString, Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use web_sys::{ReadableStream, ReadableStreamDefaultReader};

use super::interned::interned;
use super::settled::settled;

#[wasm_bindgen]
extern "C" {
    /// A `Request` or a `Response`.
    pub type Message;
    /// Its headers.
    #[wasm_bindgen(method, getter)]
    pub fn headers(this: &Message) -> Headers;
    #[wasm_bindgen(method, getter)]
    fn body(this: &Message) -> Option<ReadableStream>;
    #[wasm_bindgen(method, catch, js_name = arrayBuffer)]
    fn array_buffer(this: &Message) -> Result<Promise, JsValue>;

    /// The headers of a message.
    pub type Headers;
    /// The value of the header of this name.
    ///
    /// # Errors
    /// Where it cannot be a name.
    #[wasm_bindgen(method, catch, js_name = get)]
    pub fn named(this: &Headers, name: &JsString) -> Result<Option<String>, JsValue>;
    /// The names of all.
    #[wasm_bindgen(method)]
    pub fn keys(this: &Headers) -> JsValue;

    /// What `ReadableStreamDefaultReader.read()` resolves to.
    type Chunk;
    #[wasm_bindgen(method, getter)]
    fn done(this: &Chunk) -> bool;
    #[wasm_bindgen(method, getter)]
    fn value(this: &Chunk) -> Uint8Array;
}

impl Headers {
    /// The value of the header `name`, a constant or a name of the configuration. Several of one
    /// name come joined; what cannot be a name has no value.
    pub fn get(&self, name: &str) -> Option<String> {
        self.named(&interned(name)).ok().flatten()
    }
}

/// The first bytes of a body.
pub struct Body {
    /// At most as many as the limit allows.
    pub bytes: Vec<u8>,
    /// There were more; the rest was cancelled.
    pub truncated: bool,
}

/// Reads the body of `message` to its end or to `limit` bytes, whichever comes first. A body whose
/// length is announced, which the transport holds it to, is read in one step; an encoded one may
/// become longer.
///
/// # Errors
/// The stream's own, where it broke off before its end.
pub async fn read(message: &Message, headers: &Headers, limit: usize) -> Result<Body, JsValue> {
    let announced = headers.get("content-length").and_then(|text| text.parse::<usize>().ok());
    let fits = announced.is_some_and(|length| length <= limit);
    if fits && headers.get("content-encoding").is_none() {
        let buffer = settled(&message.array_buffer()?).await?;
        let mut bytes = Uint8Array::new(&buffer).to_vec();
        let truncated = bytes.len() > limit;
        bytes.truncate(limit);
        return Ok(Body { bytes, truncated });
    }
    read_stream(message.body(), limit).await
}

async fn read_stream(stream: Option<ReadableStream>, limit: usize) -> Result<Body, JsValue> {
    let mut body = Body { bytes: Vec::new(), truncated: false };
    let Some(stream) = stream else { return Ok(body) };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    loop {
        let chunk: Chunk = settled(&reader.read()).await?.unchecked_into();
        if chunk.done() {
            return Ok(body);
        }
        let chunk = chunk.value();
        let room = limit.saturating_sub(body.bytes.len());
        let length = usize::try_from(chunk.length()).unwrap_or(usize::MAX);
        if length > room {
            let fits = u32::try_from(room).unwrap_or(u32::MAX);
            body.bytes.extend(chunk.subarray(0, fits).to_vec());
            body.truncated = true;
            // The sender may well be gone; nothing depends on the answer.
            let _ = settled(&reader.cancel()).await;
            return Ok(body);
        }
        body.bytes.extend(chunk.to_vec());
    }
}
