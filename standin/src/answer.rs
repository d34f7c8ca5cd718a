//! What a script can make a stand-in do with a request.

use std::fmt::Display;
use std::time::Duration;

use hyper::header::CONTENT_TYPE;

/// The media type of both vendors' pages.
pub(crate) const JSON: &str = "application/json";

/// One scripted answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The response that the vendor documents for a request that succeeds.
    Success,
    /// A response.
    Response {
        /// The HTTP status.
        status: u16,
        /// Names and values, in this order.
        headers: Vec<(String, String)>,
        /// The whole body; its length is announced.
        body: Vec<u8>,
    },
    /// Another answer, after a delay.
    Delayed {
        /// How long the client waits.
        delay: Duration,
        /// What it then gets.
        then: Box<Answer>,
    },
    /// No response: the connection stays open until the client or the stand-in closes it.
    Hang,
    /// No response: the connection is reset (TCP RST).
    Reset,
    /// No response: the connection is closed (TCP FIN).
    Close,
    /// A response that announces more bytes than it sends, after which the connection is closed.
    Truncated {
        /// The HTTP status.
        status: u16,
        /// The value of `Content-Length`.
        announced: usize,
        /// The bytes that are sent.
        body: Vec<u8>,
    },
    /// A response of many bytes (spaces) in chunks, without a `Content-Length`.
    Large {
        /// The HTTP status.
        status: u16,
        /// The length of the body.
        bytes: usize,
    },
}

impl Answer {
    /// A response without a body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Response { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A JSON response; `body` is anything that prints as JSON.
    #[must_use]
    pub fn json(status: u16, body: impl Display) -> Self {
        Self::text(status, JSON, body)
    }

    /// An HTML error page, as a vendor's edge or proxy sends in place of the vendor.
    #[must_use]
    pub fn html(status: u16) -> Self {
        Self::text(status, "text/html; charset=UTF-8", "<!doctype html><title>Error</title>")
    }

    fn text(status: u16, content_type: &str, body: impl Display) -> Self {
        let headers = vec![(CONTENT_TYPE.to_string(), content_type.to_owned())];
        Self::Response { status, headers, body: body.to_string().into_bytes() }
    }

    /// The same response with one more header; any other answer is returned unchanged.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Self::Response { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The same answer, after a delay.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self::Delayed { delay, then: Box::new(self) }
    }
}
