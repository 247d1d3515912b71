//! Random workflows: a small language, its generator and its interpreter.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use axum_durable::{prelude::*, workflow::BoxFuture};
use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use parking_lot::Mutex;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A part of a random workflow. Each leaf has a number of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// A step; `fails` makes its first attempts fail, `fatal` all of them.
    Step {
        id: u32,
        fails: u32,
        is_fatal: bool,
    },
    Sleep {
        id: u32,
    },
    /// A wait for signal `t<id>`; with a timeout it may end either way.
    Signal {
        id: u32,
        has_timeout: bool,
    },
    /// A wait for event `v<id>`; with a timeout it may end either way.
    Event {
        id: u32,
        has_timeout: bool,
    },
    /// An event that the run publishes and then hears.
    Told {
        id: u32,
    },
    /// A run of its own.
    Child {
        id: u32,
    },
    /// Everything that is recorded without a wait.
    Capture {
        id: u32,
    },
    Seq(Vec<Self>),
    /// `join_all` over nested async blocks.
    JoinAll(Vec<Self>),
    /// `tokio::join!` over nested async blocks.
    Join(Box<(Self, Self)>),
    /// `select!` with `biased;` over nested async blocks: the loser is dropped.
    Race(Box<(Self, Self)>),
    /// `select!` without `biased;` over steps that were made before.
    RacePrebuilt {
        first: u32,
        second: u32,
    },
    /// `FuturesUnordered` with a step after each that ends.
    Unordered {
        nodes: Vec<Self>,
        after: u32,
    },
    Loop {
        times: u32,
        body: Box<Self>,
    },
}

/// Makes random programs.
pub(crate) struct Generator {
    rng: ChaCha8Rng,
    next_id: u32,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            next_id: 0,
        }
    }

    fn id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    pub(crate) fn program(&mut self) -> Node {
        let parts = self.rng.random_range(1..=3);
        Node::Seq((0..parts).map(|_| self.node(2)).collect())
    }

    fn nodes(&mut self, depth: u32) -> Vec<Node> {
        let count = self.rng.random_range(1..=3);
        (0..count).map(|_| self.node(depth)).collect()
    }

    fn node(&mut self, depth: u32) -> Node {
        let kinds = if depth == 0 { 13 } else { 23 };
        match self.rng.random_range(0..kinds) {
            0..=4 => Node::Step {
                id: self.id(),
                fails: if self.rng.random_range(0..6) == 0 {
                    1
                } else {
                    0
                },
                is_fatal: self.rng.random_range(0..10) == 0,
            },
            5..=6 => Node::Sleep { id: self.id() },
            7..=8 => Node::Signal {
                id: self.id(),
                has_timeout: self.rng.random_bool(0.5),
            },
            9 => Node::Capture { id: self.id() },
            10 => Node::Event {
                id: self.id(),
                has_timeout: self.rng.random_bool(0.5),
            },
            11 => Node::Told { id: self.id() },
            12 => Node::Child { id: self.id() },
            13..=14 => Node::Seq(self.nodes(depth - 1)),
            15..=16 => Node::JoinAll(self.nodes(depth - 1)),
            17 => Node::Join(Box::new((self.node(depth - 1), self.node(depth - 1)))),
            18..=19 => Node::Race(Box::new((self.node(depth - 1), self.node(depth - 1)))),
            20 => Node::RacePrebuilt {
                first: self.id(),
                second: self.id(),
            },
            21 => Node::Unordered {
                nodes: self.nodes(depth - 1),
                after: self.id(),
            },
            _ => Node::Loop {
                times: self.rng.random_range(1..=2),
                body: Box::new(self.node(depth - 1)),
            },
        }
    }
}

impl Node {
    /// Looks at each of its parts.
    pub(crate) fn each(&self, see: &mut dyn FnMut(&Self)) {
        see(self);
        match self {
            Self::Seq(nodes) | Self::JoinAll(nodes) | Self::Unordered { nodes, .. } => {
                nodes.iter().for_each(|node| node.each(see));
            }
            Self::Join(pair) | Self::Race(pair) => {
                pair.0.each(see);
                pair.1.each(see);
            }
            Self::Loop { body, .. } => body.each(see),
            Self::Step { .. }
            | Self::Sleep { .. }
            | Self::Signal { .. }
            | Self::Event { .. }
            | Self::Told { .. }
            | Self::Child { .. }
            | Self::Capture { .. }
            | Self::RacePrebuilt { .. } => {}
        }
    }
}

/// A change of a program's code.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mutation {
    /// The step gets another name.
    Rename,
    /// A step is put before it.
    Insert,
    /// It is left out.
    Remove,
    /// It changes places with the part after it.
    Reorder,
}

