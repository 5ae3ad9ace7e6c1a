use axum::http::Method;
use novacula_protocol::people::{AttentionUpgrade, CensusRow, Need, Role, SupportCounts};
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::Channel;
use scraper::{Html, Selector};
use serde_json::json;

use super::*;
use crate::example;
use crate::in_process::{ControlPlane, reported, said};
use crate::pages::sample::{self, HOSTILE, check};

fn gathered() -> Gathered {
    let upgrade = |n: u64| AttentionUpgrade {
        upgrade_id: format!("01a1fd44-ec13-72dc-be3d-6f6dbcc5{n:04}"),
        executor_id: "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c".to_owned(),
        executor_name: HOSTILE.to_owned(),
        target_version: "1.5.0".parse().unwrap(),
        reason: HOSTILE.to_owned(),
        at: sample::now(),
    };
    let needs = [
        Need::Failed,
        Need::RolledBack,
        Need::Completion,
        Need::Approval,
        Need::Prerequisites,
        Need::Start,
        Need::Paused,
    ];
    let group = |need| Attention { need, count: 12_345, upgrades: (0..20).map(upgrade).collect() };
    let row = |n: u64| CensusRow {
        kind: Kind::Agent,
        channel: Channel::Stable,
        version: format!("1.{n}.0").parse().unwrap(),
        executors: n * n,
        online: n,
        held: 1,
    };
    let mut plan: FleetPlan = serde_json::from_str(example::PLAN).unwrap();
    plan.name = HOSTILE.to_owned();
    plan.reason = HOSTILE.to_owned();
    for wave in &mut plan.waves {
        wave.name = HOSTILE.to_owned();
    }
    let plans = [PlanState::Halted, PlanState::Paused, PlanState::ApprovalWanted, PlanState::Running];
    let plans =
        plans.into_iter().zip(0..).map(|(state, n)| FleetPlan { state, id: n.to_string(), ..plan.clone() });
    let mut release: Release = serde_json::from_str(example::RELEASE_LISTED).unwrap();
    release.status = novacula_protocol::people::ReleaseStatus::Draft;
    let mut webhook: Webhook = serde_json::from_str(example::WEBHOOK).unwrap();
    webhook.description = HOSTILE.to_owned();
    webhook.disabled_reason = Some(HOSTILE.to_owned());
    Gathered {
        census: FleetCensus {
            executors: 9,
            online: 5,
            offline: 4,
            held: 2,
            support: SupportCounts { in_window: 5, deprecated: 1, out_of_support: 3 },
            rows: (1..20).rev().map(row).collect(),
        },
        counts: serde_json::from_str(example::UPGRADE_COUNTS).unwrap(),
        attention: needs.into_iter().map(group).collect(),
        days: serde_json::from_str(example::UPGRADES_ON_DAYS).unwrap(),
        releases: vec![release],
        plans: plans.collect(),
        webhooks: vec![webhook],
    }
}

fn page_of(gathered: &Gathered) -> OverviewPage {
    OverviewPage {
        layout: sample::layout(Room::Overview),
        first_run: None,
        figures: figures(&gathered.census, &gathered.counts),
        needs: needs::all(gathered),
        versions: fleet::versions(&gathered.census, &gathered.releases),
        over_time: over_time(&gathered.days),
        plans: gathered.plans.iter().map(plans::in_brief).collect(),
        more_plans: 7,
    }
}

fn text_of(html: &Html, selector: &str) -> String {
    let found = Selector::parse(selector).unwrap();
    let text: Vec<String> = html.select(&found).map(|it| it.text().collect::<String>()).collect();
    text.join("\n").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_overview_of_a_busy_house_renders() {
    let html = check("overview", &page_of(&gathered()));
    let needs = text_of(&html, "#needs");
    for title in [
        "Upgrades that failed in the last 24 hours",
        "Upgrades that were rolled back in the last 24 hours",
        "Upgrades to complete or to roll back",
        "Upgrades to approve",
        "Upgrades with steps to do before they begin",
        "Upgrades to start",
        "Paused upgrades to continue",
        "Halted fleet plans",
        "Paused fleet plans",
        "Fleet plans to approve",
        "3 executors out of support",
        "2 executors held",
        "Releases to publish",
        "Webhooks that reach nobody",
        "and 12,340 more",
    ] {
        assert!(needs.contains(title), "{title}: {needs}");
    }
    assert!(text_of(&html, "#versions .legend").contains("12 others"), "very many versions fold");
}

async fn overview(control_plane: &ControlPlane, bearer: &str) -> Html {
    let answer = control_plane.call(Method::GET, "/", bearer, "").await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.bytes));
    Html::parse_document(&String::from_utf8(answer.bytes).unwrap())
}

