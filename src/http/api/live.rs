//! Everything that a page follows, in one stream: browsers allow few connections to a host.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    http::{HeaderMap, HeaderName},
    response::{
        IntoResponse,
        sse::{Event, Sse},
    },
};
use futures_util::{Stream, future::select_all, stream};
use hashbrown::HashSet;
use serde::Serialize;
use serde_json::json;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::Instant,
};
use utoipa::ToSchema;

use super::{
    dto::{CheckpointView, RunSummary},
    hub::{Follow, Hub, HubEvent, ListNews},
    params::{ApiQuery, LiveParams, View},
    stream::event,
    under_way::UnderWayView,
    value::Allowance,
    watch::RunWatch,
};
use crate::control::Control;
use crate::event::EngineEvent;
use crate::http::guard::Standing;
use crate::http::problem::Problem;
use crate::id::RunId;
use crate::workflow::BoxFuture;

/// How often a sign of life is sent: shorter than the idle timeouts of proxies.
const PING: Duration = Duration::from_secs(15);

/// The longest wait between two looks at the runs that are followed.
const POLL: Duration = Duration::from_secs(1);

/// The shortest: a run that commits thousands of times a second is not read as often.
const REST: Duration = Duration::from_millis(40);

/// When a client shall come back after this instance has stopped.
const COME_BACK: Duration = Duration::from_millis(500);

/// What an `ev` event of the stream carries.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum LiveEvent {
    /// A run is new or stands differently.
    Run {
        /// `runs`, or `run:<id>` for a run that is followed.
        topic: String,
        /// The run.
        #[schema(value_type = RunSummary)]
        data: Arc<RunSummary>,
    },
    /// An operation of a run that is followed has changed.
    Step {
        /// `run:<id>`.
        topic: String,
        /// The operation, without payloads.
        data: Box<CheckpointView>,
    },
    /// Other steps of a run that is followed execute now, or another instance knows of them.
    UnderWay {
        /// `run:<id>`.
        topic: String,
        /// The steps.
        data: UnderWayView,
    },
    /// There is no such run, or not any more.
    Gone {
        /// `run:<id>`.
        topic: String,
    },
    /// More changed in the list than is told one by one: read it again.
    Many {
        /// `runs`.
        topic: String,
    },
}

