//! What a browser is shown that cannot have its page.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use novacula_protocol::problem::Problem;

use super::assets;
use super::words;

/// What the API said no with.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub status: StatusCode,
    pub problem: Problem,
    /// The page that was asked for.
    pub asked: String,
}

impl Refused {
    /// The page at this path is not there.
    pub(crate) fn no_such_page() -> Self {
        let problem = Problem {
            code: "not_found".to_owned(),
            message: "there is no such page".to_owned(),
            details: serde_json::Map::new(),
        };
        Self { status: StatusCode::NOT_FOUND, problem, asked: "/".to_owned() }
    }

    /// What was typed in cannot be meant; for what the API never gets to see.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        let problem = Problem {
            code: "invalid_request".to_owned(),
            message: message.into(),
            details: serde_json::Map::new(),
        };
        Self { status: StatusCode::BAD_REQUEST, problem, asked: "/".to_owned() }
    }

    /// One sentence, beginning like one.
    pub(crate) fn sentence(&self) -> String {
        words::sentence(&self.problem.message)
    }
}

/// Without a layout: whoever sees it may be nobody we know.
#[derive(Template)]
#[template(path = "refused.html")]
pub(crate) struct RefusedPage {
    pub status: u16,
    pub title: &'static str,
    pub sentence: String,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        if self.problem.code == "invalid_api_key" {
            let place = format!("/sign-in?{}", words::query([("next", self.asked.as_str())]));
            return (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response();
        }
        if self.problem.code == "password_change_required" {
            return (StatusCode::SEE_OTHER, [(header::LOCATION, "/password")]).into_response();
        }
        let title = match self.status {
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::FORBIDDEN => "Not allowed",
            status if status.is_server_error() => "Something failed",
            _ => "That did not work",
        };
        let page = RefusedPage { status: self.status.as_u16(), title, sentence: self.sentence() };
        (self.status, render(&page)).into_response()
    }
}

/// A template as an answer.
pub(crate) fn render(page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(e) => {
            tracing::error!("a page cannot be written: {e}");
            (StatusCode::INTERNAL_SERVER_ERROR, "the control plane failed; its log says why\n")
                .into_response()
        }
    }
}
