//! Those whom the hub tells of alerts: a program that is called, Debian's Alertmanager, a mail server in Python.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use crate::broker::not_run;
use crate::debian::run;
use crate::python::environment_of;

/// How long a counterpart may take to be there, or to be told.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a program was told in one call.
#[derive(Debug, Clone)]
pub struct Call {
    /// By name, in lower case.
    pub headers: Vec<(String, String)>,
    /// As it came.
    pub body: Vec<u8>,
    /// What it answered.
    pub answer: u16,
}

impl Call {
    /// One header.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|it| it.0 == name).map_or("", |it| it.1.as_str())
    }
}

/// A program that is called. It answers what it is told to; 0: it takes everything and says nothing.
#[derive(Clone)]
pub struct Called {
    /// Where.
    pub url: String,
    answer: Arc<Mutex<u16>>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Called {
    /// Listens from here on.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let it = Self { url, answer: Arc::new(Mutex::new(204)), calls: Arc::default() };
        let own = it.clone();
        tokio::spawn(async move {
            while let Ok((line, _)) = listener.accept().await {
                let own = own.clone();
                tokio::spawn(async move { own.take(line).await });
            }
        });
        it
    }

    /// From here on.
    pub fn answer(&self, status: u16) {
        *self.answer.lock().expect("nobody panics with it") = status;
    }

    /// So far.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("nobody panics with it").clone()
    }

    async fn take(&self, line: TcpStream) -> Option<()> {
        let mut line = BufReader::new(line);
        let (mut headers, mut text) = (Vec::new(), String::new());
        line.read_line(&mut text).await.ok()?;
        loop {
            text.clear();
            line.read_line(&mut text).await.ok()?;
            let Some((name, value)) = text.split_once(':') else { break };
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|it| it.0 == "content-length")?.1.parse().ok()?;
        let mut body = vec![0; length];
        line.read_exact(&mut body).await.ok()?;
        let answer = *self.answer.lock().expect("nobody panics with it");
        self.calls.lock().expect("nobody panics with it").push(Call { headers, body, answer });
        if answer == 0 {
            tokio::time::sleep(PATIENCE).await;
        }
        let said = format!("HTTP/1.1 {answer} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        line.write_all(said.as_bytes()).await.ok()
    }
}

/// Debian's Alertmanager; dropped, it is killed.
pub struct Alertmanager {
    /// Where.
    pub url: String,
    _child: Child,
    _folder: TempDir,
}

/// What starts it: the words before its own.
static ALERTMANAGER: OnceCell<Result<Vec<String>, String>> = OnceCell::const_new();

const PROGRAM: &str = "/usr/bin/prometheus-alertmanager";

