//! Asks the probes that are due: several at once, none twice at once, each in its own time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use novacula_protocol::people::GateSpec;
use tokio::task::{self, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

use super::{Said, judge, question};
use crate::app::App;
use crate::outgoing::Client;
use crate::store::{GateOf, GateToAsk, StoreError, Work};

const AT_ONCE: usize = 16;
/// By the clock of the control plane.
const ASK_EVERY_MS: u64 = 15_000;
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// However fast the clock of a simulation is.
const NOT_BELOW: Duration = Duration::from_millis(20);
/// Until a store that cannot keep what a probe said is asked with another: nobody shall be stormed meanwhile.
const STORE_IN_TROUBLE: Duration = Duration::from_secs(15);

/// Runs until it is dropped.
pub(crate) async fn run(app: Arc<App>) {
    let mut under_way = UnderWay::default();
    let mut look = interval(app.clock.wait(LOOK_EVERY, NOT_BELOW));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            Some(()) = under_way.one_done() => {}
            _ = look.tick() => {}
        }
        if let Err(e) = under_way.launch(&app).await {
            tracing::error!("gates: {e}");
        }
    }
}

#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<()>,
    asked: HashMap<task::Id, GateOf>,
}

impl UnderWay {
    async fn launch(&mut self, app: &Arc<App>) -> Result<(), StoreError> {
        let free = AT_ONCE - self.asked.len();
        if free == 0 || !app.store.has_turn(Work::Gates, app.clock.now()).await? {
            return Ok(());
        }
        let due = app.store.gates_to_ask(app.clock.now(), ASK_EVERY_MS).await?;
        let busy: HashSet<_> = self.asked.values().cloned().collect();
        for gate in due.into_iter().filter(|gate| !busy.contains(&gate.of)).take(free) {
            let of = gate.of.clone();
            let task = self.tasks.spawn(ask(Arc::clone(app), gate));
            self.asked.insert(task.id(), of);
        }
        Ok(())
    }

    /// `None` when none is under way.
    async fn one_done(&mut self) -> Option<()> {
        let id = match self.tasks.join_next_with_id().await? {
            Ok((id, ())) => id,
            Err(e) => e.id(),
        };
        self.asked.remove(&id);
        Some(())
    }
}

async fn ask(app: Arc<App>, gate: GateToAsk) {
    let (client, asked_at) = (app.gates.clone(), app.clock.now());
    let GateToAsk { of, spec } = gate;
    let call = task::spawn_blocking(move || answer_to(&client, &spec));
    let said = call.await.unwrap_or_else(|e| Said::inconclusive(format!("the call failed: {e}")));
    tracing::debug!(plan = %of.plan_id, wave = of.wave, gate = of.name, outcome = ?said.outcome, "gate asked");
    if let Err(e) = app.store.note_gate(of, said.outcome, said.message, asked_at).await {
        tracing::error!("what a gate said is not kept, so it is asked again: {e}");
        tokio::time::sleep(STORE_IN_TROUBLE).await;
    }
}

/// Asks, and reads the answer. Blocks.
fn answer_to(client: &Client, gate: &GateSpec) -> Said {
    let answer = match question(gate) {
        Some(asked) => client.get(&asked.url, asked.most),
        None => Err("there is nobody to ask".to_owned()),
    };
    judge(gate, answer)
}

#[cfg(test)]
mod tests;
