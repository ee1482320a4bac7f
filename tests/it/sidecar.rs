//! The sidecar as its province sees it: bounded, paced, patient with a full disk, and frank about all of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use events::subjects;
use rusqlite::Connection;
use serde_json::Value;
use tests::broker::{not_run, province, wait_for};
use tests::office_stage::OfficeStage;
use tests::program::run_with;
use tokio::process::Child;

/// An API that nobody asks: work arrives and stays.
const PULL: &str = "[pull]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"office.token\"\n";
/// An office that decides at once.
const INSTANT: &str = "[simulated]\nmode = \"instant\"\n";
const PAGE: &str = "[page]\nlisten = \"127.0.0.1:0\"\naddress_file = \"page.address\"\n";

/// Longest wait for anything here: the machine may be busy with other builds.
const WAIT_MAX: Duration = Duration::from_secs(90);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);

async fn stage(test: &str, tables: &str, limits: &str) -> Option<OfficeStage> {
    let stage = OfficeStage::set(test, "simulated", INSTANT).await?;
    configure(&stage, "simulated", tables, limits);
    Some(stage)
}

/// `OfficeStage::configure`, and more limits.
fn configure(stage: &OfficeStage, office: &str, tables: &str, limits: &str) {
    stage.configure(office, tables);
    let path = stage.folder.at("adapter.toml");
    let text = std::fs::read_to_string(&path).expect("a configuration");
    let text = text.replace("[limits]\n", &format!("[limits]\n{limits}\n"));
    std::fs::write(path, text).expect("a configuration");
    let token = stage.folder.at("office.token");
    std::fs::write(token, "token-of-the-office-of-jilin-0123456789").expect("a token");
    let chmod = Command::new("chmod").arg("600").arg(stage.folder.at("office.token")).status();
    assert!(chmod.expect("chmod runs").success());
}

async fn status(stage: &OfficeStage) -> Option<Value> {
    let mut command = stage.sidecar("status");
    command.arg("--json");
    serde_json::from_str(&run_with(command, "").await.out).ok()
}

/// Waits for a status that is as wanted.
async fn status_until(stage: &OfficeStage, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let now = status(stage).await.unwrap_or_default();
        if wanted(&now) {
            return now;
        }
        assert!(started.elapsed() < WAIT_MAX, "{what}: {now:#}\n{}", stage.log());
        tokio::time::sleep(LOOK).await;
    }
}

async fn kill(mut child: Child) {
    child.kill().await.expect("it dies");
}

/// Waits until the case's story has `kind`, longer than the stage does.
async fn until(stage: &OfficeStage, case: &str, kind: &str) {
    let started = Instant::now();
    while !stage.kinds(case).await.iter().any(|it| it == kind) {
        assert!(started.elapsed() < WAIT_MAX, "{kind} of {case}\n{}", stage.log());
        tokio::time::sleep(LOOK).await;
    }
}

#[tokio::test]
async fn a_full_inbox_fetches_no_more_says_so_and_is_caught_up_at_the_office_s_pace() {
    let bounds = "inbox_work_max = 5\nfetch_messages_max = 2\nhand_over_per_minute_max = 30";
    let Some(stage) = stage("a full inbox", "", "").await else { return };
    configure(&stage, "pull", PULL, bounds);
    let sidecar = stage.serve();
    let cases = stage.submit(0, 16).await;
    let held =
        status_until(&stage, "a full inbox", |it| it["fetch_held"]["why"] == "inbox-full").await;
    let waiting = held["work_untaken"].as_i64().expect("a count");
    assert!((5..=7).contains(&waiting), "one fetch more than the bound at the most: {held:#}");
    let told = run_with(stage.sidecar("status"), "").await.with(0).out;
    assert!(told.contains("the inbox is full") && told.contains("收件箱已满"), "{told}");
    kill(sidecar).await;

    // The office comes back from its holiday: some at once, then one every two seconds, so that a busy
    // machine looks while it lasts.
    configure(&stage, "simulated", INSTANT, bounds);
    let _sidecar = stage.serve();
    let paced = status_until(&stage, "a paced office", |it| {
        it["hand_over_held"]["why"] == "hand-over-rate" || it["work"] == 16
    })
    .await;
    assert_eq!(paced["hand_over_held"]["why"], "hand-over-rate", "{paced:#}");
    for case in &cases {
        until(&stage, case, "completed").await;
        stage.assert_once(case).await;
    }
    status_until(&stage, "nothing is held", |it| it["fetch_held"].is_null()).await;
}

