//! A Durable Object's SQLite as a lane's database.

use js_sys::{Array, JsString};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use super::interned::interned;
use crate::delivery::database::{Database, Row, StorageError, Value};

#[wasm_bindgen]
extern "C" {
    /// The storage of a Durable Object.
    pub type Storage;
    #[wasm_bindgen(method, catch, getter)]
    fn sql(this: &Storage) -> Result<SqlStorage, JsValue>;

    type SqlStorage;
    #[wasm_bindgen(method, catch, variadic)]
    fn exec(this: &SqlStorage, query: &JsString, bindings: &Array) -> Result<Cursor, JsValue>;

    type Cursor;
    #[wasm_bindgen(method, catch)]
    fn raw(this: &Cursor) -> Result<Rows, JsValue>;

    type Rows;
    #[wasm_bindgen(method, catch, js_name = toArray)]
    fn to_array(this: &Rows) -> Result<Array, JsValue>;
}

/// The SQL of one object's storage.
pub struct Sql(SqlStorage);

impl Sql {
    /// # Errors
    /// Where the class is not declared as one with SQLite.
    pub fn of(storage: &Storage) -> Result<Self, StorageError> {
        storage.sql().map(Self).map_err(|_| StorageError::Failed)
    }
}

impl Database for Sql {
    fn query(&self, statement: &str, bindings: &[Value]) -> Result<Vec<Row>, StorageError> {
        let arguments = Array::new();
        for value in bindings {
            arguments.push(&match value {
                Value::Null => JsValue::NULL,
                // At most 53 bits: times, counts and ids.
                Value::Integer(number) => JsValue::from_f64(*number as f64),
                Value::Text(text) => JsValue::from_str(text),
            });
        }
        let cursor = self.0.exec(&interned(statement), &arguments);
        let rows = cursor.and_then(|cursor| cursor.raw()?.to_array());
        rows.map_err(|_| StorageError::Failed)?.iter().map(|row| read(&row)).collect()
    }
}

fn read(row: &JsValue) -> Result<Row, StorageError> {
    let value = |value: JsValue| {
        if value.is_null() {
            Ok(Value::Null)
        } else if let Some(number) = value.as_f64() {
            Ok(Value::Integer(number as i64))
        } else {
            value.as_string().map(Value::Text).ok_or(StorageError::Corrupt)
        }
    };
    Array::from(row).iter().map(value).collect::<Result<_, _>>().map(Row)
}
