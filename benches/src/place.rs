//! Where runs are kept while they are measured.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use axum_durable::{MemoryStore, SqlStore, store::Store};

use sea_orm::{ConnectionTrait as _, Database};

use crate::report::Failed;

/// Where runs are kept while they are measured.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// In this process.
    Memory,
    /// In a SQLite file, which is made for the measurement and removed after it.
    Sqlite(PathBuf),
    /// At a server: in a schema of PostgreSQL, in a database of MySQL, made anew for each
    /// measurement and left behind.
    Server {
        /// Where the server is, with a database that exists.
        url: String,
        /// The schema or database.
        name: String,
    },
}

/// A text that names no store.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` names no store; write memory, sqlite:PATH, postgres://… or mysql://…")]
pub(crate) struct NoPlace(String);

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let unknown = || NoPlace(text.to_owned());
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
            "postgres" | "postgresql" | "mysql" | "mariadb" => {
                let (url, name) = text.split_once('#').unwrap_or((text, "durable_bench"));
                Ok(Self::Server {
                    url: url.to_owned(),
                    name: name.to_owned(),
                })
            }
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Sqlite(_) => "sqlite",
            Self::Server { url, .. } => url.split(':').next().unwrap_or_default(),
        })
    }
}

impl Place {
    /// Whether what is kept there is gone with the process.
    pub(crate) const fn is_volatile(&self) -> bool {
        matches!(self, Self::Memory)
    }

    /// Whether it is at a server.
    pub(crate) const fn is_server(&self) -> bool {
        matches!(self, Self::Server { .. })
    }

    /// Opens a new, empty store. Its files go with the returned value.
    pub(crate) async fn create(&self, purpose: &str) -> Result<(Arc<dyn Store>, Files), Failed> {
        let (place, files) = self.fresh(purpose).await?;
        Ok((place.open().await?, files))
    }

    /// A new, empty place. Its files go with the returned value.
    pub(crate) async fn fresh(&self, purpose: &str) -> Result<(Self, Files), Failed> {
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
            Self::Server { url, name } => {
                let name = format!("{name}_{}", purpose.replace('-', "_"));
                recreate(url, &name).await?;
                let url = url.clone();
                Self::Server { url, name }
            }
        };
        let files = Files(match &place {
            Self::Memory | Self::Server { .. } => None,
            Self::Sqlite(path) => Some(path.clone()),
        });
        Ok((place, files))
    }

    /// A place of the same kind with a database of its own, whose transactions the server counts
    /// apart. Only PostgreSQL counts so; elsewhere it is the same place.
    pub(crate) async fn apart(&self) -> Result<Self, Failed> {
        let Self::Server { url, name } = self else {
            return Ok(self.clone());
        };
        if !url.starts_with("postgres") {
            return Ok(self.clone());
        }
        let db = Database::connect(url).await?;
        for text in [
            format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            format!("CREATE DATABASE {name}"),
        ] {
            db.execute_unprepared(&text).await?;
        }
        db.close().await?;
        let (address, options) = url.split_once('?').unwrap_or((url, ""));
        let (server, _) = address
            .rsplit_once('/')
            .ok_or("the URL names no database")?;
        Ok(Self::Server {
            url: format!("{server}/{name}?{options}"),
            name: name.clone(),
        })
    }

    /// Itself as an argument that names it.
    pub(crate) fn spelled(&self) -> String {
        match self {
            Self::Memory => "memory".to_owned(),
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
            Self::Server { url, name } => format!("{url}#{name}"),
        }
    }

    /// Opens the store as it is, or an empty one.
    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>, Failed> {
        match self {
            Self::Memory => Ok(Arc::new(MemoryStore::new())),
            Self::Sqlite(path) => {
                let url = format!("sqlite://{}", path.display());
                Ok(Arc::new(SqlStore::connect(&url).await?))
            }
            Self::Server { url, name } if url.starts_with("postgres") => {
                let options = SqlStore::options().schema(name.as_str());
                Ok(Arc::new(options.connect(url).await?))
            }
            Self::Server { url, name } => {
                let (server, _) = url.rsplit_once('/').ok_or("the URL names no database")?;
                Ok(Arc::new(
                    SqlStore::connect(&format!("{server}/{name}")).await?,
                ))
            }
        }
    }
}

/// Makes an empty schema or database.
async fn recreate(url: &str, name: &str) -> Result<(), Failed> {
    let db = Database::connect(url).await?;
    let (kind, rest) = if url.starts_with("postgres") {
        ("SCHEMA", " CASCADE")
    } else {
        ("DATABASE", "")
    };
    db.execute_unprepared(&format!("DROP {kind} IF EXISTS {name}{rest}"))
        .await?;
    db.execute_unprepared(&format!("CREATE {kind} {name}"))
        .await?;
    db.close().await?;
    Ok(())
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
