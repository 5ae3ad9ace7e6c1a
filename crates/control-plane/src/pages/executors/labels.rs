//! `/executors/{id}/labels`: what people say of an executor's labels.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use novacula_protocol::people::{Executor, ExecutorPatch};

use super::{answer, segment};
use crate::pages::assets;
use crate::pages::form::Form;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::{Visitor, to};
use crate::pages::words;
use crate::right::Right;

#[derive(Template)]
#[template(path = "executors/labels.html")]
pub(crate) struct LabelsPage {
    pub layout: Layout,
    pub one: Executor,
    pub refused: Option<String>,
    pub cannot: Option<String>,
    pub rows: Vec<Row>,
    pub reason: String,
}

/// A label in the form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub key: String,
    pub value: String,
    /// What its host says.
    pub host: Option<String>,
    /// People have said something of it, so that they can take it back.
    pub is_by_people: bool,
    /// It is ticked to be taken back.
    pub is_taken_back: bool,
}

/// Every label that there is, and two lines for new ones.
pub(crate) fn rows(executor: &Executor) -> Vec<Row> {
    let said = |labels: &Option<BTreeMap<String, String>>, key: &String| labels.as_ref()?.get(key).cloned();
    let known = executor.labels.iter().map(|(key, value)| Row {
        key: key.clone(),
        value: value.clone(),
        host: said(&executor.host_labels, key),
        is_by_people: said(&executor.labels_by_people, key).is_some(),
        is_taken_back: false,
    });
    known.chain([Row::default(), Row::default()]).collect()
}

/// The form over what is known: what was typed stays.
fn typed(executor: &Executor, form: &Form) -> Vec<Row> {
    let mut rows = rows(executor);
    rows.truncate(executor.labels.len());
    for (key, value) in form.all("key").zip(form.all("value")) {
        let is_taken_back = form.all("back").any(|back| back == key);
        match rows.iter_mut().find(|row| row.key == key) {
            Some(row) => (row.value, row.is_taken_back) = (value.to_owned(), is_taken_back),
            None => rows.push(Row { key: key.to_owned(), value: value.to_owned(), ..Row::default() }),
        }
    }
    rows.push(Row::default());
    rows
}

/// What a form changes of the labels of an executor.
pub(crate) fn changes(executor: &Executor, form: &Form) -> BTreeMap<String, Option<String>> {
    let mut changes: BTreeMap<String, Option<String>> = form
        .all("key")
        .zip(form.all("value"))
        .filter(|(key, value)| !key.is_empty() && executor.labels.get(*key).is_none_or(|is| is != value))
        .map(|(key, value)| (key.to_owned(), Some(value.to_owned())))
        .collect();
    changes.extend(form.all("back").map(|key| (key.to_owned(), None)));
    changes
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Refused> {
    let one: Executor = visitor.get(&format!("/executors/{}", segment(&id))).await?;
    let rows = rows(&one);
    page(&visitor, one, rows, String::new(), None).await
}

async fn page(
    visitor: &Visitor,
    one: Executor,
    rows: Vec<Row>,
    reason: String,
    refused: Option<&Refused>,
) -> Result<Response, Refused> {
    let page = LabelsPage {
        layout: visitor.layout(format!("Labels of {}", one.name), Room::Executors).await?,
        cannot: visitor.cannot(Right::Steer),
        refused: refused.map(Refused::sentence),
        one,
        rows,
        reason,
    };
    Ok(answer(refused, render(&page)))
}

pub(super) async fn send(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, Refused> {
    let place = format!("/executors/{}", segment(&id));
    let one: Executor = visitor.get(&place).await?;
    let labels = changes(&one, &form);
    if labels.is_empty() {
        return Ok(to(&place));
    }
    let patch = ExecutorPatch { labels, reason: form.owned("reason") };
    match visitor.act(&form, Method::PATCH, &place, &patch).await {
        Ok(()) => Ok(to(&place)),
        Err(refused) => {
            let rows = typed(&one, &form);
            page(&visitor, one, rows, form.owned("reason").unwrap_or_default(), Some(&refused)).await
        }
    }
}
