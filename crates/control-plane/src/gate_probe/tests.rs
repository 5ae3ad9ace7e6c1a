use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::*;
use GateOutcome::{Fail, Inconclusive, Pass};

fn prometheus(more: &Value) -> GateSpec {
    let mut gate = json!({"type": "prometheus", "url": "https://prom.example:9090/"});
    for (name, value) in more.as_object().unwrap() {
        gate[name] = value.clone();
    }
    serde_json::from_value(gate).unwrap()
}

fn http() -> GateSpec {
    let url = "https://app.example/health?token=not-to-be-shown";
    serde_json::from_value(json!({"type": "http", "url": url})).unwrap()
}

fn answer(status: u16, body: &str) -> Result<Answer, String> {
    Ok(Answer { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec(), cut: None })
}

fn alert(name: &str, severity: &str, state: &str) -> Value {
    json!({
        "labels": {"alertname": name, "severity": severity, "team": "core"}, "annotations": {}, "state": state,
        "activeAt": "2026-11-21T08:00:00Z", "value": "1e+00",
    })
}

fn alerts(alerts: &[Value]) -> String {
    json!({"status": "success", "data": {"alerts": alerts}}).to_string()
}

#[test]
fn a_gate_asks_for_the_alerts_below_the_address_or_for_the_address_itself() {
    for (url, asked) in [
        ("https://p.example", "https://p.example/api/v1/alerts"),
        ("https://p.example/", "https://p.example/api/v1/alerts"),
        ("https://p.example/prometheus/", "https://p.example/prometheus/api/v1/alerts"),
    ] {
        assert_eq!(question(&prometheus(&json!({"url": url}))).unwrap().url, asked);
    }
    let asked = question(&http()).unwrap();
    assert_eq!((asked.url.as_str(), asked.most), ("https://app.example/health?token=not-to-be-shown", 0));
    assert_eq!(question(&GateSpec::Restarts { max_per_executor: 1 }), None);
    assert_eq!(question(&GateSpec::Approval { name: None }), None);
}

#[test]
fn firing_alerts_of_the_severities_and_labels_fail_and_nothing_else_does() {
    let (critical, none) = (json!({}), Vec::new());
    let team = |team: &str| json!({"labels": {"team": team}});
    let fires = |name| alert(name, "critical", "firing");
    for (sentence, gate, alerts_there, expected) in [
        ("no alert at all", critical.clone(), none.clone(), Pass),
        ("a critical one fires", critical.clone(), vec![fires("A")], Fail),
        ("it is pending", critical.clone(), vec![alert("A", "critical", "pending")], Pass),
        ("it is inactive", critical.clone(), vec![alert("A", "critical", "inactive")], Pass),
        ("a warning fires", critical.clone(), vec![alert("A", "warning", "firing")], Pass),
        ("one without a severity", critical.clone(), vec![json!({"labels": {}, "state": "firing"})], Pass),
        (
            "critical in capitals is another word",
            critical.clone(),
            vec![alert("A", "CRITICAL", "firing")],
            Pass,
        ),
        (
            "a warning counts",
            json!({"severities": ["page", "warning"]}),
            vec![alert("A", "warning", "firing")],
            Fail,
        ),
        (
            "any severity counts",
            json!({"severities": []}),
            vec![json!({"labels": {}, "state": "firing"})],
            Fail,
        ),
        ("it has the label", team("core"), vec![fires("A")], Fail),
        ("it has another value", team("shop"), vec![fires("A")], Pass),
        ("it lacks the label", json!({"labels": {"site": "x"}}), vec![fires("A")], Pass),
        ("one of many counts", critical.clone(), vec![alert("A", "warning", "firing"), fires("B")], Fail),
    ] {
        let said = judge(&prometheus(&gate), answer(200, &alerts(&alerts_there)));
        assert_eq!(said.outcome, expected, "{sentence}: {}", said.message);
    }
}

