//! `/upgrades/`: what was asked for, how far it is, and what can be done about it.

mod bar;
mod details;
mod instructions;
mod list;
mod reschedule;
mod standing;
mod verb;
mod verb_words;

use axum::routing::{get, post};

use uuid::Uuid;

use super::Row;
use super::refused::Refused;

pub(crate) fn routes() -> Vec<Row> {
    vec![
        ("/upgrades/", get(list::show)),
        ("/upgrades/{id}", get(details::show)),
        ("/upgrades/{id}/instructions", get(instructions::show)),
        ("/upgrades/{id}/instructions/{part}/{number}", post(instructions::acknowledge)),
        ("/upgrades/{id}/reschedule", get(reschedule::show).post(reschedule::put)),
        ("/upgrades/{id}/{verb}", get(verb::show).post(verb::put)),
    ]
}

/// What else stands in the place of an id leads nowhere, inside the API neither.
fn id_of(text: &str) -> Result<Uuid, Refused> {
    text.parse().map_err(|_| Refused::no_such_page())
}

#[cfg(test)]
mod tests;
