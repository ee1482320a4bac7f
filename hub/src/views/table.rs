//! Rows in memory, with a file behind them or with nothing. The fold does not know which.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash as HashKey;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use sha2::{Digest, Sha256};

use crate::views::cells::{Cell, bytes_of, cell_of};
use crate::views::keys::KeyHash;
use crate::views::reader::ViewError;

/// What a table's rows are loaded from when they are missed; nothing during a replay.
pub(crate) type Behind<'a> = Option<&'a Connection>;

/// A row of a view.
pub(crate) trait Row: Cell {
    /// What it is found by.
    type Key: Cell + Eq + HashKey + Clone + Ord;
    /// The view's name, and its table's.
    const NAME: &'static str;
    /// Raised when the fold or the row's bytes change; the views are then rebuilt beside the live ones.
    const REVISION: u32;
    /// Columns beside the key and the row, for indexes only: `name TYPE`.
    const COLUMNS: &'static [&'static str];
    /// What follows `ON <table>` in each index.
    const INDEXES: &'static [&'static str];
    /// The columns' values.
    fn columns(&self) -> Vec<Value>;
}

struct Slot<R> {
    /// `None`: there is no such row.
    row: Option<R>,
    changed: bool,
    /// The index columns that the file has for a changed row; nothing if it may have no such row.
    stored: Option<Vec<Value>>,
}

/// The rows of one view.
pub(crate) struct Table<R: Row> {
    slots: HashMap<R::Key, Slot<R>, KeyHash>,
    changed: Vec<R::Key>,
}

impl<R: Row> Default for Table<R> {
    fn default() -> Self {
        Self { slots: HashMap::default(), changed: Vec::new() }
    }
}

/// Clean rows kept in memory after a commit; beyond it they are loaded again when needed.
const KEPT_ROWS_MAX: usize = 50_000;

pub(crate) fn broken<R: Row>(what: &'static str) -> impl FnOnce(rusqlite::Error) -> ViewError {
    move |source| ViewError::Store { what, view: R::NAME, source: source.into() }
}

/// The row in stored bytes.
pub(crate) fn row_of<R: Row>(bytes: &[u8]) -> Result<R, ViewError> {
    cell_of(bytes).ok_or_else(|| ViewError::Store {
        what: "understand a row of",
        view: R::NAME,
        source: "its bytes are not of this revision".into(),
    })
}

impl<R: Row> Table<R> {
    fn slot(
        &mut self,
        behind: Behind<'_>,
        key: &R::Key,
    ) -> Result<Option<&mut Slot<R>>, ViewError> {
        if let (Some(file), false) = (behind, self.slots.contains_key(key)) {
            let row = load::<R>(file, key)?;
            self.slots.insert(key.clone(), Slot { row, changed: false, stored: None });
        }
        Ok(self.slots.get_mut(key))
    }

    /// The row, to be changed.
    pub(crate) fn change(
        &mut self,
        behind: Behind<'_>,
        key: &R::Key,
    ) -> Result<Option<&mut R>, ViewError> {
        self.slot(behind, key)?;
        let Some(slot) = self.slots.get_mut(key) else { return Ok(None) };
        if behind.is_some()
            && !slot.changed
            && let Some(row) = &slot.row
        {
            // A clean row is the file's: an index over what does not change need not be touched.
            slot.stored = Some(row.columns());
            slot.changed = true;
            self.changed.push(key.clone());
        }
        Ok(slot.row.as_mut())
    }

    /// The row, made by `R::default` if it is not there.
    pub(crate) fn change_or_default(
        &mut self,
        behind: Behind<'_>,
        key: &R::Key,
    ) -> Result<&mut R, ViewError>
    where
        R: Default,
    {
        if self.change(behind, key)?.is_none() {
            self.put(behind, key.clone(), R::default());
        }
        Ok(self.change(behind, key)?.expect("it was put on the line above"))
    }

    /// Adds or replaces a row.
    pub(crate) fn put(&mut self, behind: Behind<'_>, key: R::Key, row: R) {
        self.set(behind, key, Some(row));
    }

    /// Removes a row. Again: nothing.
    pub(crate) fn remove(&mut self, behind: Behind<'_>, key: &R::Key) {
        if behind.is_none() {
            self.slots.remove(key);
        } else {
            self.set(behind, key.clone(), None);
        }
    }

    fn set(&mut self, behind: Behind<'_>, key: R::Key, row: Option<R>) {
        let changed = behind.is_some();
        let (known_changed, stored) = match self.slots.remove(&key) {
            Some(known) if known.changed => (true, known.stored),
            Some(known) => (false, known.row.filter(|_| changed).map(|it| it.columns())),
            None => (false, None),
        };
        if changed && !known_changed {
            self.changed.push(key.clone());
        }
        self.slots.insert(key, Slot { row, changed, stored });
    }

