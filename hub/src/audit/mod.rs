//! FOR AUDITORS: verify the bytes, replay the folds, export the story.
