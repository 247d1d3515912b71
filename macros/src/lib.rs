//! The `#[workflow]`, `#[step]` and `#[entity]` attributes of `axum-durable`.
//!
//! Use them through `axum_durable`: what they write names that crate's types. What each file
//! does: `args` reads what the author wrote, `lints` refuses what would not replay, `rewrite`
//! spares authors some type annotations, `outline` records the body's shape, and `workflow`,
//! `step` and `entity` write the result.

mod args;
mod body;
mod emit;
mod entity;
mod lints;
mod outline;
mod problems;
mod rewrite;
mod signature;
mod source;
mod step;
mod workflow;

use proc_macro::TokenStream;

/// Turns an `async fn` into a function that returns its `Workflow` definition.
///
/// ```text
/// #[workflow(name = "checkout", version = 1, tags = ["payments"])]
/// async fn checkout(ctx: &WorkflowCtx, order: Order, State(cfg): State<Config>) -> Result<Receipt> { .. }
///
/// // becomes
/// fn checkout() -> Workflow<Order, Receipt> { .. }
/// ```
///
/// Visibility, docs and other attributes stay. Every process that links the function knows the
/// workflow; nothing needs to be registered.
///
/// # The attribute
///
/// | argument | meaning | default |
/// |---|---|---|
/// | `name` | the stored name, 1 to 191 bytes | the function's name |
/// | `version` | grows when the body changes in a way that recorded runs cannot replay; at least 1 | `1` |
/// | `tags` | texts that every run gets | none |
/// | `search_attributes` | the type that the search attributes of a run together are | any |
/// | `dead_letter` | the workflow that is started for a run that is given up as `dead` | the app's |
/// | `on_event` | the event, or a list of events, of which each starts a run with its payload as input | none |
/// | `debounce` | one run for the last event, once none has come for so long, such as `"5s"` | a run for each |
/// | `batch`, `within` | one run for up to so many events, or those of so long after the first; the input is a `Vec` | a run for each |
///
/// # The function
///
/// It is `async` and takes `&WorkflowCtx` first, then at most one input (`()` without one) and
/// any number of `State<T>`, which receive what was given to `Durable::builder().provide(..)`.
/// It returns a `Result` whose error is anything that is `Into<WorkflowError>`.
///
/// # The body
///
/// - What would not replay is refused where it is written: clocks, random numbers, sleeping,
///   spawning and the environment outside of step bodies, `select!` without `biased;`, and
///   operations inside step bodies. Only the body itself is seen, not what it calls.
/// - A final `Ok(..)` in a closure given to an operation needs no type annotation: its error is
///   `StepError`, unless another way out of the closure says otherwise.
/// - Its operations, branches, loops and joins are recorded as the workflow's `Outline`.
#[proc_macro_attribute]
pub fn workflow(attribute: TokenStream, item: TokenStream) -> TokenStream {
    workflow::expand(attribute.into(), &item.into()).into()
}

/// Turns an `impl` block into an `Entity`: state under a key, and operations on it.
///
/// ```text
/// #[entity(name = "cart")]
/// impl Cart {
///     #[on]
///     fn add(&mut self, item: Item) -> usize { .. }
/// }
///
/// // becomes
/// impl Cart {
///     fn add(&mut self, item: Item) -> usize { .. }
///     const ADD: EntityOp<Cart, Item, usize> = ..;
/// }
/// impl Entity for Cart { .. }
/// ```
///
/// The methods stay as they are, and other methods and items may stand beside them. Every process
/// that links the type knows the entity; nothing needs to be registered.
///
/// # The attribute
///
/// | argument | meaning | default |
/// |---|---|---|
/// | `name` | the stored name, at most 64 bytes, without `:` and `~` | the type's name in `snake_case` |
///
/// # The operations
///
/// A method with `#[on]` is an operation. `#[on(name = "put-in")]` gives it another stored name
/// than that of the method; the constant is called like the method.
///
/// It takes `&mut self`, or `&self` if it only reads, and at most one input (`()` without one). It
/// is no `async fn` and takes no context: what it returns follows from the state and the input, and
/// whatever else it does may happen again after a crash. What a `Result` holds is the answer; an
/// error, which is anything that is `Into<StepError>`, leaves the state as it was.
#[proc_macro_attribute]
pub fn entity(attribute: TokenStream, item: TokenStream) -> TokenStream {
    entity::expand(attribute.into(), &item.into()).into()
}

/// Turns an `async fn` into a function that returns its `Step` definition, which workers serve
/// and `ctx.remote` calls.
///
/// ```text
/// #[step(name = "payments.charge-card", retries = 3, backoff = "exp 200ms..10s", timeout = "30s")]
/// async fn charge_card(input: ChargeInput, State(stripe): State<Stripe>, step: StepCtx) -> Result<Charge, StepError> { .. }
///
/// // becomes
/// fn charge_card() -> Step<ChargeInput, Charge> { .. }
/// ```
///
/// Visibility, docs and other attributes stay. Every process that links the function can serve
/// the step; nothing needs to be registered.
///
/// # The attribute
///
/// | argument | meaning | default |
/// |---|---|---|
/// | `name` | the name on the wire, 1 to 191 bytes | the function's name |
/// | `retries` | attempts in all, at least 1 | `1` |
/// | `backoff` | the wait between attempts: `fixed 2s` or `exp 200ms..10s` | `exp 200ms..30s` |
/// | `timeout` | how long one attempt may take: a whole number with `ms`, `s`, `m`, `h`, `d` or `w` | no limit |
///
/// # The function
///
/// It is `async` and takes, in any order, at most one input (`()` without one), any number of
/// `State<T>` and at most one `StepCtx`. It returns a `Result` whose error is anything that is
/// `Into<StepError>`, so also any `std::error::Error`.
#[proc_macro_attribute]
pub fn step(attribute: TokenStream, item: TokenStream) -> TokenStream {
    step::expand(attribute.into(), &item.into()).into()
}