#[tokio::test]
async fn an_empty_control_plane_leads_to_the_first_upgrade_and_ticks_off_what_is_done() {
    let control_plane = ControlPlane::start().await;
    let see = async || overview(&control_plane, control_plane.owner()).await;
    let page = see().await;
    let first = text_of(&page, "#first-run");
    for line in [
        "export NOVACULA_URL=http://cp.test:3000",
        "packaging/release.sh 1.0.0 --key /media/stick/novacula-a.key --publish",
        "novactl executor enroll host-1 --agent-url http://cp.test:3000 --write agent.toml",
        "novactl upgrade request host-1 --target-version 1.0.0 --watch",
    ] {
        assert!(first.contains(line), "{line}: {first}");
    }
    assert!(text_of(&page, "#needs").contains("Nothing."), "nobody is needed where nothing is");
    assert_eq!(text_of(&page, ".steps .done"), "");

    control_plane.publish("1.0.0").await;
    assert!(text_of(&see().await, ".steps .done").contains("agent 1.0.0 is published."));
    let (key, id) = control_plane.executor("host(1)", "1.0.0").await;
    let page = see().await;
    assert!(text_of(&page, ".steps .done").contains("host(1) syncs, and runs 1.0.0."));
    assert!(
        text_of(&page, "#first-run").contains("is offered nothing above it: publish the next release first.")
    );
    control_plane.publish("1.1.0").await;
    let beta = control_plane.publish("1.2.0").await;
    let path = format!("/api/v1/releases/{}", beta["id"].as_str().unwrap());
    control_plane.patch(&path, json!({"channel": "beta"})).await.ok();
    let page = see().await;
    let line = "novactl upgrade request 'host(1)' --target-version 1.1.0 --watch";
    assert!(text_of(&page, "#first-request").contains(line));

    let upgrade = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
    let page = see().await;
    assert!(text_of(&page, "#first-run").contains("It is under way: host(1) goes to 1.1.0."));
    control_plane.sync(&key, reported("host(1)", "1.1.0", &upgrade, "COMPLETED", "COMPLETED")).await.ok();
    assert_eq!(text_of(&see().await, "#first-run"), "", "and it goes away");
    control_plane.wait_ms(120 * 86_400_000);
    assert_eq!(text_of(&see().await, "#first-run"), "", "for good");
}

#[tokio::test]
async fn the_numbers_are_those_of_the_api_and_lead_to_what_they_count() {
    let control_plane = ControlPlane::start().await;
    control_plane.executor("asleep", "3.0.0").await;
    control_plane.wait_ms(30_000);
    control_plane.publish("3.1.0").await;
    for name in ["a", "b", "c"] {
        control_plane.executor(name, "3.0.0").await;
    }
    let mut held = said("held", "3.1.0");
    held["held"] = json!({"reason": "the disk is being copied"});
    control_plane.sync(&control_plane.key().await, held).await.ok();
    let (_, id) = control_plane.executor("d", "3.0.0").await;
    control_plane.request(&id, "3.1.0").await.ok();
    let page = overview(&control_plane, control_plane.owner()).await;
    let figures = text_of(&page, "#figures");
    assert_eq!(
        figures,
        "5 executors online 1 executors offline 1 held by a sysadmin 0 upgrades in progress 1 upgrades pending"
    );
    let links = Selector::parse("#figures a, #needs a, #versions .legend a").unwrap();
    for link in page.select(&links) {
        let href = link.value().attr("href").unwrap();
        // What a figure counts is what the list behind it is asked for.
        let path = href.replacen("/executors/?", "/api/v1/executors?", 1).replacen(
            "/upgrades/?",
            "/api/v1/upgrades?",
            1,
        );
        control_plane.get(&path).await.ok();
    }
    let versions = text_of(&page, "#versions");
    assert!(versions.contains("3.1.0 (newest) 1") && versions.contains("3.0.0 5"), "{versions}");
    assert!(versions.contains("5 executors are behind 3.1.0, the newest release."), "{versions}");
    assert!(text_of(&page, "#needs").contains("1 executor held"));
}

