//! The executors of a plan, as its page lists them.

use novacula_protocol::people::{FleetPlan, Page, PlanMember};
use serde::Deserialize;

use super::said;
use crate::pages::refused::Refused;
use crate::pages::visitor::Visitor;
use crate::pages::words;

/// What is asked of the list.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    pub wave: String,
    #[serde(default)]
    pub outcome: String,
    #[serde(default)]
    pub cursor: String,
}

/// The executors of the waves that have begun, a page of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members {
    pub items: Vec<PlanMember>,
    pub asked: Asked,
    pub next: Option<String>,
    /// Why there is no list: what was asked for cannot be.
    pub refused: Option<String>,
}

impl Members {
    pub(crate) async fn of(visitor: &Visitor, id: &str, asked: Asked) -> Result<Self, Refused> {
        let path = format!("/fleet/plans/{id}/executors?limit=50&{}", asked.query(&asked.cursor));
        match visitor.get::<Page<PlanMember>>(&path).await {
            Ok(page) => {
                let next =
                    page.next_cursor.map(|cursor| format!("/plans/{id}?{}#executors", asked.query(&cursor)));
                Ok(Self { items: page.items, next, asked, refused: None })
            }
            Err(refused) if refused.problem.code == "invalid_request" => {
                Ok(Self { asked, refused: Some(refused.sentence()), ..Self::default() })
            }
            Err(refused) => Err(refused),
        }
    }

    pub(crate) fn outcomes(&self) -> [(String, &'static str, bool); 14] {
        said::OUTCOMES.map(|outcome| {
            let word = said::word(&outcome);
            let is_chosen = word == self.asked.outcome;
            (word, said::member(&outcome).word, is_chosen)
        })
    }

    pub(crate) fn is_filtered(&self) -> bool {
        !self.asked.query(&self.asked.cursor).is_empty()
    }
}

impl Asked {
    /// Without what was left empty.
    pub(crate) fn query(&self, cursor: &str) -> String {
        let pairs = [("wave", self.wave.as_str()), ("outcome", self.outcome.as_str()), ("cursor", cursor)];
        words::query(pairs.into_iter().filter(|(_, value)| !value.is_empty()))
    }
}

/// The page of a plan with only these executors.
pub(crate) fn href<T: serde::Serialize>(plan: &FleetPlan, wave: &str, outcome: &T) -> String {
    let outcome = said::word(outcome);
    format!("/plans/{}?{}#executors", plan.id, words::query([("wave", wave), ("outcome", outcome.as_str())]))
}
