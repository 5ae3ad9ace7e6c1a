//! Why an executor ends an upgrade without, or against, the new version: one code and one sentence.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal @ $stage:ident),* $(,)?) => {
        /// Every code that an executor, or the upload check of a control plane, may report.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum RefusalCode { $($(#[$doc])* $variant),* }

        impl RefusalCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The stage whose check this code belongs to.
            #[must_use]
            pub fn stage(self) -> crate::Stage {
                match self { $(Self::$variant => crate::Stage::$stage),* }
            }
        }
    };
}

codes! {
    /// The spec cannot be read or contradicts itself.
    InvalidSpec = "invalid_spec" @ Preflight,
    /// The spec is for another kind of executor, or the signed comment is.
    WrongKind = "wrong_kind" @ Verify,
    /// `fromVersion` is not what runs here.
    UnexpectedState = "unexpected_state" @ Preflight,
    /// `expiresAt` has passed.
    StaleSpec = "stale_spec" @ Preflight,
    /// Below the highest floor ever committed or built in.
    BelowFloor = "below_floor" @ Preflight,
    /// A lower version that is not marked `downgrade`.
    DowngradeNotMarked = "downgrade_not_marked" @ Preflight,
    /// More than one major version away.
    UnreachableMajor = "unreachable_major" @ Preflight,
    /// Plain http to a host that is not loopback and not allowed, redirects included.
    InsecureUrl = "insecure_url" @ Download,
    /// The space or the inodes do not suffice.
    DiskFull = "disk_full" @ Preflight,
    /// The units that would roll a bad release back are not installed.
    UnitsMissing = "units_missing" @ Preflight,
    /// The artifact could not be fetched while the spec was valid.
    DownloadFailed = "download_failed" @ Download,
    /// More or fewer bytes than the spec says.
    SizeMismatch = "size_mismatch" @ Download,
    /// Other bytes than the spec says.
    Sha256Mismatch = "sha256_mismatch" @ Verify,
    /// Unparsable or larger than 16 KiB.
    SignatureMalformed = "signature_malformed" @ Verify,
    /// The old minisign format without prehashing.
    SignatureLegacy = "signature_legacy" @ Verify,
    /// Signed by a key that is not baked in.
    UntrustedKey = "untrusted_key" @ Verify,
    /// The signature does not belong to these bytes and this comment.
    SignatureMismatch = "signature_mismatch" @ Verify,
    /// A trusted comment without `kind`, `version` or `target`, or with one of them twice.
    SignatureIncomplete = "signature_incomplete" @ Verify,
    /// The signed version is not the one asked for.
    WrongVersion = "wrong_version" @ Verify,
    /// The signed target is not this host's.
    WrongTarget = "wrong_target" @ Verify,
    /// The new binary does not run here or does not print the signed version.
    ExecPreflight = "exec_preflight" @ Verify,
    /// The host itself failed: a file could not be written, a unit not started.
    HostFailure = "host_failure" @ Swap,
    /// The new version crashed or ended again and again.
    CrashLoop = "crash_loop" @ CheckHealth,
    /// The new version never had a sync accepted although the control plane was reachable.
    NeverSynced = "never_synced" @ CheckHealth,
    /// The new version had a sync accepted but never stayed up for the health window.
    Unstable = "unstable" @ CheckHealth,
    /// Nobody completed the upgrade, a person asked for the old version.
    RollbackRequested = "rollback_requested" @ CheckHealth,
    /// A sysadmin rolled back on the host.
    RolledBackByHand = "rolled_back_by_hand" @ CheckHealth,
    /// Too late to drop: the new binary is already in place.
    TooLate = "too_late" @ Swap,
}

impl Serialize for RefusalCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RefusalCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::ALL.iter().copied().find(|code| code.as_str() == word).ok_or_else(|| {
            serde::de::Error::custom(format_args!("expected a code of the protocol, found `{word}`"))
        })
    }
}

impl std::fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A code and the sentence that says what was expected and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code, for machines.
    pub code: RefusalCode,
    /// The sentence, for people.
    pub message: String,
}

impl Refusal {
    /// Puts a code and its sentence together.
    pub fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_the_wire() {
        for &code in RefusalCode::ALL {
            let text = serde_json::to_string(&code).unwrap();
            assert_eq!(serde_json::from_str::<RefusalCode>(&text).unwrap(), code);
        }
        assert!(serde_json::from_str::<RefusalCode>("\"no_such_code\"").is_err());
    }
}
