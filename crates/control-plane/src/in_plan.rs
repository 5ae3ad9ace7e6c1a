//! Pure: where an executor stands in a plan: the wave it is in, fixed when that began, and the one that its labels of
//! today would put it into.

use std::collections::BTreeMap;

use novacula_protocol::people::{
    FleetUpgradePlan, InPlan, LateArrivers, MemberOutcome, Selector, WaveSpec, WaveState,
};
use uuid::Uuid;

use crate::labels::Labels;
use crate::plan_document::selector_of;
use crate::selector;

/// A plan that has not ended, as seen from one executor.
#[derive(Clone, Debug, PartialEq)]
pub struct Living {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it is.
    pub document: FleetUpgradePlan,
    /// Where its waves stand, by their places in the document; one that is not there has not begun.
    pub waves: BTreeMap<usize, WaveState>,
    /// What became of the executor, once its wave has begun.
    pub member: Option<Member>,
}

/// An executor in a wave that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its wave, by its place in the document.
    pub wave: usize,
    /// What became of it.
    pub outcome: MemberOutcome,
    /// Why, where that is not plain.
    pub reason: String,
}

/// The first wave that takes these labels, by its place.
#[must_use]
pub fn wave_by_labels(
    waves: &[WaveSpec],
    groups: &BTreeMap<String, Selector>,
    labels: &Labels,
) -> Option<usize> {
    let takes = |selector: Selector| selector::takes(&selector, labels);
    waves.iter().position(|wave| selector_of(wave, groups).is_some_and(takes))
}

impl Living {
    /// Where an executor with these labels stands in it.
    #[must_use]
    pub fn has(&self, labels: &Labels, groups: &BTreeMap<String, Selector>) -> InPlan {
        let today = wave_by_labels(&self.document.spec.waves, groups, labels);
        let named = |place: usize| self.document.spec.waves.get(place).map(|wave| wave.name.clone());
        InPlan {
            plan_id: self.id.to_string(),
            plan_name: self.name.clone(),
            wave: self.member.as_ref().and_then(|member| named(member.wave)),
            wave_by_labels: today.and_then(named),
            outcome: self.member.as_ref().map(|member| member.outcome),
            reason: match &self.member {
                Some(member) => self.of_a_member(member, today),
                None => self.of_one_outside(today),
            },
        }
    }

    fn of_a_member(&self, member: &Member, today: Option<usize>) -> String {
        if today == Some(member.wave) {
            return member.reason.clone();
        }
        let stays = format!(
            "it stays in {}, whose members were fixed when it began; by its labels of today it would be in {}",
            self.called(member.wave),
            today.map_or_else(|| "no wave".to_owned(), |place| self.called(place)),
        );
        if member.reason.is_empty() { stays } else { format!("{}; {stays}", member.reason) }
    }

    fn of_one_outside(&self, today: Option<usize>) -> String {
        let Some(place) = today else { return "by its labels of today no wave takes it".to_owned() };
        let (wave, state) = (self.called(place), self.state(place));
        if state == WaveState::Pending {
            return format!("{wave} has not begun; its members are fixed when it does");
        }
        let late = self.document.spec.waves.get(place).map(|wave| wave.late_arrivers).unwrap_or_default();
        let next = (place + 1..self.document.spec.waves.len())
            .find(|place| self.state(*place) == WaveState::Pending)
            .map(|place| self.called(place));
        let goes = match (late, state, next) {
            (
                LateArrivers::Join,
                WaveState::Canary | WaveState::Running | WaveState::Soaking | WaveState::Gate,
                _,
            ) => "it joins it".to_owned(),
            (LateArrivers::Never, ..) => "it stays where it is (`lateArrivers: never`)".to_owned(),
            (_, _, Some(next)) => format!("it goes with {next}"),
            (_, _, None) => "no wave comes after it, so it stays where it is".to_owned(),
        };
        format!("{wave} began without it; {goes}")
    }

    fn state(&self, place: usize) -> WaveState {
        self.waves.get(&place).copied().unwrap_or(WaveState::Pending)
    }

