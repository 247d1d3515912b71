//! Search attributes: a row for each, and a copy of a run's in its own row.

use std::{collections::BTreeMap, sync::Arc};

use super::record;
use super::rows::List;
use super::statements::attributes::attributes;
use super::transaction::Transaction;
use crate::driver::sql::{Arg, Args};
use crate::id::RunId;
use crate::model::{AttributeFilter, AttributeOp, AttributePatch, AttributeValue, Attributes};
use crate::store::error::StoreError;
use sea_orm::QueryResult;

impl Transaction<'_, '_> {
    /// Changes search attributes, a row for each key, and writes what comes of it into the rows of
    /// the runs, which the transaction has locked.
    ///
    /// A key is written whatever the others are, so nothing that somebody else has set is lost. It
    /// is part of the transaction of the batch: a crash leaves all of it or nothing.
    pub(super) async fn put_attributes(
        &mut self,
        changes: Vec<(&RunId, &AttributePatch)>,
    ) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let found = self.find_runs(changes.iter().map(|(run, _)| *run)).await?;
        let (mut set, mut gone) = (List::new(), List::new());
        let mut merged: BTreeMap<i64, Vec<(Arc<str>, AttributeValue)>> = BTreeMap::new();
        for (run, patch) in changes {
            let Some(no) = found.get(run).map(|found| found.no) else {
                continue;
            };
            merged.insert(no, Vec::new());
            for (key, value) in patch.iter() {
                let Some(value) = value else {
                    gone.row(|row| {
                        row.put(no).put(key);
                    });
                    continue;
                };
                let word = match value {
                    AttributeValue::Text(text) => Some(text),
                    _ => None,
                };
                set.row(|row| {
                    row.put(no)
                        .put(key)
                        .put(value.kind())
                        .put(value.rank())
                        .put(word);
                });
            }
        }
        let texts = attributes(self.session.dialect());
        for (text, list) in [(texts.set, set), (texts.remove, gone)] {
            if !list.is_empty() {
                self.run(text, &Args::new().with(list.into_text())).await?;
            }
        }
        let numbers: Vec<i64> = merged.keys().copied().collect();
        let args = Args::new().with(super::rows::list(&numbers));
        let sets = self.run(texts.read, &args).await?;
        for row in sets.rows(0) {
            if let Some(pairs) = merged.get_mut(&record::get(row, 0)?) {
                pairs.push((record::get::<String>(row, 1)?.into(), value(row)?));
            }
        }
        let mut copies = List::new();
        for (no, pairs) in merged {
            let all = Attributes::from_rows(pairs);
            copies.row(|row| {
                row.put(no).json((!all.is_empty()).then_some(all));
            });
        }
        let args = Args::new().with(copies.into_text());
        self.run(texts.copy, &args).await.map(drop)
    }
}

/// The value of a row.
fn value(row: &QueryResult) -> Result<AttributeValue, StoreError> {
    let kind: String = record::get(row, 2)?;
    Ok(match &*kind {
        "text" => AttributeValue::Text(record::get::<String>(row, 4)?.into()),
        "bool" => AttributeValue::Bool(record::get::<i64>(row, 3)? != 0),
        _ => AttributeValue::of_rank(record::get(row, 3)?),
    })
}

/// The condition that a run `r` meets `filter`; `bind` takes a value and gives its placeholder.
pub(super) fn condition(
    filter: &AttributeFilter,
    mut bind: impl FnMut(Arg<'static>) -> String,
) -> String {
    let (key, op) = (bind(filter.key.to_string().into()), filter.op.sql());
    let (column, value) = match (&filter.value, filter.value.rank()) {
        (AttributeValue::Text(text), _) => ("word", bind(text.to_string().into())),
        (_, rank) => ("num", bind(rank.unwrap_or_default().into())),
    };
    let kind = filter.value.kind();
    let rows = format!(
        "FROM durable_attributes a WHERE a.name = {key} AND a.kind = '{kind}' \
         AND a.{column} {op} {value}"
    );
    // As a rule few runs meet a condition, so it leads to them. What is another value, most have:
    // then the list is gone through in its order.
    if filter.op == AttributeOp::Ne {
        format!(" AND EXISTS (SELECT 1 {rows} AND a.run_no = r.no)")
    } else {
        format!(" AND r.no IN (SELECT a.run_no {rows})")
    }
}
