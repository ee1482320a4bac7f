//! The canary: planted personal data, looked for in every byte that anybody could read.

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

/// Looks for every needle in every file below `folder`, whatever the files are: as it is, in UTF-16,
/// as hexadecimal digits and in base64 at each of its three shifts.
pub fn grep(folder: &Path, needles: &[&str]) -> std::io::Result<Vec<Hit>> {
    let mut hits = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let bytes = std::fs::read(&path)?;
                hits.extend(find(&bytes, needles).into_iter().map(|(needle, at)| Hit {
                    file: path.clone(),
                    needle,
                    at,
                }));
            }
        }
    }
    Ok(hits)
}

/// The same in one piece of text or bytes: which needle, and where.
pub fn find(haystack: &[u8], needles: &[&str]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (number, needle) in needles.iter().enumerate() {
        for disguise in disguises(needle) {
            let at = haystack.windows(disguise.len()).position(|it| it == disguise);
            found.extend(at.map(|at| (number, at)));
        }
    }
    found
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
