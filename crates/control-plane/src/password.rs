//! Passwords: kept as argon2id, checked slowly, and by few at a time, so that logins cannot eat the machine.

use std::sync::OnceLock;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc};
use tokio::sync::Semaphore;

use crate::problem::ApiError;
use crate::secrets;

/// Each takes 19 MiB and some tens of milliseconds of a processor.
const AT_ONCE: usize = 2;
/// More than this would wait for longer than anybody stays.
const IN_LINE: usize = 32;

/// Where passwords are hashed.
pub(crate) struct Passwords {
    at_work: Semaphore,
    in_line: Semaphore,
    /// What is checked where there is nothing to check, so that an unknown name takes as long as a wrong password.
    nobodys: OnceLock<String>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { at_work: Semaphore::new(AT_ONCE), in_line: Semaphore::new(IN_LINE), nobodys: OnceLock::new() }
    }
}

impl Passwords {
    /// What is kept of a password: its hash, with salt and cost.
    pub(crate) async fn hash(&self, password: String) -> Result<String, ApiError> {
        self.in_turn(move || hash(&password)).await?
    }

    /// Whether it is the password that was kept.
    pub(crate) async fn is_right(&self, password: String, kept: Option<String>) -> Result<bool, ApiError> {
        let (kept, is_somebodys) = match kept {
            Some(kept) => (kept, true),
            None => (self.nobodys().await?, false),
        };
        let fits = self
            .in_turn(move || Argon2::default().verify_password(password.as_bytes(), kept.as_str()).is_ok())
            .await?;
        Ok(fits && is_somebodys)
    }

    async fn nobodys(&self) -> Result<String, ApiError> {
        if let Some(kept) = self.nobodys.get() {
            return Ok(kept.clone());
        }
        let password = secrets::one_time_password().map_err(ApiError::internal)?;
        let kept = self.hash(password).await?;
        Ok(self.nobodys.get_or_init(|| kept).clone())
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let _place = self.in_line.try_acquire().map_err(|_| ApiError::too_many_attempts(5))?;
        let _turn = self.at_work.acquire().await.map_err(ApiError::internal)?;
        tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)
    }
}

fn hash(password: &str) -> Result<String, ApiError> {
    let salt = secrets::salt().map_err(ApiError::internal)?;
    let hash: phc::PasswordHash =
        Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).map_err(ApiError::internal)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_kept_as_argon2id_and_never_the_same_way_twice() {
        let passwords = Passwords::default();
        let right = "correct horse battery";
        let (one, two) = (
            passwords.hash(right.to_owned()).await.unwrap(),
            passwords.hash(right.to_owned()).await.unwrap(),
        );
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && !one.contains(right), "{one}");
        assert_ne!(one, two);
        for (password, kept, expected) in [
            (right, Some(one.clone()), true),
            (right, Some(two), true),
            ("correct horse batterx", Some(one.clone()), false),
            ("", Some(one), false),
            (right, None, false),
            (right, Some("not a hash".to_owned()), false),
        ] {
            assert_eq!(passwords.is_right(password.to_owned(), kept).await.unwrap(), expected, "{password}");
        }
    }

    #[tokio::test]
    async fn more_logins_than_can_wait_are_sent_away_at_once() {
        let passwords = Passwords::default();
        let tries = (0..IN_LINE + 10).map(|_| passwords.is_right("x".to_owned(), Some("x".to_owned())));
        let mut tries: Vec<_> = tries.map(Box::pin).collect();
        let _line = passwords.in_line.try_acquire_many(u32::try_from(IN_LINE).unwrap()).unwrap();
        for one in &mut tries {
            assert!(one.as_mut().await.is_err());
        }
    }
}
