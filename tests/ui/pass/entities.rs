//! Entities as authors write them.

use axum_durable::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct PageViews {
    by_page: std::collections::BTreeMap<String, u64>,
}

#[derive(Debug)]
struct Full;

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("full")
    }
}

impl std::error::Error for Full {}

type ViewResult<T> = Result<T, Full>;

#[entity]
impl PageViews {
    /// Counts a view.
    #[on]
    pub fn seen(&mut self, page: String) -> ViewResult<u64> {
        if self.by_page.len() > 1_000 {
            return Err(Full);
        }
        Ok(self.count(page))
    }

    #[on]
    fn all(&self) -> u64 {
        self.by_page.values().sum()
    }

    #[on(name = "wipe-out")]
    fn wipe(&mut self) {
        self.by_page.clear();
    }

    #[cfg(any())]
    #[on]
    fn not_compiled(&mut self, nothing: Unknown) {}

    /// No operation.
    fn count(&mut self, page: String) -> u64 {
        let count = self.by_page.entry(page).or_default();
        *count += 1;
        *count
    }

    const LIMIT: u32 = 3;
}

#[derive(Default, Serialize, Deserialize, JsonSchema)]
enum Door {
    #[default]
    Closed,
    Open,
}

#[entity(name = "front-door")]
impl Door {
    #[on]
    fn r#move(&mut self, opens: bool) -> Result<(), StepError> {
        *self = if opens { Self::Open } else { Self::Closed };
        Ok(())
    }
}

#[workflow]
async fn visit(ctx: &WorkflowCtx, page: String) -> Result<u64> {
    ctx.signal_entity("front", Door::MOVE, true)?;
    let (one, all) = tokio::try_join!(
        ctx.call_entity("site", PageViews::SEEN, page),
        ctx.call_entity("site", PageViews::ALL, ()),
    )?;
    Ok(one + all)
}

async fn handler(durable: Durable) -> Result<u64, DurableError> {
    let views = durable.entity("site")?;
    views.signal(PageViews::WIPE, ()).id("once").await?;
    views.call(PageViews::SEEN, "home".to_owned()).await
}

fn main() {
    assert_eq!(PageViews::NAME, "page_views");
    assert_eq!(Door::NAME, "front-door");
    let names: Vec<_> = PageViews::operations().iter().map(|it| it.name()).collect();
    assert_eq!(names, ["seen", "all", "wipe-out"]);
    assert_eq!(PageViews::entity().name(), "entity:page_views");
    assert_eq!(PageViews::LIMIT, 3);
    let mut views = PageViews::default();
    assert_eq!(views.seen("home".to_owned()).unwrap(), 1);
    views.wipe();
    assert_eq!(visit().name(), "visit");
    let _ = handler;
}
