//! Futures side by side. A request has a handful of them, so all are polled when one is ready: a
//! tenth of the Wasm that a queue of those that are ready would bring.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// A future of one request.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Futures under way at the same time.
pub struct Join<'a, T>(Vec<Boxed<'a, T>>);

impl<'a, T> Join<'a, T> {
    /// None yet.
    pub fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds one.
    pub fn push(&mut self, future: impl Future<Output = T> + 'a) {
        self.0.push(Box::pin(future));
    }

    /// How many are under way.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// What the next one to end comes to; waits for ever where none is under way.
    pub async fn next(&mut self) -> T {
        poll_fn(|context| {
            for index in 0..self.0.len() {
                let polled = self.0.get_mut(index).map(|future| future.as_mut().poll(context));
                if let Some(Poll::Ready(output)) = polled {
                    drop(self.0.swap_remove(index));
                    return Poll::Ready(output);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// What all of `futures` come to, in their order.
pub async fn all<'a, T, F: Future<Output = T> + 'a>(futures: impl Iterator<Item = F>) -> Vec<T> {
    let mut join = Join::new();
    let mut outputs = Vec::new();
    for (index, future) in futures.enumerate() {
        outputs.push(None);
        join.push(async move { (index, future.await) });
    }
    while join.len() > 0 {
        let (index, output) = join.next().await;
        if let Some(place) = outputs.get_mut(index) {
            *place = Some(output);
        }
    }
    outputs.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn all_end_in_their_order() {
        let ready = all([3, 1, 2].into_iter().map(async |number| number));
        assert_eq!(ready.now_or_never(), Some(vec![3, 1, 2]));
        let pending = all([true, false].into_iter().map(async |ready| {
            if !ready {
                std::future::pending::<()>().await;
            }
        }));
        assert_eq!(pending.now_or_never(), None);
    }
}
