//! `novactl executor label`

use std::collections::BTreeMap;

use novacula_protocol::people::{Executor, ExecutorPatch};

use crate::control_plane::ControlPlane;
use crate::ending::{Ending, Failure, wrong_usage};
use crate::terminal::Terminal;

/// Give an executor labels, or take back what people said of them
///
/// What you say of a label stands over what the config of its host says, for windows, freezes, batches, groups and
/// plans, until you take it back with `key-`. An executor that is in a wave of a plan that has begun stays in it
/// whatever its labels become.
#[derive(Debug, clap::Args)]
pub struct Label {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    executor: String,

    /// `key=value` says what a label shall be, `key-` takes back what people said of it
    #[arg(value_name = "KEY=VALUE|KEY-", required = true)]
    labels: Vec<String>,

    /// Why; it is kept in the activity
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Label {
    /// Says it, and shows what counts from now on.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let patch = ExecutorPatch { labels: read(&self.labels)?, reason: self.reason.clone() };
        let known = super::find(control_plane, &self.executor)?;
        let executor: Executor =
            control_plane.patch(&format!("{}/{}", super::EXECUTORS, known.id), &patch)?;
        if terminal.json {
            terminal.json(&executor)?;
        } else {
            super::show::facts(terminal, &executor)?;
            super::show::plans(terminal, &executor)?;
        }
        Ok(Ending::Done)
    }
}

fn read(words: &[String]) -> Result<BTreeMap<String, Option<String>>, Failure> {
    let mut labels = BTreeMap::new();
    for word in words {
        let (key, value) = match (word.split_once('='), word.strip_suffix('-')) {
            (Some((key, value)), _) => (key, Some(value.to_owned())),
            (None, Some(key)) => (key, None),
            (None, None) => ("", None),
        };
        if key.is_empty() {
            return Err(wrong_usage(format!("expected key=value or key-, found `{word}`")));
        }
        if labels.insert(key.to_owned(), value).is_some() {
            return Err(wrong_usage(format!("the label `{key}` must stand once, it stands twice")));
        }
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_as_kubectl_reads_them() {
        let words = |words: &[&str]| read(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        let expected = [
            ("ring", Some("canary")),
            ("rack", None),
            ("empty", Some("")),
            ("a", Some("b=c-")),
            ("x-", None),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.map(str::to_owned)));
        let read = words(&["ring=canary", "rack-", "empty=", "a=b=c-", "x--"]).unwrap();
        assert_eq!(read, BTreeMap::from(expected));
        for (wrong, said) in [
            (&["ring"][..], "`ring`"),
            (&["=x"], "`=x`"),
            (&["-"], "`-`"),
            (&[""], "``"),
            (&["a=b", "a-"], "stands twice"),
        ] {
            let refused = words(wrong).unwrap_err();
            assert!(refused.problem.message.contains(said), "{refused}");
        }
    }
}
