//! `/releases/`: the catalogue, how something comes into it and how it is taken back, and whose signatures count.

mod catalogue;
mod change;
mod keys;
mod offer;
mod one;
mod signed;
mod upload;
mod yank;

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use novacula_protocol::people::{Release, ReleaseStatus};
use novacula_protocol::sync::Channel;
use uuid::Uuid;

use super::Row;
use crate::hear_out::hear_out;

pub(crate) fn routes() -> Vec<Row> {
    // An artifact is longer than a form, and a refused one is heard out as the API does.
    let upload = post(upload::send).layer(DefaultBodyLimit::disable()).layer(from_fn(hear_out));
    vec![
        ("/releases/", get(catalogue::show)),
        ("/releases/keys", get(keys::show)),
        ("/releases/publish", get(upload::show).merge(upload)),
        ("/releases/{id}", get(one::show)),
        ("/releases/{id}/change", get(change::ask).post(change::act)),
        ("/releases/{id}/publish", get(offer::ask).post(offer::act)),
        ("/releases/{id}/yank", get(yank::ask).post(yank::act)),
    ]
}

/// Where the page of a release is.
fn place(release: &Release) -> String {
    format!("/releases/{}", release.id)
}

/// Where the API has a release; what is no id is none of its paths.
fn path(id: Uuid) -> String {
    format!("/releases/{id}")
}

/// The class of the badge of a status, and what the status means.
fn status(release: &Release) -> (&'static str, String) {
    match release.status {
        ReleaseStatus::Draft => ("warn", "offered to nobody until it is published".to_owned()),
        ReleaseStatus::Published => ("good", format!("offered to {}", audience(&release.channel))),
        ReleaseStatus::Yanked => ("bad", "taken back: offered to nobody any more".to_owned()),
    }
}

/// Who follows a channel, or a wider one.
fn audience(channel: &Channel) -> &'static str {
    match channel {
        Channel::Stable => "every executor it has an artifact for, whatever channel it follows",
        Channel::Beta => "executors that follow beta or dev, and that it has an artifact for",
        Channel::Dev => "executors that follow dev, and that it has an artifact for",
    }
}

#[cfg(test)]
mod tests;
