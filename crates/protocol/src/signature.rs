//! Trust in bytes: the checks of a minisign signature that executor, control plane and novactl share, so that they
//! can never disagree.

use minisign_verify::{Error, PublicKey, Signature, StreamVerifier};

use crate::refusal::{Refusal, RefusalCode};
use crate::trusted_comment::TrustedComment;

/// The largest signature text that is looked at, in bytes.
pub const MAX_SIGNATURE_BYTES: usize = 16 * 1024;

const BAKED_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/baked_keys.rs"));

/// The most keys that an executor says it trusts.
pub const MAX_TRUSTED_KEYS: usize = 16;

/// The public keys whose signatures count.
#[derive(Clone, Debug)]
pub struct TrustedKeys(Vec<Key>);

#[derive(Clone, Debug)]
struct Key {
    name: String,
    id: String,
    public: PublicKey,
}

impl TrustedKeys {
    /// The keys of `keys/*.pub` (or `NOVACULA_KEYS_DIR`) at build time. There is no way to add one at run time.
    ///
    /// # Errors
    /// Names the baked-in file that is not a minisign public key.
    pub fn baked_in() -> Result<Self, String> {
        Self::from_texts(BAKED_IN.iter().copied())
    }

    /// Keys from the texts of `.pub` files, each with its name.
    ///
    /// # Errors
    /// Names the first text that is not a minisign public key.
    pub fn from_texts<'a>(keys: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        keys.into_iter()
            .map(|(name, text)| {
                PublicKey::decode(text.trim_end())
                    .map(|public| Key { name: name.to_owned(), id: key_id(text).unwrap_or_default(), public })
                    .map_err(|e| format!("key `{name}` must be a minisign public key: {e}"))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// These and those: for what hears both, such as a control plane that a simulation runs on. No host does.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// The name of the key that says it made this signature, if it is one of these.
    #[must_use]
    pub fn signer(&self, signature: &ReleaseSignature) -> Option<&str> {
        self.0.iter().find(|key| key.public.verify_stream(&signature.0).is_ok()).map(|key| key.name.as_str())
    }

    /// The names of the keys, as their files are called.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.name.as_str())
    }

    /// The name of the key with this id, if it is one of these.
    #[must_use]
    pub fn name_of(&self, id: &str) -> Option<&str> {
        self.0.iter().find(|key| key.id == id).map(|key| key.name.as_str())
    }

    /// The ids of the keys, as [`key_id`] gives them.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.id.as_str())
    }
}

/// The id of the key in the text of a `.pub` file, or of the key that made the signature in the text of a `.minisig`
/// file: 16 upper-case hex digits, as minisign prints it. In both it follows two bytes that name the algorithm.
#[must_use]
pub fn key_id(text: &str) -> Option<String> {
    let line = text.lines().nth(1)?.as_bytes();
    let bits = line.get(..14)?.iter().try_fold(0, |bits, letter| Some(bits << 6 | sextet(*letter)?))?;
    let id = u64::try_from((bits >> 4) & u128::from(u64::MAX)).ok()?;
    Some(format!("{:016X}", id.swap_bytes()))
}

/// The six bits of a letter of Base64.
fn sextet(letter: u8) -> Option<u128> {
    let bits = match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(bits.into())
}

/// A signature whose form is right; says nothing yet about any bytes.
pub struct ReleaseSignature(Signature);

impl ReleaseSignature {
    /// Reads the whole text of a `.minisig` file.
    ///
    /// # Errors
    /// `signature_malformed` for anything that is not exactly four clean lines of minisign's format.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let malformed = |found: &str| {
            Refusal::new(
                RefusalCode::SignatureMalformed,
                format!("the signature must be the text of a .minisig file, {found}"),
            )
        };
        if text.len() > MAX_SIGNATURE_BYTES {
            return Err(malformed(&format!(
                "it has {} bytes, at most {MAX_SIGNATURE_BYTES} are read",
                text.len()
            )));
        }
        if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            return Err(malformed("it has control characters"));
        }
        let lines = text.trim_end_matches('\n').split('\n').count();
        if lines != 4 {
            return Err(malformed(&format!("it has {lines} lines instead of 4")));
        }
        Signature::decode(text).map(Self).map_err(|_| malformed("it cannot be decoded"))
    }

    /// What its trusted comment says. It counts only for bytes that were verified.
    ///
    /// # Errors
    /// `signature_incomplete` when the comment lacks a field.
    pub fn comment(&self) -> Result<TrustedComment, Refusal> {
        TrustedComment::parse(self.0.trusted_comment())
    }

    /// Starts the check of a stream of bytes against the key that made this signature.
    ///
    /// # Errors
    /// `untrusted_key` when none of `keys` made it, `signature_legacy` when it is not prehashed.
    pub fn verifier<'a>(&'a self, keys: &'a TrustedKeys) -> Result<Verifier<'a>, Refusal> {
        for key in &keys.0 {
            match key.public.verify_stream(&self.0) {
                Ok(stream) => return Ok(Verifier { stream, signature: &self.0 }),
                Err(Error::UnsupportedLegacyMode) => {
                    return Err(Refusal::new(
                        RefusalCode::SignatureLegacy,
                        "the signature must be prehashed (minisign's default, `ED`), it is a legacy one (`Ed`)",
                    ));
                }
                Err(_) => {}
            }
        }
        let names: Vec<_> = keys.names().collect();
        let trusted = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Err(Refusal::new(
            RefusalCode::UntrustedKey,
            format!(
                "the signature must be made by a key built into this program ({trusted}), it is by another one"
            ),
        ))
    }
}

/// Bytes go in; the trusted comment comes out if the signature covers exactly these bytes.
#[derive(Clone)]
pub struct Verifier<'a> {
    stream: StreamVerifier<'a>,
    signature: &'a Signature,
}

impl Verifier<'_> {
    /// Takes the next bytes of the artifact.
    pub fn update(&mut self, bytes: &[u8]) {
        self.stream.update(bytes);
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// `signature_mismatch` when bytes or comment are not what was signed, `signature_incomplete` when the signed
    /// comment lacks a field.
    pub fn finish(mut self) -> Result<TrustedComment, Refusal> {
        self.stream.finalize().map_err(|_| {
            Refusal::new(
                RefusalCode::SignatureMismatch,
                "the signature must cover this artifact and its trusted comment, it does not",
            )
        })?;
        TrustedComment::parse(self.signature.trusted_comment())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the page of minisign: a key, and a signature that it made.
    const KEY: &str = "untrusted comment: minisign public key E7620F1842B4E81F
RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    const SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1633700835\tfile:test\tprehashed
wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==
";

    #[test]
    fn a_key_and_what_it_signed_have_the_id_that_minisign_prints() {
        assert_eq!(key_id(KEY).as_deref(), Some("E7620F1842B4E81F"));
        assert_eq!(key_id(SIGNATURE).as_deref(), Some("E7620F1842B4E81F"));
        let keys = TrustedKeys::from_texts([("a", KEY)]).unwrap();
        assert_eq!(keys.ids().collect::<Vec<_>>(), ["E7620F1842B4E81F"]);
        for none in
            ["", "RWQf6LRCGA9i53mlYecO4IzT", "\nRWQf6LRCGA9i5", "\nRWQf6LRCGA9i5é", "\n RWQf6LRCGA9i5"]
        {
            assert_eq!(key_id(none), None, "{none:?}");
        }
    }
}
