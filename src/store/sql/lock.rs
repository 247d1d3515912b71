//! Liveness locks: one file per instance, locked as long as its process lives.
//!
//! The calls here touch a local directory for microseconds, at start and at take-over, and are
//! therefore not moved to another thread.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::id::InstanceId;

/// How often an instance tries to lock its own file, and how long it waits in between. A recoverer
/// of an earlier enrollment holds the lock for one transaction; longer than a second is somebody
/// else with the same id.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// Creates and locks the file of an instance. `None` if the file system has no locks; the lease
/// alone decides then.
pub(super) async fn take(folder: &Path, instance: &InstanceId) -> io::Result<Option<File>> {
    fs::create_dir_all(folder)?;
    let path = path(folder, instance);
    for _ in 0..TRIES {
        let file = File::create(&path)?;
        match file.try_lock() {
            // A recoverer of an earlier enrollment may have removed the file between the two
            // calls; a lock on a file without a name would tell nobody anything.
            Ok(()) if path.exists() => return Ok(Some(file)),
            Ok(()) | Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                return Ok(None);
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::WouldBlock,
        "another process holds the lock of this instance",
    ))
}

/// Takes the lock of an instance that has died. `None` if it lives, or if that cannot be told: a
/// file that has vanished or cannot be locked proves nothing, so the lease decides.
pub(super) fn take_over(folder: &Path, instance: &InstanceId) -> Option<File> {
    let file = File::open(path(folder, instance)).ok()?;
    file.try_lock().ok().map(|()| file)
}

/// Removes the file of an instance that is forgotten. One that stays is only litter.
pub(super) fn remove(folder: &Path, instance: &InstanceId) {
    if let Err(error) = fs::remove_file(path(folder, instance))
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "a lock file could not be removed");
    }
}

/// Ids are names of at most 191 bytes but may hold any character; a file name may not.
fn path(folder: &Path, instance: &InstanceId) -> PathBuf {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let mut name = String::new();
    for c in instance.as_str().chars() {
        if is_plain(c) {
            name.push(c);
        } else {
            name.push_str(&format!("%{:x}", u32::from(c)));
        }
    }
    // The longest file name on common file systems is 255 bytes; ids of that make are random at
    // the end, so the end is kept.
    let cut = name.len().saturating_sub(200);
    folder.join(&name[cut..])
}
