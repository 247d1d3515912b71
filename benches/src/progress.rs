//! A line on the terminal that says how far it is.

use std::{
    io::{IsTerminal, Write},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Often enough to be alive, seldom enough to cost nothing.
const EVERY: Duration = Duration::from_millis(100);

/// A line on standard error, if that is a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: Option<Mutex<Instant>>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let is_shown = std::io::stderr().is_terminal();
        Self {
            shown: is_shown.then(|| Mutex::new(Instant::now())),
        }
    }

    /// No line, whatever standard error is.
    pub(crate) const fn silent() -> Self {
        Self { shown: None }
    }

    /// Shows how far `what` is, unless that was shown a moment ago.
    pub(crate) fn show(&self, what: &str, done: usize, of: usize) {
        let Some(shown) = &self.shown else {
            return;
        };
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.elapsed() < EVERY {
            return;
        }
        *shown = Instant::now();
        write(&format!("\r\x1b[K{what} {done}/{of}"));
    }

    /// Removes the line.
    pub(crate) fn clear(&self) {
        if self.shown.is_some() {
            write("\r\x1b[K");
        }
    }
}

/// A terminal that has gone does not stop the measurement.
fn write(text: &str) {
    let mut err = std::io::stderr().lock();
    drop(err.write_all(text.as_bytes()));
    drop(err.flush());
}
