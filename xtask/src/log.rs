//! What a process prints, line by line.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::watch;
use tokio::time::timeout;

/// The lines that a process prints, as they come.
#[derive(Clone)]
pub struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    count: watch::Sender<usize>,
}

impl Default for Log {
    fn default() -> Self {
        Self { lines: Arc::default(), count: watch::Sender::new(0) }
    }
}

impl Log {
    /// Takes what comes on `stream` from now on.
    pub fn follow(&self, stream: Option<impl AsyncRead + Unpin + Send + 'static>) {
        let log = self.clone();
        tokio::spawn(async move {
            let Some(stream) = stream else { return };
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                log.lines().push(line);
                log.count.send_modify(|count| *count += 1);
            }
        });
    }

    /// Changes with each line.
    pub fn changes(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    /// All lines so far.
    pub fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All lines so far, as one text.
    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// The first line, printed already or to come, of which `find` makes something; `None` where
    /// none comes within `limit`.
    pub async fn wait_for<T>(
        &self,
        limit: Duration,
        find: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let mut count = self.count.subscribe();
        let mut seen = 0;
        let search = async {
            loop {
                count.borrow_and_update();
                {
                    let lines = self.lines();
                    if let Some(found) = lines.iter().skip(seen).find_map(|line| find(line)) {
                        return Some(found);
                    }
                    seen = lines.len();
                }
                if count.changed().await.is_err() {
                    return None;
                }
            }
        };
        timeout(limit, search).await.ok().flatten()
    }
}
