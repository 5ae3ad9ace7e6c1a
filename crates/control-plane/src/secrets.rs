//! Keys and tokens: made here, known afterwards only by their hash.

use sha2::{Digest, Sha256};

/// A key or token as the store keeps it.
///
/// A plain SHA-256 is enough: the secret is 256 random bits, so there is nothing to guess that a slow hash such as
/// argon2 would protect, and every sync has to look one up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl SecretHash {
    /// The hash of a secret somebody presents.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }
}

/// The system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the system gave no random bytes: {0}")]
pub struct NoRandomness(getrandom::Error);

/// A new secret: `prefix`, then 256 random bits in hex.
///
/// # Errors
/// When the system has no randomness to give.
pub fn issue(prefix: &str) -> Result<String, NoRandomness> {
    Ok(format!("{prefix}{}", hex(&random::<32>()?)))
}

/// What makes two hashes of one password differ.
///
/// # Errors
/// When the system has no randomness to give.
pub fn salt() -> Result<[u8; 16], NoRandomness> {
    random()
}

/// A password for a first login: 100 random bits, in letters and digits that are not taken for one another.
///
/// # Errors
/// When the system has no randomness to give.
pub fn one_time_password() -> Result<String, NoRandomness> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let letters = random::<20>()?.map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    Ok(letters.chunks(5).map(String::from_iter).collect::<Vec<_>>().join("-"))
}

/// Random bytes, as they are.
///
/// # Errors
/// When the system has no randomness to give.
pub fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bits = [0_u8; N];
    #[expect(clippy::disallowed_methods, reason = "the one home of secrets")]
    getrandom::fill(&mut bits).map_err(NoRandomness)?;
    Ok(bits)
}

/// Lower-case hex, as hashes travel.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

/// The bytes that lower-case hex stands for.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibble = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_256_bits_and_is_never_issued_twice() {
        let (one, two) = (issue("nva_").unwrap(), issue("nva_").unwrap());
        assert_eq!(one.len(), "nva_".len() + 64);
        assert_ne!(one, two);
        assert_ne!(SecretHash::of(&one), SecretHash::of(&two));
    }

    #[test]
    fn a_one_time_password_can_be_read_out_and_is_taken_as_a_password() {
        let (one, two) = (one_time_password().unwrap(), one_time_password().unwrap());
        assert_ne!(one, two);
        assert_eq!((one.len(), one.matches('-').count()), (23, 3));
        assert_eq!(crate::people::password(&one), Ok(()));
        assert!(!one.contains(['0', 'o', 'l', '1']), "{one}");
    }

    #[test]
    fn hex_comes_back_as_it_went() {
        assert_eq!(unhex(&hex("über".as_bytes())).unwrap(), "über".as_bytes());
        assert_eq!(unhex("0"), None);
        assert_eq!(unhex("0G"), None);
    }
}
