use novacula_protocol::people::WebhookEvent;
use serde_json::{Value, json};

use crate::in_process::ControlPlane;

const WEBHOOKS: &str = "/api/v1/webhooks";
const URL: &str = "https://example.com/hook?token=in-the-url";

async fn made(control_plane: &ControlPlane) -> (String, Value) {
    let asked = json!({"url": URL, "events": ["upgrade.failed"], "description": "to the chat"});
    let made = control_plane.post(WEBHOOKS, asked).await;
    assert_eq!(made.status, 201);
    let made = made.ok();
    (format!("{WEBHOOKS}/{}", made["id"].as_str().unwrap()), made)
}

#[tokio::test]
async fn the_secret_of_a_webhook_is_shown_once_and_its_url_not_in_the_activity() {
    let control_plane = ControlPlane::start().await;
    let (path, made) = made(&control_plane).await;
    let secret = made["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("nvw_") && secret.len() == 48, "{secret}");
    let rotated = control_plane.post(&format!("{path}/rotate"), json!({})).await.ok();
    let anew = rotated["secret"].as_str().unwrap().to_owned();
    assert_ne!(anew, secret);
    assert_eq!(rotated["previousSecretUntil"], "2026-09-22T14:13:20Z");
    control_plane.patch(&path, json!({"url": "https://example.com/other?token=in-the-url"})).await.ok();
    control_plane.post(&format!("{path}/test"), json!({})).await.ok();
    let deleted = control_plane.delete(&format!("{path}?reason=moved%20away")).await;
    assert_eq!(deleted.status, 204);
    for place in [WEBHOOKS, "/api/v1/activity", "/api/v1/activity?format=csv", "/metrics"] {
        let answer = control_plane.get(place).await;
        let text = String::from_utf8_lossy(&answer.bytes).into_owned();
        for secret in [secret.as_str(), &anew, "in-the-url"] {
            assert!(!text.contains(secret), "{place}: {text}");
        }
    }
    let page = control_plane.get("/api/v1/activity?target=example.com").await.ok();
    let told: Vec<_> =
        page["items"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(
        told,
        ["webhook.deleted", "webhook.tested", "webhook.changed", "webhook.rotated", "webhook.created"]
    );
    assert_eq!(page["items"][0]["reason"], "moved away");
    assert_eq!(control_plane.get(&path).await.problem(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn a_webhook_that_cannot_be_meant_is_refused() {
    let control_plane = ControlPlane::start().await;
    let (path, _) = made(&control_plane).await;
    for wrong in [
        json!({"url": "http://example.com/", "events": ["upgrade.failed"]}),
        json!({"url": "https://169.254.169.254/", "events": ["upgrade.failed"]}),
        json!({"url": "https://u:p@example.com/", "events": ["upgrade.failed"]}),
        json!({"url": "example.com", "events": ["upgrade.failed"]}),
        json!({"url": URL, "events": []}),
        json!({"url": URL, "events": ["upgrade.failed", "upgrade.failed"]}),
        json!({"url": URL, "events": ["webhook.test"]}),
        json!({"url": URL, "events": ["upgrade.*"]}),
        json!({"url": URL, "events": ["upgrade.failed"], "description": "x".repeat(1_001)}),
        json!({"url": URL}),
        json!({"url": URL, "events": ["upgrade.failed"], "secret": "nvw_mine"}),
    ] {
        let refused = control_plane.post(WEBHOOKS, wrong.clone()).await;
        assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{wrong}");
        let patched = control_plane.patch(&path, wrong.clone()).await;
        if wrong != json!({"url": URL}) {
            assert_eq!(patched.problem(), (400, "invalid_request".to_owned()), "{wrong}");
        }
    }
    assert_eq!(control_plane.get(&format!("{path}/deliveries?status=lost")).await.status, 400);
    assert_eq!(control_plane.delete(&format!("{path}?because=so")).await.status, 400);
    assert_eq!(control_plane.delete(&format!("{path}?reason={}", "x".repeat(1_025))).await.status, 400);
    for n in 1..=20 {
        let more = json!({"url": URL, "events": WebhookEvent::WANTED});
        let answer = control_plane.post(WEBHOOKS, more).await;
        let expected = if n < 20 { (201, "") } else { (409, "too_many_webhooks") };
        assert_eq!(answer.problem(), (expected.0, expected.1.to_owned()), "{n}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let control_plane = ControlPlane::start().await;
    let (path, _) = made(&control_plane).await;
    let nobody = "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c";
    for missing in [
        format!("{WEBHOOKS}/{nobody}/test"),
        format!("{WEBHOOKS}/{nobody}/rotate"),
        format!("{WEBHOOKS}/{nobody}/deliveries/{nobody}/retry"),
        format!("{path}/deliveries/{nobody}/retry"),
        format!("{path}/deliveries/x/retry"),
    ] {
        let answer = control_plane.post(&missing, json!({})).await;
        assert_eq!(answer.problem(), (404, "not_found".to_owned()), "{missing}");
    }
    for missing in [format!("{WEBHOOKS}/{nobody}"), format!("{WEBHOOKS}/{nobody}/deliveries")] {
        assert_eq!(control_plane.get(&missing).await.problem(), (404, "not_found".to_owned()), "{missing}");
    }
}
