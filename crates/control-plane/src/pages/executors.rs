//! `/executors/`: who is out there, what runs there, and where each could go.

mod batches;
mod bulk;
mod delete;
mod filters;
mod labels;
mod list;
mod preflight;
mod request;
mod revisions;
mod said;
mod show;
mod target;
#[cfg(test)]
mod tests;

use axum::response::Response;
use axum::routing::get;
use novacula_protocol::people::Page;
use serde::de::DeserializeOwned;

use super::Row;
use super::refused::Refused;
use super::visitor::Visitor;
use super::words;

/// Rows of a page.
const ROWS: usize = 50;

pub(crate) fn routes() -> Vec<Row> {
    vec![
        ("/executors/", get(list::show)),
        ("/executors/upgrade", get(bulk::show).post(bulk::send)),
        ("/executors/{id}", get(show::show)),
        ("/executors/{id}/upgrade", get(request::show).post(request::send)),
        ("/executors/{id}/labels", get(labels::show).post(labels::send)),
        ("/executors/{id}/delete", get(delete::show).post(delete::send)),
        ("/executors/{id}/preflight", get(preflight::show).post(preflight::send)),
        ("/executors/{id}/revisions", get(revisions::show)),
        ("/executors/{id}/rollback", get(revisions::ask).post(revisions::send)),
        ("/batches/", get(batches::list)),
        ("/batches/{id}", get(batches::show)),
        ("/batches/{id}/abandon", get(batches::ask).post(batches::send)),
    ]
}

/// Every row of a list of the API, page by page.
async fn all<T: DeserializeOwned>(visitor: &Visitor, path: &str) -> Result<Vec<T>, Refused> {
    let (mut rows, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let place = cursor.map(|cursor| format!("&{}", words::query([("cursor", cursor.as_str())])));
        let asked = format!("{path}{separator}limit=500{}", place.unwrap_or_default());
        let page: Page<T> = visitor.get(&asked).await?;
        rows.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(rows);
        }
    }
}

/// A page, with the status of what was refused on it.
fn answer(refused: Option<&Refused>, mut page: Response) -> Response {
    if let Some(refused) = refused {
        *page.status_mut() = refused.status;
    }
    page
}

/// A segment of a path as it has to stand in another path: what a browser sent was decoded.
fn segment(id: &str) -> String {
    form_urlencoded::byte_serialize(id.as_bytes()).collect()
}
