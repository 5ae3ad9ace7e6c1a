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

use super::Row;

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

#[cfg(test)]
mod tests;
