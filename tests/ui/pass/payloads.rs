//! Types of signals, updates and the like, written in every way, also where nobody could name them.
#![allow(dead_code, unused_variables)]

use std::{borrow::Cow, collections::BTreeMap};

use axum_durable::{prelude::*, registry::WorkflowDescription, workflow::ops::SignalWait};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod shop {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    pub(super) struct Paid<T> {
        pub(super) cents: T,
    }
}

/// It has no schema, and needs none.
#[derive(Serialize, Deserialize)]
struct Opaque(u8);

#[derive(Deserialize, JsonSchema)]
struct Approval {
    approved: bool,
}

type Answer<T> = std::result::Result<T, WorkflowError>;
const THREE: usize = 3;

#[workflow]
async fn odd(ctx: &WorkflowCtx) -> Result<()> {
    use shop::Paid as Money;

    #[derive(Deserialize, JsonSchema)]
    struct Inner(u8);

    let _ = ctx.wait_for_signal::<Approval>("turbofish").await?;
    let opaque: Opaque = ctx.wait_for_signal("opaque").await?;
    let list: Vec<Opaque> = ctx.wait_for_signal("list of opaque").await?;
    let inner: Inner = ctx.wait_for_signal("inner").await?;
    let inner: Option<Inner> = ctx.wait_for_signal("some inner").await?;
    let money = ctx.wait_for_signal::<Money<u8>>("renamed").await?;
    let money: shop::Paid<u8> = ctx.wait_for_signal("path").await?;
    let text: Cow<'_, str> = ctx.wait_for_signal("lifetime").await?;
    let array: [u8; THREE] = ctx.wait_for_signal("array").await?;
    let pair: (u8, BTreeMap<String, bool>) = ctx.wait_for_signal("pair").await?;
    let hole: Vec<_> = ctx.wait_for_signal("hole").await?;
    let _: u8 = hole.first().copied().unwrap_or_default();
    let result: Result<u8> = ctx.wait_for_signal("result").await;
    let result: Answer<u8> = ctx.wait_for_signal("alias").await;
    let wait: SignalWait<u8> = ctx.wait_for_signal("wait").run_scoped();
    let waited = wait.await?;
    let unit: () = ctx.wait_for_signal("unit").await?;
    let update = ctx.on_update::<Opaque, Approve>("update").await;
    ctx.set_event::<str>("value", "unsized")?;
    ctx.set_event("unknown", &Opaque(1))?;
    if let Ok(update) = update {
        update.reply(&Approve(true))?;
    }
    let (a, b): (u8, u8) = tokio::try_join!(ctx.wait_for_signal("a"), ctx.wait_for_signal("b"))?;
    Ok(())
}

#[derive(Serialize, JsonSchema)]
struct Approve(bool);

/// What is left out of the build may name what is not there.
#[workflow]
async fn partly(ctx: &WorkflowCtx) -> Result<()> {
    #[cfg(any())]
    let none: not::There = ctx.wait_for_signal("left out").await?;
    let some: u8 = ctx.wait_for_signal("left in").await?;
    Ok(())
}

fn main() {
    let told = WorkflowDescription::of(odd);
    let signals = told.signals.iter().map(|it| {
        let schema = it.schema.as_ref().map(|schema| {
            let schema = schema.as_value();
            let of = |word| schema.get(word).and_then(|it| it.as_str());
            of("title").or(of("type")).unwrap_or("something").to_owned()
        });
        format!("{}: {}", it.name, schema.as_deref().unwrap_or("?"))
    });
    let signals: Vec<String> = signals.collect();
    assert_eq!(
        signals,
        [
            "turbofish: Approval",
            "opaque: ?",
            "list of opaque: ?",
            "inner: ?",
            "some inner: ?",
            "renamed: ?",
            "path: Paid",
            "lifetime: ?",
            "array: Array_size_3_of_uint8",
            "pair: Tuple_of_uint8_and_Map_of_boolean",
            "hole: ?",
            "result: uint8",
            "alias: ?",
            "wait: uint8",
            "unit: null",
            "a: ?",
            "b: ?",
        ]
    );
    assert_eq!(told.updates[0].args_schema, None);
    assert!(told.updates[0].reply_schema.is_some());
    assert!(told.published[0].schema.is_some());
    assert_eq!(told.published[1].schema, None);

    let told = WorkflowDescription::of(partly);
    assert!(told.signals.iter().all(|it| it.schema.is_none()), "{:?}", told.signals);
    // Two outlines are equal if they say the same.
    assert_eq!(odd().outline(), odd().outline());
    assert_ne!(odd().outline(), partly().outline());
}