/// Streams changes of the list and of single runs.
///
/// `topic=runs` follows the list, `topic=run:<id>@<rev>` a run after a revision; `topic` may come
/// several times. The first event is `hello`. `ev` events carry a `LiveEvent`. Their `id`, if they
/// have one, is a position in the list's changes: pass the last one as `after` or `Last-Event-ID`
/// to go on. `resync` says that more was missed than is kept: read the list again. `ping` comes
/// every 15 s. `bye` says that nothing more comes: its `reason` is `stopping` if this
/// instance stops, `signed_out` if whoever follows may not any more. Nothing carries payloads.
#[utoipa::path(
    get,
    path = "/stream",
    operation_id = "follow",
    tag = "runs",
    params(
        ("topic" = Vec<String>, Query, description = "What to follow: `runs`, `run:<id>` or `run:<id>@<revision>`.", style = Form, explode),
        ("after" = Option<String>, Query, description = "The `event_id` of a list that was read, or the id of the last event."),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event."),
    ),
    responses(
        (status = 200, description = "The events.", body = String, content_type = "text/event-stream"),
        (status = 400, description = "A topic is wrong.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn live(
    View(control): View,
    standing: Standing,
    Extension(hub): Extension<Hub>,
    ApiQuery(query): ApiQuery<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    // Whoever may ask may follow: nothing here carries payloads.
    let params = LiveParams::parse(query, &headers)?;
    let live = Live::open(control, &hub, params, Box::pin(standing.ended()));
    let events = Sse::new(live.into_events());
    // nginx would collect events before it passes them on.
    let unbuffered = [(HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((unbuffered, events))
}

/// A client's place. Nothing is read before the client has taken what was read, so a slow one
/// costs nothing: it falls behind in the list and is told to read it again.
struct Live {
    control: Control,
    /// Ready once whoever follows may not any more.
    ended: BoxFuture<'static, ()>,
    news: Receiver<EngineEvent>,
    list: Option<List>,
    watched: Vec<Watched>,
    ready: VecDeque<Event>,
    looked_at: Instant,
    pinged_at: Instant,
    is_closed: bool,
}

struct List {
    epoch: String,
    missed: VecDeque<Arc<HubEvent>>,
    next: Receiver<Arc<HubEvent>>,
}

struct Watched {
    topic: String,
    watch: RunWatch,
    is_gone: bool,
}

/// Why a look is due.
enum Due {
    Look,
    Ping,
    List(Arc<HubEvent>),
    Lost,
    SignedOut,
    Stop,
}

impl Live {
    fn open(
        control: Control,
        hub: &Hub,
        params: LiveParams,
        ended: BoxFuture<'static, ()>,
    ) -> Self {
        let news = control.engine().subscribe();
        let now = Instant::now();
        let mut ready = VecDeque::new();
        let list = params.runs.then(|| {
            let follow = hub.follow(&control, params.after.as_deref());
            ready.push_back(hello(Some(&follow)));
            if follow.has_gap {
                ready.push_back(resync(&position(&follow.epoch, follow.from)));
            }
            List {
                epoch: follow.epoch,
                missed: follow.missed,
                next: follow.next,
            }
        });
        if list.is_none() {
            ready.push_back(hello(None));
        }
        let watched = params.watched.into_iter().map(|(id, after)| Watched {
            topic: format!("run:{id}"),
            watch: RunWatch::new(id, after),
            is_gone: false,
        });
        Self {
            control,
            ended,
            news,
            list,
            watched: watched.collect(),
            ready,
            // The first look is due at once.
            looked_at: now.checked_sub(POLL).unwrap_or(now),
            pinged_at: now,
            is_closed: false,
        }
    }

    fn into_events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut live| async move {
            let event = live.next().await?;
            Some((Ok(event), live))
        })
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.is_closed {
                return None;
            }
            if let Some(missed) = self.list.as_mut().and_then(|list| list.missed.pop_front()) {
                return Some(self.tell(&missed));
            }
            match self.due().await {
                Due::Look => self.look().await,
                Due::Ping => {
                    self.pinged_at = Instant::now();
                    return Some(Event::default().event("ping").data("{}"));
                }
                Due::List(event) => return Some(self.tell(&event)),
                Due::Lost => return Some(resync("")),
                Due::Stop => return Some(self.bye("stopping")),
                Due::SignedOut => return Some(self.bye("signed_out")),
            }
        }
    }

    fn bye(&mut self, reason: &str) -> Event {
        self.is_closed = true;
        let bye = Event::default().event("bye").retry(COME_BACK);
        bye.data(json!({ "reason": reason }).to_string())
    }

    /// Waits until there is something to do.
    async fn due(&mut self) -> Due {
        let stopping = self.control.engine().stopping().clone();
        let followed: HashSet<&RunId> = self.watched.iter().map(|it| it.watch.id()).collect();
        let poll_at = self.looked_at + POLL;
        let rest_until = self.looked_at + REST;
        let ping_at = self.pinged_at + PING;
        let list = &mut self.list;
        let listed = async {
            match list {
                Some(list) => list.next.recv().await,
                None => std::future::pending().await,
            }
        };
        let (watched, control) = (&self.watched, &self.control);
        let news = &mut self.news;
        let ended = &mut self.ended;
        let told = async {
            told_of(news, &followed).await;
            tokio::time::sleep_until(rest_until).await;
        };
        let moved = async {
            let there = watched.iter().filter(|it| !it.is_gone);
            let moved = there.map(|it| Box::pin(it.watch.moved(control)));
            let moved: Vec<_> = moved.collect();
            if moved.is_empty() {
                return std::future::pending().await;
            }
            select_all(moved).await;
        };
        tokio::select! {
            biased;
            () = stopping.cancelled() => Due::Stop,
            () = ended => Due::SignedOut,
            event = listed => match event {
                Ok(event) => Due::List(event),
                Err(RecvError::Lagged(_)) => Due::Lost,
                Err(RecvError::Closed) => Due::Stop,
            },
            () = told, if !followed.is_empty() => Due::Look,
            () = moved => Due::Look,
            () = tokio::time::sleep_until(poll_at), if !followed.is_empty() => Due::Look,
            () = tokio::time::sleep_until(ping_at) => Due::Ping,
        }
    }

    /// Reads what changed in the runs that are followed.
    async fn look(&mut self) {
        self.looked_at = Instant::now();
        let control = &self.control;
        for watched in self.watched.iter_mut().filter(|it| !it.is_gone) {
            let topic = watched.topic.clone();
            let look = match watched.watch.look(control).await {
                Ok(Some(look)) => look,
                Ok(None) => {
                    watched.is_gone = true;
                    self.ready
                        .push_back(event("ev", &LiveEvent::Gone { topic }));
                    continue;
                }
                Err(error) => {
                    // The next look comes soon; meanwhile pings keep the client.
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(run_id = %watched.watch.id(), error, "run could not be read for a stream");
                    continue;
                }
            };
            if !look.status.is_terminal() {
                control.engine().follow(watched.watch.id());
            }
            for checkpoint in look.changed {
                let topic = topic.clone();
                let data = Box::new(CheckpointView::new(&checkpoint, &mut Allowance::none()));
                self.ready
                    .push_back(event("ev", &LiveEvent::Step { topic, data }));
            }
            if let Some((under_way, at)) = look.under_way {
                let topic = topic.clone();
                let data = UnderWayView::new(under_way, at);
                self.ready
                    .push_back(event("ev", &LiveEvent::UnderWay { topic, data }));
            }
            if let Some(row) = look.row {
                let data = Arc::new(RunSummary::new(&row, &mut Allowance::none()));
                self.ready
                    .push_back(event("ev", &LiveEvent::Run { topic, data }));
            }
        }
    }

    /// An event of the list.
    fn tell(&self, told: &HubEvent) -> Event {
        let topic = "runs".to_owned();
        let event = match &told.news {
            ListNews::Run(row) => {
                let data = Arc::clone(row);
                event("ev", &LiveEvent::Run { topic, data })
            }
            ListNews::Many => event("ev", &LiveEvent::Many { topic }),
        };
        let epoch = self.list.as_ref().map_or("", |list| &list.epoch);
        event.id(position(epoch, told.number))
    }
}

/// Returns once something was told about one of the runs, or may have been missed.
async fn told_of(news: &mut Receiver<EngineEvent>, runs: &HashSet<&RunId>) {
    loop {
        match news.recv().await {
            Ok(event) if runs.contains(event.run()) => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            // The engine is gone; the poll and the stop token go on.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

fn position(epoch: &str, number: u64) -> String {
    format!("{epoch}-{number}")
}

fn hello(follow: Option<&Follow>) -> Event {
    let event = Event::default().event("hello").retry(COME_BACK).data("{}");
    match follow {
        Some(follow) if !follow.has_gap => event.id(position(&follow.epoch, follow.from)),
        _ => event,
    }
}

/// More was missed than is kept.
fn resync(position: &str) -> Event {
    let event = Event::default().event("resync").data("{}");
    if position.is_empty() {
        event
    } else {
        event.id(position)
    }
}
