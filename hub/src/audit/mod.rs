//! FOR AUDITORS: verify the bytes, replay the folds, export the story.

#[cfg(test)]
mod specimen;
pub mod verify;
mod walk;
