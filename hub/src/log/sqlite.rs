//! The log in one SQLite file: write-ahead, fully synchronised, append-only in five layers.
