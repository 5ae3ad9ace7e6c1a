//! From nothing to an applied plan.

use novacula_protocol::people::Role;
use serde_json::json;

use super::steering::Fleet;
use crate::in_process::{Answered, OWNER, said};
use crate::pages::sample::as_written;

/// The fields of the form of a page, as a browser would send them with this button.
fn filled(page: &str, go: &str) -> Vec<(String, String)> {
    let html = scraper::Html::parse_document(page);
    let select = |what: &str| scraper::Selector::parse(what).unwrap();
    let form = html.select(&select("main form[method=post]")).next().expect("a form");
    let mut fields = Vec::new();
    for field in form.select(&select("input[name], select[name], textarea[name]")) {
        let (element, name) = (field.value(), field.value().attr("name").unwrap().to_owned());
        let is_box = matches!(element.attr("type"), Some("checkbox"));
        let value = match element.name() {
            "select" => {
                let chosen = field.select(&select("option[selected]")).next();
                let chosen = chosen.or_else(|| field.select(&select("option")).next());
                chosen.and_then(|one| one.value().attr("value")).unwrap_or_default().to_owned()
            }
            "textarea" => field.text().collect(),
            _ if is_box && element.attr("checked").is_none() => continue,
            _ => element.attr("value").unwrap_or_default().to_owned(),
        };
        fields.push((name, value));
    }
    fields.push(("go".to_owned(), go.to_owned()));
    fields
}

/// Sends a form with some of its fields filled in otherwise.
pub(super) async fn send(fleet: &Fleet, page: &str, go: &str, changes: &[(&str, &str)]) -> Answered {
    let mut fields = filled(page, go);
    for (name, value) in changes {
        let field = fields.iter_mut().find(|(field, _)| field == name).unwrap_or_else(|| panic!("no {name}"));
        field.1 = (*value).to_owned();
    }
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    fleet.form("/plans/new", OWNER, &fields).await
}

pub(super) fn text(answer: Answered, status: u16) -> String {
    let text = as_written(&answer.bytes);
    assert_eq!(answer.status.as_u16(), status, "{text}");
    text
}

fn counted(page: &str) -> Vec<String> {
    let html = scraper::Html::parse_document(page);
    let badges = scraper::Selector::parse("legend .badge").unwrap();
    html.select(&badges).map(|one| one.text().collect()).collect()
}

#[tokio::test]
async fn the_wizard_leads_from_nothing_to_an_applied_plan() {
    let mut fleet = Fleet::with(&[("canary", 1), ("prod", 3)]).await;
    let first = fleet.page("/plans/new", OWNER).await;
    assert!(first.contains("value=\"agent 1.1.0\" selected"), "the highest release is chosen: {first}");
    let waves = text(send(&fleet, &first, "waves", &[]).await, 200);
    assert!(waves.contains("value=\"wave=canary\"") && waves.contains("value=\"wave!=canary\""));
    assert_eq!(counted(&waves), ["1 executor now", "3 executors now"]);
    let more = text(send(&fleet, &waves, "add", &[("w0.canary", "10%")]).await, 200);
    assert!(more.contains("id=\"w2\"") && more.contains("name=\"w0.canary\" value=\"10%\""), "{more}");
    assert_eq!(
        counted(&more),
        ["1 executor now", "3 executors now"],
        "a wave that says nobody yet is no mistake yet"
    );
    let waves = text(send(&fleet, &more, "remove.2", &[]).await, 200);
    assert!(!waves.contains("id=\"w2\""), "{waves}");
    let fewer =
        text(send(&fleet, &waves, "count", &[("w1.labels", "wave=canary"), ("w1.soak", "30s")]).await, 200);
    assert!(fewer.contains("both take") || fewer.contains("it takes the same"), "{fewer}");
    assert_eq!(counted(&fewer), ["1 executor now", "1 executor now"], "each wave is counted by itself");
    let refused = text(send(&fleet, &fewer, "review", &[]).await, 400);
    let at = refused.find("id=\"w1\"").unwrap();
    assert!(
        refused[at..].contains("must take others than wave") && !refused[..at].contains("must take others")
    );
    let review =
        text(send(&fleet, &fewer, "review", &[("w1.labels", "wave=prod"), ("w0.soak", "30s")]).await, 200);
    for what in [
        "4 executors would go to 1.1.0",
        "healthCheckDuration: 30s",
        "targetVersion: &#34;1.1.0&#34;",
        "canary-0",
    ] {
        assert!(review.contains(what), "{what}: {review}");
    }
    let yaml = text(send(&fleet, &review, "document", &[]).await, 200);
    assert!(yaml.contains("<textarea") && yaml.contains("kind: FleetUpgradePlan"), "{yaml}");
    let applied = send(&fleet, &review, "apply", &[]).await;
    assert_eq!(applied.status.as_u16(), 303);
    let at = applied.header("location").to_owned();
    let page = fleet.page(&at, OWNER).await;
    assert!(
        page.contains("agent-1.1.0") && page.contains("id=\"wave-2\""),
        "it is called after its release: {page}"
    );
    fleet.pass_s(300).await;
    assert!(
        fleet.page(&at, OWNER).await.contains("every wave passed")
            || fleet.page("/plans/", OWNER).await.contains("Completed")
    );
}

