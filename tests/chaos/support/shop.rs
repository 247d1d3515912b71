//! The example's program: instances that are started, killed, stopped, and asked over HTTP.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use parking_lot::{Mutex, RwLock};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    sync::OnceCell,
    task::JoinSet,
    time::Instant,
};

use super::place::{PATIENCE, Place, short_or_long};

/// How variables begin that cargo sets for the package whose test it runs.
const OF_PACKAGE: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_"];

/// How long a customer waits before trying again.
const PAUSE: Duration = Duration::from_millis(25);

/// How much longer one waits whom the shop has refused: many of them would keep it busy.
const PAUSE_AT_REFUSAL: Duration = Duration::from_millis(250);

/// How long a customer waits for an answer before going to another instance.
const ANSWER: Duration = Duration::from_secs(10);

/// Builds the program, where it is not built yet, and says where it is.
pub(crate) async fn program() -> &'static Path {
    static PROGRAM: OnceCell<PathBuf> = OnceCell::const_new();
    let program = PROGRAM.get_or_init(|| async {
        // `target/<profile>/deps/chaos-…`
        let test = std::env::current_exe().unwrap();
        let folder = test.parent().unwrap().parent().unwrap();
        let mut build = Command::new(option_env!("CARGO").unwrap_or("cargo"));
        // What cargo tells a test of its package, build scripts take for a change: `ring` and all
        // that depends on it would be compiled anew, here and at the next build outside.
        for (name, _) in std::env::vars_os() {
            let is_of_package = |name: &str| OF_PACKAGE.iter().any(|it| name.starts_with(it));
            if name.to_str().is_some_and(is_of_package) {
                build.env_remove(name);
            }
        }
        build.args(["build", "--quiet", "--package", "axum-checkout"]);
        build.arg("--target-dir").arg(folder.parent().unwrap());
        if folder.ends_with("release") {
            build.arg("--release");
        }
        let status = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().await;
        assert!(status.unwrap().success(), "the example does not build");
        folder.join("axum-checkout")
    });
    program.await
}

/// A process.
struct Instance {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Drop for Fleet {
    /// Shows what the shops have logged last, if the test fails.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for (number, instance) in self.instances.iter().enumerate() {
            let Some(instance) = instance else { continue };
            let log = instance.log.lock();
            let last = log.len().saturating_sub(30);
            println!("shop {number}:\n{}", log[last..].join("\n"));
        }
    }
}

/// Shops on one database.
pub(crate) struct Fleet {
    place: Place,
    url: String,
    settings: Vec<(&'static str, String)>,
    /// A shell line that starts the program, given as `"$0"`; for limits of the process.
    pub(crate) launcher: Option<&'static str>,
    instances: Vec<Option<Instance>>,
    /// Reads what the programs log, who would wait for a reader otherwise.
    logs: JoinSet<()>,
    pub(crate) door: Door,
}

impl Fleet {
    /// A fleet of `size` shops, none of which is open.
    pub(crate) fn new(place: &Place, size: usize, settings: &[(&'static str, &str)]) -> Self {
        let settings = settings
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        Self {
            place: place.clone(),
            url: place.url(),
            settings: settings.collect(),
            launcher: None,
            instances: (0..size).map(|_| None).collect(),
            logs: JoinSet::new(),
            door: Door::new(size),
        }
    }

    /// Uses another way to the same database.
    pub(crate) fn at(mut self, url: String) -> Self {
        self.url = url;
        self
    }

    pub(crate) async fn open_all(&mut self) {
        for number in 0..self.instances.len() {
            self.open(number).await;
        }
    }

    /// Starts an instance and waits until it answers.
    pub(crate) async fn open(&mut self, number: usize) {
        let program = program().await;
        let mut command = match self.launcher {
            None => Command::new(program),
            Some(line) => {
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(line).arg(program);
                shell
            }
        };
        let mut child = command
            .current_dir(self.place.folder())
            .env("DATABASE_URL", &self.url)
            .env("PORT", "0")
            .env("RUST_LOG", "info")
            .env("NO_COLOR", "1")
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let url = loop {
            let Some(line) = lines.next_line().await.unwrap() else {
                panic!("the shop does not open: {:#?}", log.lock());
            };
            if let Some((_, url)) = line.split_once("the shop is open at ") {
                break url.trim().to_owned();
            }
            log.lock().push(line);
        };
        let written = Arc::clone(&log);
        self.logs.spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                written.lock().push(line);
            }
        });
        *self.door.0.urls[number].write() = Some(url);
        self.instances[number] = Some(Instance { child, log });
    }

    fn instance(&self, number: usize) -> &Instance {
        self.instances[number].as_ref().unwrap()
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self, number: usize) {
        *self.door.0.urls[number].write() = None;
        let mut instance = self.instances[number].take().unwrap();
        instance.child.kill().await.unwrap();
    }

    /// `kill -<signal>`.
    pub(crate) async fn signal(&self, number: usize, signal: &str) {
        let id = self.process(number).to_string();
        let told = Command::new("kill").args([signal, &id]).status().await;
        assert!(told.unwrap().success());
    }

    /// `kill -TERM`, and how the process ended.
    pub(crate) async fn terminate(&mut self, number: usize) -> ExitStatus {
        self.signal(number, "-TERM").await;
        *self.door.0.urls[number].write() = None;
        let mut instance = self.instances[number].take().unwrap();
        instance.child.wait().await.unwrap()
    }

    /// The number of the process.
    pub(crate) fn process(&self, number: usize) -> u32 {
        self.instance(number).child.id().unwrap()
    }

    /// How many lines of an instance's log contain a text.
    pub(crate) fn logged(&self, number: usize, text: &str) -> usize {
        let log = self.instance(number).log.lock();
        log.iter().filter(|line| line.contains(text)).count()
    }

