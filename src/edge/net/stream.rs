//! A body that is made while it is sent.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::{AbortSignal, ReadableStream, TransformStream, WritableStreamDefaultWriter};

use super::cancellation::unless_cancelled;
use super::promise::settled;

/// A stream of the parts that `next` makes, up to `None`. The next part is made once the one before was
/// taken, so memory is bounded, however slow the reader. Where `next` fails, so does the stream: whoever
/// reads it sees that it broke off. Where `signal` says that nobody reads any more, everything is dropped.
///
/// # Errors
/// Where the runtime makes no stream.
pub fn streamed<E>(
    signal: &AbortSignal,
    next: impl AsyncFnMut() -> Result<Option<Vec<u8>>, E> + 'static,
) -> Result<ReadableStream, JsValue> {
    let stream = TransformStream::new()?;
    let writer = stream.writable().get_writer()?;
    // A signal of its own: whoever handles the request listens to that one.
    let signal = AbortSignal::any(&Array::of1(signal));
    spawn_local(async move {
        unless_cancelled(signal, write(&writer, next)).await;
    });
    Ok(stream.readable())
}

async fn write<E>(
    writer: &WritableStreamDefaultWriter,
    mut next: impl AsyncFnMut() -> Result<Option<Vec<u8>>, E>,
) {
    loop {
        // Fails where the reader is gone.
        if settled::<JsValue>(&writer.ready()).await.is_err() {
            return;
        }
        let done = match next().await {
            Ok(Some(part)) => {
                let part = Uint8Array::from(part.as_slice());
                if settled::<JsValue>(&writer.write_with_chunk(&part)).await.is_ok() {
                    continue;
                }
                return;
            }
            Ok(None) => writer.close(),
            Err(_) => writer.abort_with_reason(&JsValue::from_str("the stream is not complete")),
        };
        let _ = settled::<JsValue>(&done).await; // the reader may be gone
        return;
    }
}
