//! Rows as they come back from the database.

use std::sync::Arc;

use sea_orm::{QueryResult, TryGetable};
use uuid::Uuid;

use crate::id::{FencingToken, InstanceId, RunId, Seq};
use crate::model::{
    Checkpoint, DEFAULT_NAMESPACE, EventId, Failure, Fingerprint, InboxBody, InboxItem,
    InstanceRow, OnCancel, Parent, Run, RunStatus, SignalId, UnknownWord, WorkflowKey,
    default_namespace,
};
use crate::payload::Payload;
use crate::store::error::StoreError;
use crate::time::Timestamp;

fn unreadable(
    operation: &'static str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Backend {
        backend: "sql",
        operation,
        source: error.into(),
    }
}

/// Reads column `at`.
pub(super) fn get<T: TryGetable>(row: &QueryResult, at: usize) -> Result<T, StoreError> {
    row.try_get_by_index(at)
        .map_err(|error| unreadable("read a row", error))
}

/// Reads a number that was stored from an unsigned one.
pub(super) fn count<T: TryFrom<i64, Error: std::error::Error + Send + Sync + 'static>>(
    row: &QueryResult,
    at: usize,
) -> Result<T, StoreError> {
    T::try_from(get(row, at)?).map_err(|error| unreadable("read a number", error))
}

/// Reads a run id.
pub(super) fn run_id(row: &QueryResult, at: usize) -> Result<RunId, StoreError> {
    get::<String>(row, at).map(RunId::from_trusted)
}

fn opt_run_id(row: &QueryResult, at: usize) -> Result<Option<RunId>, StoreError> {
    Ok(get::<Option<String>>(row, at)?.map(RunId::from_trusted))
}

/// Reads the parent of a run, and in the column behind it what its cancellation does to the run.
fn parent(row: &QueryResult, at: usize) -> Result<Option<Parent>, StoreError> {
    let Some(run) = opt_run_id(row, at)? else {
        return Ok(None);
    };
    let on_cancel = on_cancel(get(row, at + 1)?);
    Ok(Some(Parent::new(run, on_cancel)))
}

/// What the cancellation of a parent does, from its number.
pub(super) const fn on_cancel(cascades: i64) -> OnCancel {
    match cascades {
        0 => OnCancel::Abandon,
        2 => OnCancel::Request,
        _ => OnCancel::Cascade,
    }
}

/// The number of what the cancellation of a parent does.
pub(super) const fn cascades(on_cancel: OnCancel) -> i64 {
    match on_cancel {
        OnCancel::Abandon => 0,
        OnCancel::Cascade => 1,
        OnCancel::Request => 2,
    }
}

/// Reads the owner of a run.
pub(super) fn owner(row: &QueryResult, at: usize) -> Result<Option<InstanceId>, StoreError> {
    Ok(get::<Option<String>>(row, at)?.map(InstanceId::from_trusted))
}

/// Reads an instance. A report of another build is not worth an error.
pub(super) fn instance(row: &QueryResult) -> Result<InstanceRow, StoreError> {
    let id = InstanceId::from_trusted(get::<String>(row, 0)?);
    let mut instance = InstanceRow::new(id, time(row, 1)?);
    instance.reported_at = opt_time(row, 2)?;
    let report: Option<String> = get(row, 3)?;
    instance.report = report.and_then(|text| serde_json::from_str(&text).ok());
    instance.runs = count(row, 4)?;
    Ok(instance)
}

/// Reads a failure.
pub(super) fn failure(row: &QueryResult, at: usize) -> Result<Option<Failure>, StoreError> {
    let text: Option<String> = get(row, at)?;
    Ok(text
        .map(|text| Payload::from_bytes(text).decode())
        .transpose()?)
}

/// Reads a payload.
pub(super) fn payload(row: &QueryResult, at: usize) -> Result<Option<Payload>, StoreError> {
    Ok(get::<Option<Vec<u8>>>(row, at)?.map(Payload::from_bytes))
}

/// Reads the id of a signal.
pub(super) fn signal_id(row: &QueryResult, at: usize) -> Result<Option<SignalId>, StoreError> {
    let bytes: Option<Vec<u8>> = get(row, at)?;
    let id = bytes.map(|bytes| Uuid::from_slice(&bytes)).transpose();
    Ok(id
        .map_err(|error| unreadable("read a signal id", error))?
        .map(SignalId))
}

/// Reads the id of an event.
pub(super) fn event_id(row: &QueryResult, at: usize) -> Result<EventId, StoreError> {
    let bytes: Vec<u8> = get(row, at)?;
    let id = Uuid::from_slice(&bytes).map_err(|error| unreadable("read an event id", error))?;
    Ok(EventId(id))
}

fn time(row: &QueryResult, at: usize) -> Result<Timestamp, StoreError> {
    get(row, at).map(Timestamp::from_millis)
}

fn opt_time(row: &QueryResult, at: usize) -> Result<Option<Timestamp>, StoreError> {
    Ok(get::<Option<i64>>(row, at)?.map(Timestamp::from_millis))
}

fn word<T: std::str::FromStr<Err = UnknownWord>>(
    row: &QueryResult,
    at: usize,
) -> Result<T, StoreError> {
    Ok(get::<String>(row, at)?.parse()?)
}

