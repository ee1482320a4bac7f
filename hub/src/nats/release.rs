//! Which nats-server this is. An old one silently ignores what it does not know, so we ask first.

use std::fmt;
use std::str::FromStr;

/// A nats-server's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    /// 2, for years.
    pub major: u32,
    /// What brings features.
    pub minor: u32,
    /// What brings repairs.
    pub patch: u32,
}

/// The oldest that passes our tests: Debian 12's own package.
pub const OLDEST: Release = Release::new(2, 9, 10);
/// The first that knows `sync_interval`.
pub const SYNC_INTERVAL_SINCE: Release = Release::new(2, 10, 0);
/// The first that loses no answer when it reads its configuration again under load (nats-server #4327).
pub const ANSWERS_KEPT_SINCE: Release = Release::new(2, 9, 21);
/// From here no known flaw lets one account reach another's JetStream (CVE-2025-30215).
pub const ISOLATION_REPAIRED: Release = Release::new(2, 10, 27);
/// From here on all advisories that we know of are answered, in the 2.12 line.
pub const ADVISORIES_ANSWERED_2_12: Release = Release::new(2, 12, 12);
/// The same in the 2.14 line.
pub const ADVISORIES_ANSWERED_2_14: Release = Release::new(2, 14, 3);

/// A text in which no version was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a nats-server version")]
pub struct NotARelease {
    /// What was given, shortened to 64 characters.
    pub given: String,
}

impl Release {
    /// The version `major.minor.patch`.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// What an operator must know about running this one; nothing if it is as it should be.
    pub fn warning(self) -> Option<&'static str> {
        if self < OLDEST {
            return Some("older than any nats-server we have tested (2.9.10)");
        }
        if self < ISOLATION_REPAIRED {
            return Some("below 2.10.27: repairs to the isolation of accounts are missing");
        }
        let answered = match self.minor {
            ..=12 => self >= ADVISORIES_ANSWERED_2_12,
            _ => self >= ADVISORIES_ANSWERED_2_14,
        };
        (!answered).then_some("published security advisories are open (wanted: 2.12.12, 2.14.3)")
    }
}

impl FromStr for Release {
    type Err = NotARelease;
    /// Understands `2.9.10`, `v2.15.1`, `2.12.0-RC.1` and what `nats-server -v` prints.
    fn from_str(text: &str) -> Result<Self, NotARelease> {
        let not_a_release = || NotARelease { given: text.chars().take(64).collect() };
        let bare = text.trim().trim_start_matches("nats-server:").trim().trim_start_matches('v');
        let mut numbers = bare.split('.').map(|it| {
            let digits: String = it.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u32>().map_err(|_| not_a_release())
        });
        let mut next = || numbers.next().unwrap_or_else(|| Err(not_a_release()));
        Ok(Self::new(next()?, next()?, next()?))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_servers_tell_them() {
        for (text, release) in [
            ("nats-server: v2.9.10\n", Release::new(2, 9, 10)),
            ("2.15.1", Release::new(2, 15, 1)),
            ("v2.12.0-RC.1", Release::new(2, 12, 0)),
        ] {
            assert_eq!(text.parse(), Ok(release), "{text}");
        }
        for text in ["", "2", "2.9", "two.nine.ten", "2..1"] {
            assert!(text.parse::<Release>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_operator_is_warned_about_servers_with_open_advisories() {
        for (release, warned) in [
            ("2.9.9", true),
            ("2.9.10", true),
            ("2.10.27", true),
            ("2.12.11", true),
            ("2.12.12", false),
            ("2.14.2", true),
            ("2.14.3", false),
            ("2.15.1", false),
            ("3.0.0", false),
        ] {
            let read: Release = release.parse().unwrap();
            assert_eq!(read.warning().is_some(), warned, "{release}");
        }
    }
}
