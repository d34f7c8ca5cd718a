//! Requests written byte by byte, so that tests can send what no HTTP client would.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Recorded, StandIn};

/// Everything must be over long before this.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to `stand_in` on which `request` has been written.
pub(super) async fn send(stand_in: &StandIn, request: impl AsRef<[u8]>) -> TcpStream {
    let mut stream = TcpStream::connect(stand_in.address).await.expect("it listens");
    stream.write_all(request.as_ref()).await.expect("it reads");
    stream
}

/// Everything that arrives until the connection ends.
pub(super) async fn until_end(stream: &mut TcpStream) -> io::Result<String> {
    let mut received = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut received))
        .await
        .expect("an end of the connection")?;
    Ok(String::from_utf8_lossy(&received).into_owned())
}

/// Sends `request`, which must ask for the connection to be closed, and returns the response.
pub(super) async fn exchange(stand_in: &StandIn, request: impl AsRef<[u8]>) -> (u16, String) {
    let response = until_end(&mut send(stand_in, request).await).await.expect("a response");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head");
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    (status.and_then(|status| status.parse().ok()).expect("a status"), body.to_owned())
}

/// `text` with its only `from` replaced: a rule's test must not pass because nothing was changed.
pub(super) fn altered(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from:?} in {text:?}");
    text.replacen(from, to, 1)
}

/// Sends a request that departs from the documentation in one point, and checks that this is
/// seen, that nothing else is, and that `private` is not in the words for it.
pub(super) async fn assert_departs(
    stand_in: &StandIn,
    request: impl AsRef<[u8]>,
    status: u16,
    departure: &str,
    private: &[&str],
) -> Recorded {
    let before = stand_in.departures().len();
    let (answered, body) = exchange(stand_in, request).await;
    let recorded = stand_in.requests().pop().expect("a recorded request");
    assert_eq!(recorded.departures, [departure], "{recorded:?}");
    assert_eq!((answered, recorded.answered), (status, Some(status)), "{departure}");
    let kept = stand_in.departures();
    assert_eq!(kept.len(), before + 1, "{departure}");
    for words in [&body, &kept[before]] {
        assert!(private.iter().all(|private| !words.contains(private)), "{words} tells too much");
    }
    recorded
}