impl Node {
    /// The program with the step `id` changed; `None` where the change does not apply.
    pub(crate) fn mutate(&self, id: u32, mutation: Mutation) -> Option<Self> {
        let mut changed = self.clone();
        changed.change(id, mutation).then_some(changed)
    }

    fn change(&mut self, id: u32, mutation: Mutation) -> bool {
        const FRESH: u32 = 1_000_000;
        let new = Self::Step {
            id: FRESH,
            fails: 0,
            is_fatal: false,
        };
        match self {
            Self::Step { id: there, .. } if *there == id => {
                *self = match mutation {
                    Mutation::Rename => new,
                    Mutation::Insert => Self::Seq(vec![new, self.clone()]),
                    Mutation::Remove => Self::Seq(Vec::new()),
                    Mutation::Reorder => return false,
                };
                true
            }
            Self::Seq(nodes) if matches!(mutation, Mutation::Reorder) => {
                let is_it =
                    |node: &Self| matches!(node, Self::Step { id: there, .. } if *there == id);
                let place = nodes.iter().position(is_it);
                match place {
                    // Two steps in a row: anything else may make no operation at all.
                    Some(n) if matches!(nodes.get(n + 1), Some(Self::Step { .. })) => {
                        nodes.swap(n, n + 1);
                        true
                    }
                    Some(_) => false,
                    None => nodes.iter_mut().any(|node| node.change(id, mutation)),
                }
            }
            Self::Seq(nodes) | Self::JoinAll(nodes) | Self::Unordered { nodes, .. } => {
                nodes.iter_mut().any(|node| node.change(id, mutation))
            }
            Self::Join(pair) | Self::Race(pair) => {
                pair.0.change(id, mutation) || pair.1.change(id, mutation)
            }
            Self::Loop { body, .. } => body.change(id, mutation),
            Self::Step { .. }
            | Self::Sleep { .. }
            | Self::Signal { .. }
            | Self::Event { .. }
            | Self::Told { .. }
            | Self::Child { .. }
            | Self::Capture { .. }
            | Self::RacePrebuilt { .. } => false,
        }
    }
}

/// What one execution of a program shares with its test.
#[derive(Default)]
pub(crate) struct Env {
    /// The step bodies that began, by idempotency key.
    pub(crate) executed: Mutex<BTreeMap<String, u32>>,
    /// Where random delays of bodies come from: another for each execution.
    jitter: Mutex<Option<ChaCha8Rng>>,
    /// Whether signals and events come from another instance.
    pub(crate) hears_from_elsewhere: bool,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Env")
    }
}

impl Env {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        let env = Self {
            hears_from_elsewhere: seed.is_multiple_of(4),
            ..Self::default()
        };
        *env.jitter.lock() = Some(ChaCha8Rng::seed_from_u64(seed));
        Arc::new(env)
    }

    fn delay(&self) -> u32 {
        let mut jitter = self.jitter.lock();
        jitter.as_mut().map_or(0, |rng| rng.next_u32() % 5)
    }

    async fn body(
        &self,
        id: u32,
        fails: u32,
        is_fatal: bool,
        step: StepCtx,
    ) -> Result<u64, StepError> {
        *self
            .executed
            .lock()
            .entry(step.idempotency_key())
            .or_default() += 1;
        for _ in 0..self.delay() {
            tokio::task::yield_now().await;
        }
        if is_fatal {
            return Err(StepError::fatal("no", format!("step {id} never works")));
        }
        if step.attempt() <= fails {
            return Err(StepError::retryable(
                "again",
                format!("step {id} works next time"),
            ));
        }
        Ok(u64::from(id))
    }
}

fn fold(a: u64, b: u64) -> u64 {
    (a.rotate_left(7) ^ b).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Runs a program; what it returns depends on every outcome and on their order.
pub(crate) async fn run(ctx: &WorkflowCtx, env: &Env, node: &Node) -> u64 {
    eval(ctx, env, node, 0).await
}

fn eval<'a>(ctx: &'a WorkflowCtx, env: &'a Env, node: &'a Node, turn: u32) -> BoxFuture<'a, u64> {
    match node {
        Node::JoinAll(_)
        | Node::Join(_)
        | Node::Race(_)
        | Node::RacePrebuilt { .. }
        | Node::Unordered { .. } => Box::pin(eval_concurrent(ctx, env, node, turn)),
        Node::Step { .. }
        | Node::Sleep { .. }
        | Node::Signal { .. }
        | Node::Event { .. }
        | Node::Told { .. }
        | Node::Child { .. }
        | Node::Capture { .. }
        | Node::Seq(_)
        | Node::Loop { .. } => Box::pin(eval_sequential(ctx, env, node, turn)),
    }
}

