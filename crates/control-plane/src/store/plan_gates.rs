//! What the gates of fleet plans said last. Probes are asked from outside; what people say to a gate stands in the same
//! row and is never touched by what a probe says.

use jiff::Timestamp;
use novacula_protocol::people::{FleetUpgradePlan, Gate, GateOutcome, GateSpec, PlanState, WaveState};
use uuid::Uuid;

use super::column::{Json, Time, Word};
use super::sql::{Connection, Row, params};
use super::{Sql, Store, StoreError};
use crate::clock::after_ms;

/// A gate that asks somebody outside, and is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateToAsk {
    /// Whose gate it is.
    pub of: GateOf,
    /// What is asked.
    pub spec: GateSpec,
}

/// Which gate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GateOf {
    /// Of which plan.
    pub plan_id: Uuid,
    /// Of which of its waves, from 0.
    pub wave: u32,
    /// Unique inside the wave.
    pub name: String,
}

/// What is known of a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GateRow {
    /// Of which wave of its plan, from 0.
    pub wave: u32,
    /// Unique inside the wave.
    pub name: String,
    /// What it said last.
    pub outcome: GateOutcome,
    /// Why.
    pub message: String,
    /// When it was last asked.
    pub at: Option<Timestamp>,
    /// Who approved or skipped it.
    pub by: Option<String>,
    /// A person let the wave past it.
    pub skipped: bool,
}

impl GateRow {
    /// As the planner and people see it; whether it holds anybody up is in the plan.
    pub(super) fn shown(self) -> Gate {
        let Self { name, outcome, message, at, by, skipped, .. } = self;
        Gate { name, outcome, message, blocking: true, at, by, skipped }
    }
}

/// The waves whose gates are asked: those that soak, stand at their gates, or have healthy canaries.
const ASKED: &str = "plans.state IN (?1, ?2) AND plans.ended_at IS NULL AND plans.deleted_at IS NULL
   AND (plan_waves.state IN (?3, ?4) OR plan_waves.state = ?5 AND plan_waves.healthy_since IS NOT NULL)";

impl Store {
    /// The probes of all plans that nobody has asked for `every_ms`, first those that wait the longest. Whether one is
    /// being asked just now is for the caller to know.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn gates_to_ask(&self, now: Timestamp, every_ms: u64) -> Result<Vec<GateToAsk>, StoreError> {
        self.read(move |sql| {
            let waves = sql
                .prepare_cached(&format!(
                    "SELECT plans.id, plan_waves.wave, plans.document
                     FROM plans JOIN plan_waves ON plan_waves.plan_id = plans.id WHERE {ASKED}
                     ORDER BY plans.id"
                ))?
                .query_map(
                    params![
                        Word(&PlanState::Running),
                        Word(&PlanState::Paused),
                        Word(&WaveState::Soaking),
                        Word(&WaveState::Gate),
                        Word(&WaveState::Canary),
                    ],
                    |row| Ok((row.get::<_, Word<Uuid>>(0)?.0, row.get(1)?, row.get::<_, Json<_>>(2)?.0)),
                )?
                .collect::<Sql<Vec<(Uuid, u32, FleetUpgradePlan)>>>()?;
            let mut due = Vec::new();
            for (plan_id, wave, document) in waves {
                let known = gate_rows(sql, plan_id)?;
                let Some(spec) = document.spec.waves.into_iter().nth(wave as usize) else { continue };
                for spec in spec.gates.into_iter().filter(is_probe) {
                    let row = known.iter().find(|row| row.wave == wave && row.name == spec.name());
                    let asked_at = row.and_then(|row| row.at);
                    if asked_at.is_none_or(|at| after_ms(at, every_ms).is_none_or(|next| next <= now)) {
                        let of = GateOf { plan_id, wave, name: spec.name().to_owned() };
                        due.push((asked_at, GateToAsk { of, spec }));
                    }
                }
            }
            due.sort_by_key(|(asked_at, _)| *asked_at);
            Ok(due.into_iter().map(|(_, gate)| gate).collect())
        })
        .await
    }

    /// Keeps what a probe said that was asked at `asked_at`; `false` when nobody wants to know any more: the plan was
    /// deleted or has ended, its wave is elsewhere by now, or began to soak anew after the question.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn note_gate(
        &self,
        of: GateOf,
        outcome: GateOutcome,
        message: String,
        asked_at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(move |sql| {
            let noted = sql
                .prepare_cached(&format!(
                    "INSERT INTO plan_gates (plan_id, wave, name, outcome, message, at)
                     SELECT plans.id, plan_waves.wave, ?8, ?9, ?10, ?11
                     FROM plans JOIN plan_waves ON plan_waves.plan_id = plans.id
                     WHERE {ASKED} AND plans.id = ?6 AND plan_waves.wave = ?7
                       AND coalesce(plan_waves.healthy_since <= ?11, TRUE)
                     ON CONFLICT (plan_id, wave, name) DO UPDATE
                       SET outcome = excluded.outcome, message = excluded.message, at = excluded.at"
                ))?
                .execute(params![
                    Word(&PlanState::Running),
                    Word(&PlanState::Paused),
                    Word(&WaveState::Soaking),
                    Word(&WaveState::Gate),
                    Word(&WaveState::Canary),
                    Word(&of.plan_id),
                    of.wave,
                    of.name,
                    Word(&outcome),
                    message,
                    Time(asked_at),
                ])?;
            Ok(noted > 0)
        })
        .await
    }
}

