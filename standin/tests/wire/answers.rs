//! Scripts and connections: what every stand-in does, tested with Instacart's.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use standin::{Answer, FaultRates, InstacartAccount, Outage, RecordedRequest, StandIn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::exchange::{address, altered, exchange, send, until_end};

const REQUEST: &str = "\
    POST /v2/fulfillment/users/u-1/privacy_request HTTP/1.1\r\n\
    Host: 127.0.0.1\r\n\
    Accept: application/json\r\n\
    Authorization: Bearer s3cret\r\n\
    Content-Type: application/json\r\n\
    Connection: close\r\n\r\n";

async fn stand_in() -> StandIn {
    StandIn::instacart(InstacartAccount::with_token("s3cret")).await.expect("a port")
}

async fn scripted(answer: Answer) -> StandIn {
    let stand_in = stand_in().await;
    stand_in.script("u-1", [answer]);
    stand_in
}

/// Waits until the journal knows the first request.
async fn first_request(stand_in: &StandIn) -> RecordedRequest {
    loop {
        match stand_in.requests().into_iter().next() {
            Some(request) => return request,
            None => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

#[tokio::test]
async fn scripts_answer_in_order_and_the_last_answer_repeats() {
    let stand_in = stand_in().await;
    let busy = Answer::status(429).with_header("Retry-After", "7");
    stand_in.script("u-1", [busy, Answer::html(503), Answer::Success, Answer::status(403)]);
    let response = until_end(&mut send(&stand_in, REQUEST).await).await.expect("a response");
    assert!(response.contains("retry-after: 7\r\n"), "{response}");
    for status in [503, 200, 403, 403, 403] {
        assert_eq!(exchange(&stand_in, REQUEST).await.0, status);
    }
    let other = altered(REQUEST, "u-1", "u-2");
    assert_eq!(exchange(&stand_in, other).await.0, 200, "another identifier has no script");
    let status = |request: RecordedRequest| request.response_status;
    let statuses: Vec<_> = stand_in.requests_for("u-1").into_iter().map(status).collect();
    assert_eq!(statuses, [429, 503, 200, 403, 403, 403].map(Some));
    stand_in.script("u-1", []);
    assert_eq!(exchange(&stand_in, REQUEST).await.0, 200, "an empty script is none");
}

#[tokio::test]
async fn a_mismatch_takes_nothing_from_the_script() {
    let stand_in = stand_in().await;
    stand_in.script("u-1", [Answer::status(503), Answer::Success]);
    for (request, status) in [
        (altered(REQUEST, "POST", "PUT"), 418),
        (altered(REQUEST, "s3cret", "other"), 401),
        (REQUEST.to_owned(), 503),
        (REQUEST.to_owned(), 200),
    ] {
        assert_eq!(exchange(&stand_in, request).await.0, status);
    }
    assert_eq!(
        stand_in.mismatches(),
        ["request 1: the method is not POST", "request 2: the token is not this account's"]
    );
}

#[tokio::test]
async fn an_outage_precedes_a_script_and_ends() {
    let stand_in = scripted(Answer::status(403)).await;
    for (name, status) in [("down", 503), ("throttle", 429), ("reject", 401)] {
        stand_in.set_outage(Some(name.parse().expect("an outage")));
        assert_eq!(exchange(&stand_in, REQUEST).await.0, status, "{name}");
        assert_eq!(exchange(&stand_in, altered(REQUEST, "u-1", "u-2")).await.0, status, "{name}");
        assert_eq!(exchange(&stand_in, altered(REQUEST, "POST", "PUT")).await.0, 418, "{name}");
    }
    stand_in.set_outage(Some(Outage::Hanging));
    let mut stream = send(&stand_in, REQUEST).await;
    let silence = timeout(Duration::from_millis(100), stream.read_u8()).await;
    assert!(silence.is_err(), "{silence:?}");
    stand_in.set_outage(None);
    assert_eq!(exchange(&stand_in, REQUEST).await.0, 403, "the script goes on");
    assert!("asleep".parse::<Outage>().is_err());
}

#[tokio::test]
async fn a_connection_carries_several_requests() {
    let stand_in = stand_in().await;
    let request = altered(REQUEST, "Connection: close\r\n", "");
    let mut stream = send(&stand_in, &request).await;
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.expect("a response");
    stream.write_all(REQUEST.as_bytes()).await.expect("a connection kept alive");
    let rest = until_end(&mut stream).await.expect("a second response");
    assert_eq!(rest.matches("HTTP/1.1 200 OK").count(), 1, "{rest}");
    assert_eq!(stand_in.requests().len(), 2);
}

#[tokio::test]
async fn hang_holds_the_connection_until_the_client_leaves() {
    let stand_in = scripted(Answer::Hang).await;
    let mut stream = send(&stand_in, REQUEST).await;
    let silence = timeout(Duration::from_millis(100), stream.read_u8()).await;
    assert!(silence.is_err(), "{silence:?}");
    assert_eq!(first_request(&stand_in).await.response_status, None);
    stream.shutdown().await.expect("an open connection");
    assert_eq!(until_end(&mut stream).await.expect("an orderly end"), "");
    assert_eq!(stand_in.mismatches(), Vec::<String>::new());
}

#[tokio::test]
async fn a_dropped_stand_in_ends_its_connections() {
    let stand_in = scripted(Answer::Hang).await;
    let mut stream = send(&stand_in, REQUEST).await;
    first_request(&stand_in).await;
    let address = address(&stand_in);
    drop(stand_in);
    assert_eq!(until_end(&mut stream).await.expect("an orderly end"), "");
    let refused = TcpStream::connect(address).await.expect_err("nobody listens");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn reset_and_close_end_without_a_response() {
    let stand_in = stand_in().await;
    stand_in.script("u-1", [Answer::Reset, Answer::Close]);
    let reset = until_end(&mut send(&stand_in, REQUEST).await).await.expect_err("a reset");
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    let closed = until_end(&mut send(&stand_in, REQUEST).await).await;
    assert_eq!(closed.expect("an orderly end"), "");
    assert!(stand_in.requests().iter().all(|request| request.response_status.is_none()));
    assert_eq!(stand_in.mismatches(), Vec::<String>::new());
}

#[tokio::test]
async fn truncated_sends_less_than_it_announces() {
    let body = br#"{"success":"#.to_vec();
    let stand_in = scripted(Answer::Truncated { status: 200, announced: 16, body }).await;
    let response = until_end(&mut send(&stand_in, REQUEST).await).await.expect("a FIN");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(response.contains("content-length: 16\r\n"), "{response}");
    assert!(response.ends_with("\r\n\r\n{\"success\":"), "{response}");
}

#[tokio::test]
async fn large_streams_without_announcing_how_much() {
    let bytes = 3_000_001;
    let stand_in = scripted(Answer::Large { status: 200, bytes }).await;
    let response = until_end(&mut send(&stand_in, REQUEST).await).await.expect("a response");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head");
    assert!(!head.contains("content-length"), "{head}");
    assert_eq!(body.bytes().filter(|byte| *byte == b' ').count(), bytes);
}

#[tokio::test]
async fn a_delayed_answer_comes_later() {
    let delay = Duration::from_millis(50);
    let stand_in = scripted(Answer::Success.after(delay)).await;
    let sent = Instant::now();
    assert_eq!(exchange(&stand_in, REQUEST).await.0, 200);
    assert!(sent.elapsed() >= delay);
}

#[tokio::test]
async fn a_limit_precedes_a_script_and_a_script_precedes_faults() {
    let stand_in = scripted(Answer::status(503)).await;
    let max_delay = Duration::ZERO;
    let rates = FaultRates { errors: 0.0, throttled: 1.0, resets: 0.0, delayed: 1.0, max_delay };
    stand_in.inject_faults(rates, 1);
    stand_in.set_rate_limit(2, Duration::from_secs(3600));
    let other = altered(REQUEST, "u-1", "u-2");
    assert_eq!(exchange(&stand_in, REQUEST).await.0, 503);
    let drawn = until_end(&mut send(&stand_in, &other).await).await.expect("a response");
    assert!(drawn.starts_with("HTTP/1.1 429 ") && drawn.contains("retry-after: 1\r\n"), "{drawn}");
    let above = until_end(&mut send(&stand_in, REQUEST).await).await.expect("a response");
    assert!(above.contains("retry-after: 3600\r\n"), "{above}");
    for request in stand_in.requests() {
        assert!(request.responded_at.is_some_and(|at| at >= request.received_at));
    }
}

#[tokio::test]
async fn what_is_not_http_is_a_mismatch() {
    for bytes in ["\x16\x03\x01\x02\x00", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "POST\r\n\r\n"] {
        let stand_in = stand_in().await;
        let _ = until_end(&mut send(&stand_in, bytes).await).await;
        assert_eq!(stand_in.mismatches().len(), 1, "{bytes:?}");
        assert!(stand_in.mismatches()[0].starts_with("not HTTP/1.1"), "{bytes:?}");
    }
}

#[tokio::test]
async fn a_body_shorter_than_announced_is_a_mismatch() {
    let stand_in = stand_in().await;
    let request = altered(REQUEST, "Connection", "Content-Length: 3\r\nConnection");
    let mut stream = send(&stand_in, request).await;
    stream.shutdown().await.expect("an open connection");
    let _ = until_end(&mut stream).await;
    let mismatch = "request 1: the body is not what its framing announced";
    assert_eq!(stand_in.mismatches(), [mismatch]);
}

#[tokio::test]
async fn an_invalid_script_is_a_mismatch() {
    let stand_in = scripted(Answer::status(7)).await;
    assert_eq!(until_end(&mut send(&stand_in, REQUEST).await).await.expect("a FIN"), "");
    assert_eq!(stand_in.mismatches(), ["a scripted answer: invalid status code"]);
}

#[tokio::test]
async fn debug_output_keeps_tokens_back() {
    let stand_in = stand_in().await;
    exchange(&stand_in, REQUEST).await;
    let shown = format!("{:?}", stand_in.requests());
    assert!(shown.contains("u-1") && !shown.contains("s3cret"), "{shown}");
}
