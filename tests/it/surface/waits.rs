//! Waits: for time, signals, events, tasks, updates, webhooks and people.

use std::{future::IntoFuture as _, time::Duration};

use axum::{body::Body, http::Request};
use axum_durable::{DurableRouter, WithDurable as _, prelude::*};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::stage::{Entry, Stage, effect, noting, on_every_store};
use crate::support::ledger::Ledger;

on_every_store!(
    a_sleep,
    a_signal_that_comes,
    a_signal_that_comes_too_late,
    signals_in_their_order,
    a_signal_for_this_run,
    a_signal_that_starts_its_run,
    an_event_that_matches,
    an_event_that_does_not_come,
    an_event_that_a_run_publishes,
    a_task_for_somebody_outside,
    a_webhook,
    an_update,
    a_breakpoint,
);

const HOUR: Duration = Duration::from_secs(3_600);

fn token(ctx: &WorkflowCtx, name: &str) -> String {
    format!("{name}:{}", ctx.run_id())
}

fn a_sleep() -> Entry {
    let naps = |it: &Ledger| {
        noting("naps", it, |ctx, ledger, ()| async move {
            let begun = ctx.now();
            effect(&ctx, &ledger, "lie down", ()).await?;
            ctx.sleep(HOUR).await;
            ctx.sleep_until(begun + 3 * HOUR).await;
            effect(&ctx, &ledger, "get up", ()).await?;
            Ok(ctx.now().since(begun) >= 3 * HOUR)
        })
    };
    Entry::new("naps", move |it, ledger| it.register(naps(ledger)))
        .gives(true)
        .does("lie down")
        .does("get up")
}

fn a_signal_that_comes() -> Entry {
    let approval = |it: &Ledger| {
        noting("approval", it, |ctx, ledger, ()| async move {
            effect(&ctx, &ledger, "ask", ()).await?;
            let wait = ctx.wait_for_signal::<u32>(token(&ctx, "approve"));
            let approved = wait.timeout(24 * HOUR).await?;
            effect(&ctx, &ledger, "ship", approved).await
        })
    };
    Entry::new("approval", move |it, ledger| it.register(approval(ledger)))
        .play(|it| Box::pin(it.signal("approve", 7)))
        .gives(7)
        .does("ask")
        .does("ship")
}

fn a_signal_that_comes_too_late() -> Entry {
    let late = |it: &Ledger| {
        noting("late", it, |ctx, ledger, ()| async move {
            let wait = ctx.wait_for_signal::<u32>(token(&ctx, "approve"));
            let first = wait.timeout(HOUR).await;
            let is_late = first.is_err_and(|error| error.is_timeout());
            // Before it is durable that the time is over, a signal would still be taken.
            let give_up = ctx.step("give up", |step: StepCtx| {
                ledger.note_keyed("give up", &step);
                ledger.keep("gave up", "yes");
                async { Ok::<_, StepError>(()) }
            });
            give_up.await?;
            let second: u32 = ctx.wait_for_signal(token(&ctx, "approve")).await?;
            Ok((is_late, second))
        })
    };
    Entry::new("late", move |it, ledger| it.register(late(ledger)))
        .play(|it| {
            Box::pin(async {
                it.handed_out("gave up").await;
                it.signal("approve", 7).await;
            })
        })
        .gives(json!([true, 7]))
        .does("give up")
}

fn signals_in_their_order() -> Entry {
    let cart = |it: &Ledger| {
        noting("cart", it, |ctx, ledger, ()| async move {
            let mut items = Vec::new();
            while items.len() < 3 {
                let item: u32 = ctx.wait_for_signal(token(&ctx, "add")).await?;
                items.push(effect(&ctx, &ledger, "add", item).await?);
            }
            Ok(items)
        })
    };
    Entry::new("cart", move |it, ledger| it.register(cart(ledger)))
        .play(|it| {
            Box::pin(async {
                for item in 1..=3 {
                    it.signal("add", item).await;
                }
            })
        })
        .gives(json!([1, 2, 3]))
        .does_times("add", 3, 1)
}

fn own(ledger: &Ledger) -> Workflow<(), u32> {
    noting("own", ledger, |ctx, ledger, ()| async move {
        let value = ctx.wait_for_signal("add").run_scoped().await?;
        effect(&ctx, &ledger, "add", value).await
    })
}

fn a_signal_for_this_run() -> Entry {
    Entry::new("own", move |it, ledger| it.register(own(ledger)))
        .play(|it| {
            Box::pin(async {
                let signal = it.app.signal("add", 5).to_run(it.run).dedupe_id("five");
                // Refused if it is repeated after the end of the run.
                drop(signal.await);
            })
        })
        .gives(5)
        .does("add")
}

fn a_signal_that_starts_its_run() -> Entry {
    Entry::new("own", move |it, ledger| it.register(own(ledger)))
        .play(|it| {
            Box::pin(async {
                let call = it.app.signal_with_start(own(it.ledger), ()).id(it.run);
                let call = call.signal_run("add", 5).dedupe_id("five");
                drop(it.app.run(call.into_future()).await);
            })
        })
        .gives(5)
        .does("add")
}

