//! The canary: planted personal data, looked for in every byte that anybody could read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Where a needle was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The file.
    pub file: PathBuf,
    /// Which needle, by its place in the list: the needle itself is not repeated.
    pub needle: usize,
    /// At which byte.
    pub at: usize,
}

/// Everything that is looked for, in each of its disguises, found in one walk over the bytes.
pub struct Finder {
    /// By the first two bytes: which needles, in which disguise.
    by_start: HashMap<[u8; 2], Vec<(usize, Vec<u8>)>>,
    /// Whether anything starts so: most bytes start nothing.
    starts: Vec<bool>,
}

impl Finder {
    /// Needles are at least two bytes; the longer, the fewer false alarms.
    pub fn new(needles: &[&str]) -> Self {
        let mut by_start: HashMap<[u8; 2], Vec<_>> = HashMap::new();
        let mut starts = vec![false; 1 << 16];
        for (number, needle) in needles.iter().enumerate() {
            for disguise in disguises(needle) {
                let start = [disguise[0], disguise[1]];
                starts[usize::from(u16::from_be_bytes(start))] = true;
                by_start.entry(start).or_default().push((number, disguise));
            }
        }
        Self { by_start, starts }
    }

    /// Looks in every file below `folder`, whatever the files are.
    pub fn grep(&self, folder: &Path) -> std::io::Result<Vec<Hit>> {
        let mut hits = Vec::new();
        let mut open = vec![folder.to_owned()];
        while let Some(next) = open.pop() {
            for entry in std::fs::read_dir(&next)? {
                let path = entry?.path();
                if path.is_dir() {
                    open.push(path);
                } else if path.is_file() {
                    let found = self.find(&std::fs::read(&path)?);
                    let hit = |(needle, at)| Hit { file: path.clone(), needle, at };
                    hits.extend(found.into_iter().map(hit));
                }
            }
        }
        Ok(hits)
    }

    /// The same in one piece of text or bytes: which needle, and where.
    pub fn find(&self, haystack: &[u8]) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for at in 0..haystack.len().saturating_sub(1) {
            let start = [haystack[at], haystack[at + 1]];
            if self.starts[usize::from(u16::from_be_bytes(start))] {
                let candidates = self.by_start.get(&start).into_iter().flatten();
                let here = candidates.filter(|it| haystack[at..].starts_with(&it.1));
                found.extend(here.map(|it| (it.0, at)));
            }
        }
        // Some disguises look alike.
        found.dedup();
        found
    }
}

/// Looks for every needle in every file below `folder`.
pub fn grep(folder: &Path, needles: &[&str]) -> std::io::Result<Vec<Hit>> {
    Finder::new(needles).grep(folder)
}

/// Looks for every needle in one piece of text or bytes: which, and where.
pub fn find(haystack: &[u8], needles: &[&str]) -> Vec<(usize, usize)> {
    Finder::new(needles).find(haystack)
}

/// How the same words look when somebody wrote them down otherwise.
fn disguises(needle: &str) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let bytes = needle.as_bytes();
    let mut all = vec![bytes.to_vec()];
    all.push(needle.encode_utf16().flat_map(u16::to_le_bytes).collect());
    all.push(bytes.iter().flat_map(|it| format!("{it:02x}").into_bytes()).collect());
    all.push(needle.escape_unicode().to_string().into_bytes());
    // JSON's own escapes, as a careless writer would leave them.
    all.push(needle.encode_utf16().flat_map(|it| format!("\\u{it:04x}").into_bytes()).collect());
    for shift in 0..3 {
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(bytes);
        for text in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            // The first and the last digits depend on the neighbours.
            let (from, to) = ([0, 2, 3][shift], text.len() - 2);
            all.push(text.as_bytes()[from..to].to_vec());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_every_disguise_and_another_one_is_not() {
        let finder = Finder::new(&["王建国", "13912345678"]);
        for disguise in disguises("王建国") {
            let text = [b"before ", disguise.as_slice(), b" after"].concat();
            assert_eq!(finder.find(&text), [(0, 7)]);
        }
        assert_eq!(finder.find("tel:13912345678".as_bytes()), [(1, 4)]);
        assert!(finder.find("李建国 13912345679".as_bytes()).is_empty());
    }
}