#[test]
fn a_failed_gate_names_a_few_of_the_alerts() {
    let said = |names: &[&str]| {
        let there: Vec<_> = names.iter().map(|name| alert(name, "critical", "firing")).collect();
        judge(&prometheus(&json!({})), answer(200, &alerts(&there))).message
    };
    assert_eq!(said(&[]), "no alert of severity critical fires at prom.example:9090");
    assert_eq!(said(&["DiskFull"]), "an alert of severity critical fires at prom.example:9090: DiskFull");
    assert_eq!(
        said(&["DiskFull", "Down", "Down"]),
        "3 alerts of severity critical fire at prom.example:9090: DiskFull, Down"
    );
    assert_eq!(
        said(&["A", "B", "C", "D", "E", "F", "G"]),
        "7 alerts of severity critical fire at prom.example:9090: A, B, C, D, E, and 2 others"
    );
    let strange = said(&[&format!("\u{1b}[2J{}", "x".repeat(1_000))]);
    assert!(!strange.contains('\u{1b}') && strange.len() < 200, "{strange}");
    let gate = prometheus(&json!({"severities": ["page", "critical"], "labels": {"team": "core"}}));
    let none = judge(&gate, answer(200, &alerts(&[]))).message;
    assert_eq!(none, "no alert of severity page or critical with team=core fires at prom.example:9090");
}

#[test]
fn what_is_not_a_list_of_alerts_tells_nothing() {
    let fires = alerts(&[alert("A", "critical", "firing")]);
    for (sentence, status, body) in [
        ("nothing", 200, String::new()),
        ("a page for people", 200, "<html>secret</html>".to_owned()),
        ("other JSON", 200, "{\"secret\": 1}".to_owned()),
        ("half of it", 200, fires[..fires.len() - 3].to_owned()),
        ("an error", 200, json!({"status": "error", "error": "secret"}).to_string()),
        ("an error with data", 200, json!({"status": "error", "data": {"alerts": []}}).to_string()),
        ("no data", 200, json!({"status": "success"}).to_string()),
        ("data of another question", 200, json!({"status": "success", "data": {"result": []}}).to_string()),
        ("a state that nobody knows", 200, alerts(&[alert("A", "critical", "secret")])),
        (
            "labels that are numbers",
            200,
            json!({"status": "success", "data": {"alerts": [{"state": "firing", "labels": {"secret": 1}}]}})
                .to_string(),
        ),
        (
            "warnings",
            200,
            json!({"status": "success", "data": {"alerts": []}, "warnings": ["secret"]}).to_string(),
        ),
        ("it starts up", 503, "Service Unavailable".to_owned()),
        ("it wants a login", 401, String::new()),
        ("it is elsewhere", 302, String::new()),
        ("there is nothing", 404, fires),
    ] {
        let said = judge(&prometheus(&json!({})), answer(status, &body));
        assert_eq!(said.outcome, Inconclusive, "{sentence}: {}", said.message);
        assert!(!said.message.contains("secret"), "{sentence}: {}", said.message);
    }
    let cut = Answer {
        status: 200,
        headers: HeaderMap::new(),
        body: alerts(&[]).into_bytes(),
        cut: Some("the answer is longer than 4194304 bytes".to_owned()),
    };
    let said = judge(&prometheus(&json!({})), Ok(cut));
    assert_eq!(said.outcome, Inconclusive);
    assert!(said.message.contains("longer than"), "{}", said.message);
}

#[test]
fn an_endpoint_passes_by_2xx_fails_by_another_status_and_is_inconclusive_without_one() {
    for (status, expected) in [
        (200, Pass),
        (204, Pass),
        (299, Pass),
        (301, Inconclusive),
        (307, Inconclusive),
        (400, Fail),
        (401, Fail),
        (404, Fail),
        (429, Fail),
        (500, Fail),
        (503, Fail),
    ] {
        let said = judge(&http(), answer(status, "secret"));
        assert_eq!(said.outcome, expected, "{status}");
        assert!(said.message.contains(&format!("app.example answered {status}")), "{}", said.message);
        assert!(!said.message.contains("secret") && !said.message.contains("not-to-be-shown"));
    }
    let said = judge(&http(), Err("timeout: global".to_owned()));
    assert_eq!(said.outcome, Inconclusive);
    assert_eq!(said.message, "app.example did not answer: timeout: global");
}
