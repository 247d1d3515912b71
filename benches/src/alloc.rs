//! How much memory the process uses.

use std::alloc::System;

use cap::Cap;

use crate::report::Failed;

/// The system's allocator, counted. It costs one atomic addition per allocation.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// Bytes on the heap and in main memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) heap: usize,
    pub(crate) resident: usize,
}

impl Memory {
    /// What the process uses now.
    pub(crate) fn now() -> Result<Self, Failed> {
        Ok(Self {
            heap: HEAP.allocated(),
            resident: resident()?,
        })
    }

    /// The growth since `before`, per one of `runs`.
    pub(crate) fn per_run(self, before: Self, runs: usize) -> (f64, f64) {
        let share = |now: usize, then: usize| (now as f64 - then as f64) / runs as f64;
        (
            share(self.heap, before.heap),
            share(self.resident, before.resident),
        )
    }
}

/// Resident bytes, where the kernel says so.
fn resident() -> Result<usize, Failed> {
    if !cfg!(target_os = "linux") {
        return Ok(0);
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: usize = kib.ok_or("no VmRSS in /proc/self/status")?.trim().parse()?;
    Ok(kib * 1024)
}