/// Reads a namespace; most are the same.
fn namespace(row: &QueryResult, at: usize) -> Result<Arc<str>, StoreError> {
    let name: String = get(row, at)?;
    Ok(match &*name {
        DEFAULT_NAMESPACE => default_namespace(),
        other => other.into(),
    })
}

/// Reads a priority; the usual one is not stored.
pub(super) fn priority(row: &QueryResult, at: usize) -> Result<i32, StoreError> {
    let stored: Option<i64> = get(row, at)?;
    stored.map_or(Ok(0), |_| count(row, at))
}

/// Reads a status.
pub(super) fn status(row: &QueryResult, at: usize) -> Result<RunStatus, StoreError> {
    word(row, at)
}

/// Reads a run; columns as in [`ReadTexts::run`](super::statements) but for the input.
pub(super) fn run(row: &QueryResult, input: Payload) -> Result<Run, StoreError> {
    let tags: Option<String> = get(row, 15)?;
    let tags = tags
        .map(|tags| Payload::from_bytes(tags).decode())
        .transpose()?;
    let attributes: Option<String> = get(row, 23)?;
    let attributes = attributes
        .map(|attributes| Payload::from_bytes(attributes).decode())
        .transpose()?;
    Ok(Run {
        id: run_id(row, 1)?,
        workflow: WorkflowKey::new(get::<String>(row, 2)?, count(row, 3)?),
        status: status(row, 4)?,
        token: FencingToken(count(row, 5)?),
        owner: owner(row, 6)?,
        wake_at: time(row, 7)?,
        wakes: count(row, 8)?,
        seen_wakes: count(row, 9)?,
        recoveries: count(row, 10)?,
        rev: count(row, 11)?,
        created_at: time(row, 12)?,
        updated_at: time(row, 13)?,
        finished_at: opt_time(row, 14)?,
        tags: tags.unwrap_or_default(),
        failure: failure(row, 16)?,
        parent: parent(row, 17)?,
        is_joined: get::<i64>(row, 19)? != 0,
        next: opt_run_id(row, 20)?,
        deadline: opt_time(row, 21)?,
        fingerprint: get::<Option<i64>>(row, 22)?.map(Fingerprint::from_stored),
        attributes: attributes.unwrap_or_default(),
        namespace: namespace(row, 24)?,
        priority: priority(row, 25)?,
        output: payload(row, 26)?,
        input,
    })
}

/// Reads a run with its input in the last column.
pub(super) fn run_with_input(row: &QueryResult) -> Result<Run, StoreError> {
    run(row, payload(row, 27)?.unwrap_or_default())
}

/// Reads a checkpoint; columns as in [`LeaseTexts::histories`](super::statements).
pub(super) fn checkpoint(row: &QueryResult) -> Result<Checkpoint, StoreError> {
    let name: Arc<str> = get::<String>(row, 4)?.into();
    let site: Option<String> = get(row, 11)?;
    let events: Option<String> = get(row, 13)?;
    let events = events
        .map(|events| Payload::from_bytes(events).decode())
        .transpose()?;
    Ok(Checkpoint {
        seq: Seq(count(row, 1)?),
        ord: get::<Option<i64>>(row, 2)?
            .map(|_| count(row, 2))
            .transpose()?,
        kind: word(row, 3)?,
        name,
        status: word(row, 5)?,
        attempt: count(row, 6)?,
        wake_at: opt_time(row, 7)?,
        started_at: time(row, 8)?,
        finished_at: opt_time(row, 9)?,
        rev: count(row, 10)?,
        site: site.map(Into::into),
        failure: failure(row, 12)?,
        events: events.unwrap_or_default(),
        result: payload(row, 14)?,
    })
}

/// Reads an item; columns as in [`LeaseTexts::histories`](super::statements).
pub(super) fn item(row: &QueryResult) -> Result<InboxItem, StoreError> {
    let kind: String = get(row, 2)?;
    let body = match kind.as_str() {
        "signal" => InboxBody::Signal {
            seq: Seq(count(row, 3)?),
            payload: payload(row, 6)?.unwrap_or_default(),
        },
        "step_result" => InboxBody::StepResult {
            seq: Seq(count(row, 3)?),
            attempt: count(row, 4)?,
            outcome: outcome(row)?,
        },
        "event" => InboxBody::Event {
            seq: Seq(count(row, 3)?),
            id: event_id(row, 7)?,
            payload: payload(row, 6)?.unwrap_or_default(),
        },
        "run_ended" => InboxBody::RunEnded {
            seq: Seq(count(row, 3)?),
            outcome: outcome(row)?,
        },
        "cancel" => InboxBody::Cancel,
        "compensate" => InboxBody::Compensate,
        "pause" => InboxBody::Pause {
            why: failure(row, 5)?.unwrap_or_else(|| Failure::fatal("paused", "paused")),
        },
        _ => return Err(UnknownWord::new("inbox item", &kind).into()),
    };
    Ok(InboxItem::new(get(row, 1)?, body))
}

/// Reads what an item says about how something ended.
fn outcome(row: &QueryResult) -> Result<Result<Payload, Failure>, StoreError> {
    Ok(match failure(row, 5)? {
        Some(failure) => Err(failure),
        None => Ok(payload(row, 6)?.unwrap_or_default()),
    })
}
