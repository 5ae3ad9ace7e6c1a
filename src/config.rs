//! `agent.toml`: read once at start, judged as a whole, never written.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use log::LevelFilter;
use novacula_protocol::enroll::ENROLMENT_TOKEN_PREFIX;
use novacula_protocol::sync::{Channel, DEFAULT_SYNC_INTERVAL_MS, clamp_interval_ms};
use serde::Deserialize;

use crate::error::{Doing as _, Error, printable};

/// Where the config is, unless a flag or `NOVACULA_CONFIG` says otherwise.
pub const DEFAULT_CONFIG: &str = "/etc/novacula/agent.toml";
/// Where the agent keeps its records, unless the config says otherwise.
pub const DEFAULT_DATA_DIR: &str = "/var/lib/novacula";

/// How long a sync may wait, if it may.
const LONG_POLL_MS: std::ops::RangeInclusive<u64> = 1_000..=60_000;

/// What the sysadmin decided.
#[derive(Clone, Debug)]
pub struct Config {
    /// Unique inside the account.
    pub name: String,
    /// Records, locks, credentials.
    pub data_dir: PathBuf,
    /// What this host follows.
    pub channel: Channel,
    /// For selectors at the control plane.
    pub labels: BTreeMap<String, String>,
    /// The shortest time between two syncs without news, in ms.
    pub sync_interval_ms: u64,
    /// How long a sync may wait at the control plane until there is something to tell, in ms; 0 for not at all.
    pub long_poll_ms: u64,
    /// The most a download may take from others on this link.
    pub max_bytes_per_second: Option<u64>,
    /// How to reach the control plane.
    pub control_plane: ControlPlaneConfig,
    /// Where the key or token is, unless it is in the config itself.
    pub token_file: Option<PathBuf>,
    /// What is said in the log.
    pub level: LevelFilter,
    /// Sentences about what was odd but harmless.
    pub warnings: Vec<String>,
}

/// How to reach the control plane.
#[derive(Clone, Debug)]
pub struct ControlPlaneConfig {
    /// Without a trailing slash.
    pub url: String,
    /// Where the key comes from.
    pub access: Access,
    /// Plain http may leave this host.
    pub allow_plain_http: bool,
    /// PEM certificates to trust instead of the built-in ones.
    pub ca_file: Option<PathBuf>,
}

/// Where the executor's key comes from.
#[derive(Clone)]
pub enum Access {
    /// `nva_…`: the executor's own.
    Key(String),
    /// `nve_…`: to be exchanged for a key at the first start.
    EnrolmentToken(String),
    /// `<data_dir>/credentials.json`, from an earlier enrolment.
    Stored,
}

impl Access {
    fn judge(token: &str) -> Result<Self, String> {
        let token = token.trim();
        if token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic()) {
            return Err("[control_plane] the access token must be one printable word like nva_…, it is not"
                .to_owned());
        }
        Ok(match token.starts_with(ENROLMENT_TOKEN_PREFIX) {
            true => Self::EnrolmentToken(token.to_owned()),
            false => Self::Key(token.to_owned()),
        })
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Key(…)",
            Self::EnrolmentToken(_) => "EnrolmentToken(…)",
            Self::Stored => "Stored",
        })
    }
}

#[derive(Deserialize)]
struct Fragment {
    #[serde(default)]
    agent: AgentFragment,
    control_plane: Option<ControlPlaneFragment>,
    #[serde(default)]
    logging: LoggingFragment,
}

#[derive(Default, Deserialize)]
struct AgentFragment {
    name: Option<String>,
    data_dir: Option<PathBuf>,
    #[serde(default)]
    channel: Channel,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    sync_interval_ms: Option<u64>,
    #[serde(default)]
    long_poll_ms: u64,
    max_bytes_per_second: Option<u64>,
}

