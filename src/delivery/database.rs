//! The SQL that a lane needs of its storage: SQLite, in a Durable Object or natively.

use thiserror::Error;

/// One value of a row or a binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// SQL's NULL.
    Null,
    /// At most 53 bits: it passes through a JavaScript number.
    Integer(i64),
    /// UTF-8.
    Text(String),
}

/// Why the storage did not do what it was asked. No variant holds what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StorageError {
    /// The database refused or failed: full, broken, out of reach.
    #[error("the storage failed")]
    Failed,
    /// A row is not what the schema says.
    #[error("the storage holds something else than was written")]
    Corrupt,
    /// The storage was written by a later version of the relay. It is left as it is.
    #[error("the storage has schema version {0}, which this version of the relay does not know")]
    UnknownSchema(i64),
}

/// A SQLite database. What is executed without waiting in between is stored together or not at all.
pub trait Database {
    /// Executes `statement`, its `?` bound to `bindings` in order, and returns all rows.
    ///
    /// # Errors
    /// [`StorageError::Failed`]
    fn query(&self, statement: &str, bindings: &[Value]) -> Result<Vec<Row>, StorageError>;

    /// How many rows were written since the database was opened, as the platform bills them: index
    /// entries count as well. `None` where that is not counted.
    fn rows_written(&self) -> Option<u64> {
        None
    }
}

/// One row, column by column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// The integer in column `at`, counted from zero.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] where it is something else.
    pub fn integer(&self, at: usize) -> Result<i64, StorageError> {
        self.optional_integer(at)?.ok_or(StorageError::Corrupt)
    }

    /// The same, where it may be NULL.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`]
    pub fn optional_integer(&self, at: usize) -> Result<Option<i64>, StorageError> {
        match self.0.get(at) {
            Some(Value::Integer(number)) => Ok(Some(*number)),
            Some(Value::Null) => Ok(None),
            _ => Err(StorageError::Corrupt),
        }
    }

    /// The text in column `at`.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] where it is something else.
    pub fn text(&self, at: usize) -> Result<&str, StorageError> {
        self.optional_text(at)?.ok_or(StorageError::Corrupt)
    }

    /// The same, where it may be NULL.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`]
    pub fn optional_text(&self, at: usize) -> Result<Option<&str>, StorageError> {
        match self.0.get(at) {
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(Value::Null) => Ok(None),
            _ => Err(StorageError::Corrupt),
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Integer(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Value::Integer(number.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}
