//! For tests: plans that stand where a test wants them, whoever would have brought them there.

use jiff::Timestamp;
use novacula_protocol::people::{FleetUpgradePlan, GateOutcome, PlanState, WaveState};
use serde_json::{Value, json};
use uuid::Uuid;

use super::column::{Json, Time, Word};
use super::sql::params;
use super::{Person, PlanAsk, PlanSteer, Sights, Store, plan_events, plan_gates};

pub(crate) use super::plan_rows::WaveRow;
pub(crate) use super::plans::MemberShown;

/// A document with these waves.
pub(crate) fn document(name: &str, waves: &Value) -> FleetUpgradePlan {
    serde_json::from_value(json!({
        "apiVersion": "novacula/v1", "kind": "FleetUpgradePlan", "metadata": {"name": name},
        "spec": {"targetVersion": "1.1.0", "waves": waves},
    }))
    .unwrap()
}

impl Store {
    /// A running plan, its waves not begun.
    pub(crate) async fn put_plan(
        &self,
        account_id: Uuid,
        id: Uuid,
        document: FleetUpgradePlan,
        now: Timestamp,
    ) {
        self.write(move |sql| {
            sql.execute(
                "INSERT INTO plans (id, account_id, name, document, executor_kind, target_version, priority, state,
                   reason, requested_by, created_at, warnings)
                 VALUES (?1, ?2, ?3, ?4, 'agent', ?5, 0, ?6, '', 'owner', ?7, '[]')",
                params![
                    Word(&id),
                    Word(&account_id),
                    document.metadata.name,
                    Json(&document),
                    document.spec.target_version,
                    Word(&PlanState::Running),
                    Time(now),
                ],
            )?;
            for wave in 0..u32::try_from(document.spec.waves.len()).unwrap() {
                sql.execute(
                    "INSERT INTO plan_waves (plan_id, wave, state, reason) VALUES (?1, ?2, ?3, '')",
                    params![Word(&id), wave, Word(&WaveState::Pending)],
                )?;
            }
            Ok(())
        })
        .await
        .unwrap();
    }

    /// Puts a plan elsewhere.
    pub(crate) async fn put_plan_state(
        &self,
        id: Uuid,
        state: PlanState,
        reason: &'static str,
        now: Timestamp,
    ) {
        self.write(move |sql| {
            let ended = state.is_end().then_some(Time(now));
            sql.execute(
                "UPDATE plans SET state = ?2, reason = ?3, ended_at = ?4 WHERE id = ?1",
                params![Word(&id), Word(&state), reason, ended],
            )
        })
        .await
        .unwrap();
    }

    /// Puts a wave elsewhere.
    pub(crate) async fn put_wave(
        &self,
        id: Uuid,
        wave: u32,
        state: WaveState,
        reason: &'static str,
        healthy_since: Option<Timestamp>,
    ) {
        self.write(move |sql| {
            sql.execute(
                "UPDATE plan_waves SET state = ?3, reason = ?4, healthy_since = ?5 WHERE plan_id = ?1 AND wave = ?2",
                params![Word(&id), wave, Word(&state), reason, healthy_since.map(Time)],
            )
        })
        .await
        .unwrap();
    }

    /// A person halts a plan.
    pub(crate) async fn halt_plan(&self, by: Person, plan_id: Uuid, reason: &str, now: Timestamp) {
        let steer = PlanSteer { plan_id, by, ask: PlanAsk::Halt, reason: reason.to_owned(), now };
        self.steer_plan(steer, Sights::none()).await.unwrap().unwrap();
    }

    /// Changes anything else.
    pub(crate) async fn put(&self, statement: &'static str) {
        self.write(move |sql| sql.execute_batch(statement)).await.unwrap();
    }

    /// Tells of something.
    pub(crate) async fn put_plan_event(&self, id: Uuid, message: &'static str, now: Timestamp) {
        self.write(move |sql| {
            plan_events::note(sql, id, now, novacula_protocol::LogLevel::Info, Some("canary"), None, message)
        })
        .await
        .unwrap();
    }

    /// What is known of the gates of a plan: name, outcome, message.
    pub(crate) async fn gates_of(&self, id: Uuid) -> Vec<(String, GateOutcome, String)> {
        let rows = self.read(move |sql| plan_gates::gate_rows(sql, id)).await.unwrap();
        rows.into_iter().map(|row| (row.name, row.outcome, row.message)).collect()
    }
}
