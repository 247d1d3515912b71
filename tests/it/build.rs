//! What an engine refuses to be built from.

use axum_durable::{
    MemoryStore,
    durable::{BuildError, DurableBuilder},
    engine::EngineConfig,
    prelude::*,
    registry::RegistryError,
    workflow::StateNeed,
};

fn double(version: u32) -> Workflow<u32, u32> {
    Workflow::new("double", version, |_ctx, n| {
        Box::pin(async move { Ok(n * 2) })
    })
}

fn shout() -> Step<String, String> {
    Step::new("shout", |text: String, _states, _step| {
        Box::pin(async move { Ok(text.to_uppercase()) })
    })
}

fn builder() -> DurableBuilder {
    Durable::builder()
        .store(MemoryStore::new())
        .only_registered()
}

async fn refused(builder: DurableBuilder) -> BuildError {
    builder.build().await.unwrap_err()
}

#[tokio::test]
async fn two_workflows_of_one_name_need_different_versions() {
    let error = refused(builder().register(double(1)).register(double(1))).await;
    assert!(
        error.to_string().contains("`double@1` is defined twice"),
        "{error}"
    );
    let durable = builder()
        .register(double(1))
        .register(double(2))
        .build()
        .await
        .unwrap();
    assert_eq!(
        durable
            .start(double(2), 4)
            .await
            .unwrap()
            .result()
            .await
            .unwrap(),
        8
    );
    durable.shutdown().await;
}

#[tokio::test]
async fn two_steps_need_different_names() {
    let error = refused(builder().register(shout).register(shout)).await;
    let expected = matches!(
        error,
        BuildError::Registry(RegistryError::DuplicateStep { ref name }) if &**name == "shout"
    );
    assert!(expected, "{error}");
}

#[tokio::test]
async fn a_state_that_was_not_provided_is_named() {
    static NEEDS: &[StateNeed] = &[StateNeed::of::<String>()];
    let needy = || double(1).with_needs(NEEDS);
    let error = refused(builder().register(needy())).await;
    let text = error.to_string();
    assert!(
        text.contains("workflow `double@1`") && text.contains("String"),
        "{text}"
    );
    let durable = builder()
        .register(needy())
        .provide("here".to_owned())
        .build()
        .await
        .unwrap();
    durable.shutdown().await;
}

#[tokio::test]
async fn settings_that_contradict_each_other_are_refused() {
    assert!(matches!(
        refused(Durable::builder()).await,
        BuildError::NoStore
    ));
    let none = refused(builder().max_resident_runs(0)).await;
    assert!(none.to_string().contains("drive(false)"), "{none}");
    let mut config = EngineConfig::default();
    config.journal_batch = 0;
    let empty = refused(builder().config(config)).await;
    assert!(empty.to_string().contains("journal_batch"), "{empty}");
}

#[tokio::test]
async fn a_workflow_that_is_not_registered_is_refused_with_what_there_is() {
    let durable = builder().register(double(1)).build().await.unwrap();
    let error = durable.start(double(3), 1).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "no workflow `double` at version 3; this process registers double@1"
    );
    durable.shutdown().await;
}
