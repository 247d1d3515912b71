//! Claimed runs, put together from the answers of a claim.

use std::{cmp::Reverse, collections::BTreeMap};

use sea_orm::QueryResult;

use super::record;
use crate::driver::sql::Sets;
use crate::id::FencingToken;
use crate::payload::Payload;
use crate::store::error::StoreError;
use crate::store::lease::{Claimed, UnreadableRun};
use crate::store::read::RunRecord;

/// Puts claimed runs together with their inputs, histories and inboxes. What cannot be read
/// concerns one run, whatever it is.
pub(super) fn collect(
    rows: &[QueryResult],
    details: &Sets,
    claimed: &mut Claimed,
) -> Result<(), StoreError> {
    let inputs = by_run(details.rows(0))?;
    let histories = by_run(details.rows(1))?;
    let inboxes = by_run(details.rows(2))?;
    let mut rows: Vec<(Rank, &QueryResult)> = rows
        .iter()
        .map(|row| Ok((rank(row)?, row)))
        .collect::<Result<_, StoreError>>()?;
    rows.sort_by_key(|(rank, _)| *rank);
    for ((_, _, no), row) in rows {
        let details = [&inputs, &histories, &inboxes].map(|map| rows_of(map, no));
        match record(row, details) {
            Ok(record) => claimed.runs.push(record),
            Err(error) => claimed.unreadable.push(UnreadableRun {
                run: record::run_id(row, 1)?,
                token: FencingToken(record::count(row, 5)?),
                rev: record::count(row, 11).unwrap_or_default(),
                error,
            }),
        }
    }
    Ok(())
}

/// Where a run stands among those that were claimed with it: priority, due time, number.
type Rank = (Reverse<i32>, i64, i64);

fn rank(row: &QueryResult) -> Result<Rank, StoreError> {
    let priority = record::priority(row, 25).unwrap_or_default();
    Ok((
        Reverse(priority),
        record::get(row, 7)?,
        record::get(row, 0)?,
    ))
}

fn record(
    row: &QueryResult,
    [inputs, history, inbox]: [&[&QueryResult]; 3],
) -> Result<RunRecord, StoreError> {
    let input = inputs
        .first()
        .map(|row| record::payload(row, 1))
        .transpose()?
        .flatten();
    let run = record::run(row, input.unwrap_or_else(Payload::default))?;
    let history = history
        .iter()
        .map(|row| record::checkpoint(row))
        .collect::<Result<_, _>>()?;
    let inbox = inbox
        .iter()
        .map(|row| record::item(row))
        .collect::<Result<_, _>>()?;
    Ok(RunRecord::new(run, history, inbox))
}

fn rows_of<'a, 'b>(map: &'b ByRun<'a>, no: i64) -> &'b [&'a QueryResult] {
    map.get(&no).map_or(&[], Vec::as_slice)
}

type ByRun<'a> = BTreeMap<i64, Vec<&'a QueryResult>>;

/// Rows by the run number in their first column, in their order.
fn by_run(rows: &[QueryResult]) -> Result<ByRun<'_>, StoreError> {
    let mut map = ByRun::new();
    for row in rows {
        map.entry(record::get(row, 0)?).or_default().push(row);
    }
    Ok(map)
}
