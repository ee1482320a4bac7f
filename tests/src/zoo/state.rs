//! What an animal remembers: one file, replaced as a whole and synchronised. Slow, small and safe.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Everything.
#[derive(Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    pub epoch: u64,
    pub works: Vec<KeptWork>,
    pub reports: Vec<KeptReport>,
    pub answers: Vec<KeptAnswer>,
    /// Of the broken ones only.
    pub sequence: u64,
    pub message_ids: Vec<String>,
    pub first_key: Option<(String, [u8; 32])>,
    #[serde(skip)]
    path: PathBuf,
}

/// Work that was taken in.
#[derive(Clone, Serialize, Deserialize)]
pub struct KeptWork {
    pub case: String,
    pub request: String,
    pub kind: String,
    pub digest: String,
    pub reply_key: Option<String>,
    /// Only what the broken ones spill.
    pub identity_number: Option<String>,
}

/// A report until it is receipted, and after.
#[derive(Clone, Serialize, Deserialize)]
pub struct KeptReport {
    pub id: String,
    pub case: String,
    pub number: u64,
    pub kind: String,
    /// The place of its work in `works`.
    pub work: usize,
    pub body: String,
    pub signature: String,
    pub attempt: u64,
    pub step: usize,
    /// None once it is receipted.
    pub next_ms: Option<i64>,
    pub refused: bool,
}

/// What the office wants to have said.
#[derive(Clone, Serialize, Deserialize)]
pub struct KeptAnswer {
    pub work: usize,
    pub news: Value,
    pub text: Option<String>,
    pub after_ms: i64,
    /// Known once the answer before it was given.
    pub due_ms: Option<i64>,
}

impl State {
    /// As it was left; empty at first.
    pub fn open(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("the kit gave us a folder");
        let path = folder.join("state.json");
        let mut state: Self = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).expect("we wrote it whole"),
            Err(_) => Self::default(),
        };
        state.path = path;
        state
    }

    /// Durable on return.
    pub fn save(&self) {
        let part = self.path.with_extension("part");
        let mut file = File::create(&part).expect("a file of ours");
        file.write_all(&serde_json::to_vec(self).expect("plain values")).expect("room on the disk");
        file.sync_all().expect("a disk");
        std::fs::rename(&part, &self.path).expect("the same folder");
        File::open(self.path.parent().expect("a folder"))
            .and_then(|it| it.sync_all())
            .expect("a disk");
    }

    /// The place of work that is known.
    pub fn find(&self, case: &str, request: &str, kind: &str) -> Option<usize> {
        let same = |it: &KeptWork| it.case == case && it.request == request && it.kind == kind;
        self.works.iter().position(same)
    }

    /// The first answer of `case` is due after the one before it.
    pub fn schedule(&mut self, case: &str, from_ms: i64) {
        let works = &self.works;
        let next = self.answers.iter_mut().find(|it| works[it.work].case == case);
        if let Some(next) = next {
            next.due_ms = Some(from_ms + next.after_ms);
        }
    }
}
