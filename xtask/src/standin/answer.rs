//! What a stand-in can be made to do with a request, and the response bodies for it.

use std::convert::Infallible;
use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Response;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::http;

use super::inspection::JSON;

/// One scripted answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// What the vendor says when all is well.
    Usual,
    /// A response.
    Status { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// Another answer, later.
    Slow { delay: Duration, then: Box<Answer> },
    /// No answer: the connection stays open until the client or the stand-in ends it.
    Hang,
    /// No answer: the connection is reset (TCP RST).
    Reset,
    /// No answer: the connection is closed in good order (TCP FIN).
    Close,
    /// A response that announces more bytes than it sends, and then closes the connection.
    Cut { status: u16, announced: usize, body: Vec<u8> },
    /// A response of many bytes (spaces), in chunks: no header announces how many.
    Large { status: u16, bytes: usize },
}

impl Answer {
    /// A response without a body.
    pub fn status(status: u16) -> Self {
        Self::Status { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A JSON response; `body` is anything that prints as JSON.
    pub fn json(status: u16, body: impl Display) -> Self {
        Self::text(status, JSON, body)
    }

    /// An HTML page, as a vendor's edge or proxy sends one in the vendor's place.
    pub fn html(status: u16) -> Self {
        Self::text(status, "text/html; charset=UTF-8", "<!doctype html><title>Error</title>")
    }

    fn text(status: u16, content_type: &str, body: impl Display) -> Self {
        let headers = vec![(CONTENT_TYPE.to_string(), content_type.to_owned())];
        Self::Status { status, headers, body: body.to_string().into_bytes() }
    }

    /// The same response with one more header; any other answer stays as it is.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Self::Status { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The same answer, later.
    pub fn after(self, delay: Duration) -> Self {
        Self::Slow { delay, then: Box::new(self) }
    }
}

/// Builds a response; fails on a status or header that HTTP does not know.
pub(super) fn response(
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

/// Builds a response that announces `announced` bytes, whatever it then sends.
pub(super) fn cut_response(
    status: u16,
    announced: usize,
    body: Vec<u8>,
) -> http::Result<Response<Payload>> {
    let headers = [(CONTENT_LENGTH.to_string(), announced.to_string())];
    response(status, &headers, Payload::Cut { body: Some(body.into()), flushed: false })
}

/// Builds a response of many bytes, in chunks.
pub(super) fn large_response(status: u16, bytes: usize) -> http::Result<Response<Payload>> {
    let headers = [(CONTENT_TYPE.to_string(), JSON.to_owned())];
    response(status, &headers, Payload::Filler(bytes))
}

/// The body of a response.
pub(super) enum Payload {
    /// All of it, once; its length is announced.
    Whole(Option<Bytes>),
    /// A part, which ends before the announced length.
    Cut { body: Option<Bytes>, flushed: bool },
    /// This many spaces.
    Filler(usize),
}

impl Payload {
    pub(super) fn whole(body: Vec<u8>) -> Self {
        Self::Whole((!body.is_empty()).then(|| body.into()))
    }
}

/// A piece of [`Payload::Filler`].
const FILLER: &[u8] = &[b' '; 64 * 1024];

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = match self.get_mut() {
            Self::Whole(body) => body.take(),
            Self::Cut { body, flushed } => {
                let data = body.take();
                if data.is_none() && !*flushed {
                    // hyper sends what it has when a body makes it wait, and drops it when a body
                    // ends too early: so make it wait once before the end.
                    *flushed = true;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                data
            }
            Self::Filler(left) => {
                let piece = FILLER.get(..*left).unwrap_or(FILLER);
                *left -= piece.len();
                (!piece.is_empty()).then(|| Bytes::from_static(piece))
            }
        };
        Poll::Ready(data.map(|data| Ok(Frame::data(data))))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, |b| b.len() as u64)),
            Self::Cut { .. } | Self::Filler(_) => SizeHint::default(),
        }
    }
}
