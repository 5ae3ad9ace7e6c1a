use super::*;
use crate::pages::form::Form;
use crate::pages::plans::yaml;
use crate::pages::words;
use crate::selector::takes;

/// Numbers that are the same in every run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    /// What somebody might type, or paste by mistake.
    fn typed(&mut self, usual: &[&str]) -> String {
        const ODD: [&str; 40] = [
            "",
            " ",
            "0",
            "-1",
            "101%",
            "1e3",
            "true",
            "no",
            "null",
            "~",
            "- a",
            "a: b",
            "a #b",
            "#",
            "'",
            "\"",
            "\\",
            "{}",
            "[x]",
            "&a",
            "*a",
            "!tag",
            "%",
            "@",
            "`",
            "?",
            "|",
            ">",
            ":",
            "a\u{85}b",
            "a\u{2028}b",
            "\u{feff}x",
            "\u{7f}",
            "0x1f",
            "1_000",
            "2001-01-01",
            "\u{1f980}",
            "<script>",
            "=",
            "\t",
        ];
        match self.below(4) {
            0 => self.one_of(&ODD).to_owned(),
            1 => format!("{}{}", self.one_of(usual), self.one_of(&ODD)),
            _ => self.one_of(usual).to_owned(),
        }
    }

    fn draft(&mut self) -> Draft {
        let mut draft = Draft::default();
        draft.set("name", self.typed(&["monthly", "1.34", "on"]));
        draft.set("target", self.typed(&["agent 1.1.0", "operator 2", "agent 1"]));
        draft.set("health", self.typed(&["", "1m", "90s", "2d"]));
        draft.set("done", self.one_of(&["", "yes"]));
        for _ in 0..self.below(4) {
            let mut wave = WaveDraft::default();
            for name in OF_WAVE {
                let usual: &[&str] = match name {
                    "name" => &["canary", "rest", "yes"],
                    "labels" => &["ring=canary", "a in (1,2),!b", "x!=y", ""],
                    "group" => &["", "", "front", "on"],
                    "soak" => &["1h", "0s", "24h"],
                    "next" => &["automated", "approval"],
                    "prometheus" | "http" => &["", "https://x.example/a?b=c#d"],
                    "restarts" | "back" => &["", "3"],
                    _ => &["", "1", "10%", "25%"],
                };
                let text = self.typed(usual);
                wave.set(name, text.trim());
            }
            draft.waves.push(wave);
        }
        draft
    }
}

#[test]
fn whatever_is_typed_the_document_is_read_as_it_was_meant_or_the_refusal_is_a_sentence() {
    let (mut seeded, mut read, mut refused) = (Seeded(0x5eed), 0, 0);
    for round in 0..20_000 {
        let draft = seeded.draft();
        let document = match draft.document() {
            Ok(document) => document,
            Err(refusal) => {
                let said = words::sentence(&refusal.to_string());
                assert!(refusal.path.starts_with("spec.") && said.ends_with('.'), "{round}: {said}");
                refused += 1;
                continue;
            }
        };
        let text = yaml::of(&document);
        let again = FleetUpgradePlan::read(&text);
        assert_eq!(again, Ok(document.clone()), "round {round}:\n{text}");
        let json = serde_json::to_string(&document).unwrap();
        assert_eq!(FleetUpgradePlan::read(&json), Ok(document), "round {round}: {json}");
        read += 1;
    }
    assert!(read > 1_000 && refused > 1_000, "both happen: {read} were read, {refused} refused");
}

#[test]
fn a_draft_goes_through_the_form_of_every_step_unchanged() {
    let mut seeded = Seeded(0xca11);
    for round in 0..500 {
        let mut draft = seeded.draft();
        for name in OF_PLAN {
            let trimmed = draft.text(name).trim().to_owned();
            draft.set(name, trimmed);
        }
        let fields = [draft.hidden_target(), draft.hidden_waves()].concat();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(Draft::read(&Form::with(&fields)), draft, "round {round}");
    }
}

#[test]
fn a_refusal_is_shown_where_it_can_be_mended() {
    for (path, expected) in [
        ("spec.targetVersion", Place::Target),
        ("metadata.name", Place::Target),
        ("spec.prerequisitesAcknowledged", Place::Target),
        ("spec.waves[2].canary", Place::Wave(2)),
        ("spec.waves[0].gates[1].url", Place::Wave(0)),
        ("spec.waves", Place::Whole),
        ("document", Place::Whole),
    ] {
        assert_eq!(Place::of(path), expected, "{path}");
    }
}

#[test]
fn waves_are_added_removed_and_moved() {
    let mut draft = Draft::default();
    (0..100).for_each(|_| draft.add_wave());
    assert_eq!(draft.waves.len(), MOST_WAVES, "no more than a document may have");
    draft.waves.truncate(3);
    draft.move_earlier(2);
    draft.move_earlier(0);
    draft.remove_wave(0);
    draft.remove_wave(usize::MAX);
    let names: Vec<_> = draft.waves.iter().map(|wave| wave.text("name")).collect();
    assert_eq!(names, ["wave-3", "wave-2"]);
}

fn labels(all: &[&[(&str, &str)]]) -> Vec<BTreeMap<String, String>> {
    let one =
        |labels: &&[(&str, &str)]| labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    all.iter().map(one).collect()
}

#[test]
fn waves_are_suggested_from_the_labels_that_are_there() {
    let canary_prod: &[&[(&str, &str)]] = &[&[("ring", "prod")], &[("ring", "canary"), ("site", "x")], &[]];
    let env: &[&[(&str, &str)]] = &[
        &[("env", "prod")],
        &[("env", "dev")],
        &[("env", "staging")],
        &[("env", "test")],
        &[("env", "a,b")],
    ];
    for (all, expected) in [
        (&[][..], "fleet: !hold-back"),
        (&[&[("site", "berlin")][..]], "fleet: !hold-back"),
        (canary_prod, "canary: ring=canary; prod: ring=prod; rest: ring notin (canary,prod)"),
        (&canary_prod[..2], "canary: ring=canary; prod: ring!=canary"),
        (&canary_prod[..1], "fleet: !hold-back"),
        (env, "test: env=test; dev: env=dev; staging: env=staging; rest: env notin (test,dev,staging)"),
        (&[&[("wave", "a)b")][..]], "fleet: !hold-back"),
    ] {
        let labels = labels(all);
        let waves = suggested(&labels.iter().collect::<Vec<_>>());
        let said: Vec<_> =
            waves.iter().map(|wave| format!("{}: {}", wave.text("name"), wave.text("labels"))).collect();
        assert_eq!(said.join("; "), expected);
        assert_eq!(waves[0].text("canary"), "1", "one goes first");
        let mut draft = Draft { waves, ..Draft::default() };
        draft.set("target", "agent 1.1.0");
        let document = draft.document().unwrap();
        for labels in &labels {
            let waves = document.spec.waves.iter();
            let taken = waves.filter(|wave| takes(wave.cluster_selector.as_ref().unwrap(), &labels.into()));
            assert_eq!(taken.count(), 1, "nobody is in two waves or in none: {labels:?}");
        }
        for wave in document.spec.waves.iter().filter(|_| !labels.is_empty()) {
            let selector = wave.cluster_selector.as_ref().unwrap();
            assert!(labels.iter().any(|labels| takes(selector, &labels.into())), "a wave of nobody");
        }
    }
}