/// Somebody outside is asked, not a person and not what the control plane knows itself.
fn is_probe(gate: &GateSpec) -> bool {
    match gate {
        GateSpec::Prometheus { .. } | GateSpec::Http { .. } => true,
        GateSpec::Restarts { .. } | GateSpec::Approval { .. } => false,
    }
}

/// What is known of the gates of a plan, wave by wave.
pub(super) fn gate_rows(sql: &Connection, plan_id: Uuid) -> Sql<Vec<GateRow>> {
    sql.prepare_cached(
        "SELECT wave, name, outcome, message, at, by, skipped FROM plan_gates WHERE plan_id = ?1
         ORDER BY wave, name",
    )?
    .query_map(params![Word(&plan_id)], gate_of)?
    .collect()
}

/// Keeps what a gate says now, and who says it; that a person let the wave past it stays.
pub(super) fn keep(sql: &Connection, plan_id: Uuid, wave: u32, gate: &Gate, now: Timestamp) -> Sql<()> {
    sql.prepare_cached(
        "INSERT INTO plan_gates (plan_id, wave, name, outcome, message, at, by, skipped)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (plan_id, wave, name) DO UPDATE SET outcome = excluded.outcome, message = excluded.message,
           at = excluded.at, by = excluded.by, skipped = excluded.skipped",
    )?
    .execute(params![
        Word(&plan_id),
        wave,
        gate.name,
        Word(&gate.outcome),
        gate.message,
        Time(now),
        gate.by,
        gate.skipped
    ])?;
    Ok(())
}

/// Forgets what probes said in a wave, for it begins to soak anew. What people said to its gates stays.
pub(super) fn forget_probes(sql: &Connection, plan_id: Uuid, wave: u32) -> Sql<()> {
    sql.prepare_cached(
        "DELETE FROM plan_gates WHERE plan_id = ?1 AND wave = ?2 AND by IS NULL AND NOT skipped",
    )?
    .execute(params![Word(&plan_id), wave])?;
    // Of a gate that a person skipped only that stays.
    sql.prepare_cached(
        "UPDATE plan_gates SET outcome = ?3, message = '', at = NULL WHERE plan_id = ?1 AND wave = ?2 AND skipped",
    )?
    .execute(params![Word(&plan_id), wave, Word(&GateOutcome::Waiting)])?;
    Ok(())
}

