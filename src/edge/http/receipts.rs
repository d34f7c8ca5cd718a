//! Receipts, signed as Standard Webhooks 1.0 has it, and the public keys that verify them.

use super::reply::Reply;
use crate::edge::environment::Environment;
use crate::edge::now;
use crate::keys::StampedReceipt;
use crate::problem::Problem;
use crate::receipt::Receipt;

/// A receipt, signed with the keys that are configured.
///
/// # Errors
/// Where it cannot be signed.
pub async fn signed(environment: &Environment, receipt: &Receipt) -> Result<Reply, Problem> {
    let Signed { body, headers } = sign(environment, receipt).await?;
    Ok(Reply::Written(200, body, headers))
}

/// A receipt as JSON, and the headers of its signatures; none without a key.
pub struct Signed {
    /// What was signed.
    pub body: String,
    /// Its id, its time and its signatures.
    pub headers: Vec<(&'static str, String)>,
}

/// The same, apart from a reply.
///
/// # Errors
/// Where it cannot be signed.
pub async fn sign(environment: &Environment, receipt: &Receipt) -> Result<Signed, Problem> {
    let request_id = &receipt.request_id;
    let text = serde_json::to_string(receipt).map_err(|_| Problem::Internal)?;
    let name = environment.keys.pseudonyms.as_ref().map(|names| names.of_request(request_id));
    let id = format!("receipt-{}", name.unwrap_or_default().replace(':', "-"));
    let stamped = StampedReceipt::new(id, now().0.div_euclid(1000), &text);
    let hmac = environment.keys.sign_receipt(&stamped);
    let ed25519 = match &environment.receipt_signer {
        Some(signer) => signer.sign(&stamped.signed()).await.map_err(|_| Problem::Internal)?,
        None => None,
    };
    let headers = stamped.headers(hmac, ed25519.as_deref());
    Ok(Signed { body: text, headers })
}

/// `GET /.well-known/erasure-relay.json`: the public keys of receipts, for everybody.
///
/// # Errors
/// 404 where there is none.
pub fn keys(environment: &Environment, is_durable: bool) -> Result<Reply, Problem> {
    let missing = if is_durable {
        "RECEIPT_SIGNING_KEY is not set"
    } else {
        "direct delivery stores no receipts that could be signed"
    };
    let signer = environment.receipt_signer.as_ref();
    let signer = signer.ok_or(Problem::NoReceiptKeys(missing))?;
    let text = serde_json::to_string(&signer.public).map_err(|_| Problem::Internal)?;
    let headers = vec![
        ("Cache-Control", "public, max-age=3600".to_owned()),
        ("Access-Control-Allow-Origin", "*".to_owned()),
    ];
    Ok(Reply::Written(200, text, headers))
}
