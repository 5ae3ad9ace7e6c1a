//! Every page renders, with something hostile wherever people or executors may write.

use axum::http::StatusCode;
use novacula_protocol::people::{
    Action as Deed, Activity, Approval, Checked, DryMember, DryWave, ExecutorGroup, FleetPlan,
    FleetUpgradePlan, Gate, GateOutcome, MemberOutcome, PlanDryRun, PlanMember, PlanState, Presence,
    Selector, Wave, WaveCounts, WaveState,
};
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::PreflightResult;
use serde_json::json;

use crate::pages::action::{Action, Look};
use crate::pages::form::Form;
use crate::pages::layout::Room;
use crate::pages::plans::actions::{self, Cannot};
use crate::pages::plans::draft::{Draft, Place};
use crate::pages::plans::dry_run::DryRunShown;
use crate::pages::plans::expert::ExpertPage;
use crate::pages::plans::groups::{DeletePage, GroupPage, GroupShown, GroupsPage};
use crate::pages::plans::list::{Asked, ListPage};
use crate::pages::plans::members::Members;
use crate::pages::plans::show::{PlanPage, pictures};
use crate::pages::plans::steer::{About, SteerPage, Verb};
use crate::pages::plans::wizard::{Refusal, Step, WizardPage};
use crate::pages::plans::{waves, yaml};
use crate::pages::sample::{HOSTILE, check, layout, now};

const ID: &str = "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c";

/// A running plan, nobody in it yet; five executors for each wave.
pub(crate) fn plan(name: &str, count: usize) -> FleetPlan {
    let names: Vec<_> = (0..count).map(|index| format!("wave-{index}")).collect();
    let document = document(name, &names);
    let wave = |name: &String| Wave {
        name: name.clone(),
        state: WaveState::Pending,
        reason: String::new(),
        began_at: None,
        healthy_since: None,
        soaks_until: None,
        passed_at: None,
        max_in_flight: 2,
        canary: 1,
        counts: WaveCounts { total: 5, ..WaveCounts::default() },
        gates: Vec::new(),
    };
    FleetPlan {
        id: ID.to_owned(),
        name: name.to_owned(),
        executor_kind: Kind::Agent,
        target_version: "1.1.0".parse().unwrap(),
        priority: 0,
        state: PlanState::Running,
        reason: String::new(),
        requested_by: "owner".to_owned(),
        created_at: now(),
        ended_at: None,
        approval: None,
        warnings: Vec::new(),
        waves: names.iter().map(wave).collect(),
        in_no_wave: None,
        document: Some(document),
    }
}

fn document(name: &str, waves: &[String]) -> FleetUpgradePlan {
    let waves: Vec<_> = waves
        .iter()
        .map(|wave| json!({"name": wave, "clusterSelector": {"matchLabels": {"wave": wave}}}))
        .collect();
    serde_json::from_value(json!({
        "apiVersion": "novacula/v1", "kind": "FleetUpgradePlan", "metadata": {"name": name},
        "spec": {"targetVersion": "1.1.0", "waves": waves},
    }))
    .unwrap()
}

/// A plan in which everything is hostile and everything happens.
fn hostile(state: PlanState, wave_state: WaveState) -> FleetPlan {
    let mut plan = plan(HOSTILE, 3);
    plan.state = state;
    (plan.reason, plan.requested_by) = (HOSTILE.to_owned(), HOSTILE.to_owned());
    (plan.priority, plan.ended_at) = (3, Some(now()));
    plan.approval = Some(Approval { approved_by: Some(HOSTILE.to_owned()), approved_at: Some(now()) });
    plan.warnings = vec![HOSTILE.to_owned()];
    plan.in_no_wave = Some(vec![HOSTILE.to_owned()]);
    let document = plan.document.as_mut().unwrap();
    document.metadata.annotations.insert(HOSTILE.to_owned(), HOSTILE.to_owned());
    document.spec.waves[0].group = Some(HOSTILE.to_owned());
    document.spec.waves[0].cluster_selector = None;
    for (index, wave) in plan.waves.iter_mut().enumerate() {
        wave.name = format!("{index}{HOSTILE}");
        document.spec.waves[index].name.clone_from(&wave.name);
        wave.reason = HOSTILE.to_owned();
    }
    let wave = &mut plan.waves[0];
    wave.state = wave_state;
    (wave.began_at, wave.healthy_since) = (Some(now()), Some(now()));
    (wave.soaks_until, wave.passed_at) = (Some(now()), Some(now()));
    for outcome in crate::pages::plans::said::OUTCOMES {
        wave.counts.add(outcome, 3);
    }
    let outcomes = [GateOutcome::Waiting, GateOutcome::Pass, GateOutcome::Fail, GateOutcome::Inconclusive];
    wave.gates = outcomes
        .into_iter()
        .map(|outcome| Gate {
            name: HOSTILE.to_owned(),
            outcome,
            message: HOSTILE.to_owned(),
            blocking: outcome == GateOutcome::Fail,
            at: Some(now()),
            by: Some(HOSTILE.to_owned()),
            skipped: outcome == GateOutcome::Waiting,
        })
        .collect();
    plan
}

