//! One connection of a stand-in: receives requests and carries out the answers.

use std::fmt;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, http};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::answer::Answer;
use crate::journal::Journal;
use crate::payload::{Payload, large_response, response, truncated_response};
use crate::request::RecordedRequest;
use crate::vendor::{self, Vendor};

/// Answers the requests of one connection.
pub(crate) async fn serve(stream: TcpStream, vendor: Arc<dyn Vendor>, journal: Arc<Journal>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let (vendor, journal) = (vendor.clone(), journal.clone());
        let answer = async move { answer(request, vendor.as_ref(), &journal).await };
        Box::pin(answer) as Pin<Box<dyn Future<Output = _> + Send>>
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let Err(error) = (&mut connection).await else { return };
    match NoResponse::behind(&error) {
        Some(NoResponse::Reset) => {
            let _ = connection.into_parts().io.inner().set_zero_linger();
        }
        Some(NoResponse::Close) => {}
        Some(NoResponse::Invalid(error)) => {
            journal.mismatch(format!("a scripted answer: {error}"));
        }
        None if error.is_parse() => journal.mismatch(format!("not HTTP/1.1: {error}")),
        None => {} // the client left
    }
}

/// Records a request and carries out the answer to it.
async fn answer(
    request: Request<Incoming>,
    vendor: &dyn Vendor,
    journal: &Journal,
) -> Result<Response<Payload>, NoResponse> {
    let request = receive(request).await;
    let mut findings = vendor::inspect(vendor, &request);
    let path = request.path().to_owned();
    if findings.refusal.is_none() {
        findings.refusal = journal.outage().map(|outage| vendor::during(vendor, outage, &path));
    }
    let (index, answer) = journal.record(request, findings);
    let response = carry_out(answer, vendor, &path).await?;
    journal.responded(index, response.status().as_u16());
    Ok(response)
}

async fn carry_out(
    mut answer: Answer,
    vendor: &dyn Vendor,
    path: &str,
) -> Result<Response<Payload>, NoResponse> {
    loop {
        return match answer {
            Answer::Success => {
                answer = vendor.success(path);
                continue;
            }
            Answer::Delayed { delay, then } => {
                tokio::time::sleep(delay).await;
                answer = *then;
                continue;
            }
            Answer::Response { status, headers, body } => Ok(response(status, &headers, body)?),
            Answer::Truncated { status, announced, body } => {
                Ok(truncated_response(status, announced, body)?)
            }
            Answer::Large { status, bytes } => Ok(large_response(status, bytes)?),
            Answer::Hang => pending().await,
            Answer::Reset => Err(NoResponse::Reset),
            Answer::Close => Err(NoResponse::Close),
        };
    }
}

/// How much of a body is kept: all that a vendor accepts, and enough more to see that it is more.
const KEPT_BODY: usize = 8_000_000;

/// Reads a whole request, and records what is wrong with it as HTTP.
async fn receive(request: Request<Incoming>) -> RecordedRequest {
    let received_at = Instant::now();
    let (head, mut incoming) = request.into_parts();
    let mut body = Vec::new();
    let mut mismatches = Vec::new();
    while let Some(frame) = incoming.frame().await {
        match frame.map(|frame| frame.into_data()) {
            Ok(Ok(data)) if body.len() < KEPT_BODY => body.extend_from_slice(&data),
            Ok(Ok(_)) => {} // read to the end even so: a client may read no response before that
            Ok(Err(_)) => mismatches.push("trailers after the body".to_owned()),
            Err(_) => mismatches.push("the body is not what its framing announced".to_owned()),
        }
    }
    RecordedRequest {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        headers: text(&head.headers),
        body,
        identifier: None,
        mismatches,
        response_status: None,
        responded_at: None,
        received_at,
    }
}

/// The headers as text. A value that is not UTF-8 gets replacement characters, so that it cannot
/// satisfy any rule.
fn text(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
}

/// Why a connection ends without a response.
#[derive(Debug)]
enum NoResponse {
    Reset,
    Close,
    /// The script has a status or header that HTTP does not allow.
    Invalid(http::Error),
}

impl NoResponse {
    /// The reason behind hyper's error, if it is one of these.
    fn behind(error: &hyper::Error) -> Option<&Self> {
        std::error::Error::source(error)?.downcast_ref()
    }
}

impl From<http::Error> for NoResponse {
    fn from(error: http::Error) -> Self {
        Self::Invalid(error)
    }
}

impl fmt::Display for NoResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the script ends this connection")
    }
}

impl std::error::Error for NoResponse {}