/// A small file system of its own; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, megabytes: u32) -> Result<Self, String> {
        std::fs::create_dir_all(at).map_err(|it| it.to_string())?;
        let size = format!("size={megabytes}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at);
        let mounted = mount.output().map_err(|it| it.to_string())?;
        if mounted.status.success() {
            Ok(Self(at.to_owned()))
        } else {
            Err(String::from_utf8_lossy(&mounted.stderr).into_owned())
        }
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.0.join("filler")).expect("a file");
        let block = [7_u8; 4096];
        while file.write_all(&block).is_ok() {}
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("the filler is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Its user has been killed by now, perhaps a moment ago.
        for _ in 0..50 {
            let umount = Command::new("umount").arg(&self.0).stderr(Stdio::null()).status();
            if umount.is_ok_and(|it| it.success()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

#[tokio::test]
async fn a_full_disk_acknowledges_nothing_says_so_and_goes_on_by_itself_when_there_is_space() {
    let Some(stage) = stage("a full disk", INSTANT, "").await else { return };
    let disk = match SmallDisk::mount(&stage.folder.at("disk"), 16) {
        Ok(disk) => disk,
        Err(why) => {
            return not_run(
                "a really full disk (the store's own test with a page limit runs)",
                &why,
            );
        }
    };
    let path = stage.folder.at("adapter.toml");
    let text = std::fs::read_to_string(&path).expect("a configuration");
    let text = text.replace("path = \"adapter.db\"", "path = \"disk/adapter.db\"");
    std::fs::write(&path, text).expect("a configuration");
    let mut sidecar = stage.serve();
    let mut nth = 0;
    for round in 0..3 {
        let before = stage.submit(nth, 2).await;
        for case in &before {
            until(&stage, case, "completed").await;
        }
        disk.fill();
        let during = stage.submit(nth + 2, 4).await;
        nth += 6;
        let full =
            status_until(&stage, "a full disk", |it| !it["disk"]["full_since_seconds"].is_null())
                .await;
        assert_eq!(full["alive"], true, "{full:#}");
        let told = run_with(stage.sidecar("status"), "").await.with(0).out;
        assert!(told.contains("✗ 磁盘已满 disk full"), "{told}");
        assert!(sidecar.try_wait().expect("a status").is_none(), "round {round}: it runs on");
        for case in &during {
            let kinds = stage.kinds(case).await;
            assert!(!kinds.contains(&"delivered".to_owned()), "acknowledged, not kept: {kinds:?}");
        }
        disk.empty();
        let emptied = Instant::now();
        status_until(&stage, "a disk with space", |it| it["disk"]["full_since_seconds"].is_null())
            .await;
        assert!(emptied.elapsed() < Duration::from_secs(60), "{:?}", emptied.elapsed());
        for case in &during {
            until(&stage, case, "completed").await;
            stage.assert_once(case).await;
        }
    }
    assert!(stage.log().contains("the disk of the store is full"), "{}", stage.log());
    kill(sidecar).await;
}

#[tokio::test]
async fn the_page_tells_in_both_languages_what_waits_and_nothing_about_anybody() {
    let Some(stage) = stage("the page", "", "").await else { return };
    // An office that takes nothing: why it does not must stand on the page, not only in the log.
    let service = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", service.local_addr().expect("an address"));
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        for stream in service.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _read = stream.read(&mut [0; 4096]);
            let answer = "HTTP/1.1 500 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _written = stream.write_all(answer.as_bytes());
        }
    });
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/examples/http-office/work.json");
    let http = format!(
        "[http]\nurl = \"{url}\"\ntemplate_file = \"{template}\"\n\
         rules = [{{ status = 200, then = \"taken\" }}]\n{PAGE}"
    );
    configure(&stage, "http", &http, "");
    let _sidecar = stage.serve();
    let case = stage.submit_as(1, "金丝雀甲乙").await;
    let stuck = status_until(&stage, "a stuck piece of work", |it| {
        it["stuck"][0]["reason"].as_str().is_some_and(|it| it.contains("500"))
    })
    .await;
    assert_eq!(stuck["stuck"][0]["case"].as_str(), Some(case.as_str()), "{stuck:#}");
    let file = stage.folder.at("page.address");
    let address = wait_for("the page", async || std::fs::read_to_string(&file).ok()).await;
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let get = async |path: &str| {
        let answer = http.get(format!("http://{address}{path}")).send().await.expect("an answer");
        let policy = answer.headers()["content-security-policy"].to_str().expect("text").to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        answer.text().await.expect("a body")
    };
    let (zh, en, json) = (get("/").await, get("/?lang=en").await, get("/status.json").await);
    assert!(zh.contains("lang=\"zh-CN\"") && zh.contains("交办不成") && zh.contains("500"), "{zh}");
    assert!(en.contains("cannot be handed over") && en.contains(&case), "{en}");
    assert!(!zh.contains("<script") && !zh.contains("style="), "{zh}");
    assert!(serde_json::from_str::<Value>(&json).expect("JSON")["stuck"].is_array());
    for text in [&zh, &en, &json] {
        assert!(!text.contains("金丝雀"), "personal data on the page");
    }
    let strange = http.get(format!("http://{address}/")).header("host", "evil.example").send();
    assert_eq!(strange.await.expect("an answer").status().as_u16(), 421);
}

