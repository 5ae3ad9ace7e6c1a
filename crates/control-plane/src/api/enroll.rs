//! `POST /api/v1/enroll`: an enrolment token for a key that belongs to one executor.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use novacula_protocol::enroll::{EXECUTOR_KEY_PREFIX, EnrollRequest, EnrollResponse};

use crate::app::App;
use crate::auth::{Caller, EnrolmentSecret};
use crate::executor::IdentityRefused;
use crate::extract::Body;
use crate::problem::{Answer, ApiError};
use crate::said;
use crate::secrets::{self, SecretHash};

pub(crate) async fn enroll(
    State(app): State<Arc<App>>,
    from: Caller,
    EnrolmentSecret(token): EnrolmentSecret,
    Body(asked): Body<EnrollRequest>,
) -> Answer<Json<EnrollResponse>> {
    said::name(&asked.name).map_err(ApiError::invalid)?;
    let access_token = secrets::issue(EXECUTOR_KEY_PREFIX).map_err(ApiError::internal)?;
    let new = (app.clock.new_id(), SecretHash::of(&access_token));
    let enrolled = app.enroll(token, asked.kind, asked.name, new).await.map_err(ApiError::to_executor)?;
    if matches!(enrolled, Err(IdentityRefused::UnknownKey)) {
        app.attempts.bad_secret(from.0, app.clock.now())?;
    }
    let key = enrolled?;
    tracing::info!(key = %key.id, executor = key.bound_name, "enrolled");
    Ok(Json(EnrollResponse { access_token }))
}

#[cfg(test)]
mod tests {
    use crate::in_process::{ControlPlane, said};
    use axum::http::Method;
    use serde_json::{Value, json};

    async fn token(control_plane: &ControlPlane, max_uses: u32) -> Value {
        let expires_at = control_plane.app.clock.now() + jiff::SignedDuration::from_secs(60);
        let body = json!({"maxUses": max_uses, "expiresAt": expires_at.to_string()});
        control_plane.post("/api/v1/enrolment-tokens", body).await.ok()
    }

    async fn enroll(control_plane: &ControlPlane, token: &Value, name: &str) -> crate::in_process::Answered {
        let body = json!({"name": name, "kind": "agent"}).to_string();
        control_plane.call(Method::POST, "/api/v1/enroll", token["secret"].as_str().unwrap(), body).await
    }

    const NO: (u16, &str) = (401, "invalid_api_key");

    #[tokio::test]
    async fn an_enrolment_token_gives_every_executor_its_own_key() {
        let control_plane = ControlPlane::start().await;
        let token = token(&control_plane, 2).await;
        let one =
            enroll(&control_plane, &token, "host-1").await.ok()["accessToken"].as_str().unwrap().to_owned();
        assert!(one.starts_with("nva_"));
        let refused = control_plane.sync(&one, said("host-2", "1.0.0")).await;
        assert_eq!(refused.problem(), (403, "key_bound".to_owned()));
        control_plane.sync(&one, said("host-1", "1.0.0")).await.ok();
        let taken = enroll(&control_plane, &token, "host-1").await;
        assert_eq!(taken.problem(), (409, "name_taken".to_owned()));
        enroll(&control_plane, &token, "host-2").await.ok();
        let control_plane = control_plane.restart().await;
        assert_eq!(enroll(&control_plane, &token, "host-3").await.problem(), (NO.0, NO.1.to_owned()));
        let listed = control_plane.get("/api/v1/enrolment-tokens").await.ok();
        assert_eq!(
            (listed["items"][0]["uses"].as_u64(), listed["items"][0]["secret"].as_str()),
            (Some(2), None)
        );
    }

    #[tokio::test]
    async fn a_lost_answer_can_be_asked_for_again_until_the_key_is_used() {
        let control_plane = ControlPlane::start().await;
        let token = token(&control_plane, 1).await;
        let lost =
            enroll(&control_plane, &token, "host-1").await.ok()["accessToken"].as_str().unwrap().to_owned();
        let again =
            enroll(&control_plane, &token, "host-1").await.ok()["accessToken"].as_str().unwrap().to_owned();
        let refused = control_plane.sync(&lost, said("host-1", "1.0.0")).await;
        assert_eq!(refused.problem(), (NO.0, NO.1.to_owned()));
        control_plane.sync(&again, said("host-1", "1.0.0")).await.ok();
    }

    #[tokio::test]
    async fn an_expired_or_revoked_token_enrols_nobody_and_ends_nobody() {
        let control_plane = ControlPlane::start().await;
        let (expired, revoked) = (token(&control_plane, 9).await, token(&control_plane, 9).await);
        let key =
            enroll(&control_plane, &revoked, "host-1").await.ok()["accessToken"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/enrolment-tokens/{}", revoked["id"].as_str().unwrap());
        assert_eq!(control_plane.delete(&path).await.status, 204);
        assert_eq!(enroll(&control_plane, &revoked, "host-2").await.problem(), (NO.0, NO.1.to_owned()));
        control_plane.sync(&key, said("host-1", "1.0.0")).await.ok();
        control_plane.wait_ms(60_000);
        assert_eq!(enroll(&control_plane, &expired, "host-2").await.problem(), (NO.0, NO.1.to_owned()));
        let unknown = json!({"secret": "nva_x"});
        assert_eq!(enroll(&control_plane, &unknown, "host-2").await.problem(), (NO.0, NO.1.to_owned()));
    }

    #[tokio::test]
    async fn a_token_without_uses_or_in_the_past_is_not_made() {
        let control_plane = ControlPlane::start().await;
        for bad in [
            json!({"maxUses": 0, "expiresAt": "2999-01-01T00:00:00Z"}),
            json!({"maxUses": 1, "expiresAt": "2001-01-01T00:00:00Z"}),
            json!({"maxUses": 1}),
            json!({"maxUses": 1, "expiresAt": "2999-01-01T00:00:00Z", "role": "owner"}),
        ] {
            let refused = control_plane.post("/api/v1/enrolment-tokens", bad.clone()).await;
            assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{bad}");
        }
    }

    #[tokio::test]
    async fn an_enrolment_cannot_change_the_kind_of_an_executor() {
        let control_plane = ControlPlane::start().await;
        let (_, _) = control_plane.executor("host-1", "1.0.0").await;
        let key = control_plane.get("/api/v1/executor-keys").await.ok()["items"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        control_plane.delete(&format!("/api/v1/executor-keys/{key}")).await.ok();
        let token = token(&control_plane, 1).await;
        let body = json!({"name": "host-1", "kind": "operator"}).to_string();
        let path = "/api/v1/enroll";
        let refused = control_plane.call(Method::POST, path, token["secret"].as_str().unwrap(), body).await;
        assert_eq!(refused.problem(), (409, "kind_mismatch".to_owned()));
        enroll(&control_plane, &token, "host-1").await.ok();
    }
}
