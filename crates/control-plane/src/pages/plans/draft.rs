//! Pure: a plan in the making, as the fields of a form carry it from step to step, and the document that comes of it.

mod suggestion;

use std::collections::BTreeMap;
use std::str::FromStr;

use novacula_protocol::people::{
    DocumentRefused, FleetUpgradePlan, GateSpec, LateArrivers, PlanApiVersion, PlanKind, PlanMetadata,
    PlanSpec, WaveSpec, WaveValidation,
};
use novacula_protocol::spec::Kind;

use crate::pages::form::Form;

pub(crate) use suggestion::suggested;

/// A document of more is written by hand.
const MOST_WAVES: usize = 64;

/// What is asked of the plan as a whole.
const OF_PLAN: [&str; 4] = ["name", "target", "health", "done"];
/// What is asked of each wave.
const OF_WAVE: [&str; 14] = [
    "name",
    "labels",
    "group",
    "canary",
    "at_once",
    "soak",
    "next",
    "failed",
    "slow",
    "silent",
    "back",
    "prometheus",
    "http",
    "restarts",
];

/// A plan in the making: every field as it was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Draft {
    fields: BTreeMap<&'static str, String>,
    pub waves: Vec<WaveDraft>,
}

/// A wave in the making.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WaveDraft {
    fields: BTreeMap<&'static str, String>,
}

impl Draft {
    pub(crate) fn read(form: &Form) -> Self {
        let fields = OF_PLAN.map(|name| (name, form.owned(name).unwrap_or_default())).into();
        let wave = |index: usize| {
            let name = |field: &str| format!("w{index}.{field}");
            // A wave is there when its name is, be it empty.
            form.all(&name("name")).next()?;
            let fields = OF_WAVE.map(|field| (field, form.owned(&name(field)).unwrap_or_default()));
            Some(WaveDraft { fields: fields.into() })
        };
        Self { fields, waves: (0..MOST_WAVES).map_while(wave).collect() }
    }

    /// The same plan with this wave only.
    pub(crate) fn only(&self, wave: &WaveDraft) -> Self {
        Self { fields: self.fields.clone(), waves: vec![wave.clone()] }
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.fields.get(name).map(String::as_str).unwrap_or_default()
    }

    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.fields.insert(name, value.into());
    }

    /// The fields of the plan as a whole, for a step that does not ask for them.
    pub(crate) fn hidden_target(&self) -> Vec<(String, String)> {
        let filled = OF_PLAN.into_iter().filter(|name| !self.text(name).is_empty());
        filled.map(|name| (name.to_owned(), self.text(name).to_owned())).collect()
    }

    /// The fields of the waves, for a step that does not ask for them.
    pub(crate) fn hidden_waves(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for (index, wave) in self.waves.iter().enumerate() {
            let filled = OF_WAVE.into_iter().filter(|name| *name == "name" || !wave.text(name).is_empty());
            all.extend(filled.map(|name| (format!("w{index}.{name}"), wave.text(name).to_owned())));
        }
        all
    }

    /// One more wave, as long as there may be.
    pub(crate) fn add_wave(&mut self) {
        if self.waves.len() < MOST_WAVES {
            let mut wave = WaveDraft::usual();
            wave.set("name", format!("wave-{}", self.waves.len() + 1));
            self.waves.push(wave);
        }
    }

    pub(crate) fn remove_wave(&mut self, index: usize) {
        if index < self.waves.len() {
            self.waves.remove(index);
        }
    }

    /// The wave goes before the one that stood before it.
    pub(crate) fn move_earlier(&mut self, index: usize) {
        if (1..self.waves.len()).contains(&index) {
            self.waves.swap(index - 1, index);
        }
    }

    /// Which kind goes where, as one choice of the form says both.
    fn target(&self) -> Result<(Kind, String), DocumentRefused> {
        let missing =
            || DocumentRefused::at("spec.targetVersion", "must be chosen among the published releases");
        let (kind, version) = self.text("target").split_once(' ').ok_or_else(missing)?;
        let kind = [Kind::Agent, Kind::Operator].into_iter().find(|known| known.as_str() == kind);
        let unknown = || DocumentRefused::at("spec.executorKind", "must be `agent` or `operator`");
        Ok((kind.ok_or_else(unknown)?, version.trim().to_owned()))
    }

    /// Executors of this kind are meant.
    pub(crate) fn is_for(&self, kind: Kind) -> bool {
        self.target().is_ok_and(|(meant, _)| meant == kind)
    }

    /// What the plan is called unless somebody says otherwise.
    pub(crate) fn usual_name(&self) -> String {
        self.target().map(|(kind, version)| format!("{kind}-{version}")).unwrap_or_default()
    }

    /// The document that the form means.
    ///
    /// # Errors
    /// The path of the first field that cannot be meant, and why.
    pub(crate) fn document(&self) -> Result<FleetUpgradePlan, DocumentRefused> {
        let (executor_kind, target_version) = self.target()?;
        let waves = self.waves.iter().enumerate().map(|(index, wave)| wave.spec(index));
        Ok(FleetUpgradePlan {
            api_version: PlanApiVersion::NovaculaV1,
            kind: PlanKind::FleetUpgradePlan,
            metadata: PlanMetadata { name: self.text("name").to_owned(), ..PlanMetadata::default() },
            spec: PlanSpec {
                target_version,
                executor_kind,
                priority: 0,
                yields_to: Vec::new(),
                health_window: read("spec.healthWindow", self.text("health"))?,
                prerequisites_acknowledged: !self.text("done").is_empty(),
                waves: waves.collect::<Result<_, _>>()?,
            },
        })
    }
}