    fn called(&self, place: usize) -> String {
        let name = self.document.spec.waves.get(place).map_or("?", |wave| wave.name.as_str());
        format!("wave `{name}`")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(late: &str, states: &[WaveState], member: Option<(usize, &str)>) -> Living {
        let wave = |name: &str, late: &str| {
            json!({
                "name": name, "clusterSelector": {"matchLabels": {"ring": name}}, "lateArrivers": late,
            })
        };
        let document = json!({
            "apiVersion": "novacula/v1", "kind": "FleetUpgradePlan", "metadata": {"name": "p"},
            "spec": {"targetVersion": "1.1.0", "waves": [
                wave("canary", late), wave("standard", "next"), {"name": "racks", "group": "racks"},
            ]},
        });
        Living {
            id: Uuid::nil(),
            name: "p".into(),
            document: serde_json::from_value(document).unwrap(),
            waves: states.iter().copied().enumerate().collect(),
            member: member.map(|(wave, reason)| Member {
                wave,
                outcome: MemberOutcome::Waiting,
                reason: reason.into(),
            }),
        }
    }

    #[test]
    fn an_executor_is_shown_in_its_frozen_wave_beside_the_one_of_today() {
        use WaveState::{Passed, Pending, Running, Soaking};
        let canary = Some((0, ""));
        for (sentence, living, ring, wave, today, reason) in [
            ("before it begins", plan("next", &[], None), "canary", None, Some("canary"), "has not begun"),
            ("in its wave", plan("next", &[Running], canary), "canary", Some("canary"), Some("canary"), ""),
            (
                "with a reason",
                plan("next", &[Running], Some((0, "held: audit"))),
                "canary",
                Some("canary"),
                Some("canary"),
                "held: audit",
            ),
            (
                "labelled away",
                plan("next", &[Running], canary),
                "standard",
                Some("canary"),
                Some("standard"),
                "it stays in wave `canary`, whose members were fixed when it began; by its labels of today it would \
                 be in wave `standard`",
            ),
            (
                "labelled out of it",
                plan("next", &[Running], Some((0, "held"))),
                "x",
                Some("canary"),
                None,
                "held; it stays in wave `canary`",
            ),
            ("in no wave", plan("next", &[Running], None), "x", None, None, "no wave takes it"),
            (
                "came late, goes with the next",
                plan("next", &[Running, Pending], None),
                "canary",
                None,
                Some("canary"),
                "began without it; it goes with wave `standard`",
            ),
            (
                "came late, joins",
                plan("join", &[Soaking], None),
                "canary",
                None,
                Some("canary"),
                "it joins it",
            ),
            (
                "came too late to join",
                plan("join", &[Passed], None),
                "canary",
                None,
                Some("canary"),
                "it goes with wave `standard`",
            ),
            (
                "came late and never goes",
                plan("never", &[Running], None),
                "canary",
                None,
                Some("canary"),
                "lateArrivers: never",
            ),
            (
                "came after the last",
                plan("next", &[Running, Running, Running], None),
                "canary",
                None,
                Some("canary"),
                "no wave comes after it",
            ),
        ] {
            let labels = Labels::from([("ring", ring)]);
            let shown = living.has(&labels, &BTreeMap::new());
            let waves = (shown.wave.as_deref(), shown.wave_by_labels.as_deref());
            assert_eq!(waves, (wave, today), "{sentence}");
            assert!(shown.reason.contains(reason), "{sentence}: {}", shown.reason);
            assert!(!reason.is_empty() || shown.reason.is_empty(), "{sentence}: {}", shown.reason);
        }
    }

    #[test]
    fn a_wave_takes_whom_its_selector_or_its_group_takes() {
        let racks: Selector = serde_json::from_value(json!({"matchLabels": {"rack": "1"}})).unwrap();
        let groups = BTreeMap::from([("racks".to_owned(), racks)]);
        let labels = |pairs: &[(&str, &str)]| -> Labels { pairs.iter().copied().collect() };
        let mut waves = plan("next", &[], None).document.spec.waves;
        assert_eq!(wave_by_labels(&waves, &groups, &labels(&[("rack", "1")])), Some(2));
        assert_eq!(wave_by_labels(&waves, &groups, &labels(&[("rack", "2")])), None);
        assert_eq!(wave_by_labels(&waves, &BTreeMap::new(), &labels(&[("rack", "1")])), None, "it is gone");
        let both = labels(&[("rack", "1"), ("ring", "canary")]);
        assert_eq!(wave_by_labels(&waves, &groups, &both), Some(0), "the first that takes it");
        waves[0].cluster_selector = None;
        assert_eq!(wave_by_labels(&waves, &groups, &both), Some(2), "what names nobody takes nobody");
    }
}
