//! A real browser for the console's tests: Debian's Chromium, driven by its own driver, in a profile that goes with the test.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use crate::broker::{not_run, wait_for};
use crate::debian::{install, run};
use crate::webdriver::Page;

/// Neither a window nor a word to the world outside.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1440,1000",
];
/// What the driver says when it listens, in front of the port.
const LISTENS: &str = "started successfully on port ";
/// Longest time for the driver to listen, on a slow and busy machine.
const START_MAX: Duration = Duration::from_secs(120);
/// What the browser speaks: Debian keeps all but one of them in a package of their own.
const LANGUAGES: &str = "/usr/lib/chromium/locales";
/// The rules of accessibility: version and digest of the package that holds them.
const AXE: (&str, &str) =
    ("axe-core@4.14.1", "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745");

static DRIVER: OnceCell<Result<PathBuf, String>> = OnceCell::const_new();
static RULES: OnceCell<Result<String, String>> = OnceCell::const_new();

/// A browser with one window. Dropped, it and its driver are killed.
pub struct Browser {
    /// The window.
    pub page: Page,
    driver: Child,
    _profile: TempDir,
}

/// What a page costs the browser.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Nodes of all documents.
    pub nodes: f64,
    /// Bytes that scripts hold.
    pub heap_bytes: f64,
    /// Listeners for events.
    pub listeners: f64,
}

impl Browser {
    /// Starts one; none if there is no Chromium: then `test` is told as not run.
    pub async fn start(test: &str) -> Option<Self> {
        Self::begin(test, None).await
    }

    /// The same, of somebody who has set the browser to this language (`de`, `en-US`); none if the browser does
    /// not speak it.
    pub async fn speaking(test: &str, language: &str) -> Option<Self> {
        let known = Path::new(LANGUAGES).join(format!("{language}.pak"));
        if DRIVER.get_or_init(find).await.is_ok()
            && !known.exists()
            && let Err(why) = install(&["chromium-l10n"]).await
        {
            not_run(test, &why);
            return None;
        }
        Self::begin(test, Some(language)).await
    }

    async fn begin(test: &str, language: Option<&str>) -> Option<Self> {
        let program = match DRIVER.get_or_init(find).await {
            Ok(program) => program.clone(),
            Err(why) => {
                not_run(test, why);
                return None;
            }
        };
        let profile = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(program);
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut flags: Vec<String> = FLAGS.iter().map(|it| (*it).to_owned()).collect();
        if let Some(language) = language {
            // On Linux Chromium asks its surroundings first.
            command.env("LANGUAGE", language);
            flags.extend([format!("--lang={language}"), format!("--accept-lang={language}")]);
        }
        // A group of its own: whoever ends the driver ends its browser too.
        let mut driver = command.process_group(0).spawn().expect("the driver starts");
        let said = BufReader::new(driver.stdout.take().expect("a pipe"));
        let port = tokio::time::timeout(START_MAX, port(said)).await.expect("the driver listens");
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        let page = Page::start(&format!("http://127.0.0.1:{port}"), &flags, START_MAX).await;
        let page = page.unwrap_or_else(|it| panic!("a browser: {it}"));
        Some(Self { page, driver, _profile: profile })
    }

    /// Goes there.
    pub async fn open(&self, address: &str) {
        self.page.goto(address).await.unwrap_or_else(|it| panic!("{address}: {it}"));
    }

    /// The text of the first element that fits; a live page is drawn anew now and then.
    pub async fn text(&self, css: &str) -> String {
        wait_for(&format!("the text of {css}"), async || {
            self.page.find(css).await.ok()?.text().await.ok()
        })
        .await
    }

    /// Waits until the page's text says this, however often the page is drawn anew meanwhile.
    pub async fn says(&self, what: &str) {
        wait_for(&format!("the page to say `{what}`"), async || {
            self.words().await.contains(what).then_some(())
        })
        .await;
    }

    /// All that can be read on the page.
    pub async fn words(&self) -> String {
        let script = "return document.body ? document.body.innerText : ''";
        self.value(script).await.as_str().unwrap_or_default().to_owned()
    }

    /// What a script of ours returns there.
    pub async fn value(&self, script: &str) -> Value {
        self.page.execute(script).await.unwrap_or(Value::Null)
    }

    /// Clicks on the first that fits, as soon as there is one: a live page is drawn anew now and then.
    pub async fn click(&self, css: &str) {
        wait_for(&format!("a click on {css}"), async || {
            self.page.find(css).await.ok()?.click().await.ok()
        })
        .await;
    }

    /// Types into the first that fits, as soon as there is one.
    pub async fn fill(&self, css: &str, text: &str) {
        wait_for(&format!("to type into {css}"), async || {
            self.page.find(css).await.ok()?.type_text(text).await.ok()
        })
        .await;
    }

    /// Whether pages may run scripts from now on.
    pub async fn scripts(&self, on: bool) {
        self.tell("Emulation.setScriptExecutionDisabled", json!({"value": !on})).await;
    }