#[derive(Deserialize)]
struct ControlPlaneFragment {
    url: Option<String>,
    access_token: Option<String>,
    access_token_file: Option<PathBuf>,
    #[serde(default)]
    allow_plain_http: bool,
    ca_file: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
struct LoggingFragment {
    level: Option<String>,
}

const KNOWN: [(&str, &[&str]); 3] = [
    (
        "agent",
        &[
            "name",
            "data_dir",
            "channel",
            "labels",
            "sync_interval_ms",
            "long_poll_ms",
            "max_bytes_per_second",
        ],
    ),
    ("control_plane", &["url", "access_token", "access_token_file", "allow_plain_http", "ca_file"]),
    ("logging", &["level"]),
];

impl Config {
    /// Reads and judges the config.
    ///
    /// # Errors
    /// One sentence: what was expected, what was found, what to do.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).doing(|| {
            format!("read the config {} (write one, or name another with --config)", path.display())
        })?;
        let mut config =
            Self::parse(&text).map_err(|found| Error::host(format!("{}: {found}", path.display())))?;
        let holder = match (&config.control_plane.access, &config.token_file) {
            (Access::Stored, _) => None,
            (_, Some(file)) => Some(file.as_path()),
            (_, None) => Some(path),
        };
        if let Some(holder) = holder
            && let Ok(meta) = fs::metadata(holder)
            && meta.mode() & 0o077 != 0
        {
            let (mode, holder) = (meta.mode() & 0o7777, holder.display());
            config.warnings.push(format!(
                "{holder} holds a key and can be read by others (mode {mode:04o}); run `chmod 600 {holder}`"
            ));
        }
        Ok(config)
    }

    /// Judges the text of a config.
    ///
    /// # Errors
    /// One line that is safe to show: what was expected, what was found.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::judge(text).map_err(|found| printable(&found))
    }

    fn judge(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| one_line(&e))?;
        let warnings = unknown_keys(&table).iter().map(|odd| printable(odd)).collect();
        let fragment: Fragment = table.try_into().map_err(|e: toml::de::Error| one_line(&e))?;
        let control_plane =
            fragment.control_plane.ok_or("the section [control_plane] with a `url` is missing")?;
        let name = match fragment.agent.name {
            Some(name) => name,
            None => hostname(),
        };
        if name.is_empty() || name.len() > 128 || name.chars().any(char::is_control) {
            return Err(format!("[agent] name must have 1 to 128 printable characters, it is {name:?}"));
        }
        let data_dir = fragment.agent.data_dir.unwrap_or_else(|| DEFAULT_DATA_DIR.into());
        if !data_dir.is_absolute() {
            return Err(format!("[agent] data_dir must be an absolute path, it is {}", data_dir.display()));
        }
        if fragment.agent.max_bytes_per_second == Some(0) {
            return Err("[agent] max_bytes_per_second must be at least 1, it is 0; leave it out for no cap"
                .to_owned());
        }
        let long_poll_ms = fragment.agent.long_poll_ms;
        if !(long_poll_ms == 0 || LONG_POLL_MS.contains(&long_poll_ms)) {
            let (least, most) = (LONG_POLL_MS.start(), LONG_POLL_MS.end());
            return Err(format!(
                "[agent] long_poll_ms must be 0 or from {least} to {most}, it is {long_poll_ms}"
            ));
        }
        let word = fragment.logging.level.as_deref().unwrap_or("info");
        // Not `trace`, at which the HTTP client would write keys into the log.
        let level = ["error", "warn", "info", "debug"].contains(&word).then(|| word.parse().ok()).flatten();
        let level = level.ok_or_else(|| {
            format!("[logging] level must be one of error, warn, info, debug, it is {word:?}")
        })?;
        Ok(Self {
            name,
            data_dir,
            channel: fragment.agent.channel,
            labels: fragment.agent.labels,
            sync_interval_ms: clamp_interval_ms(
                fragment.agent.sync_interval_ms.unwrap_or(DEFAULT_SYNC_INTERVAL_MS),
            ),
            long_poll_ms,
            max_bytes_per_second: fragment.agent.max_bytes_per_second,
            token_file: control_plane.access_token_file.clone(),
            control_plane: ControlPlaneConfig::judge(control_plane)?,
            level,
            warnings,
        })
    }
}

impl ControlPlaneConfig {
    fn judge(found: ControlPlaneFragment) -> Result<Self, String> {
        let url = found
            .url
            .ok_or("[control_plane] url is missing; expected something like https://novacula.example.com")?;
        let url = url.trim_end_matches('/').to_owned();
        // Every sentence about the control plane names it.
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("[control_plane] url must be printable ASCII without spaces, it is {url:?}"));
        }
        let uri: ureq::http::Uri =
            url.parse().map_err(|e| format!("[control_plane] url must be a URL, it is {url:?}: {e}"))?;
        let host = uri.host().unwrap_or_default();
        match uri.scheme_str() {
            Some("https") if !host.is_empty() => {}
            Some("http") if is_loopback(host) || found.allow_plain_http && !host.is_empty() => {}
            Some("http") => {
                return Err(format!(
                    "[control_plane] url must be https, it is {url}; set `allow_plain_http = true` if the key may \
                     travel in the clear"
                ));
            }
            _ => return Err(format!("[control_plane] url must start with https://, it is {url:?}")),
        }
        let token = match (found.access_token, found.access_token_file) {
            (Some(_), Some(_)) => {
                return Err(
                    "[control_plane] must have access_token or access_token_file, it has both".to_owned()
                );
            }
            (Some(token), None) => Some(token),
            (None, Some(file)) => Some(fs::read_to_string(&file).map_err(|e| {
                format!("[control_plane] access_token_file {} cannot be read: {e}", file.display())
            })?),
            (None, None) => None,
        };
        let access = token.as_deref().map_or(Ok(Access::Stored), Access::judge)?;
        Ok(Self { url, access, allow_plain_http: found.allow_plain_http, ca_file: found.ca_file })
    }
}

/// Plain http to this host never leaves the machine.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn hostname() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| "agent".to_owned())
}

