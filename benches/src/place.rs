//! Where runs are kept while they are measured.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use axum_durable::{MemoryStore, SqlStore, store::Store};

use crate::report::Failed;

/// Where runs are kept while they are measured.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// In this process.
    Memory,
    /// In a SQLite file, which is made for the measurement and removed after it.
    Sqlite(PathBuf),
}

/// A text that names no store of this build.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPlace {
    #[error(
        "this build has no {database}: it takes the feature `{feature}` of axum-durable, which \
         this release does not have yet; measure `memory` or `sqlite:PATH`"
    )]
    NotBuilt {
        database: &'static str,
        feature: &'static str,
    },
    #[error("`{0}` names no store; write memory, sqlite:PATH, postgres://… or mysql://…")]
    Unknown(String),
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let unknown = || NoPlace::Unknown(text.to_owned());
        let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
        match scheme {
            "memory" | "mem" if rest.is_empty() => Ok(Self::Memory),
            "sqlite" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() {
                    return Err(unknown());
                }
                Ok(Self::Sqlite(path.into()))
            }
            "postgres" | "postgresql" => Err(NoPlace::NotBuilt {
                database: "PostgreSQL",
                feature: "store-postgres",
            }),
            "mysql" | "mariadb" => Err(NoPlace::NotBuilt {
                database: "MySQL",
                feature: "store-mysql",
            }),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Sqlite(_) => "sqlite",
        })
    }
}

impl Place {
    /// Whether what is kept there is gone with the process.
    pub(crate) const fn is_volatile(&self) -> bool {
        matches!(self, Self::Memory)
    }

    /// Opens a new, empty store. Its files go with the returned value.
    pub(crate) async fn create(&self, purpose: &str) -> Result<(Arc<dyn Store>, Files), Failed> {
        let place = match self {
            Self::Memory => Self::Memory,
            Self::Sqlite(path) => {
                let path = with_suffix(path, &format!("-{purpose}"));
                if path.exists() {
                    let path = path.display();
                    return Err(format!(
                        "`{path}` exists; a measurement begins on an empty database: remove it"
                    )
                    .into());
                }
                Self::Sqlite(path)
            }
        };
        let store = place.open().await?;
        let files = Files(match place {
            Self::Memory => None,
            Self::Sqlite(path) => Some(path),
        });
        Ok((store, files))
    }

    /// Opens the store as it is, or an empty one.
    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>, Failed> {
        match self {
            Self::Memory => Ok(Arc::new(MemoryStore::new())),
            Self::Sqlite(path) => {
                let url = format!("sqlite://{}", path.display());
                Ok(Arc::new(SqlStore::connect(&url).await?))
            }
        }
    }
}

/// The files of a database made for a measurement, removed with this value.
#[derive(Debug)]
pub(crate) struct Files(Option<PathBuf>);

impl Files {
    /// The files of the database at `path`.
    pub(crate) const fn of(path: PathBuf) -> Self {
        Self(Some(path))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let Some(path) = &self.0 else {
            return;
        };
        // What was never made cannot be removed.
        for suffix in ["", "-wal", "-shm"] {
            drop(std::fs::remove_file(with_suffix(path, suffix)));
        }
        drop(std::fs::remove_dir_all(with_suffix(path, ".locks")));
    }
}

/// `path` with `suffix` after its name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
