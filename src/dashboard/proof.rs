//! A receipt to print or to keep, its signature, and how to verify it.

use maud::html;

use super::layout::{Frame, Section, page};
use super::{parts, path, request};
use crate::receipt::{Receipt, Timestamp};
use crate::session::Session;

/// A receipt as it was signed.
pub struct Proof<'a> {
    /// Who sees it.
    pub session: &'a Session,
    /// The receipt.
    pub receipt: &'a Receipt,
    /// The receipt's JSON, which was signed.
    pub body: &'a str,
    /// The headers of the signature; empty where no key is configured.
    pub headers: &'a [(&'static str, String)],
    /// Whether the published key verifies the signature.
    pub has_public_key: bool,
    /// The scheme and the host of the relay.
    pub origin: &'a str,
    /// The time.
    pub now: Timestamp,
}

/// The page.
pub fn proof(proof: &Proof<'_>) -> String {
    let Proof { session, receipt, body, headers, origin, now, .. } = proof;
    let download = path::of_request(&receipt.source, &receipt.request_id, "receipt.http");
    let back = path::request(&receipt.source, &receipt.request_id);
    let keys = format!("{origin}/.well-known/erasure-relay.json");
    let content = html! {
        p.screen { a href=(back) { "Back to the request" } }
        h1 { "Receipt of an erasure request" }
        p { "Request " span.id { (receipt.request_id) } }
        (request::facts(receipt, *now))
        (request::deliveries(receipt))
        @if !receipt.callbacks.is_empty() { (request::callbacks(receipt)) }
        p {
            "“Accepted” means that the vendor confirmed that it took the request. Identifiers are shown \
            by pseudonyms; this receipt holds no other personal data."
        }
        h2 { "Signature" }
        @if headers.is_empty() {
            p {
                "This relay signs no receipts: its secret " code { "RECEIPT_SIGNING_KEY" } " is not set."
            }
        } @else {
            p {
                "Signed at " (parts::exact_time(*now)) " as Standard Webhooks 1.0 has it: over "
                code { "webhook-id" } ", a dot, " code { "webhook-timestamp" } ", a dot, and the body."
            }
            dl.facts {
                @for (name, value) in *headers { div { dt { (name) } dd.id { (value) } } }
            }
        }
        h2 { "Body" }
        pre tabindex="0" aria-label="The receipt as JSON" { (body) }
        @if !headers.is_empty() {
            h2 { "Verify it" }
            p.screen {
                a.button href=(download) download="receipt.http" { "Download receipt.http" }
                " – signed anew, with headers and body as they must be kept."
            }
            @if proof.has_public_key {
                p { "With the public key, from " a href=(keys) { (keys) } ":" }
                pre tabindex="0" aria-label="Command" {
                    "cargo xtask verify-receipt --key " (keys) " receipt.http"
                }
            } @else {
                p {
                    "It has the signature of " code { "RECEIPT_SECRET" } " alone, which only whoever has \
                    that secret can verify."
                }
            }
        }
    };
    let (title, section) = ("Receipt", Section::Requests);
    page(&Frame { title, section, session: Some(session), message: None }, &content)
}