// A config may name what only a newer agent knows: after a rollback that must not keep the older one from starting.
fn unknown_keys(table: &toml::Table) -> Vec<String> {
    let known = |section: &str| KNOWN.iter().find(|(name, _)| *name == section).map(|(_, keys)| *keys);
    let mut warnings = Vec::new();
    for (section, value) in table {
        match (known(section), value.as_table()) {
            (Some(keys), Some(entries)) => warnings.extend(
                entries
                    .keys()
                    .filter(|key| !keys.contains(&key.as_str()))
                    .map(|key| format!("[{section}] {key} is not known to this version and is ignored")),
            ),
            (Some(_), None) => {}
            (None, _) => warnings.push(format!("[{section}] is not known to this version and is ignored")),
        }
    }
    warnings
}

fn one_line(error: &toml::de::Error) -> String {
    error.to_string().lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> String {
        Config::parse(text).unwrap_err()
    }

    #[test]
    fn three_lines_are_a_config() {
        let config =
            Config::parse("[control_plane]\nurl = \"https://cp.example.com/\"\naccess_token = \"nva_x\"")
                .unwrap();
        assert_eq!(config.control_plane.url, "https://cp.example.com");
        assert_eq!(config.data_dir, Path::new(DEFAULT_DATA_DIR));
        assert_eq!((config.sync_interval_ms, config.long_poll_ms), (5_000, 0));
        assert_eq!(config.warnings, [""; 0]);
    }

    #[test]
    fn what_only_a_newer_agent_knows_is_a_warning() {
        let config = Config::parse(
            "[control_plane]\nurl = \"http://127.0.0.1:1\"\naccess_token = \"x\"\nteleport = true\n[space]\nx = 1",
        )
        .unwrap();
        assert_eq!(config.warnings.len(), 2, "{:?}", config.warnings);
    }

    #[test]
    fn every_mistake_is_told_in_one_sentence() {
        let cp = |line: &str| format!("[control_plane]\n{line}");
        for (text, expected) in [
            (String::new(), "[control_plane]"),
            (cp(""), "url is missing"),
            (cp("url = \"\""), "url must"),
            (cp("url = \"ftp://x\""), "must start with https://"),
            (cp("url = \"https://x/\\u007f\""), "printable ASCII"),
            (cp("url = \"https://x/\\u202e\""), "printable ASCII"),
            (cp("url = \"http://cp.example.com\"\naccess_token = \"x\""), "allow_plain_http"),
            (cp("url = \"https://x\"\n[agent]\nlong_poll_ms = 999"), "from 1000 to 60000"),
            (cp("url = \"https://x\"\n[agent]\nlong_poll_ms = 60001"), "it is 60001"),
            (cp("url = \"https://x\"\naccess_token = \"a b\""), "printable word"),
            (cp("url = \"https://x\"\naccess_token = \"a\"\naccess_token_file = \"/b\""), "both"),
            (cp("url = \"https://x\"\naccess_token_file = \"/nonexistent\""), "/nonexistent"),
            (cp("url = 5"), "url"),
            ("[agent\n".to_owned(), "1"),
            (format!("[agent]\ndata_dir = \"x\"\n{}", cp("url = \"https://x\"")), "absolute"),
            (format!("[agent]\nmax_bytes_per_second = 0\n{}", cp("url = \"https://x\"")), "at least 1"),
            (format!("[agent]\nchannel = \"daring\"\n{}", cp("url = \"https://x\"")), "daring"),
            (format!("[logging]\nlevel = \"loud\"\n{}", cp("url = \"https://x\"")), "loud"),
            (format!("[logging]\nlevel = \"trace\"\n{}", cp("url = \"https://x\"")), "trace"),
        ] {
            let sentence = found(&text);
            assert!(sentence.contains(expected) && !sentence.contains('\n'), "{text} gave {sentence}");
        }
    }

    #[test]
    fn what_a_config_says_cannot_write_to_the_terminal() {
        let cp = "[control_plane]\nurl = \"https://x\"\n";
        for text in [
            format!("[agent]\ndata_dir = \"\\u001b[2J\"\n{cp}"),
            format!("[agent]\nchannel = \"\\u001b[2J\"\n{cp}"),
            format!("{cp}access_token_file = \"/nonexistent/\\u001b[2J\""),
            "[control_plane]\nurl = \"http://evil.org/\\u007f\\u202e\"".to_owned(),
            "name = \u{1b}[2J".to_owned(),
        ] {
            let sentence = found(&text);
            assert_eq!(printable(&sentence), sentence, "{text:?}");
        }
        let odd = Config::parse(&format!("\"\\u001b[2J\" = 1\n{cp}\"\\n\" = 2")).unwrap();
        assert!(odd.warnings.iter().all(|odd| printable(odd) == *odd), "{:?}", odd.warnings);
    }

    #[test]
    fn a_key_never_shows_in_debug_output() {
        assert!(!format!("{:?}", Access::Key("nva_secret".to_owned())).contains("secret"));
    }
}