async fn eval_sequential(ctx: &WorkflowCtx, env: &Env, node: &Node, turn: u32) -> u64 {
    match node {
        Node::Step {
            id,
            fails,
            is_fatal,
        } => step(ctx, env, *id, turn, (*fails, *is_fatal)).await,
        Node::Sleep { .. } => {
            ctx.sleep(Duration::from_millis(1)).await;
            1
        }
        Node::Signal { id, has_timeout } => {
            let wait = ctx.wait_for_signal::<u64>(format!("t{id}"));
            let wait = if *has_timeout {
                wait.timeout(Duration::from_millis(2))
            } else {
                wait
            };
            wait.await.unwrap_or(99)
        }
        Node::Event { id, has_timeout } => {
            let wait = ctx.wait_for_event::<u64>(format!("v{id}"));
            let wait = if *has_timeout {
                wait.timeout(Duration::from_millis(2))
            } else {
                wait
            };
            wait.await.unwrap_or(98)
        }
        Node::Told { id } => {
            let told = ctx.emit(format!("told{id}"), &turn).is_ok();
            let heard = ctx.wait_for_event::<u64>(format!("told{id}")).await;
            fold(u64::from(told), heard.unwrap_or(97))
        }
        Node::Child { id } => ctx.child(child(), *id).await.unwrap_or(96),
        Node::Capture { id } => capture(ctx, *id).unwrap_or(95),
        Node::Seq(nodes) => {
            let mut all = 3;
            for node in nodes {
                all = fold(all, eval(ctx, env, node, turn).await);
            }
            all
        }
        Node::Loop { times, body } => {
            let mut all = 13;
            for round in 0..*times {
                all = fold(all, eval(ctx, env, body, turn * 10 + round + 1).await);
            }
            all
        }
        _ => 0,
    }
}

async fn eval_concurrent(ctx: &WorkflowCtx, env: &Env, node: &Node, turn: u32) -> u64 {
    match node {
        Node::JoinAll(nodes) => {
            let all = join_all(nodes.iter().map(|node| eval(ctx, env, node, turn))).await;
            all.into_iter().fold(5, fold)
        }
        Node::Join(pair) => {
            let (a, b) = tokio::join!(eval(ctx, env, &pair.0, turn), async {
                eval(ctx, env, &pair.1, turn).await
            });
            fold(a, b)
        }
        Node::Race(pair) => tokio::select! {
            biased;
            a = eval(ctx, env, &pair.0, turn) => fold(7, a),
            b = eval(ctx, env, &pair.1, turn) => fold(8, b),
        },
        Node::RacePrebuilt { first, second } => {
            let a = step(ctx, env, *first, turn, (0, false));
            let b = step(ctx, env, *second, turn, (0, false));
            tokio::select! {
                a = a => fold(9, a),
                b = b => fold(10, b),
            }
        }
        Node::Unordered { nodes, after } => {
            let all = nodes.iter().map(|node| eval(ctx, env, node, turn));
            let mut left: FuturesUnordered<_> = all.collect();
            let (mut all, mut n) = (11, turn * 10);
            while let Some(value) = left.next().await {
                n += 1;
                let next = step(ctx, env, *after, n, (0, false)).await;
                all = fold(fold(all, value), next);
            }
            all
        }
        _ => 0,
    }
}

/// Not an `async fn`: the operation is made when this is called.
fn step<'a>(
    ctx: &WorkflowCtx,
    env: &'a Env,
    id: u32,
    turn: u32,
    (fails, is_fatal): (u32, bool),
) -> impl Future<Output = u64> + Send + use<'a> {
    let body = move |step: StepCtx| env.body(id, fails, is_fatal, step);
    let made = ctx
        .step(format!("s{id}.{turn}"), body)
        .retries(3)
        .backoff(Backoff::Fixed {
            every: Duration::from_millis(1),
        });
    async move { made.await.unwrap_or(77) }
}

/// Thrice its input; odd ones fail.
pub(crate) fn child() -> Workflow<u32, u64> {
    Workflow::from_body("child", 1, |_, n: u32| {
        Box::pin(async move {
            match n % 2 {
                0 => Ok(u64::from(n) * 3),
                _ => Err(WorkflowError::failed("odd", "an odd number")),
            }
        })
    })
}

fn capture(ctx: &WorkflowCtx, id: u32) -> Result<u64> {
    let now = u64::from(ctx.now() > Timestamp::from_millis(0));
    let drawn: u64 = ctx.random();
    let read = ctx.side_effect(format!("e{id}"), || id)?;
    // Another one each time, if it were not for the record.
    let way = ctx.switch(format!("w{id}"), rand::random::<u64>() % 3)?;
    let is_patched = ctx.patched(format!("p{id}"));
    ctx.deprecate_patch(format!("q{id}"));
    ctx.note("noted");
    ctx.add_tag(format!("t{}", id % 3));
    ctx.set_event("last", &id)?;
    let all = [drawn, u64::from(read), way, u64::from(is_patched)];
    Ok(all.into_iter().fold(now, fold))
}
