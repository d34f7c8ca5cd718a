//! Whether the [directory](crate::delivery::directory) knows the lane, as the lane itself remembers.

use super::{Lane, Result};
use crate::delivery::database::Database;

impl<D: Database> Lane<D> {
    /// Whether the directory has been told.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn is_registered(&self) -> Result<bool> {
        const TABLE: &str = "CREATE TABLE IF NOT EXISTS registration (done INTEGER NOT NULL)";
        self.database.query(TABLE, &[])?;
        Ok(!self.database.query("SELECT 1 FROM registration", &[])?.is_empty())
    }

    /// The directory has been told.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn set_registered(&self) -> Result<()> {
        let statement =
            "INSERT INTO registration SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM registration)";
        self.database.query(statement, &[]).map(drop)
    }

    /// Whether nothing is stored.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.database.query("SELECT 1 FROM delivery LIMIT 1", &[])?.is_empty())
    }
}
