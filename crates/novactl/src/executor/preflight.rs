//! `novactl executor preflight`

use std::time::{Duration, Instant};

use novacula_protocol::people::{Preflight, PreflightRequest};

use crate::control_plane::ControlPlane;
use crate::durations;
use crate::ending::{Ending, Failure};
use crate::terminal::Terminal;

/// Ask an executor to check its host, and show what it found
///
/// It answers through its next syncs. Without --wait the results known so far are shown. The exit code is 1 where a
/// check that was asked for failed.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    executor: String,

    /// Only this check; may be given again
    #[arg(long, value_name = "NAME")]
    check: Vec<String>,

    /// Wait until every check that was asked for is answered
    #[arg(long)]
    wait: bool,

    /// How often to look
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = durations::duration, requires = "wait")]
    interval: Duration,

    /// Stop waiting after this time with exit code 1; the executor may still answer
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = durations::duration, requires = "wait")]
    timeout: Duration,
}

impl Ask {
    /// Asks, waits where that was asked for, and prints.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let id = super::find(control_plane, &self.executor)?.id;
        let path = format!("{}/{id}/preflight", super::EXECUTORS);
        let checks = (!self.check.is_empty()).then(|| self.check.clone());
        let mut preflight: Preflight = control_plane.post(&path, &PreflightRequest { checks })?;
        let asked = match self.check.is_empty() {
            true => preflight.waiting.clone(),
            false => self.check.clone(),
        };
        if self.wait {
            preflight = self.answered(control_plane, &path, &asked)?;
        }
        show(terminal, &preflight)?;
        let is_bad = |check: &String| {
            let result = preflight.results.iter().find(|checked| checked.result.check == *check);
            !preflight.waiting.contains(check) && result.is_some_and(|checked| !checked.result.ok)
        };
        Ok(if asked.iter().any(is_bad) { Ending::Failed } else { Ending::Done })
    }

    #[expect(clippy::disallowed_methods, reason = "it waits because that was asked for")]
    fn answered(
        &self,
        control_plane: &ControlPlane,
        path: &str,
        asked: &[String],
    ) -> Result<Preflight, Failure> {
        let began = Instant::now();
        loop {
            let waiting = match control_plane.get::<Preflight>(path, &[]) {
                Ok(preflight) if !preflight.waiting.iter().any(|check| asked.contains(check)) => {
                    return Ok(preflight);
                }
                Ok(preflight) => preflight.waiting.join(", "),
                Err(failure) if failure.is_passing() => "all of them".to_owned(),
                Err(failure) => return Err(failure),
            };
            if began.elapsed() >= self.timeout {
                let sentence = format!(
                    "the executor had not answered {waiting} when --timeout was over: see `novactl executor explain {}`",
                    self.executor
                );
                return Err(Failure::new(Ending::Failed, "still_waiting", sentence));
            }
            std::thread::sleep(self.interval);
        }
    }
}

fn show(terminal: &Terminal, preflight: &Preflight) -> anyhow::Result<()> {
    if terminal.json {
        return terminal.json(preflight);
    }
    let waiting = preflight
        .waiting
        .iter()
        .map(|check| [check.clone(), "waiting".to_owned(), String::new(), "not answered yet".to_owned()]);
    let results =
        preflight.results.iter().filter(|checked| !preflight.waiting.contains(&checked.result.check));
    let results = results.map(|checked| {
        let verdict = if checked.result.ok { "ok" } else { "FAILED" };
        let at = checked.at.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        [checked.result.check.clone(), verdict.to_owned(), at, checked.result.note.clone()]
    });
    let rows: Vec<_> = waiting.chain(results).collect();
    terminal.table(["CHECK", "RESULT", "AT", "NOTE"], &rows)
}
