//! What the running adapter says of itself, in a file of fixed size beside the store: written over in place, so
//! that it can be said on a full disk too. Nothing in it is needed to go on; losing it loses nothing.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The whole file; the text is filled up with spaces.
const FILE_BYTES: usize = 4096;
/// A lag is the least of so long: what waited at the broker says nothing about a clock.
const LAG_WINDOW_SECONDS: i64 = 600;

/// What it says. Moments are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Seen {
    /// When it said so.
    pub at_ms: i64,
    /// Connected to the broker.
    pub connected: bool,
    /// Since when it has been connected, or has not.
    pub connected_changed_ms: Option<i64>,
    /// What the broker calls its version.
    pub broker_version: Option<String>,
    /// The disk of the store has been full since.
    pub disk_full_since_ms: Option<i64>,
    /// Why no work is fetched, and since when.
    pub fetch_held: Option<Held>,
    /// Why waiting work is not handed over, and since when.
    pub hand_over_held: Option<Held>,
    /// How much later than the hub's own moment its messages arrive here, at the least: the way and the
    /// difference of the two clocks. Less than nothing means that this machine's clock is behind.
    pub hub_lag_ms: Option<i64>,
}

/// A reason and a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// A code.
    pub why: String,
    /// Since when.
    pub since_ms: i64,
}

/// Which road is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// From the broker to the inbox.
    Fetch,
    /// From the inbox to the office.
    HandOver,
}

#[derive(Debug, Default)]
struct State {
    seen: Seen,
    lags: [Option<(i64, i64)>; 2],
}

/// Says it; shared by all loops.
#[derive(Debug)]
pub(crate) struct Life {
    path: PathBuf,
    state: Mutex<State>,
}

impl Life {
    pub(crate) fn beside(store: &Path) -> Self {
        Self { path: path(store), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As it is known now.
    #[cfg(test)]
    fn seen(&self) -> Seen {
        self.state().seen.clone()
    }

    pub(crate) fn connected(&self, connected: bool, version: Option<String>, now: Timestamp) {
        let seen = &mut self.state().seen;
        if seen.connected != connected || seen.connected_changed_ms.is_none() {
            seen.connected_changed_ms = Some(now.as_millisecond());
        }
        seen.connected = connected;
        if version.is_some() {
            seen.broker_version = version;
        }
    }

    /// Whether this is news.
    pub(crate) fn disk(&self, full: bool, now: Timestamp) -> bool {
        let since = &mut self.state().seen.disk_full_since_ms;
        let news = since.is_some() != full;
        if news {
            *since = full.then(|| now.as_millisecond());
        }
        news
    }

    /// Whether this is news.
    pub(crate) fn hold(&self, which: Hold, why: Option<&'static str>, now: Timestamp) -> bool {
        let mut state = self.state();
        let held = match which {
            Hold::Fetch => &mut state.seen.fetch_held,
            Hold::HandOver => &mut state.seen.hand_over_held,
        };
        if held.as_ref().map(|it| it.why.as_str()) == why {
            return false;
        }
        let since_ms = now.as_millisecond();
        *held = why.map(|why| Held { why: why.to_owned(), since_ms });
        true
    }

    /// A message of the hub, written `lag_ms` before now.
    pub(crate) fn lag(&self, lag_ms: i64, now: Timestamp) {
        let mut state = self.state();
        let window = now.as_second().div_euclid(LAG_WINDOW_SECONDS);
        match &mut state.lags[0] {
            Some((known, least)) if *known == window => *least = lag_ms.min(*least),
            newest => {
                let older = newest.replace((window, lag_ms));
                state.lags[1] = older;
            }
        }
        state.seen.hub_lag_ms = state.lags.iter().flatten().map(|it| it.1).min();
    }

    /// Writes it over what stood there. A disk that cannot take even this is told of elsewhere.
    pub(crate) fn say(&self, now: Timestamp) -> std::io::Result<()> {
        let mut state = self.state();
        state.seen.at_ms = now.as_millisecond();
        let mut text = serde_json::to_vec(&state.seen).expect("plain data");
        drop(state);
        text.resize(FILE_BYTES, b' ');
        let file = File::options().create(true).write(true).truncate(false).open(&self.path)?;
        file.write_all_at(&text, 0)
    }
}

fn path(store: &Path) -> PathBuf {
    store.with_extension("life")
}

/// What the adapter on this store said last; nothing if there is none, or a newer one.
pub fn last(store: &Path) -> Option<Seen> {
    serde_json::from_slice(&std::fs::read(path(store)).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_772_413_200 + seconds).unwrap()
    }

    #[test]
    fn what_is_said_is_read_and_has_the_same_size_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("adapter.db");
        let life = Life::beside(&store);
        assert_eq!(last(&store), None);
        life.connected(true, Some("2.9.10".to_owned()), at(0));
        assert!(life.hold(Hold::Fetch, Some("inbox-full"), at(1)));
        assert!(!life.hold(Hold::Fetch, Some("inbox-full"), at(2)), "no news");
        life.say(at(3)).unwrap();
        let long = last(&store).unwrap();
        assert_eq!(long.fetch_held.as_ref().unwrap().since_ms, at(1).as_millisecond());
        life.hold(Hold::Fetch, None, at(4));
        life.say(at(5)).unwrap();
        assert_eq!(last(&store).unwrap().fetch_held, None, "a shorter text leaves nothing behind");
        assert_eq!(std::fs::metadata(path(&store)).unwrap().len(), FILE_BYTES as u64);
    }

    #[test]
    fn a_lag_is_the_least_of_the_last_minutes() {
        let life = Life::beside(Path::new("x"));
        for (second, lag, told) in
            [(0, 90_000, 90_000), (5, 120, 120), (9, 500, 120), (700, 400, 120), (1_300, 350, 350)]
        {
            life.lag(lag, at(second));
            assert_eq!(life.seen().hub_lag_ms, Some(told), "at {second}");
        }
    }
}