    /// The id under which an instance is enrolled.
    pub(crate) fn enrolled(&self, number: usize) -> String {
        let log = self.instance(number).log.lock();
        let is_told =
            |line: &&String| line.contains("engine started") || line.contains("enrolled anew");
        let line = log.iter().rfind(is_told).unwrap();
        let (_, id) = line.split_once("instance=").unwrap();
        id.split(' ').next().unwrap().to_owned()
    }

    /// Memory in use, in KiB, and processor time used, in ticks of 10 ms.
    pub(crate) fn usage(&self, number: usize) -> (u64, u64) {
        let read = |file: &str| {
            let path = format!("/proc/{}/{file}", self.process(number));
            std::fs::read_to_string(path).unwrap()
        };
        let status = read("status");
        let rss = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
        let rss = rss.unwrap().trim().trim_end_matches(" kB").parse().unwrap();
        let stat = read("stat");
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split(' ').collect();
        let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
        (rss, ticks(12) + ticks(13))
    }

    /// Whether every run that has not ended says why, and what moves it on.
    pub(crate) async fn explains_what_is_open(&self) {
        let sql = "SELECT count(*) FROM durable_runs WHERE status NOT IN ('completed', 'failed')";
        let open = "pending,running,suspended,blocked,cancelling,cancelled,dead";
        let path = format!("/durable/api/runs?limit=200&status={open}");
        let deadline = Instant::now() + PATIENCE;
        let runs = loop {
            let known = self.place.number(sql).await;
            let page = self.door.get(&path).await;
            let runs = page["runs"].as_array().unwrap().clone();
            if known == 0 || !runs.is_empty() {
                break runs;
            }
            // The last of them may have ended in between.
            assert!(Instant::now() < deadline, "{page}");
        };
        for run in &runs {
            let id = run["id"].as_str().unwrap();
            let why = self
                .door
                .get(&format!("/durable/api/runs/{id}/explain"))
                .await;
            let is_said = |field: &str| !why[field].as_str().unwrap().is_empty();
            let has_ended = ["completed", "cancelled", "failed"]
                .iter()
                .any(|it| why["status"] == *it);
            assert!(is_said("reason"), "{why}");
            assert!(is_said("wakes") || has_ended, "{why}");
        }
    }
}

/// The way into the shops, for customers. They go to another one when nobody answers.
#[derive(Debug, Clone)]
pub(crate) struct Door(Arc<Doors>);

#[derive(Debug)]
struct Doors {
    urls: Vec<RwLock<Option<String>>>,
    next: AtomicUsize,
    client: Client,
}

impl Door {
    fn new(size: usize) -> Self {
        Self(Arc::new(Doors {
            urls: (0..size).map(|_| RwLock::default()).collect(),
            next: AtomicUsize::new(0),
            client: Client::builder().timeout(ANSWER).build().unwrap(),
        }))
    }

    /// The address of one instance.
    pub(crate) fn address(&self, number: usize) -> String {
        let url = self.0.urls[number].read();
        url.clone()
            .unwrap()
            .trim_start_matches("http://")
            .to_owned()
    }

    fn url(&self, path: &str) -> Option<String> {
        let at = self.0.next.fetch_add(1, SeqCst) % self.0.urls.len();
        let url = self.0.urls[at].read();
        url.as_ref().map(|url| format!("{url}{path}"))
    }

    async fn ask(&self, path: &str, body: Option<&Value>) -> Value {
        let deadline = Instant::now() + short_or_long(PATIENCE, 10 * PATIENCE);
        let mut last = String::new();
        while Instant::now() < deadline {
            if let Some(url) = self.url(path) {
                let client = &self.0.client;
                let request = match body {
                    Some(body) => client.post(url).body(body.to_string()),
                    None => client.get(url),
                };
                let request = request.header("content-type", "application/json");
                match request.send().await {
                    Ok(answer) if answer.status().is_success() => {
                        if let Ok(answer) = answer.json().await {
                            return answer;
                        }
                    }
                    // An order may be looked for before its own instance has stored it.
                    Ok(answer)
                        if answer.status().is_client_error()
                            && answer.status() != StatusCode::NOT_FOUND =>
                    {
                        panic!("{path}: {}", answer.text().await.unwrap())
                    }
                    // Away, or going away: what a server says at once is not asked at once.
                    Ok(answer) => {
                        last = answer.status().to_string();
                        tokio::time::sleep(PAUSE_AT_REFUSAL).await;
                    }
                    Err(error) => last = error.to_string(),
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("{path} was not answered: {last}")
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.ask(path, None).await
    }

    pub(crate) async fn place(&self, id: &str, quantity: u32) {
        let order = json!({
            "id": id, "sku": "mug", "quantity": quantity, "total_cents": 100 * quantity,
            "email": "ada@example.com",
        });
        self.ask("/orders", Some(&order)).await;
    }

    pub(crate) async fn decide(&self, id: &str, approved: bool) {
        let decision = json!({"approved": approved, "by": "Ada"});
        self.ask(&format!("/orders/{id}/approve"), Some(&decision))
            .await;
    }

    /// Waits until a run fulfils `is_so`.
    pub(crate) async fn until(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + short_or_long(PATIENCE, 10 * PATIENCE);
        loop {
            let order = self.get(&format!("/orders/{id}")).await;
            if is_so(&order["run"]) {
                return order["run"].clone();
            }
            assert!(Instant::now() < deadline, "order {id} stays: {order}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits for an order's end.
    pub(crate) async fn ended(&self, id: &str) -> Value {
        const ENDS: [&str; 5] = ["completed", "failed", "cancelled", "dead", "blocked"];
        self.until(id, |run| ENDS.iter().any(|end| run["status"] == *end))
            .await
    }
}
