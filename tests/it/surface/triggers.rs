//! Runs that events start.

use std::time::Duration;

use axum_durable::{durable::DurableBuilder, model::Trigger, prelude::*};
use serde_json::{Value, json};

use super::stage::{Entry, effect, noting, on_every_store};
use crate::support::ledger::Ledger;

on_every_store!(
    a_run_that_an_event_of_a_run_starts,
    a_run_that_an_event_from_outside_starts,
    a_run_that_a_batch_of_events_starts,
);

const HOUR: Duration = Duration::from_secs(3_600);

/// Ships what was placed, and tells of it.
fn ship(ledger: &Ledger) -> Workflow<Value, ()> {
    let ship = noting("ship", ledger, |ctx, ledger, placed: Value| async move {
        let parcels: u32 = effect(&ctx, &ledger, "ship", 3).await?;
        ctx.emit("shipped", &json!({"run": placed["run"], "value": parcels}))
    });
    ship.on_event(Trigger::new("placed"))
}

/// Adds three numbers, and tells of it.
fn add(ledger: &Ledger) -> Workflow<Vec<Value>, ()> {
    let add = noting("add", ledger, |ctx, ledger, all: Vec<Value>| async move {
        let numbers = all.iter().filter_map(|it| it["value"].as_u64());
        let sum: u64 = effect(&ctx, &ledger, "add", numbers.sum()).await?;
        ctx.emit("shipped", &json!({"run": all[0]["run"], "value": sum}))
    });
    add.on_event(Trigger::new("counted")).with_batch(3, HOUR)
}

/// Places an order, or waits for what others place, and for its shipment.
fn shop(places: bool) -> Entry {
    let setup = move |it: DurableBuilder, ledger: &Ledger| {
        let shop = noting("shop", ledger, move |ctx, _, ()| async move {
            let run = ctx.run_id().to_string();
            if places {
                ctx.emit("placed", &json!({"run": run}))?;
            }
            let shipped: Value = ctx.wait_for_event("shipped").matching("run", run).await?;
            Ok(shipped["value"].clone())
        });
        it.register(shop)
            .register(ship(ledger))
            .register(add(ledger))
    };
    Entry::new("shop", setup)
}

fn a_run_that_an_event_of_a_run_starts() -> Entry {
    shop(true).gives(3).does("ship")
}

fn a_run_that_an_event_from_outside_starts() -> Entry {
    shop(false)
        .play(|it| Box::pin(async { it.publish("placed", 0).await }))
        .gives(3)
        .does("ship")
}

fn a_run_that_a_batch_of_events_starts() -> Entry {
    shop(false)
        .play(|it| {
            Box::pin(async {
                for number in [5, 1, 7] {
                    it.publish("counted", number).await;
                }
            })
        })
        .gives(13)
        .does("add")
}
