//! `novactl fleet dry-run`

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use novacula_protocol::people::{DryMember, DryWave, PlanDryRun, Presence};

use super::document::{self, Document};
use super::{find, path, view};
use crate::control_plane::ControlPlane;
use crate::durations;
use crate::ending::{Ending, Failure};
use crate::executor::presence_word;
use crate::terminal::Terminal;

/// Say what would come of a plan that began now; nothing is changed
///
/// Who is in which wave and in which order, who needs a hop and through what, who is held, out of reach, outside its
/// windows or in no wave, when each wave would begin and when the whole would end. Every executor that is online is asked
/// to check its host; with --wait the answers are waited for.
#[derive(Debug, clap::Args)]
pub struct DryRun {
    /// A FleetUpgradePlan as YAML or JSON; - reads it from stdin
    #[arg(value_name = "FILE|-", required_unless_present = "plan")]
    file: Option<String>,

    /// A plan that was applied, by its name or its id, instead of a file
    #[arg(long, value_name = "NAME|ID", conflicts_with = "file")]
    plan: Option<String>,

    /// Wait until every executor that is online has answered its checks
    #[arg(long)]
    wait: bool,

    /// How often to ask again
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = durations::duration, requires = "wait")]
    interval: Duration,

    /// Stop waiting after this time with exit code 1; what is known by then is shown
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = durations::duration, requires = "wait")]
    timeout: Duration,
}

/// What is asked, again and again.
enum Question {
    Document(Document),
    Plan(String),
}

impl Question {
    fn ask(&self, control_plane: &ControlPlane) -> Result<PlanDryRun, Failure> {
        match self {
            Self::Document(document) => {
                let path = format!("{}/dry-run", super::PLANS);
                Ok(control_plane.post_text(&path, document.content_type, &document.text)?.1)
            }
            Self::Plan(id) => control_plane.post(&format!("{}/dry-run", path(id)), &serde_json::json!({})),
        }
    }
}

impl DryRun {
    /// Asks, waits where that was asked for, and prints.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let question = match (&self.plan, &self.file) {
            (Some(plan), _) => Question::Plan(find(control_plane, plan)?.id),
            (None, file) => Question::Document(document::read(file.as_deref().unwrap_or("-"))?),
        };
        let mut run = question.ask(control_plane)?;
        let mut waiting = Vec::new();
        if self.wait {
            (run, waiting) = self.answered(control_plane, &question, run)?;
        }
        show(terminal, &run)?;
        if waiting.is_empty() {
            return Ok(Ending::Done);
        }
        let sentence = format!(
            "{} had not answered their checks when --timeout was over: see `novactl executor explain NAME`",
            waiting.join(", ")
        );
        Err(Failure::new(Ending::Failed, "still_waiting", sentence).into())
    }

    /// The last answer, and who still owed some when the time was over.
    #[expect(clippy::disallowed_methods, reason = "it waits because that was asked for")]
    fn answered(
        &self,
        control_plane: &ControlPlane,
        question: &Question,
        mut run: PlanDryRun,
    ) -> Result<(PlanDryRun, Vec<String>), Failure> {
        let (began, debts) = (Instant::now(), Debts::of(&run));
        loop {
            let waiting = debts.left(&run);
            if waiting.is_empty() || began.elapsed() >= self.timeout {
                return Ok((run, waiting));
            }
            std::thread::sleep(self.interval);
            match question.ask(control_plane) {
                Ok(newer) => run = newer,
                Err(failure) if failure.is_passing() => {}
                Err(failure) => return Err(failure),
            }
        }
    }
}

/// Who owed an answer when it was first asked, to what, and when it had answered that before. Whoever is asked again
/// owes again: what counts is that there is a newer answer.
struct Debts(BTreeMap<(String, String), Option<Timestamp>>);

impl Debts {
    fn of(run: &PlanDryRun) -> Self {
        let online = members(run).filter(|member| member.status == Presence::Online);
        let owed = online.flat_map(|member| {
            member
                .owes
                .iter()
                .map(move |check| ((member.executor_id.clone(), check.clone()), answered_at(member, check)))
        });
        Self(owed.collect())
    }

    /// The names of those who still owe some, without those who are gone or out of reach by now.
    fn left(&self, run: &PlanDryRun) -> Vec<String> {
        let mut names = Vec::new();
        for member in members(run).filter(|member| member.status == Presence::Online) {
            let owes = self.0.iter().any(|((id, check), before)| {
                *id == member.executor_id
                    && member.owes.contains(check)
                    && answered_at(member, check) <= *before
            });
            if owes {
                names.push(member.name.clone());
            }
        }
        names
    }
}

fn members(run: &PlanDryRun) -> impl Iterator<Item = &DryMember> {
    run.waves.iter().flat_map(|wave| &wave.executors)
}

fn answered_at(member: &DryMember, check: &str) -> Option<Timestamp> {
    member.preflight.iter().find(|checked| checked.result.check == check).map(|checked| checked.at)
}

fn show(terminal: &Terminal, run: &PlanDryRun) -> anyhow::Result<()> {
    if terminal.json {
        return terminal.json(run);
    }
    let count = members(run).count();
    terminal.line(format!("{count} executors would go to {}; nothing is changed", run.target_version))?;
    terminal
        .fact("ends", format!("{} if people approve at once and nothing fails", view::at(run.ends_at)))?;
    run.warnings.iter().try_for_each(|warning| terminal.fact("warning", warning))?;
    for wave in &run.waves {
        terminal.line("")?;
        of_wave(terminal, wave)?;
    }
    view::in_no_wave(terminal, &run.in_no_wave)
}

fn of_wave(terminal: &Terminal, wave: &DryWave) -> anyhow::Result<()> {
    let first = if wave.canary > 0 { format!(", {} of them first", wave.canary) } else { String::new() };
    let approval = if wave.wants_approval { ", then a person approves" } else { "" };
    terminal.line(format!(
        "wave {}: {} executors, {} at once{first}; {} to {}{approval}",
        wave.name,
        wave.executors.len(),
        wave.max_in_flight,
        view::at(wave.starts_at),
        view::at(wave.ends_at),
    ))?;
    let rows: Vec<_> = wave
        .executors
        .iter()
        .map(|member| {
            [
                format!("  {}", member.name),
                if member.canary { "canary" } else { "" }.to_owned(),
                presence_word(member.status).to_owned(),
                member.current_version.to_string(),
                route(member),
                checks(member),
                member.obstacle.clone().unwrap_or_default(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return terminal.line("  nobody");
    }
    terminal.table(["  EXECUTOR", "", "STATUS", "FROM", "TO", "CHECKS", "IN THE WAY"], &rows)
}

/// The versions on the way; more than one where it needs a hop.
fn route(member: &DryMember) -> String {
    let versions: Vec<_> = member.route.iter().map(ToString::to_string).collect();
    match versions.as_slice() {
        [] => "-".to_owned(),
        [one] => one.clone(),
        several => format!("{} ({} hops)", several.join(" → "), several.len()),
    }
}

/// What its host says against it, and what it has not said.
fn checks(member: &DryMember) -> String {
    let failed = member.preflight.iter().filter(|checked| !checked.result.ok);
    let mut said: Vec<_> =
        failed.map(|checked| format!("{} FAILED: {}", checked.result.check, checked.result.note)).collect();
    if !member.owes.is_empty() {
        said.push(format!("{} not answered", member.owes.len()));
    }
    match (said.is_empty(), member.preflight.is_empty()) {
        (false, _) => said.join("; "),
        (true, false) => "ok".to_owned(),
        (true, true) => "none".to_owned(),
    }
}
