//! The plain status page.
