//! Responses for the wire, incomplete and very large ones included.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Response;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::http;

use crate::answer::JSON;

/// Builds a complete response; fails on a status or header that HTTP does not allow.
pub(crate) fn response(
    status: u16,
    headers: &[(String, String)],
    body: Vec<u8>,
) -> http::Result<Response<Payload>> {
    build(status, headers, Payload::Whole((!body.is_empty()).then(|| body.into())))
}

/// Builds a response that announces `announced` bytes, whatever it then sends.
pub(crate) fn truncated_response(
    status: u16,
    announced: usize,
    body: Vec<u8>,
) -> http::Result<Response<Payload>> {
    let headers = [(CONTENT_LENGTH.to_string(), announced.to_string())];
    build(status, &headers, Payload::Truncated { body: Some(body.into()), flushed: false })
}

/// Builds a response of many bytes, in chunks.
pub(crate) fn large_response(status: u16, bytes: usize) -> http::Result<Response<Payload>> {
    let headers = [(CONTENT_TYPE.to_string(), JSON.to_owned())];
    build(status, &headers, Payload::Spaces(bytes))
}

fn build(
    status: u16,
    headers: &[(String, String)],
    payload: Payload,
) -> http::Result<Response<Payload>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(payload)
}

/// The body of a response.
pub(crate) enum Payload {
    /// The complete body, once; its length is announced.
    Whole(Option<Bytes>),
    /// A part, which ends before the announced length.
    Truncated { body: Option<Bytes>, flushed: bool },
    /// This many spaces.
    Spaces(usize),
}

/// A chunk of [`Payload::Spaces`].
const CHUNK: &[u8] = &[b' '; 64 * 1024];

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = match self.get_mut() {
            Self::Whole(body) => body.take(),
            Self::Truncated { body, flushed } => {
                let data = body.take();
                if data.is_none() && !*flushed {
                    // hyper sends its buffer when a body is pending, and discards it when a body
                    // ends too early: so be pending once before the end.
                    *flushed = true;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                data
            }
            Self::Spaces(left) => {
                let chunk = CHUNK.get(..*left).unwrap_or(CHUNK);
                *left = left.saturating_sub(chunk.len());
                (!chunk.is_empty()).then(|| Bytes::from_static(chunk))
            }
        };
        Poll::Ready(data.map(|data| Ok(Frame::data(data))))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, |b| b.len() as u64)),
            Self::Truncated { .. } | Self::Spaces(_) => SizeHint::default(),
        }
    }
}