impl WaveDraft {
    /// What most waves are like.
    fn usual() -> Self {
        let mut wave = Self::default();
        let usual = [("at_once", "25%"), ("soak", "1h"), ("next", "automated"), ("silent", "20%")];
        usual.into_iter().for_each(|(name, value)| wave.set(name, value));
        wave
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.fields.get(name).map(String::as_str).unwrap_or_default()
    }

    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.fields.insert(name, value.into());
    }

    fn filled(&self, name: &str) -> Option<String> {
        Some(self.text(name).to_owned()).filter(|text| !text.is_empty())
    }

    fn spec(&self, index: usize) -> Result<WaveSpec, DocumentRefused> {
        let at = |field: &str| format!("spec.waves[{index}].{field}");
        let share = |field: &str, name: &str| read(&at(field), self.text(name));
        let soak = read(&at("validation.healthCheckDuration"), self.text("soak"))?;
        Ok(WaveSpec {
            name: self.text("name").to_owned(),
            cluster_selector: read(&at("clusterSelector"), self.text("labels"))?,
            group: self.filled("group"),
            validation: WaveValidation {
                health_check_duration: soak.unwrap_or_default(),
                automated: self.text("next") == "automated",
            },
            max_in_flight: share("maxInFlight", "at_once")?,
            canary: share("canary", "canary")?,
            max_failed: share("maxFailed", "failed")?,
            max_slow: share("maxSlow", "slow")?,
            max_unreachable: share("maxUnreachable", "silent")?,
            min_sample: None,
            gates: self.gates(&at("gates"))?,
            late_arrivers: LateArrivers::default(),
            window: None,
            rollback_on_failure: !self.text("back").is_empty(),
        })
    }

    fn gates(&self, path: &str) -> Result<Vec<GateSpec>, DocumentRefused> {
        let mut gates = Vec::new();
        if let Some(max_per_executor) = read_number(path, self.text("restarts"))? {
            gates.push(GateSpec::Restarts { max_per_executor });
        }
        if let Some(url) = self.filled("prometheus") {
            gates.push(GateSpec::Prometheus {
                name: None,
                url,
                severities: vec!["critical".to_owned()],
                labels: BTreeMap::new(),
                blocking: true,
            });
        }
        if let Some(url) = self.filled("http") {
            gates.push(GateSpec::Http { name: None, url, blocking: true });
        }
        Ok(gates)
    }
}

/// What a field means; nothing where it is empty.
fn read<T: FromStr<Err = String>>(path: &str, text: &str) -> Result<Option<T>, DocumentRefused> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|reason| DocumentRefused::at(path, reason))
}

fn read_number(path: &str, text: &str) -> Result<Option<u32>, DocumentRefused> {
    if text.is_empty() {
        return Ok(None);
    }
    let refused = |_| DocumentRefused::at(path, format!("must have a number of restarts, it is `{text}`"));
    text.parse().map(Some).map_err(refused)
}

/// Which part of a form a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Target,
    Wave(usize),
    Whole,
}

impl Place {
    /// By the path in the document.
    pub(crate) fn of(path: &str) -> Self {
        if let Some(rest) = path.strip_prefix("spec.waves[") {
            let index = rest.split(']').next().and_then(|index| index.parse().ok());
            return index.map_or(Self::Whole, Self::Wave);
        }
        if path.starts_with("spec.waves") || path == "document" { Self::Whole } else { Self::Target }
    }
}

#[cfg(test)]
mod tests;
