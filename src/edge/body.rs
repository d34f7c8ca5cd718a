//! Reads a body up to a limit, whoever sent it.

use worker::js_sys::Uint8Array;
use worker::wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::wasm_bindgen_futures::JsFuture;
use worker::web_sys::{ReadableStream, ReadableStreamDefaultReader};

/// The first bytes of a body.
pub struct Body {
    /// At most as many as the limit allows.
    pub bytes: Vec<u8>,
    /// There were more; the rest was cancelled.
    pub truncated: bool,
}

#[wasm_bindgen]
extern "C" {
    /// What `ReadableStreamDefaultReader.read()` resolves to.
    type Chunk;
    #[wasm_bindgen(method, getter)]
    fn done(this: &Chunk) -> bool;
    #[wasm_bindgen(method, getter)]
    fn value(this: &Chunk) -> Uint8Array;
}

/// Reads `stream` to its end or to `limit` bytes, whichever comes first.
///
/// # Errors
/// The stream's own, where it broke off before its end.
pub async fn read(stream: Option<ReadableStream>, limit: usize) -> Result<Body, JsValue> {
    let mut body = Body { bytes: Vec::new(), truncated: false };
    let Some(stream) = stream else { return Ok(body) };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    loop {
        let chunk: Chunk = JsFuture::from(reader.read()).await?.unchecked_into();
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
            let _ = JsFuture::from(reader.cancel()).await;
            return Ok(body);
        }
        body.bytes.extend(chunk.to_vec());
    }
}
