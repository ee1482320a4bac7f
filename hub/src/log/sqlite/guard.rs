//! The fourth layer: what a connection to the log may do at all. A list of what is allowed, nothing else.

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Appends and reads.
    Writer,
    /// Reads.
    Reader,
}

/// The tables into which a writer inserts.
const TABLES: [&str; 4] = ["event", "stream", "sender_key", "fence"];

/// Guards a connection for the rest of its life.
pub(crate) fn guard(connection: &Connection, role: Role) -> rusqlite::Result<()> {
    connection.authorizer(Some(move |context: AuthContext<'_>| {
        if allowed(&context.action, role) { Authorization::Allow } else { Authorization::Deny }
    }))
}

fn allowed(action: &AuthAction<'_>, role: Role) -> bool {
    match action {
        AuthAction::Select
        | AuthAction::Read { .. }
        | AuthAction::Recursive
        | AuthAction::Transaction { .. }
        | AuthAction::Function { .. } => true,
        AuthAction::Insert { table_name } => role == Role::Writer && TABLES.contains(table_name),
        AuthAction::Pragma { pragma_name, pragma_value } => match *pragma_name {
            "wal_checkpoint" => role == Role::Writer,
            // These answer; with a value they would set something.
            "integrity_check" | "data_version" => true,
            _ => pragma_value.is_none(),
        },
        _ => false,
    }
}
