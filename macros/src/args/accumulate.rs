//! How `#[workflow(on_event = ..)]` makes one run of many events.

use syn::{Expr, Result};

use super::settings::Settings;
use super::values::{error, length, whole};
use crate::problems::Problems;

/// The most events of a batch, as in the library.
const MOST_EVENTS: u32 = 1_000;

/// How events become fewer runs.
pub(crate) enum Accumulate {
    /// The last one, after so many milliseconds without any.
    Debounce(u64),
    /// So many, or those of so many milliseconds.
    Batch(u32, u64),
}

impl Accumulate {
    /// What `debounce`, `batch` and `within` say together.
    pub(super) fn read(settings: &mut Settings, problems: &mut Problems) -> Option<Self> {
        let has = |key: &str| settings.key(key);
        let pairs = [
            (
                "debounce",
                has("on_event").is_some(),
                "needs `on_event`, which names the events",
            ),
            (
                "batch",
                has("on_event").is_some(),
                "needs `on_event`, which names the events",
            ),
            (
                "batch",
                has("within").is_some(),
                "needs `within`, such as `within = \"30s\"`",
            ),
            (
                "within",
                has("batch").is_some(),
                "needs `batch`, such as `batch = 100`",
            ),
            (
                "batch",
                has("debounce").is_none(),
                "excludes `debounce`; keep one of them",
            ),
        ];
        for (key, is_met, needs) in pairs {
            if let (Some(key_at), false) = (has(key), is_met) {
                problems.at(key_at, format!("`{key}` {needs}"));
            }
        }
        let quiet = settings.take("debounce", problems, length);
        let most = settings.take("batch", problems, batch_size);
        let within = settings.take("within", problems, length);
        match (quiet, most, within) {
            (Some(quiet), ..) => Some(Self::Debounce(quiet)),
            (None, Some(most), Some(within)) => Some(Self::Batch(most, within)),
            _ => None,
        }
    }
}

fn batch_size(value: &Expr) -> Result<u32> {
    let size = whole(value).filter(|number| (1..=MOST_EVENTS).contains(number));
    size.ok_or_else(|| error(value, "`batch` is the most events of a run, from 1 to 1000"))
}
