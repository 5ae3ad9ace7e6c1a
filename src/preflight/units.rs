//! The units that roll a bad release back.

use std::path::Path;

use super::Looking;
use crate::error::Error;
use crate::systemd;
use crate::units::{self, Drift};

/// Its name wherever the records are.
const TRIAL: &str = "trial.json";

/// What an upgrade needs of them: there, and looking at this binary and these records.
pub(super) fn aimed_here(looking: &Looking<'_>) -> Result<String, Error> {
    let text = systemd::systemctl(&["cat", systemd::AGENT, systemd::ROLLBACK, systemd::TRIAL_TIMER])?;
    let (previous, data_dir) = (looking.subject.places.previous(), looking.data_dir());
    let judges_it = systemd::must_judge(&previous, data_dir).is_ok();
    let record = data_dir.join(TRIAL);
    let waits_for_it = records_waited_for(&text).all(|path| Path::new(path) == record);
    match judges_it && waits_for_it {
        true => Ok("the three units are installed and look after this binary and its records".to_owned()),
        false => Err(Error::host(format!(
            "the units must run {} on the records in {}, they look elsewhere; `install` refreshes them",
            previous.display(),
            data_dir.display()
        ))),
    }
}

/// The trial records without which the units do not start, in what `systemctl cat` prints. Other conditions are a
/// sysadmin's own.
fn records_waited_for(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("ConditionPathExists="))
        .map(str::trim)
        .filter(|path| path.ends_with(TRIAL))
}

/// Older units, or changed ones, mostly do. Their own check, because no upgrade stops for it.
pub(super) fn current(looking: &Looking<'_>) -> Result<String, Error> {
    let drifted = units::drifted(looking.subject.places, looking.subject.records)?;
    if drifted.is_empty() {
        return Ok("the three units are as this version writes them".to_owned());
    }
    let each: Vec<_> = drifted.iter().map(Drift::to_string).collect();
    Err(Error::host(format!(
        "the units must be as this version writes them, but {}; `install` writes them anew",
        each.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conditions_of_the_units_are_found_among_all_else() {
        let text = "# /etc/x.service\n[Unit]\nConditionPathExists=/a/trial.json\n# ConditionPathExists=/no/trial.json\n\
                    \n[Unit]\nConditionPathExists=!/run/own\nConditionPathExists=\nConditionPathExists=/b/trial.json \n";
        let found: Vec<_> = records_waited_for(text).collect();
        assert_eq!(found, ["/a/trial.json", "/b/trial.json"]);
    }
}
