//! The console: every page, and every form that is sent from one.

use crate::pages::{
    Row, accounts, activity, assets, executors, keys, live, myself, overview, people, plans, releases,
    sign_in, upgrades, webhooks, windows,
};

pub(super) fn rows() -> Vec<Row> {
    let areas = [
        accounts::routes(),
        activity::routes(),
        assets::routes(),
        executors::routes(),
        keys::routes(),
        live::routes(),
        myself::routes(),
        overview::routes(),
        people::routes(),
        plans::routes(),
        releases::routes(),
        sign_in::routes(),
        upgrades::routes(),
        webhooks::routes(),
        windows::routes(),
    ];
    areas.into_iter().flatten().collect()
}
