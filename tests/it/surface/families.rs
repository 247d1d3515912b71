//! Runs that start, join, cancel and succeed others.

use std::time::Duration;

use axum_durable::{RunStatus, durable::DurableBuilder, model::OnCancel, prelude::*};
use serde_json::json;

use super::stage::{Entry, effect, noting, on_every_store};
use crate::support::ledger::Ledger;

on_every_store!(
    a_child,
    the_failure_of_a_child,
    a_child_that_is_joined_later,
    many_children,
    many_children_until_the_first_failure,
    a_child_that_takes_too_long,
    a_child_that_is_cancelled,
    a_child_that_dies,
    a_child_that_nobody_waits_for,
    a_parent_that_is_cancelled,
    a_run_that_continues_as_another,
);

const HOUR: Duration = Duration::from_secs(3_600);

/// Doubles its input; 13 fails, 0 never ends and 99 kills it.
fn double(ledger: &Ledger) -> Workflow<u32, u32> {
    noting("double", ledger, |ctx, ledger, n: u32| async move {
        match n {
            0 => ctx.wait_for_signal(format!("never:{}", ctx.run_id())).await,
            99 => panic!("ninety-nine"),
            13 => Err(WorkflowError::failed("unlucky", "thirteen")),
            n => effect(&ctx, &ledger, "double", n * 2).await,
        }
    })
}

/// A parent, whose body gets what doubles.
fn parent<F, Fut>(body: F) -> Entry
where
    F: Fn(WorkflowCtx, Workflow<u32, u32>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<serde_json::Value>> + Send + 'static,
{
    let setup = move |it: DurableBuilder, ledger: &Ledger| {
        let (child, body) = (double(ledger), body.clone());
        let parent = noting("parent", ledger, move |ctx, _, ()| body(ctx, child.clone()));
        let it = it.register(parent).register(double(ledger));
        it.max_recovery_attempts(2)
    };
    Entry::new("parent", setup)
}

fn a_child() -> Entry {
    parent(|ctx, double| async move { Ok(json!(ctx.child(double, 4).await?)) })
        .gives(8)
        .does("double")
}

fn the_failure_of_a_child() -> Entry {
    parent(|ctx, double| async move {
        let failed = ctx.child(double, 13).await.unwrap_err();
        Ok(json!(failed.code()))
    })
    .gives("unlucky")
}

fn a_child_that_is_joined_later() -> Entry {
    parent(|ctx, double| async move {
        let first = ctx.child(double.clone(), 4).start().await?;
        let second = ctx.child(double, 5).start().await?;
        ctx.sleep(HOUR).await;
        let second: u32 = ctx.join(second).await?;
        let first: u32 = ctx.join(first).await?;
        Ok(json!([first, second]))
    })
    .gives(json!([8, 10]))
    .does_times("double", 2, 1)
}

fn many_children() -> Entry {
    parent(|ctx, double| async move {
        let inputs = vec![1, 13, 3];
        let failed = ctx.all(double.clone(), inputs).await;
        let Err(WorkflowError::Gather { failures }) = failed else {
            return Ok(json!(null));
        };
        let at: Vec<_> = failures.iter().map(|it| it.index).collect();
        let none: Vec<u32> = ctx.all(double.clone(), Vec::<u32>::new()).await?;
        Ok(json!([at, none, ctx.all(double, vec![5, 6]).await?]))
    })
    .gives(json!([[1], [], [10, 12]]))
    .does_times("double", 4, 1)
}

fn many_children_until_the_first_failure() -> Entry {
    parent(|ctx, double| async move {
        let all = ctx.all(double, vec![0, 13, 0]);
        let Err(WorkflowError::Gather { failures }) = all.fail_fast().await else {
            return Ok(json!(null));
        };
        let at: Vec<_> = failures.iter().map(|it| it.index).collect();
        Ok(json!(at))
    })
    .gives(json!([1]))
}

fn a_child_that_takes_too_long() -> Entry {
    parent(|ctx, double| async move {
        let child = ctx.child(double, 0).execution_timeout(HOUR);
        Ok(json!(child.await.unwrap_err().code()))
    })
    .gives("execution_timeout")
}

fn a_child_that_is_cancelled() -> Entry {
    parent(|ctx, double| async move {
        let child = ctx.child(double, 0);
        let run = child.run_id().clone();
        let (ended, ()) = tokio::join!(child, async {
            ctx.sleep(HOUR).await;
            ctx.cancel_run(run);
        });
        Ok(json!(ended.unwrap_err().code()))
    })
    .gives("cancelled")
}

fn a_child_that_dies() -> Entry {
    parent(|ctx, double| async move {
        let failed = ctx.child(double, 99).await;
        Ok(json!(failed.is_err()))
    })
    .gives(true)
}

/// It ends after its parent has, and its end is kept for nobody.
fn a_child_that_nobody_waits_for() -> Entry {
    parent(|ctx, double| async move {
        ctx.child(double.clone(), 4).start().await?;
        ctx.child(double, 13).start().await?;
        Ok(json!(null))
    })
    .gives(json!(null))
    .does("double")
}

fn a_parent_that_is_cancelled() -> Entry {
    parent(|ctx, double| async move {
        let left = ctx.child(double.clone(), 4).on_cancel(OnCancel::Abandon);
        left.start().await?;
        let taken = ctx.child(double, 0);
        Ok(json!(taken.await?))
    })
    .play(|it| {
        Box::pin(async {
            it.rests().await;
            it.insist(async || it.app.cancel(it.run).await).await;
        })
    })
    .ends(RunStatus::Cancelled)
    .does("double")
}

fn a_run_that_continues_as_another() -> Entry {
    let meter = |it: &Ledger| {
        noting("meter", it, |ctx, ledger, n: u32| async move {
            effect(&ctx, &ledger, "read", n).await?;
            if n == 2 {
                return Ok(n);
            }
            match ctx.continue_as_new(n + 1).await? {}
        })
    };
    Entry::new("meter", move |it, ledger| it.register(meter(ledger)))
        .input(0)
        .gives(2)
        .does_times("read", 3, 1)
}
