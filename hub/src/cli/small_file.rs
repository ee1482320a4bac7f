//! Files that somebody names on the command line and that should be small: a device or a pipe never ends.

use std::path::Path;

use anyhow::Context as _;

/// Largest file of this kind, in bytes.
const BYTES_MAX: u64 = 256 * 1024;

/// The text of a small file, without a byte order mark.
pub(super) fn read(path: &Path) -> anyhow::Result<String> {
    let about =
        std::fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    anyhow::ensure!(
        about.is_file() && about.len() <= BYTES_MAX,
        "`{}` is not a file of at most 256 KiB",
        path.display()
    );
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}
