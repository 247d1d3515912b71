//! One run as it gets on, by server-sent events.
//!
//! The stream keeps nothing: an event's id is the run's revision, and what comes after a revision
//! is read from the store. So a client may go on at any instance, whichever executes the run.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use axum::{
    http::{HeaderMap, HeaderName},
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, stream};
use serde_json::json;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::Instant,
};

use super::{
    dto::{CheckpointView, RunView},
    params::{ApiPath, ApiQuery, StreamParams, View},
    under_way::UnderWayView,
    value::Allowance,
    watch::{Look, RunWatch},
};
use crate::control::{Control, Row, UnderWay};
use crate::event::EngineEvent;
use crate::http::access::Access;
use crate::http::failure::unknown_run;
use crate::http::guard::Standing;
use crate::http::problem::Problem;
use crate::id::RunId;
use crate::model::{Checkpoint, RunStatus};
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::workflow::BoxFuture;

/// How long nothing may be sent: shorter than the idle timeouts of proxies, commonly 30 s or 60 s.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The longest wait between two looks at the store: runs that execute elsewhere are seen after
/// this at the latest, and sooner with a control plane. Each look renews the interest in them.
const POLL: Duration = Duration::from_secs(1);

/// The shortest: a run that commits thousands of times a second is not read as often.
const REST: Duration = Duration::from_millis(25);

/// When a client shall come back after this instance has stopped.
const COME_BACK: Duration = Duration::from_millis(500);

