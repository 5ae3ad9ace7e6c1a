//! `/plans/`: fleet plans, from the wizard to the last wave; and `/groups/`, the executors that plans call by one name.

mod actions;
mod draft;
mod dry_run;
mod expert;
mod groups;
mod list;
mod log;
mod members;
mod picture;
mod said;
mod show;
mod steer;
mod waves;
mod wizard;
mod yaml;

#[cfg(test)]
mod tests;

use axum::routing::get;
use uuid::Uuid;

use super::Row;
use super::refused::Refused;

pub(crate) fn routes() -> Vec<Row> {
    vec![
        ("/plans/", get(list::show)),
        ("/plans/new", get(wizard::begin).post(wizard::go_on)),
        ("/plans/new/document", get(expert::begin).post(expert::go_on)),
        ("/plans/{id}", get(show::show)),
        ("/plans/{id}/{verb}", get(steer::ask).post(steer::act)),
        ("/groups/", get(groups::list)),
        ("/groups/new", get(groups::new).post(groups::create)),
        ("/groups/{id}", get(groups::edit).post(groups::change)),
        ("/groups/{id}/delete", get(groups::ask_to_delete).post(groups::delete)),
    ]
}

/// The id in a path, so that nothing else gets into a path of the API.
fn id(text: &str) -> Result<String, Refused> {
    let id: Uuid = text.parse().map_err(|_| Refused::no_such_page())?;
    Ok(id.to_string())
}
