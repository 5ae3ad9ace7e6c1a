//! `/api/v1/four-eyes`: which channels want the approval of a second person.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use novacula_protocol::people::FourEyes;

use crate::app::App;
use crate::extract::Body;
use crate::problem::Answer;
use crate::store::Person;

pub(crate) async fn show(State(app): State<Arc<App>>, person: Person) -> Answer<Json<FourEyes>> {
    Ok(Json(FourEyes { channels: app.store.four_eyes(person.account_id).await? }))
}

pub(crate) async fn set(
    State(app): State<Arc<App>>,
    person: Person,
    Body(wanted): Body<FourEyes>,
) -> Answer<Json<FourEyes>> {
    let channels = app.store.set_four_eyes(person, wanted.channels, app.clock.now()).await?;
    Ok(Json(FourEyes { channels }))
}