/// Streams a run as it gets on.
///
/// `checkpoint` events carry operations that changed, `under_way` events the steps that execute now
/// (`UnderWayView`), `run` events where the run stands; the first `run` event comes at once. The `id` of an event is the run's revision: a client that sends it as
/// `Last-Event-ID` gets what changed since. `end` follows once the run has ended; close the stream
/// then. `bye` says that nothing more comes: its `reason` is `stopping` if this instance stops,
/// `signed_out` if whoever follows may not any more. Comments are heartbeats.
#[utoipa::path(
    get,
    path = "/runs/{id}/stream",
    operation_id = "follow_run",
    tag = "runs",
    params(
        ("id" = String, Path, description = "The run's id."),
        StreamParams,
        ("Last-Event-ID" = Option<u64>, Header, description = "The id of the last event that was seen."),
    ),
    responses(
        (status = 200, description = "The events.", body = String, content_type = "text/event-stream"),
        (status = 400, description = "The position is no id of this stream.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn stream(
    View(control): View,
    access: Access,
    standing: Standing,
    ApiPath(id): ApiPath<String>,
    ApiQuery(params): ApiQuery<StreamParams>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let id = RunId::parse(id)?;
    let after = params.position(&headers)?;
    let watch = RunWatch::new(id, after);
    let ended = Box::pin(standing.ended());
    let feed = Feed::open(control, watch, Allowance::of(&access), ended).await?;
    let heartbeat = KeepAlive::new().interval(HEARTBEAT).text("heartbeat");
    let events = Sse::new(feed.into_events()).keep_alive(heartbeat);
    // nginx would collect events before it passes them on.
    let unbuffered = [(HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((unbuffered, events))
}

/// A client's place in a run.
struct Feed {
    control: Control,
    /// Ready once whoever follows may not any more.
    ended: BoxFuture<'static, ()>,
    news: Receiver<EngineEvent>,
    watch: RunWatch,
    /// What a client may see in one event.
    allowance: Allowance,
    /// Read and not sent yet.
    changed: VecDeque<Checkpoint>,
    /// To be sent after `changed`.
    under_way: Option<(UnderWay, Timestamp)>,
    /// To be sent last.
    run: Option<Row>,
    looked_at: Instant,
    state: FeedState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FeedState {
    Open,
    /// The run has ended: say so and close.
    Ended(RunStatus),
    /// The run is gone.
    Gone,
    Closed,
}

impl Feed {
    async fn open(
        control: Control,
        watch: RunWatch,
        allowance: Allowance,
        ended: BoxFuture<'static, ()>,
    ) -> Result<Self, Problem> {
        // Listening begins before the first look, so that a change after it is noticed.
        let news = control.engine().subscribe();
        let mut feed = Self {
            control,
            ended,
            news,
            watch,
            allowance,
            changed: VecDeque::new(),
            under_way: None,
            run: None,
            looked_at: Instant::now(),
            state: FeedState::Open,
        };
        feed.look().await?;
        if feed.state == FeedState::Gone {
            return Err(unknown_run(feed.watch.id().as_str()));
        }
        Ok(feed)
    }

    fn into_events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut feed| async move {
            let event = feed.next().await?;
            Some((Ok(event), feed))
        })
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.take() {
                return Some(event);
            }
            match self.state {
                FeedState::Open => {}
                FeedState::Ended(status) => return Some(self.close(Some(status))),
                FeedState::Gone => return Some(self.close(None)),
                FeedState::Closed => return None,
            }
            let stopping = self.control.engine().stopping().clone();
            let rest_until = self.looked_at + REST;
            let poll_at = self.looked_at + POLL;
            let (news, run) = (&mut self.news, self.watch.id());
            let moved = self.watch.moved(&self.control);
            let told = async {
                told_of(news, run).await;
                tokio::time::sleep_until(rest_until).await;
            };
            tokio::select! {
                biased;
                () = stopping.cancelled() => return Some(self.bye("stopping")),
                () = &mut self.ended => return Some(self.bye("signed_out")),
                () = told => {}
                () = moved => {}
                () = tokio::time::sleep_until(poll_at) => {}
            }
            if let Err(error) = self.look().await {
                // The next look comes soon; meanwhile heartbeats keep the client.
                let error = &error as &dyn std::error::Error;
                tracing::warn!(run_id = %self.watch.id(), error, "run could not be read for a stream");
            }
        }
    }

    /// The next event of what was read.
    fn take(&mut self) -> Option<Event> {
        let mut allowance = self.allowance;
        if let Some(checkpoint) = self.changed.pop_front() {
            let view = CheckpointView::new(&checkpoint, &mut allowance);
            let event = event("checkpoint", &view);
            // A revision is an event's id once all of it was sent.
            let is_last = self
                .changed
                .front()
                .is_none_or(|next| next.rev > checkpoint.rev);
            return Some(if is_last {
                event.id(checkpoint.rev.to_string())
            } else {
                event
            });
        }
        if let Some((under_way, at)) = self.under_way.take() {
            return Some(event("under_way", &UnderWayView::new(under_way, at)));
        }
        let row = self.run.take()?;
        let view = RunView::new(&row, &mut allowance);
        Some(event("run", &view).id(row.run.rev.to_string()))
    }

    /// Says that nothing more comes.
    fn close(&mut self, status: Option<RunStatus>) -> Event {
        self.state = FeedState::Closed;
        let data = json!({"status": status.map(RunStatus::as_str)});
        Event::default().event("end").data(data.to_string())
    }

    /// Says why nothing more comes although the run goes on.
    fn bye(&mut self, reason: &str) -> Event {
        self.state = FeedState::Closed;
        let bye = Event::default().event("bye").retry(COME_BACK);
        bye.data(json!({ "reason": reason }).to_string())
    }

    /// Reads what changed since the last look.
    async fn look(&mut self) -> Result<(), StoreError> {
        self.looked_at = Instant::now();
        let Some(look) = self.watch.look(&self.control).await? else {
            self.state = FeedState::Gone;
            return Ok(());
        };
        let Look {
            changed,
            row,
            under_way,
            status,
        } = look;
        self.changed.extend(changed);
        if status.is_terminal() {
            self.state = FeedState::Ended(status);
        }
        if row.is_some() {
            self.run = row;
        }
        if under_way.is_some() {
            self.under_way = under_way;
        }
        if self.state == FeedState::Open {
            self.control.engine().follow(self.watch.id());
        }
        Ok(())
    }
}

/// Returns once something was told about the run, or may have been missed.
async fn told_of(news: &mut Receiver<EngineEvent>, run: &RunId) {
    loop {
        match news.recv().await {
            Ok(event) if event.run() == run => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            // The engine is gone; the poll and the stop token go on.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// An event with data.
pub(super) fn event<T: serde::Serialize>(name: &str, data: &T) -> Event {
    // The shapes of answers always have a JSON form.
    let data = serde_json::to_string(data).unwrap_or_default();
    Event::default().event(name).data(data)
}