fn cannot() -> Cannot {
    Cannot { steer: Some(HOSTILE.to_owned()), administer: None, name: "owner".to_owned() }
}

fn member(outcome: MemberOutcome) -> PlanMember {
    PlanMember {
        executor_id: ID.to_owned(),
        executor_name: HOSTILE.to_owned(),
        wave: HOSTILE.to_owned(),
        position: 1,
        canary: true,
        outcome,
        reason: HOSTILE.to_owned(),
        from_version: "1.0.0".parse().unwrap(),
        upgrade_id: Some(ID.to_owned()),
        wave_by_labels: Some("another".to_owned()),
    }
}

fn entry() -> Activity {
    Activity {
        id: 1,
        at: now(),
        actor: HOSTILE.to_owned(),
        action: Deed::PlanHalted,
        target: ID.to_owned(),
        name: HOSTILE.to_owned(),
        reason: HOSTILE.to_owned(),
        before: None,
        after: Some(json!({"wave": HOSTILE})),
        hash: String::new(),
    }
}

#[test]
fn the_list_renders() {
    let asked = Asked { state: "halted".to_owned(), name: HOSTILE.to_owned(), cursor: HOSTILE.to_owned() };
    let begin = || Action::new("New plan", "/plans/new", Look::First);
    for plans in
        [vec![], crate::pages::plans::said::PLAN_STATES.map(|it| hostile(it, WaveState::Gate)).to_vec()]
    {
        let next = Some("/plans/?cursor=x".to_owned());
        let (layout, asked) = (layout(Room::Plans), asked.clone());
        check("plans", &ListPage { layout, plans, asked, next, begin: begin() });
    }
    let (layout, asked) = (layout(Room::Plans), Asked::default());
    let html =
        check("no plans", &ListPage { layout, plans: vec![], asked, next: None, begin: begin() }).html();
    assert!(html.contains("wave by wave") && html.contains("href=\"/plans/new\""), "it says what a plan is");
}

#[test]
fn a_plan_renders_in_every_state() {
    use WaveState::{Canary, Gate, Halted, Passed, Pending, RolledBack, RollingBack, Running, Soaking};
    for state in crate::pages::plans::said::PLAN_STATES {
        for wave in [Pending, Canary, Running, Soaking, Gate, Passed, Halted, RollingBack, RolledBack] {
            let plan = hostile(state, wave);
            let page = PlanPage {
                layout: layout(Room::Plans),
                actions: actions::of_plan(&plan, &cannot()),
                pictures: pictures(&plan),
                waves: waves::shown(&plan, &cannot()),
                document: yaml::of(plan.document.as_ref().unwrap()),
                members: Members {
                    items: crate::pages::plans::said::OUTCOMES.map(member).to_vec(),
                    next: Some("/plans/x".to_owned()),
                    refused: Some(HOSTILE.to_owned()),
                    ..Members::default()
                },
                log: vec![entry()],
                plan,
            };
            check("a plan", &page);
        }
    }
}

#[test]
fn every_word_to_a_plan_asks_back() {
    for verb in Verb::ALL {
        for about in [About::default(), About { wave: HOSTILE.to_owned(), gate: HOSTILE.to_owned() }] {
            let (layout, plan) = (layout(Room::Plans), hostile(PlanState::Halted, WaveState::Halted));
            let (reason, refused) = (HOSTILE.to_owned(), Some(HOSTILE.to_owned()));
            check("steer", &SteerPage { layout, plan, verb, about, reason, refused });
        }
    }
}

