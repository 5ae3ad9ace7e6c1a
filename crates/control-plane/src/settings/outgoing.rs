//! Where calls that go out may go, and what they are trusted by.

use std::path::PathBuf;

use clap::Args;

use super::truth;
use crate::outgoing::address::Leave;

/// As written.
#[derive(Args, Clone, Debug, Default)]
pub struct OutgoingArgs {
    /// Webhooks may be in private networks and on this machine [default: false]
    #[arg(long, env = "WEBHOOK_ALLOW_PRIVATE", value_name = "true|false")]
    pub webhook_allow_private: Option<String>,
    /// The certificates (PEM) that webhooks are trusted by [default: the usual ones]
    #[arg(long, env = "WEBHOOK_CA_FILE", value_name = "FILE")]
    pub webhook_ca_file: Option<PathBuf>,
    /// What the gates of fleet plans ask may be in private networks and on this machine [default: false]
    #[arg(long, env = "GATE_ALLOW_PRIVATE", value_name = "true|false")]
    pub gate_allow_private: Option<String>,
    /// The certificates (PEM) that it is trusted by [default: the usual ones]
    #[arg(long, env = "GATE_CA_FILE", value_name = "FILE")]
    pub gate_ca_file: Option<PathBuf>,
}

/// As read, for calls of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingSettings {
    /// Where they may go.
    pub leave: Leave,
    /// The name of the setting of what they are trusted by.
    pub ca_setting: &'static str,
    /// What they are trusted by, where the usual roots are not.
    pub ca_file: Option<PathBuf>,
}

/// Those of webhooks, and those of gates.
pub(super) fn read(args: OutgoingArgs) -> Result<(OutgoingSettings, OutgoingSettings), String> {
    let webhooks = OutgoingSettings {
        leave: Leave::of_webhooks(truth("WEBHOOK_ALLOW_PRIVATE", args.webhook_allow_private)?),
        ca_setting: "WEBHOOK_CA_FILE",
        ca_file: args.webhook_ca_file,
    };
    let gates = OutgoingSettings {
        leave: Leave::of_gates(truth("GATE_ALLOW_PRIVATE", args.gate_allow_private)?),
        ca_setting: "GATE_CA_FILE",
        ca_file: args.gate_ca_file,
    };
    Ok((webhooks, gates))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_kind_of_call_may_the_other_may_not_for_that() {
        let some = |value: &str| Some(value.to_owned());
        for (webhook, gate) in [(None, None), (some("true"), some("false")), (some("false"), some("true"))] {
            let (hooks_may, gates_may) = (webhook == some("true"), gate == some("true"));
            let args = OutgoingArgs {
                webhook_allow_private: webhook,
                gate_allow_private: gate,
                ..OutgoingArgs::default()
            };
            let (webhooks, gates) = read(args).unwrap();
            assert_eq!(webhooks.leave, Leave::of_webhooks(hooks_may));
            assert_eq!(gates.leave, Leave::of_gates(gates_may));
        }
        let wrong = OutgoingArgs { gate_allow_private: some("yes"), ..OutgoingArgs::default() };
        assert!(read(wrong).unwrap_err().contains("GATE_ALLOW_PRIVATE must be true or false, found `yes`"));
    }
}
