//! Answers as files: read when they are whole, taken once, told about by line, and moved out of the
//! way. Killed anywhere, the same file is found again and told the same.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};
use tracing::{info, warn};

use super::judge::{
    check_hash, format_of, incomplete, is_being_written, is_forbidden, not_taken,
    nothing_to_resend, problem_of_entry, reused, rows, short, unreadable, wanted,
};
use super::place::{Entry, Room};
use super::receipt::{self, Line};
use super::record::{self, Record, Unread};
use super::{FolderError, FolderOffice, SOURCE};
use crate::inbox::Moments;
use crate::office::ledger::{self, Desk, Verdict};
use crate::office::sheet::answer::{AnswerRow, Problem};
use crate::store::{MayBeStoreError, StoreError};
use crate::trouble;

/// Files in one look that are not whole yet; more are not watched.
const WATCHED_MAX: usize = 10_000;
/// Beside a file: its SHA-256 in hexadecimal.
const HASH_ENDING: &str = ".sha256";
/// A request begins so; everything else is answers.
const RESEND_PREFIX: &str = "resend";

/// Size and time of files when they were first seen so, and that moment.
#[derive(Default)]
pub(super) struct Watched(HashMap<String, (u64, i64, i64)>);

/// A file that may be read, or why not.
enum Ripe {
    Now,
    NotYet,
    /// It has not changed for so long that nobody writes it any more.
    Abandoned,
}

/// What a file came to.
enum Outcome {
    Told(Vec<Line>),
    /// Something in it waits for this side; or it is not whole.
    Later,
}

impl FolderOffice {
    /// Reads what is whole, at most so many files; the rest waits for the next turn.
    pub(super) async fn read_files(&self) -> Result<(), FolderError> {
        let entries = self.on_disk("look", |it| it.list(Room::In, WATCHED_MAX)).await?;
        let now_ms = self.reporter.shared.clock.real_now().as_millisecond();
        let names: Vec<&str> = entries.iter().filter_map(|it| it.name.as_deref()).collect();
        let mut watched = self.watched.lock().await;
        watched.0.retain(|name, _| names.contains(&name.as_str()));
        let mut left = self.settings.files_at_once_max;
        let mut failed = Ok(());
        for entry in &entries {
            if left == 0 {
                break;
            }
            match self.look_at(&mut watched, entry, now_ms).await {
                Ok(dealt_with) => left -= u64::from(dealt_with),
                // One file that cannot be moved must not hold up the others.
                Err(error @ FolderError::Files { .. }) => failed = Err(error),
                Err(error) => return Err(error),
            }
        }
        failed
    }

    /// True if it was dealt with.
    async fn look_at(
        &self,
        watched: &mut Watched,
        entry: &Entry,
        now_ms: i64,
    ) -> Result<bool, FolderError> {
        let name = entry.name.as_deref().unwrap_or("\u{fffd}");
        if is_being_written(name) || name.ends_with(HASH_ENDING) && entry.is_file {
            return Ok(false);
        }
        if let Some(problem) = problem_of_entry(entry, self.settings.file_bytes_max) {
            return self.refuse_unread(entry, &problem).await.map(|()| true);
        }
        match self.ripe(watched, name, entry, now_ms) {
            Ripe::NotYet => Ok(false),
            ripe => self.read_file(entry, name, matches!(ripe, Ripe::Abandoned)).await,
        }
    }

    fn ripe(&self, watched: &mut Watched, name: &str, entry: &Entry, now_ms: i64) -> Ripe {
        let seen = watched.0.entry(name.to_owned()).or_insert((0, 0, now_ms));
        if (seen.0, seen.1) != (entry.bytes, entry.modified_ms) {
            *seen = (entry.bytes, entry.modified_ms, now_ms);
        }
        let unchanged_ms = u64::try_from(now_ms - seen.2).unwrap_or(0);
        if unchanged_ms >= self.settings.half_written_after_ms {
            Ripe::Abandoned
        } else if unchanged_ms >= self.settings.settle_ms {
            Ripe::Now
        } else {
            Ripe::NotYet
        }
    }

