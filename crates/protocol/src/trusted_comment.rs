//! The signed trusted comment: what a release says about itself, under the signature.

use semver::Version;

use crate::refusal::{Refusal, RefusalCode};
use crate::spec::Kind;

/// The fields of a trusted comment that the protocol knows; all others are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedComment {
    /// `kind:`, a word of [`Kind`].
    pub kind: String,
    /// `version:`, without build metadata.
    pub version: Version,
    /// `target:`, a Rust target triple.
    pub target: String,
    /// `floor:`, the lowest version that may follow this one.
    pub floor: Option<Version>,
}

impl TrustedComment {
    /// Reads whitespace-separated `key:value` fields.
    ///
    /// # Errors
    /// `signature_incomplete` when one of `kind`, `version`, `target` is missing, any known one stands twice, or
    /// one of their values cannot be read.
    pub fn parse(comment: &str) -> Result<Self, Refusal> {
        let field = |key: &str| -> Result<Option<&str>, Refusal> {
            let mut values = comment
                .split_whitespace()
                .filter_map(|token| token.split_once(':'))
                .filter_map(|(name, value)| (name == key).then_some(value));
            let first = values.next();
            match values.next() {
                Some(_) => {
                    Err(incomplete(format!("the trusted comment must name `{key}:` once, it does so twice")))
                }
                None => Ok(first.filter(|value| !value.is_empty())),
            }
        };
        let needed = |key: &str| -> Result<&str, Refusal> {
            field(key)?
                .ok_or_else(|| incomplete(format!("the trusted comment must name `{key}:`, it does not")))
        };
        // Both are told to people, and two targets that look the same must be the same.
        let word = |key: &str| -> Result<String, Refusal> {
            let text = needed(key)?;
            match text.bytes().all(|byte| byte.is_ascii_graphic()) {
                true => Ok(text.to_owned()),
                false => Err(incomplete(format!(
                    "`{key}:` of the trusted comment must be a word of printable ASCII, it is not"
                ))),
            }
        };
        let version = |key: &str, text: &str| -> Result<Version, Refusal> {
            plain_version(text).ok_or_else(|| {
                incomplete(format!("`{key}:` of the trusted comment must be a version like 1.2.3"))
            })
        };
        Ok(Self {
            kind: word("kind")?,
            version: version("version", needed("version")?)?,
            target: word("target")?,
            floor: field("floor")?.map(|text| version("floor", text)).transpose()?,
        })
    }

    /// The comment as `packaging/release.sh` writes it.
    #[must_use]
    pub fn render(&self) -> String {
        let mut comment = format!("kind:{} version:{} target:{}", self.kind, self.version, self.target);
        if let Some(floor) = &self.floor {
            comment.push_str(&format!(" floor:{floor}"));
        }
        comment
    }

    /// Compares the signed fields with what was asked for.
    ///
    /// # Errors
    /// `wrong_kind`, `wrong_version` or `wrong_target`, in this order.
    pub fn must_be(&self, kind: Kind, version: &Version, target: &str) -> Result<(), Refusal> {
        let same = |code, what: &str, expected: &str, signed: &str| {
            if expected == signed {
                return Ok(());
            }
            Err(Refusal::new(code, format!("expected {what} {expected}, the artifact is signed as {signed}")))
        };
        same(RefusalCode::WrongKind, "kind", kind.as_str(), &self.kind)?;
        same(RefusalCode::WrongVersion, "version", &version.to_string(), &self.version.to_string())?;
        same(RefusalCode::WrongTarget, "target", target, &self.target)
    }
}

/// A version the protocol accepts: strict semver without build metadata, because two builds of one version could
/// not be told apart by precedence.
#[must_use]
pub fn plain_version(text: &str) -> Option<Version> {
    Version::parse(text).ok().filter(|version| version.build.is_empty())
}

fn incomplete(message: String) -> Refusal {
    Refusal::new(RefusalCode::SignatureIncomplete, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: &str = "x86_64-unknown-linux-musl";

    fn code_of(comment: &str) -> Option<RefusalCode> {
        TrustedComment::parse(comment).err().map(|refusal| refusal.code)
    }

    #[test]
    fn fields_of_minisign_itself_and_unknown_ones_are_ignored() {
        let comment =
            format!("timestamp:1790000000\tfile:agent\thashed kind:agent version:1.2.3 target:{TARGET} x:y");
        let read = TrustedComment::parse(&comment).unwrap();
        assert_eq!(read.version, Version::new(1, 2, 3));
        assert_eq!(read.floor, None);
        assert_eq!(TrustedComment::parse(&read.render()).unwrap(), read);
    }

    #[test]
    fn a_missing_empty_repeated_or_unreadable_field_is_incomplete() {
        for comment in [
            "",
            "kind:agent version:1.2.3",
            "kind:agent version:1.2.3 target:",
            "kind:agent kind:agent version:1.2.3 target:t",
            "kind:agent version:1.2.3 version:1.2.4 target:t",
            "kind:agent version:01.2.3 target:t",
            "kind:agent version:1.2.3+evil target:t",
            "kind:agent version:1.2 target:t",
            "kind:agent version:1.2.3 target:t floor:x",
            "kind:agent version:1.2.3 target:t floor:1.0.0 floor:0.1.0",
            "kind:agent version:1.2.3 target:\u{1b}[2Jt",
            "kind:\u{202e}tnega version:1.2.3 target:t",
            "kind:agent version:1.2.3 target:х86_64",
        ] {
            assert_eq!(code_of(comment), Some(RefusalCode::SignatureIncomplete), "{comment}");
        }
    }

    #[test]
    fn what_was_signed_must_be_what_was_asked_for() {
        let comment = TrustedComment::parse(&format!("kind:agent version:1.2.3 target:{TARGET}")).unwrap();
        let asked = |kind, version: &str, target| {
            comment.must_be(kind, &version.parse().unwrap(), target).err().map(|refusal| refusal.code)
        };
        assert_eq!(asked(Kind::Agent, "1.2.3", TARGET), None);
        assert_eq!(asked(Kind::Operator, "1.2.3", TARGET), Some(RefusalCode::WrongKind));
        assert_eq!(asked(Kind::Agent, "1.2.4", TARGET), Some(RefusalCode::WrongVersion));
        assert_eq!(asked(Kind::Agent, "1.2.3", "aarch64-unknown-linux-musl"), Some(RefusalCode::WrongTarget));
    }
}
