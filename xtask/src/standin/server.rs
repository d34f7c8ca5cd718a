//! The HTTP side of a stand-in: connections, and the acting out of an answer.

use std::fmt;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, http};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Vendor;
use super::answer::{self, Answer, Payload};
use super::journal::{Journal, Recorded};

/// Takes connections until it is aborted, and then takes them all with it.
pub(super) async fn serve(listener: TcpListener, vendor: Arc<Vendor>, journal: Arc<Journal>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                while connections.try_join_next().is_some() {} // forget those that have ended
                connections.spawn(converse(stream, vendor.clone(), journal.clone()));
            }
            // Out of file descriptors, or the client has gone again.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Answers the requests of one connection.
async fn converse(stream: TcpStream, vendor: Arc<Vendor>, journal: Arc<Journal>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let (vendor, journal) = (vendor.clone(), journal.clone());
        let answer = async move { answer(request, &vendor, &journal).await };
        Box::pin(answer) as Pin<Box<dyn Future<Output = _> + Send>>
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let Err(error) = (&mut connection).await else { return };
    match Ending::of(&error) {
        Some(Ending::Reset) => {
            let _ = connection.into_parts().io.inner().set_zero_linger();
        }
        Some(Ending::Close) => {}
        Some(Ending::Impossible(error)) => journal.depart(format!("a scripted answer: {error}")),
        None if error.is_parse() => journal.depart(format!("not HTTP/1.1: {error}")),
        None => {} // the client left
    }
}

/// Enters a request in the journal and acts out the answer to it.
async fn answer(
    request: Request<Incoming>,
    vendor: &Vendor,
    journal: &Journal,
) -> Result<Response<Payload>, Ending> {
    let request = receive(request).await;
    let verdict = vendor.inspect(&request);
    let path = request.path().to_owned();
    let (turn, answer) = journal.enter(request, verdict);
    let response = act_out(answer, vendor, &path).await?;
    journal.answered(turn, response.status().as_u16());
    Ok(response)
}

async fn act_out(
    mut answer: Answer,
    vendor: &Vendor,
    path: &str,
) -> Result<Response<Payload>, Ending> {
    loop {
        return match answer {
            Answer::Usual => {
                answer = vendor.usual(path);
                continue;
            }
            Answer::Slow { delay, then } => {
                tokio::time::sleep(delay).await;
                answer = *then;
                continue;
            }
            Answer::Status { status, headers, body } => {
                Ok(answer::response(status, &headers, Payload::whole(body))?)
            }
            Answer::Cut { status, announced, body } => {
                Ok(answer::cut_response(status, announced, body)?)
            }
            Answer::Large { status, bytes } => Ok(answer::large_response(status, bytes)?),
            Answer::Hang => pending().await,
            Answer::Reset => Err(Ending::Reset),
            Answer::Close => Err(Ending::Close),
        };
    }
}

/// How much of a body is kept: all that a vendor takes, and enough more to see that it is more.
const KEPT_BODY: usize = 8_000_000;

/// Reads a whole request, and notes what is wrong with it as HTTP.
async fn receive(request: Request<Incoming>) -> Recorded {
    let received_at = Instant::now();
    let (head, mut incoming) = request.into_parts();
    let mut body = Vec::new();
    let mut departures = Vec::new();
    while let Some(frame) = incoming.frame().await {
        match frame.map(|frame| frame.into_data()) {
            Ok(Ok(data)) if body.len() < KEPT_BODY => body.extend_from_slice(&data),
            Ok(Ok(_)) => {} // read to its end all the same, so that the answer can be heard
            Ok(Err(_)) => departures.push("trailers after the body".to_owned()),
            Err(_) => departures.push("the body is not what its framing announced".to_owned()),
        }
    }
    Recorded {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        headers: text(&head.headers),
        body,
        identifier: None,
        departures,
        answered: None,
        answered_at: None,
        received_at,
    }
}

/// The headers as text. A value that is not UTF-8 gets replacement characters, and so cannot be
/// what any rule asks for.
fn text(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
}

/// Why a connection ends without a response.
#[derive(Debug)]
enum Ending {
    Reset,
    Close,
    /// The script asks for a status or header that HTTP does not know.
    Impossible(http::Error),
}

impl Ending {
    /// The ending behind hyper's error, if it was one of ours.
    fn of(error: &hyper::Error) -> Option<&Self> {
        std::error::Error::source(error)?.downcast_ref()
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the script ends this connection")
    }
}

impl std::error::Error for Ending {}

impl From<http::Error> for Ending {
    fn from(error: http::Error) -> Self {
        Self::Impossible(error)
    }
}
