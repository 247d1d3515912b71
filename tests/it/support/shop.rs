//! The example's program, asked over HTTP.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use parking_lot::RwLock;
use reqwest::{Client, StatusCode};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    sync::OnceCell,
    task::JoinSet,
};

/// How long a customer waits before trying again.
const PAUSE: Duration = Duration::from_millis(25);

/// Builds the program, where it is not built yet, and says where it is.
async fn program() -> &'static Path {
    static PROGRAM: OnceCell<PathBuf> = OnceCell::const_new();
    let program = PROGRAM.get_or_init(|| async {
        // `target/<profile>/deps/it-…`
        let test = std::env::current_exe().unwrap();
        let folder = test.parent().unwrap().parent().unwrap();
        let mut build = Command::new(option_env!("CARGO").unwrap_or("cargo"));
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

/// A folder with a shop's database, and the process that serves it, if it lives.
pub(crate) struct Shop {
    folder: tempfile::TempDir,
    settings: Vec<(&'static str, String)>,
    child: Option<Child>,
    /// Reads what the program logs, which would wait for a reader otherwise.
    logs: JoinSet<()>,
    pub(crate) door: Door,
}

impl Shop {
    pub(crate) fn new(settings: &[(&'static str, &str)]) -> Self {
        let settings = settings
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        Self {
            folder: tempfile::tempdir().unwrap(),
            settings: settings.collect(),
            child: None,
            logs: JoinSet::new(),
            door: Door::default(),
        }
    }

    /// Starts the program and waits until it answers.
    pub(crate) async fn open(&mut self) {
        let mut child = Command::new(program().await)
            .current_dir(self.folder.path())
            .env("PORT", "0")
            .env("RUST_LOG", "info")
            .env("NO_COLOR", "1")
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = loop {
            let line = log.next_line().await.unwrap().expect("the shop opens");
            if let Some((_, url)) = line.split_once("the shop is open at ") {
                break url.trim().to_owned();
            }
        };
        self.logs
            .spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        *self.door.url.write() = url;
        self.child = Some(child);
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) {
        self.child.take().unwrap().kill().await.unwrap();
    }

    /// `kill -TERM`, and how the process ended.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        let id = child.id().unwrap().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(told.unwrap().success());
        child.wait().await.unwrap()
    }

    /// A number from the database.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let file = self.folder.path().join("checkout.db");
        let url = format!("sqlite://{}", file.display());
        let db: DatabaseConnection = Database::connect(url).await.unwrap();
        let statement = Statement::from_string(DbBackend::Sqlite, sql);
        let row = db.query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    }
}

/// The way into a shop, for customers. They knock again when nobody answers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Door {
    url: Arc<RwLock<String>>,
    client: Client,
}

impl Door {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url.read())
    }

    async fn post(&self, path: &str, body: &Value) {
        loop {
            let request = self.client.post(self.url(path)).body(body.to_string());
            let request = request.header("content-type", "application/json");
            match request.send().await {
                Ok(answer) if answer.status() == StatusCode::ACCEPTED => return,
                Ok(answer) if answer.status().is_client_error() => {
                    panic!("{path}: {}", answer.text().await.unwrap())
                }
                // Away, or going away.
                Ok(_) | Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        loop {
            match self.client.get(self.url(path)).send().await {
                Ok(answer) if answer.status().is_success() => {
                    if let Ok(answer) = answer.json().await {
                        return answer;
                    }
                }
                Ok(_) | Err(_) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(crate) async fn place(&self, id: &str, quantity: u32) {
        let order = json!({
            "id": id, "sku": "mug", "quantity": quantity, "total_cents": 100 * quantity,
            "email": "ada@example.com",
        });
        self.post("/orders", &order).await;
    }

    pub(crate) async fn decide(&self, id: &str, approved: bool) {
        let decision = json!({"approved": approved, "by": "Ada"});
        self.post(&format!("/orders/{id}/approve"), &decision).await;
    }

    /// Waits until a run fulfils `is_so`.
    pub(crate) async fn until(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        loop {
            let order = self.get(&format!("/orders/{id}")).await;
            if is_so(&order["run"]) {
                return order["run"].clone();
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits for an order's end.
    pub(crate) async fn ended(&self, id: &str) -> Value {
        const ENDS: [&str; 5] = ["completed", "failed", "cancelled", "dead", "blocked"];
        self.until(id, |run| ENDS.iter().any(|end| run["status"] == *end))
            .await
    }

    /// What was done for an order: effect, key, executions.
    pub(crate) async fn effects(&self, id: &str) -> Vec<(String, String, u64)> {
        let effects = self.get(&format!("/orders/{id}/effects")).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let effects = effects.as_array().unwrap().iter().map(|row| {
            let executions = row["executions"].as_u64().unwrap();
            (
                text(&row["effect"]),
                text(&row["idempotency_key"]),
                executions,
            )
        });
        let mut effects: Vec<_> = effects.collect();
        effects.sort();
        effects
    }
}
