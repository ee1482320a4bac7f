//! Would `pull` run? Said before anybody connects, in plain words.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tokio::net::TcpListener;

use super::settings::{Settings, TOKEN_CHARACTERS_MAX, TOKEN_CHARACTERS_MIN};
use crate::check::{Line, line};

/// The token that the office must show: long, visible ASCII, and readable by one user only.
pub(super) fn token(path: &Path) -> Result<String, String> {
    let token = super::read_token(path)?;
    let shown = path.display();
    let mode =
        std::fs::metadata(path).map_err(|it| format!("`{shown}`: {it}"))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!(
            "others may read `{shown}` (mode {:03o}); chmod 600 {shown}",
            mode & 0o777
        ));
    }
    if !(TOKEN_CHARACTERS_MIN..=TOKEN_CHARACTERS_MAX).contains(&token.len())
        || !token.bytes().all(|it| it.is_ascii_graphic())
    {
        return Err(format!(
            "`{shown}` must hold one line of {TOKEN_CHARACTERS_MIN} to {TOKEN_CHARACTERS_MAX} \
             visible ASCII characters; openssl rand -hex 32 makes one"
        ));
    }
    Ok(token)
}

/// The lines of `check`.
pub async fn check(settings: &Settings) -> Vec<Line> {
    let token = token(&settings.token_file)
        .map(|it| format!("`{}`, {} characters", settings.token_file.display(), it.len()));
    let address = match settings.address().filter(|it| it.port() != 0) {
        None => Ok(format!("{}: any free port", settings.listen)),
        Some(address) => match TcpListener::bind(address).await {
            Ok(_) => Ok(format!("{address} is free; `serve` listens there")),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                Ok(format!("{address} is in use; by this adapter if it is running"))
            }
            Err(error) => Err(format!("cannot listen at {address}: {error}")),
        },
    };
    vec![
        line("办公系统令牌 the office's token", token),
        line("办公系统接口 the office's API", address),
    ]
}
