//! Whether the ledger of the shop agrees with what its customers ordered.

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};

use crate::report::Failed;

/// What there is of an article that was never sold before.
const FIRST_STOCK: i64 = 1_000_000;

/// What an order costs, in cents.
pub(super) const PRICE: i64 = 100;

/// The tables of the shop.
pub(super) struct Books {
    connection: DatabaseConnection,
    /// Orders and stock before the load, so that a database may be used again.
    orders_before: i64,
    stock_before: i64,
}

impl Books {
    pub(super) async fn open(url: &str) -> Result<Self, Failed> {
        let connection = Database::connect(url).await?;
        let mut books = Self {
            connection,
            orders_before: 0,
            stock_before: 0,
        };
        books.orders_before = books.number("SELECT count(*) FROM reservations").await?;
        let stock = books
            .number("SELECT count(*) FROM stock WHERE sku = 'mug'")
            .await?;
        books.stock_before = match stock {
            0 => FIRST_STOCK,
            _ => books.stock().await?,
        };
        Ok(books)
    }

    async fn stock(&self) -> Result<i64, Failed> {
        self.number("SELECT available FROM stock WHERE sku = 'mug'")
            .await
    }

    async fn number(&self, sql: &str) -> Result<i64, Failed> {
        let backend = self.connection.get_database_backend();
        let row = self
            .connection
            .query_one_raw(Statement::from_string(backend, sql))
            .await?;
        Ok(row.ok_or("no answer")?.try_get_by_index(0)?)
    }

    /// Orders and parcels that have not completed.
    pub(super) async fn open_orders(&self) -> Result<i64, Failed> {
        self.number(
            "SELECT count(*) FROM durable_runs WHERE workflow IN ('checkout', 'ship') \
                       AND status <> 'completed'",
        )
        .await
    }

    /// Effects that were begun more than once.
    pub(super) async fn repeated(&self) -> Result<i64, Failed> {
        self.number("SELECT count(*) FROM effects WHERE executions > 1")
            .await
    }

    /// Every line that does not agree with as many orders.
    pub(super) async fn errors(&self, orders: i64) -> Result<Vec<String>, Failed> {
        let all = self.orders_before + orders;
        let mut errors = Vec::new();
        for (what, sql, expected) in [
            // Of each order, and of its parcel.
            (
                "runs",
                "SELECT count(*) FROM durable_runs WHERE workflow IN ('checkout', 'ship')",
                2 * all,
            ),
            ("reservations", "SELECT count(*) FROM reservations", all),
            ("charges", "SELECT count(*) FROM charges", all),
            ("shipments", "SELECT count(*) FROM shipments", all),
            ("effects", "SELECT count(*) FROM effects", 5 * all),
            (
                "charges of another amount",
                "SELECT count(*) FROM charges WHERE total_cents <> 100",
                0,
            ),
            (
                "orders with other than five effects",
                "SELECT count(*) FROM (SELECT order_id FROM effects \
                 GROUP BY order_id HAVING count(*) <> 5) x",
                0,
            ),
        ] {
            let found = self.number(sql).await?;
            if found != expected {
                errors.push(format!("{what}: {found} and not {expected}"));
            }
        }
        let stock = self.stock().await?;
        let expected = self.stock_before - orders;
        if stock != expected {
            errors.push(format!("stock: {stock} and not {expected}"));
        }
        Ok(errors)
    }
}
