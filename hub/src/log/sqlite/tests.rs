//! What the SQLite file must do beyond the contract: stay append-only, keep one writer, refuse by name.

use std::cell::Cell;

use super::*;
use crate::log::contract::{self, ORIGIN};

#[test]
fn it_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let number = Cell::new(0);
    contract::check_all(|| {
        number.set(number.get() + 1);
        let path = folder.path().join(format!("log-{}.db", number.get()));
        Box::new(SqliteLog::open(&path, ORIGIN).unwrap())
    });
}
