//! The document and the table of routes say the same.
