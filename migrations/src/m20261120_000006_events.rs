//! Waits for events, events that are kept, and who has heard them.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` wants the signature of the trait"
)]

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager};

use crate::texts::Texts;

/// A fact is a hash of an event's name, of a path in its payload and of the value there, so that
/// payloads may be encrypted. A wait is found by its anchor, which is one of its facts, and an
/// event that is kept by any of its facts. `durable_heard` says which events a run has had; the
/// rows of run number 0, which no run has, say which were published at all.
///
/// | index | serves |
/// |---|---|
/// | `durable_listens_by_anchor` | an event looks for waits, the longest-waiting first |
/// | key of `durable_event_facts` | a new wait looks for events, the oldest first |
/// | `durable_event_facts_by_event` | an event that is forgotten takes its facts along |
/// | `durable_events_by_id` | what a run has heard is forgotten with the event |
/// | `durable_events_by_end`, `durable_heard_by_end` | what is forgotten next |
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: Texts = Texts {
    sqlite: include_str!("../sql/sqlite/events.sql"),
    postgres: include_str!("../sql/postgres/events.sql"),
    mysql: include_str!("../sql/mysql/events.sql"),
};

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        UP.run(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Texts::drop_tables(
            manager,
            &[
                "durable_listens",
                "durable_events",
                "durable_event_facts",
                "durable_heard",
            ],
        )
        .await
    }
}
