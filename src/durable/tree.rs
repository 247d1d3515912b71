//! A run with the runs that it has started.

use std::sync::Arc;

use super::{error::Error, handle::Durable};
use crate::id::RunId;
use crate::model::{Run, RunQuery};

/// The runs of a tree at the most: what people look at, and what fits in memory.
const MOST: usize = 1_000;

/// A run with the runs that it has started, and theirs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunTree {
    /// The run, without input and output but for the topmost.
    pub run: Run,
    /// What it has started, the oldest first.
    pub children: Vec<Self>,
    /// Whether these are all of its children. `false` where the tree was cut.
    pub is_complete: bool,
}

/// A run of a tree, and the place of the one that has started it.
struct Found {
    run: Run,
    parent: Option<usize>,
    is_complete: bool,
}

impl Durable {
    /// Reads a run with all runs below it: those that it has started, those that they have started,
    /// and so on, 1,000 runs at the most, level by level. Runs may change while it reads.
    ///
    /// The successor of a run that continued as new is beside that run, since both have the same
    /// parent.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownRun`], [`Error::InvalidName`], [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// May be dropped and called again.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use axum_durable::{Durable, MemoryStore, prelude::*};
    ///
    /// #[workflow]
    /// async fn count_down(ctx: &WorkflowCtx, n: u32) -> Result<u32> {
    ///     match n {
    ///         0 => Ok(0),
    ///         n => ctx.child(count_down, n - 1).await,
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    /// let durable = Durable::builder().store(MemoryStore::new()).build().await?;
    /// durable.start(count_down, 2).id("top").await?.result().await?;
    /// let tree = durable.run_tree("top").await?;
    /// let below = &tree.children[0].children[0];
    /// assert_eq!(below.run.id.as_str(), "top.child.0.child.0");
    /// # durable.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run_tree(&self, run: impl Into<Arc<str>>) -> Result<RunTree, Error> {
        let run = RunId::parse(run)?;
        let store = self.engine().store();
        let Some(top) = store.run(&run).await? else {
            return Err(Error::UnknownRun { run });
        };
        let mut found = vec![Found {
            run: top,
            parent: None,
            is_complete: false,
        }];
        let mut at = 0;
        while found.len() < MOST
            && let Some(above) = found.get(at).map(|it| it.run.id.clone())
        {
            let (children, is_complete) = self.children(above, MOST - found.len()).await?;
            if let Some(above) = found.get_mut(at) {
                above.is_complete = is_complete;
            }
            found.extend(children.into_iter().map(|run| Found {
                run,
                parent: Some(at),
                is_complete: false,
            }));
            at += 1;
        }
        assembled(found).ok_or(Error::UnknownRun { run })
    }

    /// The oldest of the children of a run that a list has room for, and whether these are all.
    async fn children(&self, of: RunId, room: usize) -> Result<(Vec<Run>, bool), Error> {
        let mut query = RunQuery {
            parent: Some(of),
            limit: RunQuery::MAX_LIMIT,
            ..RunQuery::default()
        };
        let mut children = Vec::new();
        loop {
            let page = self.engine().store().list(&query).await?;
            children.extend(page.runs);
            match page.next {
                Some(next) if children.len() < room => query.after = Some(next),
                next => {
                    // The newest come first.
                    children.reverse();
                    let is_complete = next.is_none() && children.len() <= room;
                    children.truncate(room);
                    return Ok((children, is_complete));
                }
            }
        }
    }
}

/// Puts runs below those that have started them, which come before them.
fn assembled(mut found: Vec<Found>) -> Option<RunTree> {
    let mut below: Vec<Vec<RunTree>> = found.iter().map(|_| Vec::new()).collect();
    while let Some(it) = found.pop() {
        let mut children = below.pop().unwrap_or_default();
        children.reverse();
        let tree = RunTree {
            run: it.run,
            children,
            is_complete: it.is_complete,
        };
        match it.parent {
            Some(parent) => below.get_mut(parent)?.push(tree),
            None => return Some(tree),
        }
    }
    None
}
