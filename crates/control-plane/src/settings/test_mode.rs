//! What makes a control plane one for simulations: a clock that runs ahead, and a key that no agent trusts.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use novacula_protocol::signature::TrustedKeys;

use super::bad;
use crate::clock::{Clock, TestClock};

const SPEEDS: std::ops::RangeInclusive<u32> = 1..=10_000;

/// Nothing, unless it is one for simulations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestMode {
    /// By what it lives.
    pub clock: Option<TestClock>,
    /// The file of one more key whose releases are taken, and its text.
    pub key: Option<(PathBuf, String)>,
}

impl TestMode {
    /// Reads both. A control plane that others reach is none for simulations.
    pub(super) fn read(clock: Option<String>, key: Option<PathBuf>, listen: IpAddr) -> Result<Self, String> {
        let given = if clock.is_some() { "TEST_CLOCK (--test-clock)" } else { "TEST_KEY (--test-key)" };
        if (clock.is_some() || key.is_some()) && !listen.is_loopback() {
            return Err(format!(
                "{given} is for simulations on this very machine: LISTEN must be a loopback address such as \
                 127.0.0.1, found `{listen}`"
            ));
        }
        let clock = clock.map(|text| {
            test_clock(&text).ok_or_else(|| {
                let expected = "SPEED@TIMESTAMP such as 60@2026-11-21T00:00:00Z with a speed from 1 to 10000";
                bad("TEST_CLOCK", "--test-clock", expected, &text)
            })
        });
        let key = key.map(|file| read_key(&file).map(|text| (file, text)));
        Ok(Self { clock: clock.transpose()?, key: key.transpose()? })
    }

    /// The clock to live by.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock.map_or_else(Clock::of_the_system, Clock::of_a_simulation)
    }

    /// The keys to take releases by.
    ///
    /// # Errors
    /// One line: why the key is of no use.
    pub fn keys(&self, baked_in: TrustedKeys) -> Result<TrustedKeys, String> {
        let Some((file, text)) = &self.key else { return Ok(baked_in) };
        let name = file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(baked_in.and(TrustedKeys::from_texts([(name.as_str(), text.as_str())])?))
    }

    /// Says what is not as it would be, so that nobody takes it for a control plane of real hosts.
    pub fn warn(&self) {
        if let Some(TestClock { speed, since }) = self.clock {
            tracing::warn!(
                "FOR SIMULATIONS ONLY: the clock of this control plane goes {speed} times as fast since {since} \
                 (TEST_CLOCK)"
            );
        }
        if let Some((file, _)) = &self.key {
            tracing::warn!(
                "FOR SIMULATIONS ONLY: releases signed by the key in {} are taken (TEST_KEY); no agent will run them",
                file.display()
            );
        }
    }
}

fn test_clock(text: &str) -> Option<TestClock> {
    let (speed, since) = text.split_once('@')?;
    let speed = speed.parse().ok().filter(|speed| SPEEDS.contains(speed))?;
    Some(TestClock { speed, since: since.parse::<Timestamp>().ok()? })
}

fn read_key(file: &Path) -> Result<String, String> {
    let expected = |found: &str| {
        format!("TEST_KEY (--test-key) must be the file of a minisign public key, {} {found}", file.display())
    };
    let text = std::fs::read_to_string(file).map_err(|e| expected(&format!("cannot be read: {e}")))?;
    TrustedKeys::from_texts([("test", text.as_str())]).map_err(|_| expected("is none"))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::super::{ServeArgs, Settings};
    use super::*;

    const KEY: &str = "untrusted comment: minisign public key E7620F1842B4E81F\n\
                       RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n";

    fn read(clock: Option<&str>, key: Option<&Path>, listen: &str) -> Result<TestMode, String> {
        let args = ServeArgs {
            test_clock: clock.map(str::to_owned),
            test_key: key.map(Path::to_owned),
            listen: Some(listen.to_owned()),
            ..ServeArgs::default()
        };
        Settings::read(args).map(|settings| settings.test_mode)
    }

    #[test]
    fn a_clock_and_a_key_for_simulations_are_taken_on_loopback() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("simulated.pub");
        std::fs::write(&file, KEY).unwrap();
        for listen in ["127.0.0.1", "127.9.9.9", "::1"] {
            let mode = read(Some("60@2026-11-21T00:00:00Z"), Some(&file), listen).unwrap();
            assert_eq!(
                mode.clock,
                Some(TestClock { speed: 60, since: "2026-11-21T00:00:00Z".parse().unwrap() })
            );
            let before = TrustedKeys::from_texts([("ours", KEY)]).unwrap();
            assert_eq!(mode.keys(before).unwrap().names().collect::<Vec<_>>(), ["ours", "simulated"]);
        }
        assert_eq!(read(None, None, "0.0.0.0").unwrap(), TestMode::default());
    }

    #[test]
    fn nobody_else_can_reach_a_control_plane_for_simulations() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("simulated.pub");
        std::fs::write(&file, KEY).unwrap();
        for listen in ["0.0.0.0", "::", "10.0.0.1", "fe80::1"] {
            for (name, clock, key) in [
                ("TEST_CLOCK", Some("60@2026-11-21T00:00:00Z"), None),
                ("TEST_KEY", None, Some(file.as_path())),
            ] {
                let line = read(clock, key, listen).unwrap_err();
                assert!(line.contains(name) && line.contains("loopback") && line.contains(listen), "{line}");
                assert!(!line.contains('\n'), "{line}");
            }
        }
    }

    #[test]
    fn a_clock_or_key_that_is_none_is_told_in_one_line() {
        for text in
            ["", "60", "0@2026-11-21T00:00:00Z", "10001@2026-11-21T00:00:00Z", "2@noon", "1.5@now", "@"]
        {
            let line = read(Some(text), None, "127.0.0.1").unwrap_err();
            assert!(line.contains("TEST_CLOCK") && line.contains(&format!("`{text}`")), "{line}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("simulated.pub");
        assert!(read(None, Some(&file), "127.0.0.1").unwrap_err().contains("cannot be read"));
        std::fs::write(&file, "untrusted comment: x\nno key\n").unwrap();
        let line = read(None, Some(&file), "127.0.0.1").unwrap_err();
        assert!(line.contains("TEST_KEY") && line.contains("is none") && !line.contains('\n'), "{line}");
    }
}