fn gate_of(row: &Row<'_>) -> Sql<GateRow> {
    Ok(GateRow {
        wave: row.get(0)?,
        name: row.get(1)?,
        outcome: row.get::<_, Word<_>>(2)?.0,
        message: row.get(3)?,
        at: row.get::<_, Option<Time>>(4)?.map(|Time(at)| at),
        by: row.get(5)?,
        skipped: row.get(6)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::in_process::ControlPlane;
    use crate::store::plan_bench::document;

    const EVERY_MS: u64 = 15_000;

    async fn soaking() -> (ControlPlane, Uuid) {
        let control_plane = ControlPlane::start().await;
        let account = control_plane.account_id().await;
        let (id, now) = (control_plane.app.clock.new_id(), control_plane.app.clock.now());
        let waves = json!([
            {"name": "canary", "gates": [
                {"type": "http", "url": "https://a.example/"},
                {"type": "restarts", "maxPerExecutor": 1},
                {"type": "prometheus", "name": "alerts", "url": "https://b.example/"},
                {"type": "approval"},
            ]},
            {"name": "rest", "gates": [{"type": "http", "url": "https://c.example/"}]},
        ]);
        let store = &control_plane.app.store;
        store.put_plan(account, id, document("p", &waves), now).await;
        store.put_wave(id, 0, WaveState::Soaking, "", Some(now)).await;
        (control_plane, id)
    }

    async fn due(control_plane: &ControlPlane) -> Vec<String> {
        let app = &control_plane.app;
        let due = app.store.gates_to_ask(app.clock.now(), EVERY_MS).await.unwrap();
        due.into_iter().map(|gate| gate.of.name).collect()
    }

    async fn note(control_plane: &ControlPlane, plan_id: Uuid, name: &str, outcome: GateOutcome) -> bool {
        let app = &control_plane.app;
        let of = GateOf { plan_id, wave: 0, name: name.to_owned() };
        app.store.note_gate(of, outcome, "because".to_owned(), app.clock.now()).await.unwrap()
    }

    async fn rows(control_plane: &ControlPlane, plan_id: Uuid) -> Vec<GateRow> {
        control_plane.app.store.read(move |sql| gate_rows(sql, plan_id)).await.unwrap()
    }

    #[tokio::test]
    async fn probes_of_the_wave_that_soaks_are_due_every_15_s_and_no_other_gate_is() {
        let (control_plane, id) = soaking().await;
        assert_eq!(due(&control_plane).await, ["http", "alerts"]);
        assert!(note(&control_plane, id, "http", GateOutcome::Pass).await);
        assert_eq!(due(&control_plane).await, ["alerts"]);
        control_plane.wait_ms(14_999);
        assert_eq!(due(&control_plane).await, ["alerts"]);
        control_plane.wait_ms(1);
        assert_eq!(due(&control_plane).await, ["alerts", "http"], "who was never asked comes first");
        assert!(note(&control_plane, id, "http", GateOutcome::Fail).await);
        let kept = rows(&control_plane, id).await;
        assert_eq!((kept.len(), kept[0].outcome, kept[0].wave), (1, GateOutcome::Fail, 0));
        assert_eq!(kept[0].at, Some(control_plane.app.clock.now()));
    }

    #[tokio::test]
    async fn probes_are_asked_where_a_wave_is_watched_and_nowhere_else() {
        let (control_plane, id) = soaking().await;
        let (store, now) = (&control_plane.app.store, control_plane.app.clock.now());
        for (wave, healthy_since, plan, is_asked) in [
            (WaveState::Pending, None, PlanState::Running, false),
            (WaveState::Canary, None, PlanState::Running, false),
            (WaveState::Canary, Some(now), PlanState::Running, true),
            (WaveState::Running, None, PlanState::Running, false),
            (WaveState::Running, Some(now), PlanState::Running, false),
            (WaveState::Soaking, Some(now), PlanState::Running, true),
            (WaveState::Soaking, Some(now), PlanState::Paused, true),
            (WaveState::Soaking, Some(now), PlanState::ApprovalWanted, false),
            (WaveState::Soaking, Some(now), PlanState::Halted, false),
            (WaveState::Soaking, Some(now), PlanState::RollingBack, false),
            (WaveState::Soaking, Some(now), PlanState::Completed, false),
            (WaveState::Gate, Some(now), PlanState::Running, true),
            (WaveState::Gate, Some(now), PlanState::Paused, true),
            (WaveState::Passed, Some(now), PlanState::Running, false),
            (WaveState::Halted, Some(now), PlanState::Running, false),
            (WaveState::RolledBack, Some(now), PlanState::Running, false),
        ] {
            store.put_wave(id, 0, wave, "", healthy_since).await;
            store.put_plan_state(id, plan, "", now).await;
            assert_eq!(
                !due(&control_plane).await.is_empty(),
                is_asked,
                "{wave:?} {healthy_since:?} {plan:?}"
            );
            let is_noted = note(&control_plane, id, "http", GateOutcome::Pass).await;
            assert_eq!(is_noted, is_asked, "{wave:?} {healthy_since:?} {plan:?}");
            store.put("DELETE FROM plan_gates").await;
        }
        store.put_plan_state(id, PlanState::Running, "", now).await;
        store.put_wave(id, 0, WaveState::Gate, "", Some(now)).await;
        store.put("UPDATE plans SET deleted_at = 1").await;
        assert_eq!(due(&control_plane).await, [""; 0]);
        assert!(
            !note(&control_plane, id, "http", GateOutcome::Fail).await,
            "nobody asks after a deleted plan"
        );
        assert!(!note(&control_plane, Uuid::nil(), "http", GateOutcome::Fail).await);
        assert_eq!(rows(&control_plane, id).await, []);
    }

    #[tokio::test]
    async fn an_answer_to_a_question_from_before_the_soak_does_not_count_in_it() {
        let (control_plane, id) = soaking().await;
        let (app, asked_at) = (&control_plane.app, control_plane.app.clock.now());
        control_plane.wait_ms(1);
        app.store.put_wave(id, 0, WaveState::Soaking, "", Some(app.clock.now())).await;
        let of = GateOf { plan_id: id, wave: 0, name: "http".to_owned() };
        let late = app.store.note_gate(of, GateOutcome::Fail, String::new(), asked_at).await;
        assert_eq!(late, Ok(false));
        assert!(note(&control_plane, id, "http", GateOutcome::Fail).await);
    }

    #[tokio::test]
    async fn what_people_said_to_a_gate_outlives_what_its_probe_says() {
        let (control_plane, id) = soaking().await;
        note(&control_plane, id, "http", GateOutcome::Fail).await;
        note(&control_plane, id, "alerts", GateOutcome::Fail).await;
        let store = &control_plane.app.store;
        store.put("UPDATE plan_gates SET by = 'jane', skipped = TRUE WHERE name = 'http'").await;
        store
            .put("INSERT INTO plan_gates SELECT plan_id, 0, 'approval', 'pass', 'yes', 1, 'joe', FALSE FROM plan_gates LIMIT 1")
            .await;
        note(&control_plane, id, "http", GateOutcome::Pass).await;
        let http = rows(&control_plane, id).await.into_iter().find(|row| row.name == "http").unwrap();
        assert_eq!((http.outcome, http.by.as_deref(), http.skipped), (GateOutcome::Pass, Some("jane"), true));
        store.write(move |sql| forget_probes(sql, id, 0)).await.unwrap();
        let kept = rows(&control_plane, id).await;
        let kept: Vec<_> =
            kept.iter().map(|row| (row.name.as_str(), row.outcome, row.at.is_some())).collect();
        assert_eq!(kept, [("approval", GateOutcome::Pass, true), ("http", GateOutcome::Waiting, false)]);
        assert_eq!(due(&control_plane).await, ["http", "alerts"], "they are asked at once");
    }
}
