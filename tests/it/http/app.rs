//! An app to ask, and how to ask it.

use std::net::SocketAddr;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Request, StatusCode, request},
};
use axum_durable::{
    Durable, MemoryStore, RunStatus, WithDurable as _, durable_router, model::Run, prelude::*,
};
use serde_json::Value;
use tokio_stream::StreamExt as _;
use tower::ServiceExt as _;

/// Greets, and publishes that it did.
#[workflow(name = "greet", version = 2, tags = ["polite"])]
async fn greet(ctx: &WorkflowCtx, name: String) -> Result<String> {
    let greeting = ctx
        .step("greet", async |step: StepCtx| {
            step.log(LogLevel::Info, "greeting");
            Ok(format!("hello, {name}"))
        })
        .await?;
    ctx.set_event("greeting", &greeting)?;
    Ok(greeting)
}

/// Takes a step, waits for `go:<run id>`, takes two more.
#[workflow]
async fn patient(ctx: &WorkflowCtx) -> Result<u32> {
    let one = ctx.step("one", async || Ok(1_u32)).await?;
    let go: u32 = ctx.wait_for_signal(format!("go:{}", ctx.run_id())).await?;
    let two = ctx.step("two", async || Ok(one + go)).await?;
    ctx.step("three", async || Ok(two + 1)).await
}

/// Stands at a breakpoint.
#[workflow]
pub(super) async fn guarded(ctx: &WorkflowCtx) -> Result<()> {
    ctx.breakpoint("look").await;
    Ok(())
}

/// Waits for somebody to finish its task.
#[workflow]
pub(super) async fn outsourced(ctx: &WorkflowCtx) -> Result<u32> {
    ctx.task("count", async |_| Ok(())).await
}

/// Takes even numbers by update and replies with their half, until that is 0.
#[workflow]
pub(super) async fn halver(ctx: &WorkflowCtx) -> Result<()> {
    loop {
        let update = ctx.on_update::<u32, u32>("halve");
        let is_even = |n: &u32| n.is_multiple_of(2).then_some(()).ok_or("it is odd");
        let update = update.validate(is_even).await?;
        let half = update.args() / 2;
        match half {
            4 => update.fail(StepError::fatal("four", "not four"))?,
            half => update.reply(&half)?,
        }
        if half == 0 {
            return Ok(());
        }
    }
}

/// Books a hotel and two flights, all of which can be undone, tells of it, and waits for
/// `go:<run id>`.
#[workflow]
pub(super) async fn trip(ctx: &WorkflowCtx) -> Result<u32> {
    ctx.step("hotel", async || Ok(1_u32))
        .compensate("leave hotel", async |_| Ok::<_, StepError>(()))
        .await?;
    ctx.step("mail", async || Ok(())).await?;
    for leg in 1..=2_u32 {
        ctx.step(format!("flight {leg}"), async || Ok(leg))
            .compensate("cancel flight", async |_| Ok::<_, StepError>(()))
            .await?;
    }
    insure(ctx).await?;
    ctx.wait_for_signal(format!("go:{}", ctx.run_id())).await
}

/// A part of a workflow that its outline does not show.
async fn insure(ctx: &WorkflowCtx) -> Result<()> {
    ctx.step("insure", async || Ok::<_, StepError>(()))
        .compensate("give up insurance", async |()| Ok::<_, StepError>(()))
        .await
}

/// Takes a step that has no end.
#[workflow]
pub(super) async fn endless(ctx: &WorkflowCtx) -> Result<()> {
    ctx.step("endless", async || {
        std::future::pending::<()>().await;
        Ok(())
    })
    .await
}

/// Takes a step that fails once and then has no end.
#[workflow]
pub(super) async fn stubborn(ctx: &WorkflowCtx) -> Result<()> {
    ctx.step("stubborn", async |step: StepCtx| {
        if step.attempt() == 1 {
            return Err(StepError::retryable("busy", "not yet"));
        }
        std::future::pending::<()>().await;
        Ok(())
    })
    .retries(2)
    .backoff(Backoff::Fixed {
        every: std::time::Duration::from_millis(1),
    })
    .await
}

/// Fails for good.
#[workflow]
async fn unlucky(ctx: &WorkflowCtx, secret: String) -> Result<()> {
    ctx.step("try", async || {
        drop(secret.clone());
        Err::<(), _>(StepError::fatal("unlucky", "no luck").with_details(&[7]))
    })
    .await
}

/// Returns a text of the given length.
#[workflow(on_event = "text.wanted")]
async fn wordy(ctx: &WorkflowCtx, length: usize) -> Result<String> {
    ctx.step("write", async || Ok("x".repeat(length))).await
}

/// Takes many steps, two at a time.
#[workflow]
async fn busy(ctx: &WorkflowCtx, pairs: u32) -> Result<u32> {
    for n in 0..pairs {
        let step = |side: &str| ctx.step(format!("{side} {n}"), move || async move { Ok(n) });
        tokio::try_join!(step("left"), step("right"))?;
    }
    Ok(pairs)
}

pub(super) async fn on(store: MemoryStore, drive: bool) -> Durable {
    let builder = Durable::builder().store(store).only_registered();
    let builder = builder.register(greet).register(patient);
    let builder = builder.register(unlucky).register(wordy);
    let builder = builder.register(busy);
    let builder = builder.register(guarded).register(outsourced);
    let builder = builder.register(halver).register(trip);
    let builder = builder.register(endless).register(stubborn);
    builder.drive(drive).build().await.unwrap()
}

