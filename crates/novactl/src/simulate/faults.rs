//! What goes wrong with which executor: `bad=5%,dead=3%`, drawn from the seed.

use std::fmt;
use std::str::FromStr;

use novacula_protocol::Stage;
use novacula_protocol::people::CountOrPercent;
use serde::Serialize;

use super::dice::Dice;

/// What goes wrong with an executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The new version goes back.
    Bad,
    /// It stops syncing for ever: before its turn, or when it is so far.
    Dead(Option<Stage>),
    /// It picks its upgrade up, comes so far and stands still, and goes on syncing.
    Hang(Stage),
    /// Its first sync comes so much later, in heartbeat timeouts.
    Late(u64),
    /// It does not sync for so many tenths of a heartbeat timeout: before its turn, or when it is so far.
    Flap(Option<Stage>, u64),
    /// Its reports come late, twice and out of order.
    Disorder,
}

/// The names of faults, in the order in which they are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultName {
    /// [`Fault::Bad`]
    Bad,
    /// [`Fault::Dead`]
    Dead,
    /// [`Fault::Hang`]
    Hang,
    /// [`Fault::Late`]
    Late,
    /// [`Fault::Flap`]
    Flap,
    /// [`Fault::Disorder`]
    Disorder,
}

const NAMES: [(FaultName, &str); 6] = [
    (FaultName::Bad, "bad"),
    (FaultName::Dead, "dead"),
    (FaultName::Hang, "hang"),
    (FaultName::Late, "late"),
    (FaultName::Flap, "flap"),
    (FaultName::Disorder, "disorder"),
];

impl Fault {
    /// Its name.
    pub fn name(self) -> FaultName {
        match self {
            Self::Bad => FaultName::Bad,
            Self::Dead(_) => FaultName::Dead,
            Self::Hang(_) => FaultName::Hang,
            Self::Late(_) => FaultName::Late,
            Self::Flap(..) => FaultName::Flap,
            Self::Disorder => FaultName::Disorder,
        }
    }

    fn draw(name: FaultName, dice: &mut Dice) -> Self {
        let somewhere = |dice: &mut Dice, stages: &[Stage]| dice.one_of(stages).unwrap_or(Stage::Download);
        match name {
            FaultName::Bad => Self::Bad,
            FaultName::Disorder => Self::Disorder,
            FaultName::Hang => {
                Self::Hang(somewhere(dice, &[Stage::Preflight, Stage::Download, Stage::Verify]))
            }
            FaultName::Late => Self::Late(dice.within(1, 6)),
            FaultName::Dead | FaultName::Flap => {
                let at = dice
                    .heads()
                    .then(|| somewhere(dice, &[Stage::Download, Stage::Verify, Stage::CheckHealth]));
                if name == FaultName::Dead { Self::Dead(at) } else { Self::Flap(at, dice.within(5, 30)) }
            }
        }
    }
}

impl fmt::Display for FaultName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.iter().find(|(name, _)| name == self).map_or("", |(_, word)| word))
    }
}

/// How many executors have which fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<(FaultName, CountOrPercent)>);

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut faults: Vec<(FaultName, CountOrPercent)> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let known = NAMES.map(|(_, word)| word).join(", ");
            let (word, share) = part
                .split_once('=')
                .ok_or_else(|| format!("expected faults like bad=5%,dead=3, found `{part}`"))?;
            let (name, _) = NAMES
                .into_iter()
                .find(|(_, known)| *known == word.trim())
                .ok_or_else(|| format!("expected one of {known}, found `{word}`"))?;
            if faults.iter().any(|(other, _)| *other == name) {
                return Err(format!("expected each fault once, found `{word}` twice"));
            }
            let share = share.trim().parse().map_err(|e| format!("`{word}` {e}"))?;
            faults.push((name, share));
        }
        faults.sort_by_key(|(name, _)| *name);
        Ok(Self(faults))
    }
}

impl Faults {
    /// Who has which: the same for the same seed, one fault for an executor at most.
    ///
    /// # Errors
    /// When there are more faults than executors.
    pub fn draw(&self, seed: u64, executors: u32) -> Result<Vec<Option<Fault>>, String> {
        let asked: u64 = self.0.iter().map(|(_, share)| u64::from(share.of(executors))).sum();
        if asked > u64::from(executors) {
            return Err(format!(
                "an executor has one fault at most: {asked} faults are asked for, of {executors}"
            ));
        }
        let mut dice = Dice::of(seed);
        let mut order: Vec<usize> = (0..executors as usize).collect();
        dice.shuffle(&mut order);
        let mut drawn = vec![None; executors as usize];
        let names = self.0.iter().flat_map(|(name, share)| (0..share.of(executors)).map(move |_| *name));
        for (index, name) in order.into_iter().zip(names) {
            drawn[index] = Some(Fault::draw(name, &mut dice));
        }
        Ok(drawn)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.iter().map(|(name, share)| format!("{name}={share}")).collect();
        f.write_str(if parts.is_empty() { "none" } else { "" })?;
        f.write_str(&parts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_drawn_as_asked_and_the_same_for_the_same_seed() {
        let faults: Faults = "dead=3%, bad=5%,hang=2".parse().unwrap();
        assert_eq!(faults.to_string(), "bad=5%,dead=3%,hang=2");
        let drawn = faults.draw(42, 1_000).unwrap();
        let count = |name| drawn.iter().flatten().filter(|fault| fault.name() == name).count();
        assert_eq!((count(FaultName::Bad), count(FaultName::Dead), count(FaultName::Hang)), (50, 30, 2));
        assert_eq!(faults.draw(42, 1_000).unwrap(), drawn);
        assert_ne!(faults.draw(43, 1_000).unwrap(), drawn);
        let dead_before = drawn.iter().flatten().filter(|fault| **fault == Fault::Dead(None)).count();
        assert!((1..30).contains(&dead_before), "some before their turn, some in the middle: {dead_before}");
        assert!("".parse::<Faults>().unwrap().draw(1, 5).unwrap().iter().all(Option::is_none));
    }

    #[test]
    fn faults_that_cannot_be_meant_are_said_back() {
        for (text, said) in [
            ("bad", "found `bad`"),
            ("worse=1", "found `worse`"),
            ("bad=x", "it is `x`"),
            ("bad=101%", "101%"),
            ("bad=1,bad=2", "twice"),
        ] {
            assert!(text.parse::<Faults>().unwrap_err().contains(said), "{text}");
        }
        let refused = "bad=60%,dead=50%".parse::<Faults>().unwrap().draw(1, 10).unwrap_err();
        assert!(refused.contains("11 faults"), "{refused}");
    }
}
