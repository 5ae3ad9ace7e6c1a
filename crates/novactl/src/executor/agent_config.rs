//! The `agent.toml` that an enrolled host needs.

use novacula_protocol::sync::Channel;

use crate::terminal::quoted;

/// What stands in the file.
pub struct AgentConfig<'a> {
    /// Absent in a file for many hosts: each takes its own host name.
    pub name: Option<&'a str>,
    pub channel: Option<Channel>,
    pub url: &'a str,
    /// The executor's own key, or an enrolment token that it exchanges for one at its first start.
    pub access_token: &'a str,
}

impl AgentConfig<'_> {
    /// The text of the file.
    pub fn render(&self) -> String {
        let mut text = String::from("# /etc/novacula/agent.toml: holds a secret, mode 0600\n[agent]\n");
        if let Some(name) = self.name {
            text.push_str(&format!("name = {}\n", quoted(name)));
        }
        if let Some(channel) = self.channel {
            text.push_str(&format!("channel = {}\n", quoted(channel.as_str())));
        }
        let (url, access_token) = (quoted(self.url), quoted(self.access_token));
        text.push_str(&format!("\n[control_plane]\nurl = {url}\naccess_token = {access_token}\n"));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_toml_whatever_the_name_is() {
        let name = "a\"b\n[control_plane]";
        let config = AgentConfig {
            name: Some(name),
            channel: Some(Channel::Beta),
            url: "https://n.example.com",
            access_token: "nva_x",
        };
        let table: toml::Table = config.render().parse().unwrap();
        assert_eq!(table["agent"]["name"].as_str(), Some(name));
        assert_eq!(table["agent"]["channel"].as_str(), Some("beta"));
        assert_eq!(table["control_plane"]["access_token"].as_str(), Some("nva_x"));
    }
}