/// The app under test: the routes where they are by default.
pub(super) struct App {
    pub(super) durable: Durable,
    pub(super) router: Router,
}

impl App {
    pub(super) async fn new() -> Self {
        Self::of(on(MemoryStore::new(), true).await)
    }

    pub(super) fn of(durable: Durable) -> Self {
        let router = Router::new().merge(durable_router());
        let router = router.with_durable(durable.clone());
        Self { durable, router }
    }

    pub(super) async fn greet(&self, id: &str) -> String {
        let run = self.durable.start(greet, "Ada".to_owned()).id(id);
        run.tag("web").await.unwrap().result().await.unwrap()
    }

    /// Starts a run and returns once it waits for its signal.
    pub(super) async fn patient(&self, id: &str) {
        self.durable.start(patient, ()).id(id).await.unwrap();
        until(&self.durable, id, |run| run.status == RunStatus::Suspended).await;
    }

    /// Starts a trip and returns once all is booked.
    pub(super) async fn trip(&self, id: &str) {
        self.durable.start(trip, ()).id(id).await.unwrap();
        until(&self.durable, id, |run| run.status == RunStatus::Suspended).await;
    }

    pub(super) async fn go(&self, id: &str) {
        self.durable.signal(format!("go:{id}"), 5).await.unwrap();
    }

    /// Starts a run and returns once it has failed.
    pub(super) async fn unlucky(&self, id: &str) {
        let run = self.durable.start(unlucky, "s3cret".to_owned()).id(id);
        run.await.unwrap().result().await.unwrap_err();
    }

    pub(super) async fn wordy(&self, id: &str, length: usize) {
        let run = self.durable.start(wordy, length).id(id).await.unwrap();
        run.result().await.unwrap();
    }

    pub(super) async fn busy(&self, id: &str, pairs: u32) {
        self.durable.start(busy, pairs).id(id).await.unwrap();
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        ask(&self.router, local("GET", path)).await
    }

    pub(super) async fn post(&self, path: &str) -> Answer {
        ask(&self.router, local("POST", path)).await
    }

    pub(super) async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let request = local(method, path).header("content-type", "application/json");
        ask_with(&self.router, request, body.to_string()).await
    }
}

/// Waits until the run stands as asked.
pub(super) async fn until(durable: &Durable, id: &str, stands: impl Fn(&Run) -> bool) {
    let mut news = durable.subscribe();
    loop {
        let run = durable.get_run(id).await.unwrap();
        if run.is_some_and(|run| stands(&run)) {
            return;
        }
        news.recv().await.unwrap();
    }
}

/// A request from this machine.
pub(super) fn local(method: &str, path: &str) -> request::Builder {
    from("127.0.0.1:50000", method, path)
}

/// A request from somewhere.
pub(super) fn from(peer: &str, method: &str, path: &str) -> request::Builder {
    let peer: SocketAddr = peer.parse().unwrap();
    let request = Request::builder().method(method).uri(path);
    request.extension(ConnectInfo(peer))
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }

    /// The document, after a check that it is one.
    pub(super) fn problem(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        for part in ["type", "title", "detail"] {
            assert!(problem[part].is_string(), "{problem}");
        }
        problem
    }
}

pub(super) async fn ask(router: &Router, request: request::Builder) -> Answer {
    ask_with(router, request, Body::empty()).await
}

pub(super) async fn ask_with(
    router: &Router,
    request: request::Builder,
    body: impl Into<Body>,
) -> Answer {
    let request = request.body(body.into()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

/// A server-sent event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    /// The id of a stream of one run.
    pub(super) id: Option<u64>,
    /// The id as it was sent.
    pub(super) position: Option<String>,
    pub(super) event: String,
    pub(super) data: Value,
}

/// An open stream of events.
pub(super) struct Events {
    body: axum::body::BodyDataStream,
    text: String,
}

impl Events {
    pub(super) async fn open(router: &Router, request: request::Builder) -> Self {
        let request = request.body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// The next event; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let event = parse(event);
                self.text = rest.to_owned();
                if event.is_some() {
                    return event;
                }
                continue;
            }
            let bytes = self.body.next().await?.unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// The events up to the first of the given kind.
    pub(super) async fn up_to(&mut self, kind: &str) -> Vec<Sent> {
        let mut events = Vec::new();
        loop {
            let event = self.next().await.expect("the stream goes on");
            let is_last = event.event == kind;
            events.push(event);
            if is_last {
                return events;
            }
        }
    }

    pub(super) async fn rest(&mut self) -> Vec<Sent> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

/// Reads an event; `None` for a comment.
fn parse(text: &str) -> Option<Sent> {
    let field = |name: &str| {
        let lines = text.lines().filter_map(|line| line.split_once(": "));
        let found: Vec<_> = lines.filter(|(it, _)| *it == name).collect();
        (!found.is_empty()).then(|| found.iter().map(|(_, value)| *value).collect::<String>())
    };
    Some(Sent {
        id: field("id").and_then(|id| id.parse().ok()),
        position: field("id"),
        event: field("event")?,
        data: serde_json::from_str(&field("data")?).unwrap(),
    })
}