#[tokio::test]
async fn check_names_what_is_wrong_and_what_to_do() {
    let Some(stage) = stage("check", INSTANT, "").await else { return };
    let check = async |more: &[&str]| {
        let mut command = stage.sidecar("check");
        command.args(more);
        run_with(command, "").await
    };
    let fine = check(&["--json"]).await.with(0).json();
    assert_eq!(fine["works"], true, "{fine:#}");
    let lines = fine["lines"].as_array().expect("lines");
    let level = |lines: &[Value], about: &str| {
        let line =
            lines.iter().find(|it| it["question"].as_str().is_some_and(|it| it.contains(about)));
        line.unwrap_or_else(|| panic!("{about}: {lines:#?}"))["level"].clone()
    };
    for about in
        ["the keys", "may it fetch", "may it report", "the broker", "versions", "time", "space"]
    {
        assert_ne!(level(lines, about), "bad", "{about}: {lines:#?}");
    }
    assert_eq!(level(lines, "may it report"), "ok");
    // A probe of the right to report leaves no report behind.
    let path = stage.folder.at("adapter.toml");
    let text = std::fs::read_to_string(&path).expect("a configuration");
    let open = stage.folder.at("adapter-keys").join(hub::nats::keys::SIGN_FILE);
    assert!(Command::new("chmod").arg("644").arg(&open).status().expect("chmod").success());
    let told = check(&[]).await.with(0).out;
    assert!(told.contains("! 密钥权限") && told.contains("chmod 600"), "{told}");
    // Speaking for a neighbour: the broker lets nobody in whom the ministry has not registered.
    std::fs::write(&path, text.replace("province = \"22\"", "province = \"23\"")).expect("a file");
    let told = check(&[]).await.with(1).out;
    assert!(told.contains("✗ 本省消费者") && told.contains("hub province list"), "{told}");
    std::fs::write(&path, "province = 22").expect("a file");
    check(&[]).await.with(2);
}

async fn reconcile(stage: &OfficeStage, exit: i32) -> Value {
    let mut command = stage.sidecar("reconcile");
    command.args(["--json", "--wait", "60"]);
    run_with(command, "").await.with(exit).json()
}