    /// Signs in at the door of the hub at `base`.
    pub async fn sign_in(&self, base: &str, name: &str, password: &str) {
        self.open(&format!("{base}/sign-in")).await;
        self.fill("input[name=name]", name).await;
        self.fill("input[name=password]", password).await;
        self.click("main button.main").await;
        wait_for("the door to open", async || {
            let at = self.page.address().await.ok()?;
            (!at.starts_with(&format!("{base}/sign-in"))).then_some(())
        })
        .await;
    }

    /// What the page costs after everything that nobody holds is thrown away.
    pub async fn cost(&self) -> Cost {
        self.tell("Performance.enable", json!({})).await;
        self.tell("HeapProfiler.collectGarbage", json!({})).await;
        let told = self.tell("Performance.getMetrics", json!({})).await;
        let of = |name: &str| {
            let metrics = told["metrics"].as_array().expect("metrics");
            let found = metrics.iter().find(|it| it["name"] == name);
            found.and_then(|it| it["value"].as_f64()).unwrap_or_else(|| panic!("no {name}"))
        };
        Cost {
            nodes: of("Nodes"),
            heap_bytes: of("JSHeapUsedSize"),
            listeners: of("JSEventListeners"),
        }
    }

    /// The page on paper.
    pub async fn print(&self) -> Vec<u8> {
        use base64::Engine as _;
        let given = json!({"printBackground": true, "preferCSSPageSize": true});
        let told = self.tell("Page.printToPDF", given).await;
        let text = told["data"].as_str().expect("a document");
        base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
    }

    /// Serious and critical faults that axe-core finds: rule and place. None if there is no axe-core.
    pub async fn faults(&self, test: &str) -> Option<Vec<String>> {
        let rules = match RULES.get_or_init(axe).await {
            Ok(rules) => rules,
            Err(why) => {
                not_run(test, why);
                return None;
            }
        };
        let script = format!(
            "{rules}; const done = arguments[arguments.length - 1];
             axe.run(document, {{resultTypes: ['violations']}}).then(it => done(it.violations), it => done([{{id: String(it), impact: 'critical', nodes: []}}]));"
        );
        let found = self.page.execute_async(&script).await.expect("axe runs");
        let found = found.as_array().expect("a list").clone();
        let grave =
            found.iter().filter(|it| it["impact"] == "serious" || it["impact"] == "critical");
        Some(
            grave
                .map(|it| {
                    let places = it["nodes"].as_array().into_iter().flatten().map(|it| &it["html"]);
                    let places: Vec<String> = places.take(3).map(Value::to_string).collect();
                    format!("{} ({}): {}", it["id"], it["help"], places.join(" "))
                })
                .collect(),
        )
    }

    async fn tell(&self, command: &str, given: Value) -> Value {
        let told = self.page.devtools(command, &given).await;
        told.unwrap_or_else(|it| panic!("{command}: {it}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let Some(group) = self.driver.id() else { return };
        let group = format!("-{group}");
        let _ = std::process::Command::new("kill").args(["-KILL", "--", &group]).status();
    }
}

async fn port(mut said: BufReader<tokio::process::ChildStdout>) -> u16 {
    let mut line = String::new();
    while said.read_line(&mut line).await.is_ok_and(|it| it > 0) {
        if let Some((_, rest)) = line.split_once(LISTENS) {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            // Whatever it says later is read and thrown away, so that it never waits for us.
            tokio::spawn(async move {
                while said.read_line(&mut line).await.is_ok_and(|it| it > 0) {
                    line.clear();
                }
            });
            return digits.parse().expect("a port");
        }
        line.clear();
    }
    panic!("the driver ended")
}

async fn find() -> Result<PathBuf, String> {
    let here = Path::new(".");
    if run("chromedriver", &["--version"], here).await.is_err()
        || run("chromium", &["--version"], here).await.is_err()
    {
        install(&["chromium", "chromium-driver", "fonts-noto-cjk"]).await?;
    }
    run("chromedriver", &["--version"], here).await.map(|_| PathBuf::from("chromedriver"))
}

/// The rules' text, fetched once into `.tools`, checked against its digest each time.
async fn axe() -> Result<String, String> {
    let (name, digest) = AXE;
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools");
    let file = tools.join("axe-core.tgz");
    std::fs::create_dir_all(&tools).map_err(|it| it.to_string())?;
    if !file.exists() {
        let making = tempfile::tempdir_in(&tools).map_err(|it| it.to_string())?;
        if run("npm", &["pack", "--silent", name], making.path()).await.is_err() {
            install(&["npm"]).await?;
            run("npm", &["pack", "--silent", name], making.path()).await?;
        }
        let packed = std::fs::read_dir(making.path()).map_err(|it| it.to_string())?;
        let packed = packed.flatten().next().ok_or("npm packed nothing")?;
        std::fs::rename(packed.path(), &file).map_err(|it| it.to_string())?;
    }
    let file = file.to_str().ok_or("a path that is no text")?;
    let sum = run("sha256sum", &[file], Path::new(".")).await?;
    if !sum.starts_with(digest) {
        return Err(format!("{file} is not {name}: {sum}"));
    }
    run("tar", &["-xzOf", file, "package/axe.min.js"], Path::new(".")).await
}
