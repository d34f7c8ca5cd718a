//! What a lane's alarm does: it sends what is due, as fast as the pace allows, for one shift.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::{Fault, Lane, operations};
use crate::delivery::lane::{Claim, Settlement};
use crate::edge::channel::Channel;
use crate::edge::isolate::Isolate;
use crate::edge::join::Join;
use crate::edge::{CONNECTIONS, now, settled};

/// How long one alarm starts new calls; the next one goes on.
const SHIFT: Duration = Duration::from_secs(20);

/// A pause shorter than this is awaited; a longer one is the alarm's.
const SHORT: Duration = Duration::from_secs(2);

impl Lane {
    /// Sends what is due. A fault ends the shift once what is under way has been settled.
    pub(super) async fn work(&self, channel: &Channel, isolate: &Isolate) -> Result<(), Fault> {
        let ends_at = now().after(SHIFT);
        let mut fault = None;
        let mut under_way = Join::new();
        loop {
            let goes_on = fault.is_none() && now() < ends_at;
            let mut pause = None;
            if goes_on {
                // With a token at hand a call goes out as soon as the pace lets it. Without one,
                // one call is enough to tell why.
                let ready = channel.prepare().await.is_ok();
                let most = if ready { CONNECTIONS } else { 1 };
                match self.claim(most.saturating_sub(under_way.len())) {
                    Ok((claims, next)) => {
                        for claim in claims {
                            under_way.push(self.deliver(claim, channel, isolate));
                        }
                        pause = next.filter(|_| under_way.len() < most);
                    }
                    Err(failed) => fault = Some(failed),
                }
            }
            let done = match (under_way.len() == 0, pause) {
                (true, None) => return fault.map_or(Ok(()), Err),
                (true, Some(pause)) => {
                    settled::pause(pause).await;
                    Ok(())
                }
                (false, None) => under_way.next().await,
                (false, Some(pause)) => {
                    let next = pin!(under_way.next());
                    match select(next, pin!(settled::pause(pause))).await {
                        Either::Left((done, _)) => done,
                        Either::Right(_) => Ok(()),
                    }
                }
            };
            fault = fault.or(done.err());
        }
    }

    /// What may go now, and how soon more may, if that is soon.
    fn claim(&self, most: usize) -> Result<(Vec<Claim>, Option<Duration>), Fault> {
        self.with(|lane| {
            let claims = lane.claim(most, now())?;
            let next = lane.next_call()?.map(|next| next.since(now()));
            Ok((claims, next.filter(|pause| *pause < SHORT)))
        })
    }

    /// Sends what a claim names, and what follows it as long as that may go at once.
    async fn deliver(
        &self,
        claim: Claim,
        channel: &Channel,
        isolate: &Isolate,
    ) -> Result<(), Fault> {
        let Claim { mut lease, mut call, source, request_id } = claim;
        loop {
            let sent = channel.send(&call).await;
            let follow_up = channel.follow_up(&call, &sent.verdict, isolate);
            let next = follow_up.as_ref().map(|(call, _)| call.clone());
            let (verdict, attempts) = (sent.verdict, sent.attempts);
            let settlement = Settlement { lease, verdict, attempts, follow_up };
            let (settled, records) = self.with(|lane| {
                let settled = lane.settle(&settlement, now())?;
                Ok((settled, lane.find(&source, &request_id)?))
            })?;
            operations::tell(isolate, &channel.account.name, &records, lease.id);
            match (settled.lease, next) {
                (Some(further), Some(following)) => (lease, call) = (further, following),
                _ => return Ok(()),
            }
        }
    }
}