/// Waits until the broker has nothing left that it would bring again by itself: a sidecar that is killed
/// between its report and its acknowledgement is not what is looked at here.
async fn all_acknowledged(stage: &OfficeStage) {
    let hub = stage.broker.hub().await;
    wait_for("the broker to know of every acknowledgement", async || {
        let consumer = subjects::consumer(province(22));
        let stream = hub.jetstream.get_stream(subjects::WORK_STREAM).await.ok()?;
        let info = stream.consumer_info(consumer).await.ok()?;
        (info.num_pending == 0 && info.num_ack_pending == 0).then_some(())
    })
    .await;
}

/// Waits until the hub has settled every comparison that the store still wishes for: one of them in an older
/// copy would find the differences before the one that is asked for here.
async fn all_settled(stage: &OfficeStage) {
    let store = Connection::open(stage.folder.at("adapter.db")).expect("the store opens");
    wait_for("the hub to settle every comparison", async || {
        let sql = "SELECT count(*) > 0 AND sum(settled_at IS NULL) = 0 FROM inventory
                    WHERE occasion IN ('new-store', 'daily', 'asked') HAVING count(DISTINCT occasion) = 3";
        store.query_row(sql, [], |row| row.get::<_, bool>(0)).is_ok_and(|it| it).then_some(())
    })
    .await;
}

fn store_files(stage: &OfficeStage) -> Vec<PathBuf> {
    ["adapter.db", "adapter.db-wal", "adapter.db-shm"].map(|it| stage.folder.at(it)).to_vec()
}

#[tokio::test]
async fn a_lost_and_an_older_store_are_found_by_comparing_and_mended_without_a_second_decision() {
    let Some(stage) = stage("amnesia", "", "").await else { return };
    configure(&stage, "pull", PULL, "");
    let sidecar = stage.serve();
    let early = stage.submit(0, 3).await;
    for case in &early {
        until(&stage, case, "delivered").await;
    }
    let agreed = reconcile(&stage, 0).await;
    assert_eq!((&agreed["settled"], &agreed["differences"]), (&true.into(), &0.into()));

    all_settled(&stage).await;

    // An older copy of the store is put back: what came since is gone from here.
    kill(sidecar).await;
    for file in store_files(&stage) {
        let _maybe_none = std::fs::copy(&file, file.with_extension("copy"));
    }
    let copies: Vec<(PathBuf, Vec<u8>)> = store_files(&stage)
        .into_iter()
        .filter_map(|it| Some((it.clone(), std::fs::read(it).ok()?)))
        .collect();
    let sidecar = stage.serve();
    let late = stage.submit(3, 2).await;
    for case in &late {
        until(&stage, case, "delivered").await;
    }
    all_acknowledged(&stage).await;
    kill(sidecar).await;
    for file in store_files(&stage) {
        let _maybe_none = std::fs::remove_file(file);
    }
    for (file, bytes) in copies {
        std::fs::write(file, bytes).expect("the older store is put back");
    }
    let sidecar = stage.serve();
    let found = reconcile(&stage, 0).await;
    assert_eq!(found["differences"], 2, "{found:#}");
    for case in &late {
        until(&stage, case, "asked-again").await;
    }
    status_until(&stage, "the work is back", |it| it["work"] == 5).await;

    // The store is lost altogether: a new one compares by itself.
    kill(sidecar).await;
    for file in store_files(&stage) {
        let _maybe_none = std::fs::remove_file(file);
    }
    let sidecar = stage.serve();
    status_until(&stage, "all work is back", |it| it["work"] == 5).await;
    kill(sidecar).await;
    configure(&stage, "simulated", INSTANT, "");
    let sidecar = stage.serve();
    for case in early.iter().chain(&late) {
        until(&stage, case, "completed").await;
        let ends = stage.kinds(case).await.iter().filter(|it| *it == "completed").count();
        assert_eq!(ends, 1);
    }
    let agreed = reconcile(&stage, 0).await;
    assert_eq!(agreed["differences"], 0, "mended is mended: {agreed:#}");
    kill(sidecar).await;
    let alone = {
        let mut command = stage.sidecar("reconcile");
        command.args(["--wait", "1"]);
        run_with(command, "").await.with(1).out
    };
    assert!(alone.contains('✗') || alone.contains('!'), "{alone}");
}