fn an_event_that_matches() -> Entry {
    let ship = |it: &Ledger| {
        noting("ship", it, |ctx, ledger, ()| async move {
            let wait = ctx.wait_for_event::<Value>("paid");
            let wait = wait.matching("run", ctx.run_id().as_str());
            let paid = wait.matching("value", 2).timeout(HOUR).await?;
            effect(&ctx, &ledger, "ship", paid["value"].clone()).await
        })
    };
    Entry::new("ship", move |it, ledger| it.register(ship(ledger)))
        .play(|it| {
            Box::pin(async {
                for value in 1..=2 {
                    it.publish("paid", value).await;
                }
            })
        })
        .gives(2)
        .does("ship")
}

fn an_event_that_does_not_come() -> Entry {
    let patient = |it: &Ledger| {
        noting("patient", it, |ctx, ledger, ()| async move {
            let wait = ctx.wait_for_event::<Value>("never");
            let wait = wait.matching("run", ctx.run_id().as_str());
            let is_late = wait.timeout(HOUR).await.is_err_and(|it| it.is_timeout());
            effect(&ctx, &ledger, "give up", is_late).await
        })
    };
    Entry::new("patient", move |it, ledger| it.register(patient(ledger)))
        .gives(true)
        .does("give up")
}

fn an_event_that_a_run_publishes() -> Entry {
    let hears = |it: &Ledger| {
        noting("hears", it, |ctx, ledger, of: String| async move {
            let told: String = ctx.wait_for_event("told").matching("", of).await?;
            effect(&ctx, &ledger, "hear", told).await
        })
    };
    let tells = move |it: &Ledger| {
        let child = hears(it);
        noting("tells", it, move |ctx, ledger, ()| {
            let child = child.clone();
            async move {
                let run = ctx.run_id().to_string();
                let child = ctx.child(child, run.clone()).start().await?;
                ctx.emit("told", &run)?;
                effect(&ctx, &ledger, "tell", ()).await?;
                Ok(ctx.join::<String>(child).await? == run)
            }
        })
    };
    Entry::new("tells", move |it, ledger| {
        it.register(tells(ledger)).register(hears(ledger))
    })
    .gives(true)
    .does("tell")
    .does("hear")
}

fn a_task_for_somebody_outside() -> Entry {
    let ask = |it: &Ledger| {
        noting("ask", it, |ctx, ledger, ()| async move {
            let task = ctx.task("count", async |token: TaskToken| {
                ledger.keep("task", token.to_string());
                Ok::<_, StepError>(())
            });
            let number: u32 = task.timeout(24 * HOUR).await?;
            effect(&ctx, &ledger, "after", number).await
        })
    };
    Entry::new("ask", move |it, ledger| it.register(ask(ledger)))
        .play(|it| {
            Box::pin(async {
                let token = it.handed_out("task").await;
                it.insist(async || it.app.complete_task(token.as_str(), 7).await)
                    .await;
            })
        })
        .gives(7)
        .does("after")
}

async fn post(it: &Stage<'_>, token: &str, body: &str) {
    let router = axum::Router::new()
        .merge(DurableRouter::new().into_router())
        .with_durable(Durable::clone(it.app));
    let request = Request::post(format!("/durable/webhooks/{token}"));
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let answer = router.oneshot(request).await.unwrap().status().as_u16();
    // 410: the run has ended, so it had been posted before.
    assert!([202, 410].contains(&answer), "{answer}");
}

fn a_webhook() -> Entry {
    let hooked = |it: &Ledger| {
        noting("hooked", it, |ctx, ledger, ()| async move {
            let options = WebhookOptions::new().one_shot();
            let hook = ctx.webhook_with::<u32>(options);
            let given = hook.token().to_owned();
            let give = async || {
                ledger.keep("hook", given.clone());
                Ok::<_, StepError>(())
            };
            ctx.step("give", give).await?;
            let posted = hook.wait().timeout(24 * HOUR).await?;
            effect(&ctx, &ledger, "after", posted).await
        })
    };
    Entry::new("hooked", move |it, ledger| it.register(hooked(ledger)))
        .play(|it| {
            Box::pin(async {
                let token = it.handed_out("hook").await;
                post(it, &token, "7").await;
            })
        })
        .gives(7)
        .does("after")
}

fn an_update() -> Entry {
    let adder = |it: &Ledger| {
        noting("adder", it, |ctx, ledger, ()| async move {
            let mut sum = 0;
            while sum < 5 {
                let update = ctx.on_update::<u32, u32>("add").await?;
                sum += *update.args();
                effect(&ctx, &ledger, "add", ()).await?;
                update.reply(&sum)?;
            }
            Ok(sum)
        })
    };
    Entry::new("adder", move |it, ledger| it.register(adder(ledger)))
        .play(|it| {
            Box::pin(async {
                for (number, sum) in [(2, 2), (3, 5)] {
                    let id = format!("add {number}");
                    let update = it.app.update::<_, u32>(it.run, "add", number);
                    assert_eq!(update.id(id).await.unwrap(), sum);
                }
            })
        })
        .gives(5)
        .does_times("add", 2, 1)
}

fn a_breakpoint() -> Entry {
    let careful = |it: &Ledger| {
        noting("careful", it, |ctx, ledger, ()| async move {
            effect(&ctx, &ledger, "copy", ()).await?;
            ctx.breakpoint("look").await;
            effect(&ctx, &ledger, "switch over", 1).await
        })
    };
    Entry::new("careful", move |it, ledger| it.register(careful(ledger)))
        .play(|it| {
            Box::pin(async {
                it.rests().await;
                it.insist(async || it.app.continue_run(it.run).await).await;
            })
        })
        .gives(1)
        .does("copy")
        .does("switch over")
}
