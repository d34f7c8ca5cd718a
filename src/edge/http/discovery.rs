//! What an OpenDSR processor publishes, for everybody: `/discovery` and the certificate of its key.

use super::Service;
use super::reply::Reply;
use super::route::origin;
use crate::callback::source_of;
use crate::problem::Problem;

/// The media type of a certificate and those of its issuers in PEM (RFC 8555, 9.1).
const PEM: &str = "application/pem-certificate-chain";

/// `GET /webhooks/{source}/discovery`
///
/// # Errors
/// 404 where the source has no processor's key.
pub fn of_source(service: &Service, source: &str) -> Result<Reply, Problem> {
    let sender = service.sender(source)?;
    let callback = service.environment.callback_of(source).ok_or(Problem::NotFound)?;
    let processor = callback.callback.processor().ok_or(Problem::NotFound)?;
    let types = sender.source.platform.identity_types();
    Ok(Reply::Written(200, processor.discovery(source, &types), Vec::new()))
}

/// `GET /discovery`: whoever got a signed message knows the processor's domain alone.
///
/// # Errors
/// 404 where no source has a processor of the domain that is asked.
pub fn of_domain(service: &Service, url: &str) -> Result<Reply, Problem> {
    let host = origin(url).split_once("://").map(|(_, host)| host).unwrap_or_default();
    let is_asked = |domain: &str| host == domain;
    let mut callbacks = service.environment.callbacks.iter();
    let found = callbacks.find(|known| {
        known.callback.processor().is_some_and(|processor| is_asked(&processor.domain))
    });
    let source = found.and_then(|known| source_of(&known.client.account.name));
    of_source(service, source.ok_or(Problem::NotFound)?)
}

/// `GET /webhooks/{source}/certificate.pem`
///
/// # Errors
/// 404 where the source has no processor's key.
pub fn certificate(service: &Service, source: &str) -> Result<Reply, Problem> {
    let callback = service.environment.callback_of(source).ok_or(Problem::NotFound)?;
    let processor = callback.callback.processor().ok_or(Problem::NotFound)?;
    Ok(Reply::Typed(200, PEM, processor.certificate.clone()))
}
