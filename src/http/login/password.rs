//! Stored passwords.

use std::{fmt, sync::LazyLock};

use password_auth::{VerifyError, generate_hash, is_hash_obsolete, verify_password};
use sha2::{Digest, Sha256};

/// What is stored of a password: a salted Argon2 hash as
/// [PHC text](https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md), such as
/// `$argon2id$v=19$m=19456,t=2,p=1$…$…`.
///
/// # Examples
///
/// ```
/// use axum_durable::PasswordHash;
///
/// # fn main() -> Result<(), axum_durable::InvalidPasswordHash> {
/// // Once, for the configuration:
/// let stored = PasswordHash::of("correct horse battery staple").to_string();
/// // At each start of the app:
/// let hash = PasswordHash::parse(stored)?;
/// # drop(hash);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The hash of a password under a new salt. It takes some 20 ms of a processor.
    #[must_use]
    pub fn of(password: &str) -> Self {
        Self(generate_hash(password))
    }

    /// A hash as it was stored.
    ///
    /// # Errors
    ///
    /// [`InvalidPasswordHash`] if it is no Argon2 hash in PHC form, such as a password itself.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidPasswordHash> {
        let text = text.into();
        match is_hash_obsolete(&text) {
            Ok(_) => Ok(Self(text)),
            Err(_) => Err(InvalidPasswordHash),
        }
    }

    /// Whether it is the password's. Takes as long whichever it is.
    pub(super) fn is_of(&self, password: &str) -> bool {
        match verify_password(password, &self.0) {
            Ok(()) => true,
            Err(VerifyError::PasswordInvalid | VerifyError::Parse(_)) => false,
        }
    }

    /// Tells this hash from a later one of the same user, and nothing about the password.
    pub(super) fn stamp(&self) -> String {
        let digest = Sha256::digest(self.0.as_bytes());
        digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// What an unknown user's password is compared with, so that it takes as long as another one.
    pub(super) fn nobody() -> Self {
        static NOBODY: LazyLock<PasswordHash> =
            LazyLock::new(|| PasswordHash::of(&uuid::Uuid::new_v4().to_string()));
        NOBODY.clone()
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// The text is no Argon2 hash in PHC form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no Argon2 hash in PHC form (`$argon2id$…`); `PasswordHash::of` makes one")]
#[non_exhaustive]
pub struct InvalidPasswordHash;
