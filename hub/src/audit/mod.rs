//! FOR AUDITORS: verify the bytes, replay the folds, export the story.

pub mod replay;
#[cfg(test)]
mod specimen;
pub mod verify;
mod walk;
