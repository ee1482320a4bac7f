//! What the registrar promises, tried.