impl Alertmanager {
    /// Running and ready. If there is none, `test` is told as not run; on the build server that fails.
    pub async fn start(test: &str) -> Option<Self> {
        let words = match ALERTMANAGER.get_or_init(find_alertmanager).await {
            Ok(words) => words,
            Err(why) => {
                not_run(test, why);
                return None;
            }
        };
        // Inside what it takes for the whole disk.
        let folder = tempfile::tempdir_in(alertmanager_root()).expect("a folder");
        let config = "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n";
        std::fs::write(folder.path().join("alertmanager.yml"), config).expect("a configuration");
        let inside = Path::new("/").join(folder.path().file_name().expect("it has a name"));
        let free = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let child = Command::new(&words[0])
            .args(&words[1..])
            .arg(format!("--config.file={}", inside.join("alertmanager.yml").display()))
            .arg(format!("--storage.path={}", inside.join("data").display()))
            .args(["--cluster.listen-address=", &format!("--web.listen-address={address}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let it = Self { url: format!("http://{address}"), _child: child, _folder: folder };
        let ready = async {
            while reqwest::get(format!("{}/-/ready", it.url)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ready).await.expect("an Alertmanager that gets ready");
        Some(it)
    }

    /// What stands there.
    pub async fn alerts(&self) -> Vec<Value> {
        let answer = reqwest::get(format!("{}/api/v2/alerts", self.url)).await.expect("an answer");
        serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("a list")
    }
}

fn alertmanager_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/prometheus-alertmanager")
}

/// The program of Debian's package, unpacked beside the other fetched tools and never installed. It
/// looks for its own files under /usr/share, so that it runs with the unpacked package as its root.
async fn find_alertmanager() -> Result<Vec<String>, String> {
    let whole = alertmanager_root();
    if !whole.join(&PROGRAM[1..]).exists() {
        unpack_alertmanager(&whole).await?;
    }
    let root = whole.to_str().ok_or("a path that is no text")?.to_owned();
    let words = ["chroot".to_owned(), root.clone(), PROGRAM.to_owned()];
    if run("chroot", &[&root, PROGRAM, "--version"], Path::new(".")).await.is_ok() {
        return Ok(words.to_vec());
    }
    // Whoever is not root has a name space in which that is allowed.
    run("unshare", &["-r", "chroot", &root, PROGRAM, "--version"], Path::new(".")).await?;
    Ok([&["unshare".to_owned(), "-r".to_owned()][..], &words].concat())
}

async fn unpack_alertmanager(whole: &Path) -> Result<(), String> {
    let name = "prometheus-alertmanager";
    let making = whole.with_file_name(format!("{name}.{}", std::process::id()));
    std::fs::create_dir_all(&making).map_err(|it| it.to_string())?;
    if run("apt-get", &["download", "-q", name], &making).await.is_err() {
        run("apt-get", &["update", "-q"], &making).await?;
        run("apt-get", &["download", "-q", name], &making).await?;
    }
    // With the libraries of this machine that it names.
    let unpack = "dpkg -x *.deb . && rm *.deb && for it in \
        $(ldd usr/bin/prometheus-alertmanager | grep -o '/[^ ]*'); do \
        mkdir -p \".$(dirname \"$it\")\" && cp -L \"$it\" \".$it\"; done";
    run("sh", &["-c", unpack], &making).await?;
    // Another process may have been faster: then its copy is as good.
    if std::fs::rename(&making, whole).is_err() {
        let _ = std::fs::remove_dir_all(&making);
    }
    Ok(())
}

static PYTHON: OnceCell<Result<PathBuf, String>> = OnceCell::const_new();

/// A mail server in Python; dropped, it is killed.
pub struct MailServer {
    /// On this machine.
    pub port: u16,
    told: Arc<Mutex<Vec<Value>>>,
    _child: Child,
}

impl MailServer {
    /// With these options of `counterparts/mail.py`.
    pub async fn start(test: &str, options: &[&str]) -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("counterparts");
        let requirements = folder.join("mail-requirements.txt");
        let make = || async move { environment_of(&requirements, "mail").await };
        let python = match PYTHON.get_or_init(make).await {
            Ok(python) => python,
            Err(why) => {
                not_run(test, why);
                return None;
            }
        };
        let mut child = Command::new(python)
            .args(["-B", "-W", "ignore"])
            .arg(folder.join("mail.py"))
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let first =
            tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("a port in time");
        let port = first.expect("a line").expect("a port").parse().expect("a port");
        let told: Arc<Mutex<Vec<Value>>> = Arc::default();
        let own = told.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let said = serde_json::from_str(&line).expect("a JSON object a line");
                own.lock().expect("nobody panics with it").push(said);
            }
        });
        Some(Self { port, told, _child: child })
    }

    /// What it took so far.
    pub fn told(&self) -> Vec<Value> {
        self.told.lock().expect("nobody panics with it").clone()
    }
}

/// A certificate for `localhost` and 127.0.0.1 that vouches for itself, and its key: `certificate.pem`, `key.pem`.
pub async fn certificate(folder: &Path) -> Result<(), String> {
    let arguments = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "certificate.pem",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ];
    run("openssl", &arguments, folder).await.map(drop)
}
