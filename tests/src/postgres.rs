//! A real PostgreSQL for one test: a cluster of its own in a temporary folder, reached by a socket in
//! it, stopped by its own process id. Debian's package is fetched where somebody may.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

use crate::broker::{not_run, wait_for};
use crate::debian::install;
use crate::program::signal;

/// The role that owns a test's cluster.
pub const ADMIN: &str = "postgres";
/// The database of the exchange tables.
pub const DATABASE: &str = "exchange";
/// The published tables.
pub const TABLES: &str = include_str!("../../deploy/exchange-tables/postgresql.sql");
/// The server refuses to run as root; this account comes with the package.
const ACCOUNT: &str = "postgres";

static PROGRAMS: OnceCell<Result<PathBuf, String>> = OnceCell::const_new();

/// A cluster; dropped, its server is killed and its files go.
pub struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    server: Option<Child>,
}

impl Postgres {
    /// A running cluster with the database `exchange` in `encoding`; none if there is no PostgreSQL.
    pub async fn start(test: &str, encoding: &str) -> Option<Self> {
        let programs = match PROGRAMS.get_or_init(find).await {
            Ok(programs) => programs.clone(),
            Err(why) => {
                not_run(test, why);
                return None;
            }
        };
        let folder = tempfile::tempdir().expect("a folder");
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path(), open).expect("the account may write there");
        let mut postgres = Self { folder, programs, server: None };
        let data = postgres.at("data");
        let made = postgres
            .program("initdb")
            .args(["--auth=trust", "--locale=C", "--encoding=UTF8", "--username", ADMIN])
            .arg("-D")
            .arg(&data)
            .output()
            .await
            .expect("initdb starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        postgres.restart().await;
        let admin = postgres.connect(ADMIN, "postgres").await;
        let create = format!("CREATE DATABASE {DATABASE} ENCODING '{encoding}' TEMPLATE template0");
        admin.batch_execute(&create).await.expect("a database");
        Some(postgres)
    }

    /// The same with the published tables in it.
    pub async fn with_tables(test: &str, encoding: &str) -> Option<Self> {
        let postgres = Self::start(test, encoding).await?;
        postgres.admin().await.batch_execute(TABLES).await.expect("the published tables");
        Some(postgres)
    }

    /// The folder of its socket: what an adapter has as `host`.
    pub fn host(&self) -> &Path {
        self.folder.path()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// One of its programs, as an account that it accepts.
    pub fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = if is_root() {
            // It becomes the program: its process id is the server's.
            let mut command = Command::new("setpriv");
            command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.stdin(Stdio::null()).kill_on_drop(true).current_dir(self.folder.path());
        command
    }

    /// Starts the server, and returns when it answers.
    pub async fn restart(&mut self) {
        let child = self
            .program("postgres")
            .arg("-D")
            .arg(self.at("data"))
            .arg("-k")
            .arg(self.folder.path())
            .args(["-c", "listen_addresses="])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres starts");
        self.server = Some(child);
        wait_for("PostgreSQL", async || self.try_connect(ADMIN, "postgres").await.ok()).await;
    }

    /// As if its machine had lost power: SIGQUIT, no checkpoint, recovery at the next start.
    pub async fn crash(&mut self) {
        let mut server = self.server.take().expect("it runs");
        signal(&server, "QUIT").await;
        server.wait().await.expect("it ends");
    }

    /// Stops every process of the server in its tracks, or lets them go on.
    pub async fn freeze(&self, frozen: bool) {
        let server = self.server.as_ref().expect("it runs");
        let parent = server.id().expect("it runs").to_string();
        let children = Command::new("pgrep").args(["-P", &parent]).output().await.expect("pgrep");
        let children = String::from_utf8_lossy(&children.stdout).into_owned();
        let name = if frozen { "-STOP" } else { "-CONT" };
        for process in children.split_whitespace().chain([parent.as_str()]) {
            let sent = Command::new("kill").args([name, process]).status().await;
            assert!(sent.is_ok(), "there is a kill");
        }
    }

    /// A connection of the administrator to the exchange database.
    pub async fn admin(&self) -> Client {
        self.connect(ADMIN, DATABASE).await
    }

    /// A connection of the office.
    pub async fn office(&self) -> Client {
        self.connect("hub_office", DATABASE).await
    }

    async fn connect(&self, user: &str, database: &str) -> Client {
        self.try_connect(user, database).await.expect("a connection")
    }

    async fn try_connect(
        &self,
        user: &str,
        database: &str,
    ) -> Result<Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.folder.path()).user(user).dbname(database);
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0)
}

/// Where `initdb` and `postgres` are; Debian keeps them out of the way of the path.
async fn find() -> Result<PathBuf, String> {
    if let Some(found) = installed() {
        return Ok(found);
    }
    if is_root() {
        install(&["postgresql"]).await?;
    }
    installed().ok_or_else(|| "no PostgreSQL is installed (apt-get install postgresql)".to_owned())
}

fn installed() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let debian = versions.filter_map(|it| Some(it.ok()?.path().join("bin")));
    let usual = ["/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"].map(PathBuf::from);
    debian.chain(usual).find(|it| it.join("initdb").is_file() && it.join("postgres").is_file())
}