#[test]
fn groups_render() {
    let group = ExecutorGroup {
        id: ID.to_owned(),
        name: HOSTILE.to_owned(),
        selector: Selector {
            match_labels: [(HOSTILE.to_owned(), HOSTILE.to_owned())].into(),
            ..Selector::default()
        },
        executors: 3,
        created_by: HOSTILE.to_owned(),
        created_at: now(),
    };
    let action = |label: &str| Action::new(label, "/groups/x", Look::Plain).unless(Some(HOSTILE.to_owned()));
    let row = GroupShown { group: group.clone(), change: action("Change"), delete: action("Delete") };
    for groups in [vec![], vec![row]] {
        let (layout, begin) = (layout(Room::Plans), action("New group"));
        check("groups", &GroupsPage { layout, groups, next: Some("/groups/?cursor=x".to_owned()), begin });
    }
    for (is_too_rich, cannot) in [(false, None), (true, Some(HOSTILE.to_owned()))] {
        let page = GroupPage {
            layout: layout(Room::Plans),
            heading: HOSTILE.to_owned(),
            action: "/groups/x".to_owned(),
            button: "Keep",
            name: HOSTILE.to_owned(),
            selector: HOSTILE.to_owned(),
            is_too_rich,
            refused: Some(HOSTILE.to_owned()),
            cannot,
        };
        check("a group", &page);
    }
    check("delete", &DeletePage { layout: layout(Room::Plans), group, refused: Some(HOSTILE.to_owned()) });
}

fn hostile_run() -> PlanDryRun {
    let executor = |number: usize| DryMember {
        executor_id: ID.to_owned(),
        name: format!("{HOSTILE}{number}"),
        canary: number == 0,
        current_version: "1.0.0".parse().unwrap(),
        route: vec!["1.0.5".parse().unwrap(), "1.1.0".parse().unwrap()],
        status: if number.is_multiple_of(2) { Presence::Offline } else { Presence::Online },
        obstacle: Some(format!("{HOSTILE}{}", number % 60)),
        preflight: vec![Checked {
            result: PreflightResult { check: HOSTILE.to_owned(), ok: false, note: HOSTILE.to_owned() },
            at: now(),
        }],
        owes: vec![HOSTILE.to_owned()],
    };
    let wave = |name: &str, count: usize| DryWave {
        name: name.to_owned(),
        max_in_flight: 3,
        canary: 1,
        starts_at: now(),
        ends_at: now(),
        wants_approval: true,
        executors: (0..count).map(executor).collect(),
    };
    PlanDryRun {
        target_version: "1.1.0".parse().unwrap(),
        warnings: vec![HOSTILE.to_owned()],
        waves: vec![wave(HOSTILE, 120), wave("empty", 0)],
        in_no_wave: vec![HOSTILE.to_owned(); 70],
        ends_at: now(),
    }
}

#[test]
fn the_wizard_renders_at_every_step() {
    let form: Vec<_> =
        ["name", "target", "health", "done", "w0.name", "w0.labels", "w0.group", "w0.soak", "w1.name"]
            .map(|name| (name, HOSTILE))
            .to_vec();
    for step in [Step::Target, Step::Waves, Step::Review] {
        for place in [Place::Target, Place::Whole, Place::Wave(0), Place::Wave(7)] {
            let page = WizardPage {
                layout: layout(Room::Plans),
                step,
                draft: Draft::read(&Form::with(&form)),
                offers: vec![(Kind::Agent, vec!["1.1.0".to_owned(), HOSTILE.to_owned()])],
                groups: vec![HOSTILE.to_owned(), "front".to_owned()],
                counts: vec![Some(3), None],
                refused: Some(Refusal {
                    place,
                    sentence: HOSTILE.to_owned(),
                    status: StatusCode::BAD_REQUEST,
                }),
                dry_run: Some(DryRunShown::of(hostile_run(), now())),
                yaml: HOSTILE.to_owned(),
            };
            let html = check("wizard", &page).html();
            assert_eq!(
                html.matches("role=\"alert\"").count(),
                1,
                "a refusal is shown once, wherever it is about"
            );
        }
    }
    let none = WizardPage {
        layout: layout(Room::Plans),
        step: Step::Target,
        draft: Draft::default(),
        offers: vec![],
        groups: vec![],
        counts: vec![],
        refused: None,
        dry_run: None,
        yaml: String::new(),
    };
    assert!(check("an empty catalogue", &none).html().contains("Publish one first"));
}

#[test]
fn a_dry_run_of_many_names_some_and_counts_the_rest() {
    let page = ExpertPage {
        layout: layout(Room::Plans),
        document: HOSTILE.to_owned(),
        refused: Some(HOSTILE.to_owned()),
        dry_run: Some(DryRunShown::of(hostile_run(), now())),
    };
    let html = check("expert", &page).html();
    assert!(
        html.contains("70 executors, which stay where they are") && html.contains("and 20 more"),
        "{html}"
    );
    assert!(html.contains("120 hosts were asked") && html.contains("<td>70 more</td>"), "{html}");
}
