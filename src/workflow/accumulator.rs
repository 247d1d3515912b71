//! The workflows behind `debounce` and `batch`: they take events as signals and start runs.
//!
//! An accumulator is a run like any other, so it is where its events are: a crash between two
//! commits leaves an event in its buffer, or taken and recorded. A run starts in the commit that
//! records that it did. Events that come while one run of the accumulator continues as the next
//! wait in the buffer of their token, which belongs to no run. Should an accumulator end otherwise,
//! the engine starts another one, which takes what has been buffered.

use std::{sync::Arc, time::Duration};

use super::{
    ctx::WorkflowCtx,
    definition::Workflow,
    error::{Result, WorkflowError},
    trigger::Accumulates,
};
use crate::model::{Accumulate, EventId, Happened, OnCancel, WorkflowKey, started_by};
use crate::payload::Payload;

/// After so many events an accumulator goes on as another run, so that its history stays short.
const LONG: usize = 200;

/// The version of the bodies below; grows when recorded runs could not replay a change.
const VERSION: u32 = 1;

/// What the run before has taken and not passed on.
type Carried = Option<Happened>;

/// What an accumulator needs to know.
struct Accumulator {
    ctx: WorkflowCtx,
    token: Arc<str>,
    target: WorkflowKey,
    accumulates: Accumulates,
}

/// The workflow that accumulates events for `target`.
pub(crate) fn accumulator(target: &WorkflowKey, accumulates: Accumulates) -> Workflow<Carried, ()> {
    let name = accumulates.how.workflow(&target.name);
    let (token, target) = (Arc::clone(&name), target.clone());
    Workflow::from_body(name, VERSION, move |ctx, carried| {
        let accumulator = Accumulator {
            ctx,
            token: Arc::clone(&token),
            target: target.clone(),
            accumulates,
        };
        Box::pin(accumulator.run(carried))
    })
}

impl Accumulator {
    async fn run(self, mut last: Carried) -> Result<()> {
        let mut taken = 0;
        while taken < LONG {
            let first = match last.take() {
                Some(last) => last,
                None => match self.take(None).await? {
                    Some(first) => first,
                    None => continue,
                },
            };
            taken += 1;
            // Recorded, so that a window goes on as it has begun, and the next one is as the code
            // says by then.
            let how = self.accumulates.how;
            match self.ctx.side_effect("window", || how)? {
                Accumulate::Debounce { quiet } => {
                    last = self.debounce(first, quiet, &mut taken).await?;
                }
                Accumulate::Batch { most, within } => {
                    let events = self.collect(first, most, within).await?;
                    taken += events.len();
                    self.pass_on_all(events).await?;
                }
            }
        }
        self.ctx.continue_as_new(last).await?;
        Ok(())
    }

    /// The next event, if it comes in time.
    async fn take(&self, within: Option<Duration>) -> Result<Option<Happened>> {
        let mut wait = self
            .ctx
            .wait_for_signal::<Happened>(Arc::clone(&self.token));
        if let Some(within) = within {
            wait = wait.timeout(within);
        }
        match wait.await {
            Ok(happened) => Ok(Some(happened)),
            Err(error) if error.is_timeout() => Ok(None),
            // Somebody has sent a signal of his own; it is no event.
            Err(WorkflowError::Payload(_)) => {
                self.ctx.note("a signal that is no event was left out");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Waits until no event has come for `quiet` and passes the last one on; or hands it back when
    /// the history has become long. The last one is the one that was published last, by the clock of
    /// whoever published it.
    async fn debounce(
        &self,
        mut last: Happened,
        quiet: Duration,
        taken: &mut usize,
    ) -> Result<Carried> {
        while *taken < LONG {
            match self.take(Some(quiet)).await? {
                Some(next) if next.at >= last.at => last = next,
                Some(_) => {}
                None => {
                    if let Err(why) = self.pass_on(last.event, last.payload).await {
                        self.leave_out(last.event, &why);
                    }
                    return Ok(None);
                }
            }
            *taken += 1;
        }
        Ok(Some(last))
    }

    /// Takes events until there are `most`, or `within` has passed.
    async fn collect(
        &self,
        first: Happened,
        most: usize,
        within: Duration,
    ) -> Result<Vec<Happened>> {
        let end = self.ctx.now() + within;
        let mut events = vec![first];
        while events.len() < most {
            let left = end.as_millis() - self.ctx.now().as_millis();
            let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
            match self.take(Some(left)).await? {
                Some(next) => events.push(next),
                None => break,
            }
        }
        Ok(events)
    }

    /// Starts a run for all events, or several where one run cannot take them.
    async fn pass_on_all(&self, mut events: Vec<Happened>) -> Result<()> {
        events.sort_by_key(|it| it.at);
        let fits = self.accumulates.fits;
        // Recorded, because the type that they have to fit may change with the code.
        let odd: Vec<bool> = self.ctx.side_effect("unfit", || {
            events.iter().map(|it| !fits(&it.payload)).collect()
        })?;
        let mut batches = vec![Vec::new()];
        for (event, is_odd) in events.into_iter().zip(odd) {
            if is_odd {
                batches.push(vec![event]);
            } else if let Some(first) = batches.first_mut() {
                first.push(event);
            }
        }
        // The latest first, since they are taken from the end.
        batches.reverse();
        while let Some(mut events) = batches.pop() {
            let Some(last) = events.last().map(|it| it.event) else {
                continue;
            };
            let Err(why) = self.pass_on(last, array(&events)?).await else {
                continue;
            };
            if events.len() > 1 {
                let rest = events.split_off(events.len() / 2);
                batches.extend([rest, events]);
            } else {
                self.leave_out(last, &why);
            }
        }
        Ok(())
    }

    /// Starts a run, unless its input is too large.
    async fn pass_on(&self, event: EventId, input: Payload) -> Result<()> {
        let id = started_by(event, &self.target.name);
        let run = self
            .ctx
            .child_of(self.target.clone(), input)
            .id(id.as_str());
        // Whoever cancels an accumulator does not mean what it has started.
        run.on_cancel(OnCancel::Abandon).start().await.map(drop)
    }

    fn leave_out(&self, event: EventId, why: &WorkflowError) {
        self.ctx
            .note(format!("event {} starts no run: {why}", event.0));
    }
}

/// The payloads as one JSON array, each as it is.
fn array(events: &[Happened]) -> Result<Payload> {
    let payloads: Vec<&Payload> = events.iter().map(|it| &it.payload).collect();
    Payload::encode(&payloads).map_err(WorkflowError::Payload)
}
