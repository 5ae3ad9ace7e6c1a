//! The lines that a host needs: its `agent.toml`, and how the agent is installed with it.

use axum::http::{HeaderMap, header};

use crate::app::Rules;

/// As `docs/operations.md` says it, without a package.
const INSTALL: &str = "\
install -D -m 755 novacula-agent /opt/novacula/bin/novacula-agent
install -D -m 600 agent.toml /etc/novacula/agent.toml
/opt/novacula/bin/novacula-agent install
systemctl start novacula-agent.service
";

/// With a package.
const PACKAGE: &str = "\
apt install ./novacula-agent_VERSION-1_amd64.deb        # or: dnf install ./novacula-agent-VERSION-1.x86_64.rpm
install -m 600 agent.toml /etc/novacula/agent.toml
systemctl start novacula-agent.service
";

/// Where executors find this control plane: as configured, else as the browser found it.
pub(super) fn address(rules: &Rules, headers: &HeaderMap) -> String {
    let host = || headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let scheme = if rules.is_https { "https" } else { "http" };
    rules.public_url.clone().unwrap_or_else(|| format!("{scheme}://{}", host()))
}

/// The whole file. A file for many hosts has no name: each takes its own host name.
fn agent_toml(name: Option<&str>, url: &str, secret: &str) -> String {
    let mut text = "# /etc/novacula/agent.toml: holds a secret, mode 0600\n".to_owned();
    if let Some(name) = name {
        text.push_str(&format!("[agent]\nname = {}\n\n", quoted(name)));
    }
    text.push_str(&format!("[control_plane]\nurl = {}\naccess_token = {}\n", quoted(url), quoted(secret)));
    if url.starts_with("http://") {
        text.push_str("allow_plain_http = true   # the key travels in the clear\n");
    }
    text
}

/// What JSON puts into quotes, TOML reads the same way; names have no control characters.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Under headings, for the page that shows the secret.
pub(super) fn lines(name: Option<&str>, url: &str, secret: &str) -> Vec<(&'static str, String)> {
    vec![
        ("agent.toml", agent_toml(name, url, secret)),
        ("On the host, as root", INSTALL.to_owned()),
        ("Or with a package", PACKAGE.to_owned()),
    ]
}

/// In place of the old secret.
pub(super) fn replaced(secret: &str) -> Vec<(&'static str, String)> {
    vec![("In agent.toml, below [control_plane]", format!("access_token = {}\n", quoted(secret)))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_toml_whatever_the_name_is_and_say_when_the_key_travels_in_the_clear() {
        let name = "a\"b\\<script>'";
        let text = agent_toml(Some(name), "http://cp:3000", "nva_x");
        assert_eq!(
            text,
            "# /etc/novacula/agent.toml: holds a secret, mode 0600\n[agent]\nname = \"a\\\"b\\\\<script>'\"\n\n\
             [control_plane]\nurl = \"http://cp:3000\"\naccess_token = \"nva_x\"\n\
             allow_plain_http = true   # the key travels in the clear\n"
        );
        let text = agent_toml(None, "https://cp.example", "nve_x");
        assert!(!text.contains("allow_plain_http") && !text.contains("[agent]"), "{text}");
    }

    #[test]
    fn the_install_commands_are_those_of_the_documentation() {
        let docs = include_str!("../../../../../docs/operations.md");
        assert!(docs.contains(INSTALL) && docs.contains(&PACKAGE.replace("VERSION", "1.5.0")));
    }
}
