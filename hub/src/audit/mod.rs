//! FOR AUDITORS: verify the bytes, replay the folds, export the story.

pub mod backup;
pub mod export;
#[cfg(test)]
mod golden;
pub mod import;
pub mod replay;
#[cfg(test)]
mod specimen;
pub mod verify;
mod walk;
mod words;
