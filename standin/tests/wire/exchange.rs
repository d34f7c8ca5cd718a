//! Requests written byte by byte, so that tests can send what no HTTP client would.

use std::io;
use std::time::Duration;

use standin::{RecordedRequest, StandIn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The most that a test waits for the end of a connection.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where `stand_in` listens, as `IP:PORT`.
pub fn address(stand_in: &StandIn) -> String {
    stand_in.base_url().strip_prefix("http://").expect("a URL").to_owned()
}

/// A connection to `stand_in` on which `request` has been written.
pub async fn send(stand_in: &StandIn, request: impl AsRef<[u8]>) -> TcpStream {
    let mut stream = TcpStream::connect(address(stand_in)).await.expect("it listens");
    stream.write_all(request.as_ref()).await.expect("it reads");
    stream
}

/// Everything that arrives until the connection ends.
pub async fn until_end(stream: &mut TcpStream) -> io::Result<String> {
    let mut received = Vec::new();
    timeout(TIMEOUT, stream.read_to_end(&mut received)).await.expect("an end of the connection")?;
    Ok(String::from_utf8_lossy(&received).into_owned())
}

/// Sends `request`, which must ask for the connection to be closed, and returns the response.
pub async fn exchange(stand_in: &StandIn, request: impl AsRef<[u8]>) -> (u16, String) {
    let response = until_end(&mut send(stand_in, request).await).await.expect("a response");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head");
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    (status.and_then(|status| status.parse().ok()).expect("a status"), body.to_owned())
}

/// `text` with its only `from` replaced: a rule's test must not pass because nothing was changed.
pub fn altered(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from:?} in {text:?}");
    text.replacen(from, to, 1)
}

/// Sends a request with one mismatch, and checks that it is the only one that is reported, and that
/// the report does not contain `private`.
pub async fn assert_mismatch(
    stand_in: &StandIn,
    request: impl AsRef<[u8]>,
    status: u16,
    mismatch: &str,
    private: &[&str],
) -> RecordedRequest {
    let before = stand_in.mismatches().len();
    let (answered, body) = exchange(stand_in, request).await;
    let recorded = stand_in.requests().pop().expect("a recorded request");
    assert_eq!(recorded.mismatches, [mismatch], "{recorded:?}");
    assert_eq!((answered, recorded.response_status), (status, Some(status)), "{mismatch}");
    let kept = stand_in.mismatches();
    assert_eq!(kept.len(), before + 1, "{mismatch}");
    for words in [&body, &kept[before]] {
        assert!(private.iter().all(|private| !words.contains(private)), "{words} tells too much");
    }
    recorded
}
