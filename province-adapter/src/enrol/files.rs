//! Files of joining: made for their owner only, never over an existing one, replaced whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use events::enrolment::FILE_BYTES_MAX;

use super::EnrolError;

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EnrolError {
    let path = path.to_owned();
    move |source| EnrolError::File { operation, path, source }
}

/// A folder that only its owner enters; made if missing.
pub(super) fn private_folder(path: &Path) -> Result<(), EnrolError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(path).map_err(failed("make", path))
}

/// A new file of mode 600, durably. One that exists is refused, even a dangling link.
pub(super) fn write_new(path: &Path, text: &str) -> Result<(), EnrolError> {
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(path);
    let mut file = made.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => EnrolError::Exists { path: path.to_owned() },
        _ => failed("make", path)(source),
    })?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed("write", path))?;
    sync_folder(path)
}

/// Puts `text` in the place of a file that is not secret, after `check` has read it beside it.
pub(super) fn write_over(
    path: &Path,
    text: &str,
    check: impl FnOnce(&Path) -> Result<(), EnrolError>,
) -> Result<(), EnrolError> {
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    write_new(&new, text)?;
    if let Err(error) = check(&new) {
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    fs::rename(&new, path).map_err(failed("replace", path))?;
    sync_folder(path)
}

/// The text of a small file: a device or a pipe never ends.
pub(super) fn read_small(path: &Path) -> Result<String, EnrolError> {
    let about = fs::metadata(path).map_err(failed("read", path))?;
    if !about.is_file() || about.len() > FILE_BYTES_MAX {
        return Err(failed("read", path)(io::Error::other("not a file of at most 64 KiB")));
    }
    let text = fs::read_to_string(path).map_err(failed("read", path))?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// A new name is durable only with its folder.
fn sync_folder(path: &Path) -> Result<(), EnrolError> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|it| it.sync_all()).map_err(failed("write down", folder))
}
