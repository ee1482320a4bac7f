//! WHAT IS READ. Folds of the log; deletable, rebuildable, never ahead of their cursor.
//!
//! One file `views.db` with one cursor; rows and cursor commit together. Readers use [`ViewReader`].

pub mod membership;
pub mod reader;
pub mod rows;
