//! The app's tables, as migrations of its own beside those of `axum-durable`.

use sea_orm_migration::{prelude::*, schema, sea_orm::DbBackend};

/// The app's migrations.
pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateTables)]
    }

    fn migration_table_name() -> DynIden {
        "checkout_migrations".into_iden()
    }
}

struct CreateTables;

impl MigrationName for CreateTables {
    fn name(&self) -> &str {
        "m20261120_000001_tables"
    }
}

/// A table that is there once, however many processes make it. MySQL has no transaction around
/// the changes of a schema: what a crash leaves half done is taken up by the next process.
fn table(manager: &SchemaManager<'_>, name: &'static str) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(name).if_not_exists();
    if manager.get_database_backend() == DbBackend::MySql {
        // Keys differ where their bytes differ, as they do elsewhere.
        table.collate("utf8mb4_bin");
    }
    table
}

/// A table whose rows are found by the idempotency key of the step that wrote them.
fn keyed(manager: &SchemaManager<'_>, name: &'static str) -> TableCreateStatement {
    table(manager, name)
        .col(schema::string("idempotency_key").primary_key())
        .col(schema::string("order_id"))
        .to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for CreateTables {
    #[expect(
        elided_lifetimes_in_paths,
        reason = "async_trait takes a lifetime that is written out for another one"
    )]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let stock = table(manager, "stock")
            .col(schema::string("sku").primary_key())
            .col(schema::big_integer("available"))
            .to_owned();
        let reservations = keyed(manager, "reservations")
            .col(schema::string("sku"))
            .col(schema::big_integer("quantity"))
            .col(schema::boolean("is_released"))
            .to_owned();
        let charges = keyed(manager, "charges")
            .col(schema::big_integer("total_cents"))
            .to_owned();
        let shipments = keyed(manager, "shipments")
            .col(schema::string("label"))
            .to_owned();
        let effects = table(manager, "effects")
            .col(schema::big_pk_auto("position"))
            .col(schema::string_uniq("idempotency_key"))
            .col(schema::string("order_id"))
            .col(schema::string("effect"))
            .col(schema::big_integer("executions"))
            .to_owned();
        let orders = table(manager, "orders")
            .col(schema::string("id").primary_key())
            .col(schema::string("sku"))
            .col(schema::big_integer("total_cents"))
            .col(schema::big_integer("booked_cents"))
            .to_owned();
        for table in [stock, reservations, charges, shipments, effects, orders] {
            manager.create_table(table).await?;
        }
        if manager.has_index("effects", "effects_by_order").await? {
            return Ok(());
        }
        let by_order = Index::create()
            .name("effects_by_order")
            .table("effects")
            .col("order_id")
            .to_owned();
        manager.create_index(by_order).await
    }
}
