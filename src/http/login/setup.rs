//! Who may sign in, as the host says it.

use std::{collections::BTreeMap, fmt, future::Future, sync::Arc, time::Duration};

use axum::http::{StatusCode, request::Parts};
use cookie::Key;
use tokio::sync::Semaphore;

use super::damper::Damper;
use super::password::PasswordHash;
use super::session::{Proof, Session};
use crate::durable::Durable;
use crate::http::access::Access;
use crate::http::problem::Problem;
use crate::time::Timestamp;
use crate::workflow::BoxFuture;

/// The shortest secret: as long as the signatures that it makes.
const SHORTEST_SECRET: usize = 32;

/// How long a session is good where nothing is said: a long day's work.
const DEFAULT_TTL: Duration = Duration::from_secs(12 * 60 * 60);

/// Passwords compared at once. Each takes 19 MiB and a processor: more would let whoever asks
/// slow the app down.
const AT_ONCE: usize = 2;

type Verify = Arc<dyn Fn(String, String) -> BoxFuture<'static, Option<Access>> + Send + Sync>;

/// A login of the router's own, for apps that have no sessions: names with passwords, and a signed
/// cookie. See [`DurableRouter::login`].
///
/// # Examples
///
/// ```
/// use axum_durable::{Access, DurableRouter, Login, PasswordHash};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let secret = [7; 32];
/// # let (ada, support) = (PasswordHash::of("a").to_string(), PasswordHash::of("b").to_string());
/// let login = Login::new(secret)?
///     .user("ada", PasswordHash::parse(ada)?, Access::full())
///     .user("support", PasswordHash::parse(support)?, Access::viewer().with_actions());
/// let durable = DurableRouter::new().login(login);
/// # drop(durable);
/// # Ok(())
/// # }
/// ```
///
/// [`DurableRouter::login`]: crate::http::DurableRouter::login
#[derive(Clone)]
#[must_use = "nobody can sign in before it is given to a router"]
pub struct Login {
    key: Key,
    ttl: Duration,
    users: BTreeMap<String, User>,
    verify: Option<Verify>,
    pub(super) damper: Arc<Damper>,
    at_once: Arc<Semaphore>,
}

#[derive(Clone)]
struct User {
    password: PasswordHash,
    access: Access,
}

impl Login {
    /// A login that signs its cookies with `secret`: 32 random bytes or more, the same for all
    /// instances and across restarts. Another secret ends all sessions.
    ///
    /// # Errors
    ///
    /// [`InvalidLoginSecret`] if it is shorter.
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, InvalidLoginSecret> {
        let secret = secret.as_ref();
        if secret.len() < SHORTEST_SECRET {
            return Err(InvalidLoginSecret);
        }
        Ok(Self {
            key: Key::derive_from(secret),
            ttl: DEFAULT_TTL,
            users: BTreeMap::new(),
            verify: None,
            damper: Arc::default(),
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    /// Lets `name` in with the password of this hash, for what `access` allows. A user who is
    /// removed, or has another password, is signed out with the next start of the app.
    pub fn user(mut self, name: impl Into<String>, password: PasswordHash, access: Access) -> Self {
        let name = name.into();
        let access = access.actor(name.clone());
        self.users.insert(name, User { password, access });
        self
    }

    /// Asks the host about names that no [`user`](Self::user) has, such as its own table of users:
    /// `None` refuses. What it allows then is good until the session ends.
    pub fn verify_with<F, Fut>(mut self, verify: F) -> Self
    where
        F: Fn(String, String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<Access>> + Send + 'static,
    {
        self.verify = Some(Arc::new(move |name, password| {
            Box::pin(verify(name, password))
        }));
        self
    }

    /// How long a session is good. Default: 12 hours. It is not prolonged.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    pub(super) const fn key(&self) -> &Key {
        &self.key
    }

    /// A session for whoever knows the password.
    pub(super) async fn sign_in(
        &self,
        name: String,
        password: String,
        now: Timestamp,
    ) -> Option<Session> {
        let by = match (self.users.get(&name), &self.verify) {
            (None, Some(verify)) => Proof::of_host(&verify(name.clone(), password).await?),
            (user, _) => {
                let nobody = PasswordHash::nobody;
                let hash = user.map_or_else(nobody, |user| user.password.clone());
                let stamp = hash.stamp();
                if !self.compare(hash, password).await || user.is_none() {
                    return None;
                }
                Proof::Password(stamp)
            }
        };
        let ttl = i64::try_from(self.ttl.as_millis()).unwrap_or(i64::MAX);
        let until = now.as_millis().saturating_add(ttl);
        Some(Session { name, until, by })
    }

    /// Beside the runtime: it takes tens of milliseconds.
    async fn compare(&self, hash: PasswordHash, password: String) -> bool {
        let Ok(_permit) = self.at_once.acquire().await else {
            return false;
        };
        let compared = tokio::task::spawn_blocking(move || hash.is_of(&password));
        compared.await.unwrap_or(false)
    }

    /// What whoever asks may do, by the session that the request carries.
    pub(in crate::http) fn admit(&self, parts: &Parts) -> Result<Access, Problem> {
        let Some(durable) = parts.extensions.get::<Durable>() else {
            return Err(Problem::internal());
        };
        let now = durable.engine().clock().now();
        let mut sessions = Session::all(&parts.headers, &self.key, now);
        sessions.find_map(|it| self.access(it)).ok_or_else(|| {
            let status = StatusCode::UNAUTHORIZED;
            let detail = "sign in first: `POST login` with a name and a password";
            Problem::new(status, "not-signed-in", "Not signed in", detail)
        })
    }

    fn access(&self, session: Session) -> Option<Access> {
        match (self.users.get(&session.name), session.by) {
            (Some(user), Proof::Password(stamp)) => {
                (user.password.stamp() == stamp).then(|| user.access.clone())
            }
            (
                None,
                Proof::Host {
                    payloads,
                    act,
                    administer,
                },
            ) if self.verify.is_some() => {
                let mut access = Access::viewer().actor(session.name);
                if payloads {
                    access = access.with_payloads();
                }
                if act {
                    access = access.with_actions();
                }
                Some(if administer {
                    access.with_administration()
                } else {
                    access
                })
            }
            _ => None,
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("users", &self.users.keys())
            .field("asks_host", &self.verify.is_some())
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}

/// The secret has less than 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret of a login takes 32 bytes or more")]
#[non_exhaustive]
pub struct InvalidLoginSecret;