#[tokio::test]
async fn the_dry_run_says_who_is_in_no_wave_and_who_is_out_of_reach() {
    let fleet = Fleet::with(&[("a", 2), ("left-out", 1)]).await;
    let key = fleet.control_plane.key().await;
    let mut body = said("far", "1.0.0");
    body["labels"] = json!({"wave": "a"});
    fleet.control_plane.sync(&key, body).await.ok();
    let first = fleet.page("/plans/new", OWNER).await;
    let waves = text(send(&fleet, &first, "waves", &[]).await, 200);
    let waves = text(send(&fleet, &waves, "count", &[("w1.labels", "wave=zzz")]).await, 200);
    assert_eq!(counted(&waves), ["3 executors now", "0 executors now"]);
    fleet.control_plane.wait_ms(60_000);
    let review = text(send(&fleet, &waves, "review", &[]).await, 200);
    let in_no_wave = review.find("In no wave").unwrap();
    assert!(review[in_no_wave..].contains("1 executor, which stay where they are: left-out-0"), "{review}");
    assert!(review.contains("Out of reach") && review.contains("3 executors: "), "{review}");
    assert!(review.contains("notice warn"), "a wave that takes nobody is warned of: {review}");
}

#[tokio::test]
async fn a_name_that_is_taken_is_told_where_the_name_is() {
    let fleet = Fleet::with(&[("a", 1)]).await;
    let first = fleet.page("/plans/new", OWNER).await;
    let waves = text(send(&fleet, &first, "waves", &[("name", "monthly")]).await, 200);
    assert_eq!(send(&fleet, &waves, "apply", &[]).await.status.as_u16(), 303);
    let again = text(send(&fleet, &waves, "apply", &[("w0.soak", "2h")]).await, 409);
    assert!(
        again.contains("Another plan `monthly` has not ended") && again.contains("id=\"plan-name\""),
        "{again}"
    );
    assert!(again.contains("name=\"w0.soak\" value=\"2h\""), "the waves are kept: {again}");
}

#[tokio::test]
async fn whatever_stands_in_a_wave_its_refusal_stands_there_too() {
    let fleet = Fleet::with(&[("a", 1)]).await;
    let first = fleet.page("/plans/new", OWNER).await;
    let waves = text(send(&fleet, &first, "waves", &[]).await, 200);
    for (name, value, said) in [
        ("w0.name", "", "spec.waves[0].name"),
        ("w0.labels", "a b", "expected requirements like"),
        ("w0.labels", "", "must be given"),
        ("w0.at_once", "0", "must be at least 1"),
        ("w0.at_once", "many", "must be a number of executors"),
        ("w0.canary", "200%", "such as 10%"),
        ("w0.soak", "90d", "must be at most 30 days"),
        ("w0.soak", "soon", "must be a duration"),
        ("w0.prometheus", "nowhere", "spec.waves[0].gates[0].url"),
        ("w0.http", "ftp://x", "spec.waves[0].gates[0].url"),
        ("w0.restarts", "some", "a number of restarts"),
        ("w0.labels", "\"><script>alert(1)</script>", "expected requirements like"),
    ] {
        let refused = text(send(&fleet, &waves, "review", &[(name, value)]).await, 400);
        let at = refused.find("id=\"w0\"").unwrap_or_else(|| panic!("{name}={value}: {refused}"));
        assert!(
            refused[at..].contains(said) && refused[at..].contains("role=\"alert\""),
            "{name}={value}: {refused}"
        );
        assert!(!refused.contains("<script>"), "{name}={value}");
    }
}

#[tokio::test]
async fn a_document_is_tried_and_applied_as_it_was_pasted() {
    let fleet = Fleet::with(&[("a", 2), ("b", 1)]).await;
    let document = "apiVersion: novacula/v1\r\nkind: FleetUpgradePlan\r\nmetadata:\r\n  name: pasted\r\nspec:\r\n  \
        targetVersion: \"1.1\"\r\n  waves:\r\n    - name: a\r\n      clusterSelector: {matchLabels: {wave: a}}\r\n";
    let at = "/plans/new/document";
    let send = |go: &'static str, text: String| {
        let fleet = &fleet;
        async move { fleet.form(at, OWNER, &[("document", text.as_str()), ("go", go)]).await }
    };
    let tried = text(send("dry-run", document.to_owned()).await, 200);
    assert!(tried.contains("2 executors would go to 1.1.0") && tried.contains("b-0"), "{tried}");
    assert!(tried.contains("name: pasted"), "what was pasted is kept");
    let wrong = document.replace("wave: a", "wave: a}, matchlabels: {x: y");
    let refused = text(send("apply", wrong).await, 400);
    assert!(
        refused.contains("`spec.waves[0].clusterSelector") && refused.contains("name: pasted"),
        "{refused}"
    );
    let applied = send("apply", document.to_owned()).await;
    assert_eq!(applied.status.as_u16(), 303);
    let page = fleet.page(applied.header("location"), OWNER).await;
    assert!(page.contains("pasted") && page.contains("In no wave") && page.contains("b-0"), "{page}");
}

#[tokio::test]
async fn a_viewer_is_not_led_through_the_wizard() {
    let fleet = Fleet::with(&[("a", 1)]).await;
    let viewer = fleet.control_plane.somebody(OWNER, "vera", Role::Viewer).await;
    for path in ["/plans/new", "/plans/new/document"] {
        let answer = fleet.control_plane.call(axum::http::Method::GET, path, &viewer.token, "").await;
        let text = text(answer, 403);
        assert!(text.contains("This needs the role owner, admin or editor; you are viewer."), "{text}");
        assert_eq!(fleet.form(path, &viewer.token, &[("go", "apply")]).await.status.as_u16(), 403);
    }
}
