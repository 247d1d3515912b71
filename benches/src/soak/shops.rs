//! The instances of the shop.

use std::{path::Path, process::Stdio, sync::Arc};

use parking_lot::RwLock;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::report::Failed;

/// Where the shops are reached; none for one that is dead.
pub(super) type Addresses = Arc<Vec<RwLock<Option<String>>>>;

/// The instances of the shop.
pub(super) struct Shops<'a> {
    program: &'a Path,
    database_url: &'a str,
    children: Vec<Option<Child>>,
    pub(super) addresses: Addresses,
}

impl<'a> Shops<'a> {
    pub(super) async fn open(
        program: &'a Path,
        database_url: &'a str,
        size: usize,
    ) -> Result<Self, Failed> {
        let mut shops = Self {
            program,
            database_url,
            children: (0..size).map(|_| None).collect(),
            addresses: Arc::new((0..size).map(|_| RwLock::default()).collect()),
        };
        for number in 0..size {
            shops.start(number).await?;
        }
        Ok(shops)
    }

    pub(super) async fn start(&mut self, number: usize) -> Result<(), Failed> {
        let mut child = Command::new(self.program)
            .env("DATABASE_URL", self.database_url)
            .env("PORT", "0")
            .env("RUST_LOG", "info,axum_durable=error,sea_orm_migration=warn")
            .env("NO_COLOR", "1")
            .env("CHECKOUT_SETTLE_MS", "100")
            // Each order leaves a run that waits for days. Soon as many leave memory as come, so
            // that what grows then is a leak.
            .env("DURABLE_EVICT_AFTER", "20s")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or("the shop has no output")?;
        let mut lines = BufReader::new(output).lines();
        let url = loop {
            let line = lines.next_line().await?;
            let line = line.ok_or("the shop does not open")?;
            if let Some((_, url)) = line.split_once("the shop is open at ") {
                break url.trim().to_owned();
            }
        };
        // Somebody must read the rest, or the shop would wait for it.
        crate::soak::drive::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if line.contains("ERROR") {
                    drop(crate::report::say(&line));
                }
            }
        });
        if let Some(address) = self.addresses.get(number) {
            *address.write() = Some(url);
        }
        if let Some(place) = self.children.get_mut(number) {
            *place = Some(child);
        }
        Ok(())
    }

    /// `kill -9`.
    pub(super) async fn kill(&mut self, number: usize) -> Result<(), Failed> {
        if let Some(address) = self.addresses.get(number) {
            *address.write() = None;
        }
        if let Some(mut child) = self.children.get_mut(number).and_then(Option::take) {
            child.kill().await?;
        }
        Ok(())
    }

    /// The resident memory of an instance, in MiB; 0 where the system does not tell.
    pub(super) fn memory(&self, number: usize) -> f64 {
        let child = self.children.get(number).and_then(Option::as_ref);
        let id = child.and_then(Child::id).unwrap_or_default();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        kib.unwrap_or_default() / 1024.0
    }
}