    /// True if it was dealt with.
    async fn read_file(
        &self,
        entry: &Entry,
        name: &str,
        abandoned: bool,
    ) -> Result<bool, FolderError> {
        let (bytes_max, wanted) = (self.settings.file_bytes_max, name.to_owned());
        let read = self.on_disk("read", move |place| {
            let hash = place.read(Room::In, &format!("{wanted}{HASH_ENDING}"), 1_024).ok();
            Ok((place.read(Room::In, &wanted, bytes_max)?, hash))
        });
        let (bytes, hash) = match read.await {
            Ok(read) => read,
            Err(FolderError::Files { source, .. }) if abandoned && is_forbidden(&source) => {
                return self.refuse_unread(entry, &unreadable()).await.map(|()| true);
            }
            // Taken back by the office, or exchanged for a link a moment ago: seen anew next time.
            Err(FolderError::Files { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        if let Some((known, lines)) = self.known(name).await? {
            let lines = if known == digest { lines } else { vec![Line::file_refused(&reused())] };
            return self.finish(entry, name, digest, &lines, known != digest).await.map(|()| true);
        }
        let (bytes, name_kept) = (Arc::new(bytes), name.to_owned());
        let outcome = match check_hash(self.settings.complete_when, hash.as_deref(), &digest) {
            Err(Unread::Refused(problem)) => {
                self.keep_refused(&name_kept, digest, &problem).await?
            }
            Err(Unread::Incomplete) if !abandoned => Outcome::Later,
            Err(Unread::Incomplete) => self.keep_refused(&name_kept, digest, &incomplete()).await?,
            Ok(()) => self.settle(&name_kept, digest, &bytes, abandoned).await?,
        };
        match outcome {
            Outcome::Later => Ok(false),
            Outcome::Told(lines) => {
                self.finish(entry, name, digest, &lines, false).await.map(|()| true)
            }
        }
    }

    async fn settle(
        &self,
        name: &str,
        digest: [u8; 32],
        bytes: &[u8],
        abandoned: bool,
    ) -> Result<Outcome, FolderError> {
        let records_max = usize::try_from(self.settings.records_a_file_max).unwrap_or(usize::MAX);
        let records = record::read(bytes, format_of(name), self.settings.encoding, records_max);
        match records {
            Err(Unread::Incomplete) if !abandoned => Ok(Outcome::Later),
            Err(Unread::Incomplete) => self.keep_refused(name, digest, &incomplete()).await,
            Err(Unread::Refused(problem)) => self.keep_refused(name, digest, &problem).await,
            Ok(records) if name.starts_with(RESEND_PREFIX) => {
                let lines = self.resend_all(&records).await?;
                self.keep(name, digest, lines).await
            }
            Ok(records) => match rows(&records) {
                Err(problem) => self.keep_refused(name, digest, &problem).await,
                Ok(rows) => self.take_rows(name, digest, rows, abandoned).await,
            },
        }
    }

    /// All answers and what is told of them, in one transaction; nothing of it if one must wait.
    async fn take_rows(
        &self,
        name: &str,
        digest: [u8; 32],
        rows: Vec<(usize, AnswerRow)>,
        abandoned: bool,
    ) -> Result<Outcome, FolderError> {
        let shared = Arc::clone(&self.reporter.shared);
        let (store, codes) = (shared.store.clone(), Arc::clone(&self.codes));
        let now = Moments { real: shared.clock.real_now(), told: shared.clock.told_now() };
        let name = name.to_owned();
        let taken = store.write(move |connection| -> Result<_, TakeRows> {
            let desk = Desk { source: SOURCE, identity: &shared.identity, codes: &codes };
            let mut lines = Vec::new();
            for (at, row) in &rows {
                let answer_id = row.id().ok().map(str::to_owned);
                let verdict = ledger::take(connection, &desk, row, now)?;
                let verdict = match verdict {
                    Verdict::Later if abandoned => Verdict::Refused(not_taken()),
                    other => other,
                };
                lines.push(Line::of(*at, answer_id, &verdict).ok_or(TakeRows::Later)?);
            }
            keep(connection, &name, &digest, &lines, now.real.as_millisecond())?;
            Ok(lines)
        });
        match taken.await {
            Ok(lines) => {
                self.reporter.shared.outbox_wake.notify_one();
                Ok(Outcome::Told(lines))
            }
            Err(TakeRows::Later) => Ok(Outcome::Later),
            Err(TakeRows::Store(error)) => Err(error.into()),
        }
    }

    async fn resend_all(&self, records: &[Record]) -> Result<Vec<Line>, FolderError> {
        let mut lines = Vec::new();
        for it in records {
            lines.push(match wanted(it) {
                Err(problem) => Line::refused(it.line, None, &problem),
                Ok(wanted) => match self.resend(wanted).await? {
                    0 => Line::refused(it.line, None, &nothing_to_resend()),
                    count => Line::done(it.line, None, format!("已重发 {count} 件")),
                },
            });
        }
        Ok(lines)
    }

    async fn known(&self, name: &str) -> Result<Option<([u8; 32], Vec<Line>)>, FolderError> {
        let name = name.to_owned();
        let known = self.reporter.shared.store.write(move |it| -> Result<_, StoreError> {
            Ok(it
                .prepare_cached("SELECT digest, receipt FROM answer_file WHERE name = ?1")?
                .query_row([name], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))
                .optional()?)
        });
        Ok(known
            .await?
            .map(|(digest, lines)| (digest, serde_json::from_str(&lines).unwrap_or_default())))
    }

    async fn keep_refused(
        &self,
        name: &str,
        digest: [u8; 32],
        problem: &Problem,
    ) -> Result<Outcome, FolderError> {
        self.keep(name, digest, vec![Line::file_refused(problem)]).await
    }

    async fn keep(
        &self,
        name: &str,
        digest: [u8; 32],
        lines: Vec<Line>,
    ) -> Result<Outcome, FolderError> {
        let now_ms = self.reporter.shared.clock.real_now().as_millisecond();
        let (name, kept) = (name.to_owned(), lines.clone());
        let store = &self.reporter.shared.store;
        store.write(move |it| keep(it, &name, &digest, &kept, now_ms)).await?;
        Ok(Outcome::Told(lines))
    }

    /// The receipt first, then out of the way: killed in between, both happen again.
    async fn finish(
        &self,
        entry: &Entry,
        name: &str,
        digest: [u8; 32],
        lines: &[Line],
        reused: bool,
    ) -> Result<(), FolderError> {
        let any = lines.iter().any(Line::is_taken);
        for it in lines.iter().filter(|it| !it.is_taken()) {
            warn!(
                refusal.code = it.code,
                line = it.line,
                file = name,
                "refused an answer of the office"
            );
        }
        info!(file = name, records = lines.len(), "read a file of the office");
        let format = format_of(name);
        // Another file of a known name must not overwrite what was told about the first.
        let unique = if reused { format!(".{}", short(&digest)) } else { String::new() };
        let receipt_name = format!("{name}{unique}.receipt.{}", format.extension());
        let bytes = receipt::write(lines, self.manner(format));
        let (path, kept_name) = (entry.path.clone(), format!("{name}{unique}"));
        let hash_path = entry.path.with_file_name(format!("{name}{HASH_ENDING}"));
        let room = if any { Room::Done } else { Room::Refused };
        self.on_disk("finish a file", move |place| {
            place.put(Room::Receipts, &receipt_name, &bytes)?;
            place.move_to(&hash_path, room, &format!("{kept_name}{HASH_ENDING}"))?;
            place.move_to(&path, room, &kept_name)
        })
        .await
    }

    /// What has no proper name is moved under one that says nothing about anybody.
    async fn refuse_unread(&self, entry: &Entry, problem: &Problem) -> Result<(), FolderError> {
        let told = entry.path.file_name().unwrap_or_default().as_encoded_bytes();
        let digest: [u8; 32] = Sha256::digest(told).into();
        let safe = format!("unnamed.{}.{}", short(&digest), entry.modified_ms);
        let format = self.settings.format;
        let lines = [Line::file_refused(problem)];
        let bytes = receipt::write(&lines, self.manner(format));
        warn!(refusal.code = problem.code, file = safe, "refused a file of the office unread");
        let shared = &self.reporter.shared;
        let (about, code, text) = (safe.clone(), problem.code, problem.text.clone());
        let now_ms = shared.clock.real_now().as_millisecond();
        let noted =
            shared.store.write(move |it| trouble::note(it, (SOURCE, &about), code, &text, now_ms));
        noted.await?;
        let path = entry.path.clone();
        self.on_disk("refuse a file", move |place| {
            let receipt_name = format!("{safe}.receipt.{}", format.extension());
            place.put(Room::Receipts, &receipt_name, &bytes)?;
            place.move_to(&path, Room::Refused, &safe)
        })
        .await
    }
}

/// Why nothing of a file was kept.
enum TakeRows {
    Later,
    Store(StoreError),
}

impl From<StoreError> for TakeRows {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl MayBeStoreError for TakeRows {
    fn store_error(&self) -> Option<&StoreError> {
        if let Self::Store(it) = self { Some(it) } else { None }
    }
}

fn keep(
    connection: &Connection,
    name: &str,
    digest: &[u8; 32],
    lines: &[Line],
    now_ms: i64,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(lines).expect("lines are plain data");
    let taken = lines.iter().filter(|it| it.is_taken()).count();
    connection
        .prepare_cached("INSERT INTO answer_file VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![name, digest, text, i64::try_from(taken).unwrap_or(i64::MAX), now_ms])?;
    for it in lines.iter().filter(|it| !it.is_taken()) {
        let about = format!("{name}:{}", it.line);
        let code = it.code.as_deref().unwrap_or("refused");
        trouble::note(connection, (SOURCE, &about), code, &it.text, now_ms)?;
    }
    Ok(())
}
