//! Accepts connections on the loopback interface until dropped.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Between two attempts to accept a connection.
const RETRY: Duration = Duration::from_millis(10);

/// A running server. It stops, with every connection, when dropped.
pub(crate) struct Server {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Listens on a port that the system chooses, and serves each connection with `serve`.
    pub(crate) async fn start<Connection>(
        serve: impl Fn(TcpStream) -> Connection + Send + 'static,
    ) -> Result<Self>
    where
        Connection: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("no port for a stand-in")?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        while connections.try_join_next().is_some() {} // forget those that ended
                        connections.spawn(serve(stream));
                    }
                    // Out of file descriptors, or the client has left again.
                    Err(_) => tokio::time::sleep(RETRY).await,
                }
            }
        });
        Ok(Self { address, accepting })
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort(); // it owns the connections' tasks, which end with it
    }
}
