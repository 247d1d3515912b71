//! Functions that cannot be workflows or steps.

#![allow(unused)]

use axum_durable::prelude::*;

#[workflow]
fn not_async(ctx: &WorkflowCtx) -> Result<()> {
    Ok(())
}

#[workflow]
async fn no_context(order: String) -> Result<()> {
    Ok(())
}

#[workflow]
async fn no_arguments() -> Result<()> {
    Ok(())
}

#[workflow]
async fn owned_context(ctx: WorkflowCtx) -> Result<()> {
    Ok(())
}

#[workflow]
async fn generic<T>(ctx: &WorkflowCtx, input: T) -> Result<()> {
    Ok(())
}

#[workflow]
async fn hidden_generic(ctx: &WorkflowCtx, input: impl ToString) -> Result<()> {
    Ok(())
}

#[workflow]
async fn two_inputs(ctx: &WorkflowCtx, one: String, two: String) -> Result<()> {
    Ok(())
}

#[workflow]
async fn borrowed_input(ctx: &WorkflowCtx, order: &str) -> Result<()> {
    Ok(())
}

#[workflow]
async fn no_result(ctx: &WorkflowCtx) {}

#[workflow]
async fn step_context(ctx: &WorkflowCtx, step: StepCtx) -> Result<()> {
    Ok(())
}

struct Shop;

impl Shop {
    #[workflow]
    async fn method(&self, ctx: &WorkflowCtx) -> Result<()> {
        Ok(())
    }
}

#[workflow]
struct NotAFunction;

#[step]
async fn with_operations(ctx: &WorkflowCtx) -> Result<(), StepError> {
    Ok(())
}

#[step]
fn step_not_async() -> Result<(), StepError> {
    Ok(())
}

fn main() {}
