//! What was made and is shown once: in the answer to the form itself, which no cache keeps and no going back shows again.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::ask::Ask;
use crate::pages::assets;
use crate::pages::layout::Layout;
use crate::pages::refused::render;

/// A secret, and what to do with it.
#[derive(Template)]
#[template(path = "rules/secret.html")]
pub(crate) struct SecretPage {
    pub layout: Layout,
    /// What it is, as a label.
    pub called: &'static str,
    pub secret: String,
    /// What it is for, in sentences.
    pub says: Vec<String>,
    /// Ready lines, under what they are for.
    pub lines: Vec<(&'static str, String)>,
}

impl SecretPage {
    /// The frame of the form that asked, under another title. It was there before the secret was made: nothing that fails
    /// afterwards may lose it, and whoever resets their own password has no session any more.
    pub(crate) fn frame(ask: &Ask, title: impl Into<String>) -> Layout {
        Layout { title: title.into(), ..ask.layout.clone() }
    }

    /// As the answer to what made it.
    pub(crate) fn show(&self) -> Response {
        (StatusCode::CREATED, render(self)).into_response()
    }
}
