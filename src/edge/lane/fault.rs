//! Why a lane does not do what it is asked.

use worker::Error;

use crate::delivery::database::StorageError;

/// Why a lane does not do what it is asked. Nothing may be acknowledged then.
#[derive(Debug)]
pub enum Fault {
    /// The configuration or a secret is missing.
    NotConfigured,
    /// The configuration does not name the lane, so it does not send.
    Orphaned,
    /// The Worker's message cannot be read.
    UnknownMessage,
    /// The runtime refused something.
    Runtime,
    /// The storage failed.
    Storage(StorageError),
}

impl Fault {
    /// For the operator's log.
    pub fn place(&self) -> &'static str {
        match self {
            Fault::NotConfigured => "lane: the configuration is not complete",
            Fault::Orphaned => "lane: the configuration does not name it any more",
            Fault::UnknownMessage => "lane: the Worker is of another version",
            Fault::Runtime => "lane: the runtime failed",
            Fault::Storage(StorageError::Failed) => "lane: the storage failed",
            Fault::Storage(StorageError::Corrupt) => "lane: the storage is corrupt",
            Fault::Storage(StorageError::UnknownSchema(_)) => {
                "lane: the storage is of a later version, and is left as it is"
            }
        }
    }
}

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Self {
        Fault::Storage(error)
    }
}

impl From<Error> for Fault {
    fn from(_: Error) -> Self {
        Fault::Runtime
    }
}
