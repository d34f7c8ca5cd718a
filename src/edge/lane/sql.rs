//! A Durable Object's SQLite as a lane's database.

use std::cell::Cell;

use worker::{SqlStorage, SqlStorageValue};

use crate::delivery::database::{Database, Row, StorageError, Value};

/// The SQL of one object's storage.
pub struct Sql {
    storage: SqlStorage,
    rows_written: Cell<u64>,
}

impl Sql {
    /// Nothing is counted yet.
    pub fn new(storage: SqlStorage) -> Self {
        Self { storage, rows_written: Cell::default() }
    }
}

impl Database for Sql {
    fn query(&self, statement: &str, bindings: &[Value]) -> Result<Vec<Row>, StorageError> {
        let bindings: Vec<SqlStorageValue> = bindings.iter().map(write).collect();
        let cursor = self.storage.exec(statement, bindings).map_err(|_| StorageError::Failed)?;
        let mut rows = Vec::new();
        for row in cursor.raw() {
            let row = row.map_err(|_| StorageError::Failed)?;
            rows.push(Row(row.into_iter().map(read).collect::<Result<_, _>>()?));
        }
        let written = u64::try_from(cursor.rows_written()).unwrap_or_default();
        self.rows_written.set(self.rows_written.get().saturating_add(written));
        Ok(rows)
    }

    fn rows_written(&self) -> Option<u64> {
        Some(self.rows_written.get())
    }
}

fn write(value: &Value) -> SqlStorageValue {
    match value {
        Value::Null => SqlStorageValue::Null,
        // At most 53 bits: times, counts and positions.
        Value::Integer(number) => SqlStorageValue::Integer(*number),
        Value::Text(text) => SqlStorageValue::String(text.clone()),
    }
}

fn read(value: SqlStorageValue) -> Result<Value, StorageError> {
    match value {
        SqlStorageValue::Null => Ok(Value::Null),
        SqlStorageValue::Integer(number) => Ok(Value::Integer(number)),
        SqlStorageValue::String(text) => Ok(Value::Text(text)),
        SqlStorageValue::Boolean(_) | SqlStorageValue::Float(_) | SqlStorageValue::Blob(_) => {
            Err(StorageError::Corrupt)
        }
    }
}
