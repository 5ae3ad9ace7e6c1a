//! Pure: the way from an empty control plane to the first upgrade, in commands to copy.

use novacula_protocol::people::{About, Executor, Release, ReleaseStatus, Upgrade};

use semver::Version;

use crate::pages::visitor::Visitor;
use crate::right::Right;

/// Three steps, ticked off as they are done.
pub(crate) struct FirstRun {
    pub steps: [Step; 3],
    /// What the shell has to know first.
    pub before: String,
}

/// One of them.
pub(crate) struct Step {
    pub title: &'static str,
    pub is_done: bool,
    /// What is there already, or what it is about.
    pub about: String,
    /// What to run; each has the place where it is run.
    pub commands: Vec<Command>,
    /// Where the console does the same, or shows it.
    pub link: Option<(&'static str, String)>,
    /// Why this visitor cannot do it.
    pub cannot: Option<String>,
}

/// Lines to copy.
pub(crate) struct Command {
    pub id: &'static str,
    pub place: &'static str,
    pub lines: String,
}

const NAME: &str = "host-1";
const VERSION: &str = "1.0.0";

impl FirstRun {
    pub(super) fn of(
        visitor: &Visitor,
        about: &About,
        releases: &[Release],
        executor: Option<Executor>,
        upgrade: Option<Upgrade>,
    ) -> Self {
        let newest = releases.iter().filter(|release| release.status == ReleaseStatus::Published);
        let newest = newest.max_by(|a, b| a.version.cmp(&b.version));
        let cannot = [Right::Publish, Right::Administer, Right::Steer].map(|right| visitor.cannot(right));
        Self::new(&about.url, newest, releases, executor.as_ref(), upgrade.as_ref(), cannot)
    }

    fn new(
        url: &str,
        newest: Option<&Release>,
        releases: &[Release],
        executor: Option<&Executor>,
        upgrade: Option<&Upgrade>,
        cannot: [Option<String>; 3],
    ) -> Self {
        let [not_publish, not_enrol, not_request] = cannot;
        let before =
            format!("export NOVACULA_URL={}\nexport NOVACULA_TOKEN=$(cat ~/.novacula-token)", quoted(url));
        Self {
            before,
            steps: [
                publish(newest, releases, not_publish),
                enrol(url, executor, not_enrol),
                request(newest, executor, upgrade, not_request),
            ],
        }
    }
}

fn publish(newest: Option<&Release>, releases: &[Release], cannot: Option<String>) -> Step {
    let draft = releases.iter().find(|release| release.status == ReleaseStatus::Draft);
    let about = match (newest, draft) {
        (Some(release), _) => format!("{} {} is published.", release.kind, release.version),
        (None, Some(draft)) => format!("{} {} is a draft: publish it.", draft.kind, draft.version),
        (None, None) => {
            "In a checkout of the agent's source, where your release key is: this builds, signs, checks and \
                         uploads it. The key never leaves your machine."
                .to_owned()
        }
    };
    let lines = format!("packaging/release.sh {VERSION} --key /media/stick/novacula-a.key --publish");
    let link = match draft {
        Some(draft) => ("To the draft", format!("/releases/{}", draft.id)),
        None => ("To the releases", "/releases/".to_owned()),
    };
    Step {
        title: "Publish a release",
        is_done: newest.is_some(),
        about,
        commands: vec![Command { id: "first-publish", place: "Where you release", lines }],
        link: Some(link),
        cannot,
    }
}

fn enrol(url: &str, executor: Option<&Executor>, cannot: Option<String>) -> Step {
    let about = match executor {
        Some(executor) => format!("{} syncs, and runs {}.", executor.name, executor.current_version),
        None if url.starts_with("http://") && !is_here(url) => {
            "A key goes onto the host, and its agent syncs with it. This control plane is reached without TLS, which \
             an agent takes only with allow_plain_http = true in its agent.toml."
                .to_owned()
        }
        None => "A key goes onto the host, and its agent syncs with it.".to_owned(),
    };
    let ask = format!("novactl executor enroll {NAME} --agent-url {} --write agent.toml", quoted(url));
    let install = "install -D -m 755 novacula-agent /opt/novacula/bin/novacula-agent\n\
                   install -D -m 600 agent.toml /etc/novacula/agent.toml\n\
                   /opt/novacula/bin/novacula-agent install\n\
                   systemctl start novacula-agent.service";
    Step {
        title: "Enrol a host",
        is_done: executor.is_some(),
        about,
        commands: vec![
            Command { id: "first-enrol", place: "Where novactl is", lines: ask },
            Command {
                id: "first-install",
                place: "On the host as root, with the agent and agent.toml in the folder you are in",
                lines: install.to_owned(),
            },
        ],
        link: Some(("For many hosts: create an enrolment token", "/keys/".to_owned())),
        cannot,
    }
}

fn request(
    newest: Option<&Release>,
    executor: Option<&Executor>,
    upgrade: Option<&Upgrade>,
    cannot: Option<String>,
) -> Step {
    let name = executor.map_or(NAME, |executor| executor.name.as_str());
    let next = executor.and_then(highest_next);
    let version = next.or_else(|| newest.map(|release| &release.version));
    let version = version.map_or_else(|| VERSION.to_owned(), ToString::to_string);
    let leads_nowhere = newest.and(executor).filter(|_| next.is_none());
    let about = match (upgrade, leads_nowhere) {
        (Some(upgrade), _) if upgrade.ended_at.is_none() => {
            format!("It is under way: {} goes to {}.", upgrade.executor_name, upgrade.target_version)
        }
        (Some(upgrade), _) => {
            format!(
                "That of {} to {} did not complete; its page says why.",
                upgrade.executor_name, upgrade.target_version
            )
        }
        (None, Some(one)) => {
            format!(
                "{} runs {}, and is offered nothing above it: publish the next release first.",
                one.name, one.current_version
            )
        }
        (None, None) => {
            "The host fetches, verifies and swaps it in; a release that is no good is rolled back by itself."
                .to_owned()
        }
    };
    let lines = format!("novactl upgrade request {} --target-version {version} --watch", quoted(name));
    let link = match (upgrade, executor) {
        (Some(upgrade), _) => Some(("To the upgrade", format!("/upgrades/{}", upgrade.id))),
        (None, Some(executor)) => Some(("To the executor", format!("/executors/{}", executor.id))),
        (None, None) => None,
    };
    Step {
        title: "Request the upgrade",
        is_done: false,
        about,
        commands: vec![Command { id: "first-request", place: "Where novactl is", lines }],
        link,
        cannot,
    }
}

/// The highest release that it can be asked to go to as it is.
fn highest_next(executor: &Executor) -> Option<&Version> {
    let offered = executor.available_upgrades.iter().flatten();
    offered.filter(|one| one.allowed_as_direct_target).map(|one| &one.version).max()
}

/// An agent takes it without TLS.
fn is_here(url: &str) -> bool {
    let host = url.trim_start_matches("http://");
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':');
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