#[tokio::test]
async fn what_waits_for_people_is_named_with_its_reason_and_a_viewer_is_told_why_they_cannot_help() {
    let control_plane = ControlPlane::start().await;
    control_plane.draft("1.2.0", b"x").await;
    control_plane.publish("1.1.0").await;
    let (key, id) = control_plane.executor("broken", "1.0.0").await;
    let upgrade = control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
    let mut report = reported("broken", "1.0.0", &upgrade, "FAILED", "FAILED");
    report["upgrade"]["error"] = json!({
        "code": "sha256_mismatch", "stage": "VERIFY", "message": "the bytes are others",
        "timestamp": "2026-09-21T14:13:20Z"
    });
    control_plane.sync(&key, report).await.ok();
    let page = overview(&control_plane, control_plane.owner()).await;
    let needs = text_of(&page, "#needs");
    assert!(needs.contains("broken to 1.1.0 The bytes are others."), "{needs}");
    assert!(needs.contains("agent 1.2.0 It is a draft"), "{needs}");
    let link = Selector::parse(&format!("#needs a[href='/upgrades/{upgrade}']")).unwrap();
    assert!(page.select(&link).next().is_some());
    assert!(text_of(&page, "#over-time .legend").contains("failed 1"));
    assert!(text_of(&page, "#first-run").contains("did not complete; its page says why."));

    let viewer = control_plane.somebody(control_plane.owner(), "vic", Role::Viewer).await;
    let page = overview(&control_plane, &viewer.token).await;
    assert!(
        text_of(&page, "#first-run").contains("This needs the role owner, admin or editor; you are viewer.")
    );
}

/// A plan of one wave for everybody at once.
async fn apply(control_plane: &ControlPlane, name: &str) -> String {
    let everybody = json!({"matchExpressions": [{"key": "wave", "operator": "DoesNotExist"}]});
    let document = json!({
        "apiVersion": "novacula/v1", "kind": "FleetUpgradePlan", "metadata": {"name": name},
        "spec": {
            "targetVersion": "1.1.0",
            "waves": [{
                "name": "everybody", "clusterSelector": everybody, "maxInFlight": 1,
                "validation": {"healthCheckDuration": "60s", "automated": true},
            }],
        },
    });
    let plan = control_plane.post("/api/v1/fleet/plans", document).await.ok();
    plan["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_plan_under_way_is_shown_and_one_that_was_halted_needs_a_person() {
    let control_plane = ControlPlane::start().await;
    control_plane.publish("1.1.0").await;
    for name in ["a", "b", "c", "d"] {
        control_plane.executor(name, "1.0.0").await;
    }
    let plan = apply(&control_plane, "monthly").await;
    let page = overview(&control_plane, control_plane.owner()).await;
    let plans = text_of(&page, "#plans");
    assert!(plans.contains("monthly to agent 1.1.0 Running"), "{plans}");
    assert!(plans.contains("Wave 1 of 1, everybody"), "{plans}");
    assert!(!text_of(&page, "#needs").contains("monthly"), "it goes on by itself");

    let halt = json!({"reason": "the <b>disk</b> is full"});
    control_plane.post(&format!("/api/v1/fleet/plans/{plan}/halt"), halt).await.ok();
    // However many came after it.
    for n in 0..21 {
        let other = apply(&control_plane, &format!("other-{n}")).await;
        if n < 20 {
            control_plane
                .post(&format!("/api/v1/fleet/plans/{other}/halt"), json!({"reason": "x"}))
                .await
                .ok();
        }
    }
    let page = overview(&control_plane, control_plane.owner()).await;
    let needs = text_of(&page, "#needs");
    assert!(needs.contains("Halted fleet plans") && needs.contains("and 16 more"), "{needs}");
    let plans = text_of(&page, "#plans");
    assert!(plans.contains("and 12 more"), "{plans}");
}
