//! What the registrar promises, tried: one case for one key, nobody answered too early, ids that grow.

mod answers;
mod failures;
mod memory;
mod rules;
mod stage;
