//! Requests as bytes: written once, then only patched where two of them differ.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::{Channel, LogLine, SYNC_PATH, SyncRequest, UpgradeReport};
use novacula_protocol::{LogLevel, Stage, Status};

use crate::command_line::{Asked, Change};
use crate::fleet::{Role, Sync};

// What stands where something is patched in: nothing else in a request looks like them.
const NUMBER: &str = "77777777";
const RACK: &str = "555555";
const VALUE: &str = "3333333333333";
const BYTES: u64 = 919_191_919;

/// So many hosts stand in a rack.
const IN_A_RACK: u32 = 40;
const SIZE: u64 = 999_999_999;

/// The stages of an upgrade up to where it could end.
const STAGES: [Stage; 7] = [
    Stage::ConfirmStart,
    Stage::Preflight,
    Stage::Download,
    Stage::Verify,
    Stage::Swap,
    Stage::Restart,
    Stage::CheckHealth,
];

/// All requests that are sent.
pub struct Requests {
    idle: Template,
    /// With a line of the log, at each of the stages.
    advancing: Vec<Template>,
    /// Without.
    moving: Vec<Template>,
    change: Change,
    at_a_stage: u32,
    /// Two runs never say the same: counted from the time of the start, faster than any executor could sync.
    base: u64,
}

struct Template {
    bytes: Vec<u8>,
    numbers: Vec<usize>,
    rack: usize,
    /// The value of the label.
    value: usize,
    /// In the line of the log.
    line: Option<usize>,
    /// Of the artifact.
    done: Option<usize>,
}

impl Requests {
    pub fn new(asked: &Asked) -> Result<Self> {
        let base = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        let at = |stage: Stage, says: bool| Template::new(asked, Some((stage, says)));
        Ok(Self {
            idle: Template::new(asked, None)?,
            advancing: STAGES.iter().map(|stage| at(*stage, true)).collect::<Result<_>>()?,
            moving: STAGES.iter().map(|stage| at(*stage, false)).collect::<Result<_>>()?,
            change: asked.change,
            at_a_stage: asked.at_a_stage,
            base,
        })
    }

    /// Writes the request of a sync over what `out` held.
    pub fn write(&self, sync: Sync, out: &mut Vec<u8>) {
        let stage = |count: u32| STAGES.len().min(count as usize) - 1;
        let (template, value) = match sync.role {
            Role::Idle => (&self.idle, 0),
            Role::Relabelled => (&self.idle, self.base + u64::from(sync.count)),
            Role::Advancing => (&self.advancing[stage(sync.count)], 0),
            Role::Upgrading => (&self.moving[stage(sync.count.div_ceil(self.at_a_stage))], 0),
        };
        out.clear();
        out.extend_from_slice(&template.bytes);
        for at in &template.numbers {
            digits(&mut out[*at..*at + NUMBER.len()], sync.number.into());
        }
        digits(&mut out[template.rack..template.rack + RACK.len()], (sync.number / IN_A_RACK).into());
        digits(&mut out[template.value..template.value + VALUE.len()], value);
        if let Some(at) = template.line {
            digits(&mut out[at..at + VALUE.len()], sync.count.into());
        }
        if let Some(at) = template.done {
            // The first of the nine digits stays, so that no number begins with a zero.
            digits(&mut out[at + 1..at + 9], u64::from(sync.count) * 1_000);
        }
    }

    /// What stands for the change that was said as the `count`th: the value of the label, or the number of the line.
    pub fn value(&self, count: u32) -> u64 {
        match self.change {
            Change::Label => self.base + u64::from(count),
            Change::Stage => count.into(),
        }
    }
}

impl Template {
    fn new(asked: &Asked, upgrade: Option<(Stage, bool)>) -> Result<Self> {
        let body = serde_json::to_vec(&said(upgrade)?)?;
        let host = asked.targets[0];
        // As the HTTP client of the agent writes it.
        let mut bytes = format!(
            "POST {SYNC_PATH} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer nva_{:056x}{NUMBER}\r\n\
             content-type: application/json\r\nuser-agent: novacula-agent/1.0.0\r\naccept: */*\r\n\
             content-length: {}\r\n\r\n",
            0x5e_ed,
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(&body);
        let only = |what: &str| {
            let places = places(&bytes, what);
            ensure!(places.len() == 1, "`{what}` must stand in a request once, it does {places:?}");
            Ok(places[0])
        };
        let values = places(&bytes, VALUE);
        Ok(Self {
            numbers: places(&bytes, NUMBER),
            rack: only(RACK)?,
            value: *values.first().context("a request has a value")?,
            line: values.get(1).copied(),
            done: upgrade.map(|_| only(&BYTES.to_string())).transpose()?,
            bytes,
        })
    }
}

fn said(upgrade: Option<(Stage, bool)>) -> Result<SyncRequest> {
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let started_at = "2026-11-01T08:00:00.123456789Z".parse()?;
    let line = LogLine {
        at: started_at,
        level: LogLevel::Info,
        message: format!("{VALUE}: every check of this host has passed, the next stage begins"),
    };
    Ok(SyncRequest {
        name: format!("executor-{NUMBER}"),
        kind: Kind::Agent,
        current_version: "1.0.0".parse()?,
        channel: Channel::Stable,
        target: "x86_64-unknown-linux-musl".to_owned(),
        labels: BTreeMap::from([
            label("env", "production"),
            label("rack", &format!("r{RACK}")),
            label("region", "eu-west-1"),
            label("said", VALUE),
        ]),
        boot_id: format!("0d9f6a1c-4b1e-4a57-9c3e-0000{NUMBER}"),
        started_at: Some(started_at),
        restarts: 0,
        held: None,
        upgrade: upgrade.map(|(stage, says)| UpgradeReport {
            upgrade_id: format!("019a0000-0000-7000-8000-0000{NUMBER}"),
            attempt: 1,
            stage,
            status: Status::Underway,
            bytes_done: BYTES,
            bytes_total: SIZE,
            error: None,
            log: if says { vec![line] } else { Vec::new() },
        }),
        preflight: Vec::new(),
        trusted_keys: Some(vec!["0123456789ABCDEF".to_owned(), "FEDCBA9876543210".to_owned()]),
    })
}

fn places(bytes: &[u8], what: &str) -> Vec<usize> {
    let what = what.as_bytes();
    bytes.windows(what.len()).enumerate().filter(|(_, found)| *found == what).map(|(at, _)| at).collect()
}

fn digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}