    /// Writes what changed; the caller commits it together with the cursor.
    pub(crate) fn flush(&mut self, file: &Connection) -> Result<(), ViewError> {
        self.changed.sort_unstable();
        let mut put = file.prepare_cached(&put_sql::<R>()).map_err(broken::<R>("write to"))?;
        let delete = format!("DELETE FROM {} WHERE key = ?1", R::NAME);
        let mut delete = file.prepare_cached(&delete).map_err(broken::<R>("write to"))?;
        for key in self.changed.drain(..) {
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            slot.changed = false;
            match &slot.row {
                Some(row) if slot.stored.is_some() => {
                    update(file, &key, row, slot.stored.take().unwrap_or_default())?;
                }
                Some(row) => {
                    let head = [Value::Blob(bytes_of(&key)), Value::Blob(bytes_of(row))];
                    let values = head.into_iter().chain(row.columns());
                    put.execute(params_from_iter(values)).map_err(broken::<R>("write to"))?;
                }
                None => {
                    delete.execute([bytes_of(&key)]).map_err(broken::<R>("write to"))?;
                    self.slots.remove(&key);
                }
            }
        }
        if self.slots.len() > KEPT_ROWS_MAX {
            self.slots.clear();
        }
        Ok(())
    }

    /// How many rows changed since the last flush.
    pub(crate) fn changed_count(&self) -> usize {
        self.changed.len()
    }

    /// All rows' sum and count. Only with nothing behind.
    pub(crate) fn sum(&self) -> RowSum {
        let mut sum = RowSum::default();
        let (mut key_bytes, mut row_bytes) = (Vec::new(), Vec::new());
        for (key, slot) in &self.slots {
            if let Some(row) = &slot.row {
                key_bytes.clear();
                key.put(&mut key_bytes);
                row_bytes.clear();
                row.put(&mut row_bytes);
                sum.add(&key_bytes, &row_bytes);
            }
        }
        sum
    }

    /// The row, if it is in memory: right after it was changed it is.
    pub(crate) fn look(&self, key: &R::Key) -> Option<&R> {
        self.slots.get(key)?.row.as_ref()
    }

    /// All rows by the bytes of their keys. Only with nothing behind.
    pub(crate) fn rows(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let rows = self.slots.iter().filter_map(|(key, slot)| Some((key, slot.row.as_ref()?)));
        rows.map(|(key, row)| (bytes_of(key), bytes_of(row))).collect()
    }
}

fn load<R: Row>(file: &Connection, key: &R::Key) -> Result<Option<R>, ViewError> {
    let sql = format!("SELECT row FROM {} WHERE key = ?1", R::NAME);
    let mut select = file.prepare_cached(&sql).map_err(broken::<R>("read"))?;
    let bytes: Option<Vec<u8>> = select
        .query_row([bytes_of(key)], |it| it.get(0))
        .optional()
        .map_err(broken::<R>("read"))?;
    bytes.map(|it| row_of(&it)).transpose()
}

/// Writes a row that the file has with the columns `stored`: only the indexes over columns that are
/// others now are touched, which is seldom all of them.
fn update<R: Row>(
    file: &Connection,
    key: &R::Key,
    row: &R,
    stored: Vec<Value>,
) -> Result<(), ViewError> {
    let mut sql = format!("UPDATE {} SET row = ?2", R::NAME);
    let mut values = vec![Value::Blob(bytes_of(key)), Value::Blob(bytes_of(row))];
    for ((name, new), old) in column_names::<R>().zip(row.columns()).zip(stored) {
        if new != old {
            values.push(new);
            sql.push_str(&format!(", {name} = ?{}", values.len()));
        }
    }
    sql.push_str(" WHERE key = ?1");
    let mut update = file.prepare_cached(&sql).map_err(broken::<R>("write to"))?;
    match update.execute(params_from_iter(values)).map_err(broken::<R>("write to"))? {
        1 => Ok(()),
        _ => Err(ViewError::Store {
            what: "change",
            view: R::NAME,
            source: "a row that was there is gone".into(),
        }),
    }
}

fn put_sql<R: Row>() -> String {
    let names: Vec<&str> = column_names::<R>().collect();
    let all: String = names.iter().map(|it| format!(", {it}")).collect();
    let marks: String = (0..names.len()).map(|it| format!(", ?{}", it + 3)).collect();
    let set: String = names.iter().map(|it| format!(", {it} = excluded.{it}")).collect();
    format!(
        "INSERT INTO {} (key, row{all}) VALUES (?1, ?2{marks})
         ON CONFLICT (key) DO UPDATE SET row = excluded.row{set}",
        R::NAME
    )
}

