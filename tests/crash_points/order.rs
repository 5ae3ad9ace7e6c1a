//! The order on disk is the safety argument: it is read from what a run calls.

use std::collections::{BTreeMap, BTreeSet};

/// A file of ours with such a name is one that nobody relies on yet.
const TEMPORARY: &str = "/.novacula-agent.";

/// What one run did to the names that count, each time for good before the next.
pub struct Order {
    /// `directory/name` where something was put in place, with `-` in front where it was removed.
    steps: Vec<String>,
}

/// What one thread has not made durable yet.
#[derive(Default)]
struct Unsynced<'a> {
    files: BTreeSet<&'a str>,
    directory: Option<&'a str>,
}

impl Order {
    /// Of a run under strace, one call a line.
    ///
    /// # Panics
    /// When a file gets its name before its contents are on disk, or when a name changes before the change of another
    /// one is.
    pub fn of(calls: &str) -> Self {
        let mut steps = Vec::new();
        let mut threads = BTreeMap::<&str, Unsynced<'_>>::new();
        for line in calls.lines() {
            let Some((thread, call)) = line.split_once(' ') else { continue };
            let Some((name, arguments)) = call.trim_start().split_once('(') else { continue };
            let unsynced = threads.entry(thread).or_default();
            let opened = arguments.split_once('<').and_then(|(_, rest)| Some(rest.split_once('>')?.0));
            let paths: Vec<&str> = arguments.split('"').skip(1).step_by(2).collect();
            match (name.trim_end_matches("at").trim_end_matches("at2"), opened, paths.as_slice()) {
                ("fsync" | "fdatasync", Some(path), _) => {
                    unsynced.files.remove(path);
                    unsynced.directory = unsynced.directory.filter(|directory| *directory != path);
                }
                ("write" | "pwrite64" | "ftruncate" | "fchmod" | "fchown", Some(path), _) => {
                    unsynced.files.insert(path);
                }
                ("rename", _, [from, to]) => {
                    assert!(
                        !unsynced.files.contains(from),
                        "{from} must be on disk before it gets its name: {line}"
                    );
                    unsynced.changes(to, line, "", &mut steps);
                }
                ("link", _, [_, to]) => unsynced.changes(to, line, "", &mut steps),
                ("unlink", _, [path]) => unsynced.changes(path, line, "-", &mut steps),
                _ => {}
            }
        }
        for (thread, unsynced) in threads {
            assert_eq!(unsynced.directory, None, "thread {thread} left a change behind that is not on disk");
        }
        Self { steps }
    }

    /// These and no others, in this order, each with its reason.
    #[track_caller]
    pub fn is(&self, expected: &[(&str, &str)]) {
        let steps: Vec<&str> = self.steps.iter().map(String::as_str).collect();
        let expected_steps: Vec<&str> = expected.iter().map(|(step, _)| *step).collect();
        let wrong = expected.iter().zip(&steps).find(|((expected, _), found)| expected != *found);
        assert_eq!(
            steps,
            expected_steps,
            "{}",
            wrong.map_or("one too many, or too few", |((_, why), _)| why)
        );
    }
}

impl<'a> Unsynced<'a> {
    fn changes(&mut self, path: &'a str, line: &str, sign: &str, steps: &mut Vec<String>) {
        if let Some(directory) = self.directory {
            panic!("what changed in {directory} must be on disk before this: {line}");
        }
        if path.contains(TEMPORARY) {
            return;
        }
        let Some((directory, name)) = path.rsplit_once('/') else { return };
        self.directory = Some(directory);
        let (_, directory) = directory.rsplit_once('/').unwrap_or_default();
        steps.push(format!("{sign}{directory}/{name}"));
    }
}
