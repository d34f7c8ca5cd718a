//! A lane's storage, natively: SQLite as a Durable Object offers it.
//!
//! Statements take effect one by one, those of a script as well, and a failed one leaves those before
//! it in place. In a grouped store they are kept together from [`Store::commit`] to the next, as the
//! runtime does with what is executed without waiting; [`Store::rollback`] is a crash in between.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use erasure_relay::delivery::database::{Database, Row, StorageError, Value};
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection, Statement, StatementStatus};

/// A database that outlives the lanes opened on it.
pub struct Store {
    connection: Connection,
    grouped: bool,
    /// How many statements succeed before one fails.
    fails_after: Cell<Option<u32>>,
    /// Steps of SQLite's virtual machine.
    steps: Cell<u64>,
    /// The statements of a lane whose plans are of interest.
    recorded: RefCell<Option<BTreeMap<String, Vec<Value>>>>,
}

/// What a lane holds of a [`Store`].
#[derive(Clone)]
pub struct Shared(pub Rc<Store>);

impl Store {
    pub fn in_memory() -> Rc<Self> {
        Self::of(Connection::open_in_memory().unwrap(), false)
    }

    /// One that commits only when it is told.
    pub fn grouped() -> Rc<Self> {
        Self::of(Connection::open_in_memory().unwrap(), true)
    }

    pub fn in_file(path: &Path) -> Rc<Self> {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch("PRAGMA secure_delete = OFF").unwrap();
        Self::of(connection, false)
    }

    fn of(connection: Connection, grouped: bool) -> Rc<Self> {
        connection.set_prepared_statement_cache_capacity(200);
        let (fails_after, steps, recorded) = Default::default();
        Rc::new(Self { connection, grouped, fails_after, steps, recorded })
    }

    /// The statement after the next `successes` fails, once.
    pub fn fail_after(&self, successes: u32) {
        self.fails_after.set(Some(successes));
    }

    /// Whether the statement that was to fail has failed.
    pub fn has_failed(&self) -> bool {
        self.fails_after.get().is_none()
    }

    /// No statement fails any more.
    pub fn stop_failing(&self) {
        self.fails_after.set(None);
    }

    /// No further page fits in: SQLite itself says that the storage is full.
    pub fn fill(&self) {
        let pages: i64 =
            self.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let limit = format!("PRAGMA max_page_count = {pages}");
        self.connection.query_row(&limit, [], |_| Ok(())).unwrap();
    }

    /// The storage may grow again.
    pub fn grow(&self) {
        self.connection.query_row("PRAGMA max_page_count = 1000000", [], |_| Ok(())).unwrap();
    }

    pub fn commit(&self) {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("COMMIT").unwrap();
        }
    }

    pub fn rollback(&self) {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK").unwrap();
        }
    }

    /// How many rows have been changed since the store was opened.
    pub fn changes(&self) -> u64 {
        self.connection.total_changes()
    }

    /// How much work the statements were since the last time: steps of SQLite's virtual machine, which
    /// are the same on each machine.
    pub fn take_steps(&self) -> u64 {
        self.steps.take()
    }

    /// What a test looks up or spoils by itself.
    pub fn look(&self, statement: &str, bindings: &[Value]) -> Vec<Row> {
        let fails_after = self.fails_after.take();
        let rows = self.execute(statement, bindings).unwrap();
        self.fails_after.set(fails_after);
        rows
    }

    /// One statement that a test adds to the schema, such as a trigger.
    pub fn define(&self, statement: &str) {
        self.connection.execute_batch(statement).unwrap();
    }

    /// The first column of the first row.
    pub fn number(&self, statement: &str) -> i64 {
        self.look(statement, &[])[0].integer(0).unwrap()
    }

    /// From now on, records each statement that a lane executes.
    pub fn record_statements(&self) {
        self.recorded.replace(Some(BTreeMap::new()));
    }

    /// How SQLite goes about each statement that was recorded.
    pub fn plans(&self) -> Vec<(String, String)> {
        let recorded = self.recorded.take().unwrap();
        let plan = |(statement, bindings): (String, Vec<Value>)| {
            let steps = self.look(&format!("EXPLAIN QUERY PLAN {statement}"), &bindings);
            let steps: Vec<_> = steps.iter().map(|step| step.text(3).unwrap()).collect();
            (steps.join("; "), statement)
        };
        recorded.into_iter().map(plan).collect()
    }

    fn execute(&self, script: &str, bindings: &[Value]) -> Result<Vec<Row>, StorageError> {
        if !script.contains(';') {
            self.may_fail()?;
            let mut statement = self.connection.prepare_cached(script).map_err(failed)?;
            return self.run(&mut statement, bindings);
        }
        // The bindings go to the last statement, as nothing else may have any.
        let mut statements = Batch::new(&self.connection, script);
        let mut rows = Vec::new();
        let mut left = bindings;
        while let Some(mut statement) = statements.next().map_err(failed)? {
            self.may_fail()?;
            let takes = statement.parameter_count() > 0;
            let bindings = if takes { std::mem::take(&mut left) } else { &[] };
            rows = self.run(&mut statement, bindings)?;
        }
        assert!(left.is_empty(), "the runtime refuses this");
        Ok(rows)
    }

    fn run(
        &self,
        statement: &mut Statement<'_>,
        bindings: &[Value],
    ) -> Result<Vec<Row>, StorageError> {
        let rows = run(statement, bindings).map_err(failed);
        let steps = statement.reset_status(StatementStatus::VmStep);
        self.steps.set(self.steps.get() + u64::from(steps.unsigned_abs()));
        rows
    }

    /// Counts a statement, and fails where it is the one that fails.
    fn may_fail(&self) -> Result<(), StorageError> {
        match self.fails_after.get() {
            Some(0) => {
                self.fails_after.set(None);
                return Err(StorageError::Failed);
            }
            Some(left) => self.fails_after.set(Some(left - 1)),
            None => {}
        }
        Ok(())
    }
}

fn failed(_: rusqlite::Error) -> StorageError {
    StorageError::Failed
}

fn run(statement: &mut Statement<'_>, bindings: &[Value]) -> rusqlite::Result<Vec<Row>> {
    assert_eq!(statement.parameter_count(), bindings.len(), "the runtime refuses this");
    for (index, value) in bindings.iter().enumerate() {
        match value {
            Value::Null => statement.raw_bind_parameter(index + 1, rusqlite::types::Null)?,
            Value::Integer(number) => {
                assert!(number.unsigned_abs() < 1 << 53, "no JavaScript number");
                statement.raw_bind_parameter(index + 1, number)?;
            }
            Value::Text(text) => statement.raw_bind_parameter(index + 1, text)?,
        }
    }
    let columns = statement.column_count();
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let value = |at| match row.get_ref_unwrap(at) {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Real(_) | ValueRef::Blob(_) => Value::Text("neither".to_owned()),
        };
        found.push(Row((0..columns).map(value).collect()));
    }
    Ok(found)
}

impl Database for Shared {
    fn query(&self, statement: &str, bindings: &[Value]) -> Result<Vec<Row>, StorageError> {
        let store = &self.0;
        for refused in ["BEGIN", "SAVEPOINT", "PRAGMA"] {
            assert!(!statement.trim_start().starts_with(refused), "the runtime refuses this");
        }
        if store.grouped && store.connection.is_autocommit() {
            store.connection.execute_batch("BEGIN").unwrap();
        }
        if let Some(recorded) = &mut *store.recorded.borrow_mut() {
            recorded.insert(statement.to_owned(), bindings.to_vec());
        }
        store.execute(statement, bindings)
    }
}