/// What a view's file comes to.
pub(crate) struct Scanned {
    pub(crate) sum: RowSum,
    /// The key of the first row whose index columns are not those of the row.
    pub(crate) wrong_columns: Option<Vec<u8>>,
}

/// Walks all rows of a file; checks that the columns are an index over the row and nothing else.
pub(crate) fn scan<R: Row>(file: &Connection) -> Result<Scanned, ViewError> {
    let all: String = column_names::<R>().map(|it| format!(", {it}")).collect();
    let sql = format!("SELECT key, row{all} FROM {} ORDER BY key", R::NAME);
    let mut select = file.prepare(&sql).map_err(broken::<R>("read"))?;
    let mut found = select.query([]).map_err(broken::<R>("read"))?;
    let mut scanned = Scanned { sum: RowSum::default(), wrong_columns: None };
    while let Some(stored) = found.next().map_err(broken::<R>("read"))? {
        let bytes = |at| stored.get::<_, Vec<u8>>(at).map_err(broken::<R>("read"));
        let (key, row) = (bytes(0)?, bytes(1)?);
        scanned.sum.add(&key, &row);
        let columns = (0..R::COLUMNS.len()).map(|at| stored.get::<_, Value>(at + 2)).collect();
        let columns: Vec<Value> = Result::map_err(columns, broken::<R>("read"))?;
        if scanned.wrong_columns.is_none() && columns != row_of::<R>(&row)?.columns() {
            scanned.wrong_columns = Some(key);
        }
    }
    Ok(scanned)
}

/// The least key whose row is not the same in the file and in `rows`.
pub(crate) fn first_difference(
    view: &str,
    file: &Connection,
    rows: &BTreeMap<Vec<u8>, Vec<u8>>,
) -> Result<Option<Vec<u8>>, ViewError> {
    let failed = crate::views::file::failed;
    let sql = format!("SELECT key, row FROM {view} ORDER BY key");
    let mut select = file.prepare(&sql).map_err(failed("read"))?;
    let mut found = select.query([]).map_err(failed("read"))?;
    let mut expected = rows.iter();
    loop {
        let stored = match found.next().map_err(failed("read"))? {
            None => None,
            Some(it) => {
                let bytes = |at| it.get::<_, Vec<u8>>(at).map_err(failed("read"));
                Some((bytes(0)?, bytes(1)?))
            }
        };
        match (stored, expected.next()) {
            (None, None) => return Ok(None),
            (Some((key, row)), Some(told)) if key == *told.0 && row == *told.1 => {}
            (Some((key, _)), Some(told)) => return Ok(Some(key.min(told.0.clone()))),
            (Some((key, _)), None) => return Ok(Some(key)),
            (None, Some(told)) => return Ok(Some(told.0.clone())),
        }
    }
}

fn column_names<R: Row>() -> impl Iterator<Item = &'static str> {
    R::COLUMNS.iter().map(|it| it.split(' ').next().unwrap_or(it))
}

/// The statement that makes the table, and those that make its indexes.
pub(crate) fn schema<R: Row>() -> (String, Vec<String>) {
    let columns: String = R::COLUMNS.iter().map(|it| format!(", {it}")).collect();
    let table = format!(
        "CREATE TABLE IF NOT EXISTS {} (key BLOB PRIMARY KEY, row BLOB NOT NULL{columns}) STRICT",
        R::NAME
    );
    let index = |(at, it): (usize, &&str)| {
        format!("CREATE INDEX IF NOT EXISTS {0}_{at} ON {0} {it}", R::NAME)
    };
    (table, R::INDEXES.iter().enumerate().map(index).collect())
}

/// A sum over rows that does not depend on their order: equal rows, equal sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowSum {
    /// The sum of the rows' hashes.
    pub hash: u128,
    /// How many rows.
    pub rows: u64,
}

impl RowSum {
    /// Takes one more row into account.
    pub(crate) fn add(&mut self, key: &[u8], row: &[u8]) {
        let mut hasher = Sha256::new();
        hasher.update((key.len() as u64).to_be_bytes());
        hasher.update(key);
        hasher.update(row);
        let digest = hasher.finalize();
        let (head, _) = digest.split_at(16);
        let part = u128::from_be_bytes(head.try_into().expect("sixteen of thirty-two bytes"));
        self.hash = self.hash.wrapping_add(part);
        self.rows += 1;
    }
}
