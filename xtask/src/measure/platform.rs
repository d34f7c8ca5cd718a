//! A consent platform: it sends each webhook again until it is acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::demo::SECRET;
use crate::webhook::{Webhook, now, send};

/// The source that the webhooks name.
pub const SOURCE: &str = "consent";

/// How many webhooks are on their way at once. A lane lets about half of these wait for an answer, so
/// that the others become a backlog.
const CONCURRENCY: usize = 64;

/// Before a webhook is sent again. Platforms wait longer, but they send for days.
const PAUSE: Duration = Duration::from_millis(200);

/// How long the platform waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// One sending of one webhook.
#[derive(Debug, Clone)]
pub struct Try {
    /// When it began.
    pub started: Instant,
    /// When the answer was there, or it was certain that none comes.
    pub ended: Instant,
    /// The answer's status, if there was an answer.
    pub status: Option<u16>,
}

impl Try {
    /// Whether the Worker has taken over: nothing is left to do, or it is stored what is.
    #[must_use]
    pub fn acknowledged(&self) -> bool {
        matches!(self.status, Some(200 | 202))
    }

    /// What it came to, in words.
    #[must_use]
    pub fn answer(&self) -> String {
        self.status.map_or("no answer".to_owned(), |status| status.to_string())
    }
}

/// Headers and body of a message.
pub type Posting = (Vec<(String, String)>, Vec<u8>);

/// A webhook that can be sent again and again.
pub trait Post: Send + Sync + 'static {
    /// The source that it names.
    fn source(&self) -> &str {
        SOURCE
    }

    /// Headers and body of a message that is sent now.
    ///
    /// # Errors
    /// Where it cannot be signed.
    fn message(&self) -> Result<Posting>;
}

impl Post for Webhook {
    fn message(&self) -> Result<Posting> {
        let webhook = Webhook { timestamp: now(), ..self.clone() };
        Ok((webhook.headers(SECRET)?, webhook.body))
    }
}

/// Sends the webhooks, several at once, until each is acknowledged; returns every try by the
/// webhook's index. Nothing is sent while `address`, the Worker's base URL, is `None`, and a
/// webhook's first try needs a permit of `gate`, which it keeps.
///
/// # Errors
/// Where an answer is neither an acknowledgement nor a reason to try again.
pub async fn send_all(
    webhooks: Vec<impl Post>,
    address: watch::Receiver<Option<String>>,
    gate: Arc<Semaphore>,
) -> Result<Vec<Vec<Try>>> {
    let webhooks = Arc::new(webhooks);
    let next = Arc::new(AtomicUsize::new(0));
    let mut senders = JoinSet::new();
    for _ in 0..CONCURRENCY {
        let (webhooks, next) = (webhooks.clone(), next.clone());
        let (mut address, gate) = (address.clone(), gate.clone());
        senders.spawn(async move {
            let mut sent = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(webhook) = webhooks.get(index) else { return Ok(sent) };
                gate.acquire().await?.forget();
                sent.push((index, deliver(webhook, &mut address).await?));
            }
        });
    }
    let mut all = vec![Vec::new(); webhooks.len()];
    while let Some(sent) = senders.join_next().await {
        let sent: Result<Vec<(usize, Vec<Try>)>> = sent?;
        for (index, tries) in sent? {
            all[index] = tries;
        }
    }
    Ok(all)
}

async fn deliver(
    webhook: &impl Post,
    address: &mut watch::Receiver<Option<String>>,
) -> Result<Vec<Try>> {
    let mut tries: Vec<Try> = Vec::new();
    loop {
        let base = address.wait_for(Option::is_some).await.context("the Worker is gone")?.clone();
        let url = format!("{}/webhooks/{}", base.unwrap_or_default(), webhook.source());
        let (headers, body) = webhook.message()?;
        let started = Instant::now();
        let reply = timeout(PATIENCE, send("POST", &url, &headers, body)).await;
        let reply = reply.ok().and_then(Result::ok);
        let status = reply.as_ref().map(|reply| reply.status.as_u16());
        tries.push(Try { started, ended: Instant::now(), status });
        match status {
            Some(200 | 202) => return Ok(tries),
            None | Some(429 | 500..) => sleep(PAUSE).await,
            Some(_) => bail!("a webhook that must be taken was refused: {reply:?}"),
        }
    }
}

/// How many tries came to which answer.
#[must_use]
pub fn answers(tries: &[Vec<Try>]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for one in tries.iter().flatten() {
        *counts.entry(one.answer()).or_default() += 1;
    }
    counts
}
