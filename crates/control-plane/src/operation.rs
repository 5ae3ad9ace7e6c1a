//! One operation of the API: where it is, who may call it, what it takes and everything it can answer.
//!
//! To add one, write a row into the list of its area under `routes/`:
//!
//! ```text
//! get("/executors/{id}", "showExecutor", Right::See, executors::show)
//!     .summary("One executor, and where it could go")
//!     .answers::<Executor>(200, example::EXECUTOR)
//!     .refuses(&[refusal::EXECUTOR_OFFLINE])
//! ```
//!
//! - The right is enforced before the handler runs; its `Person` (or `KeyHolder`) is there for the handler to take.
//! - `.query::<T>(name, …)` for each query parameter (`query_needed`, `query_many`): any other is refused before the
//!   handler runs.
//! - `.takes::<T>(example)` for a JSON body (`.takes_document::<T>(example)` where people may write YAML too),
//!   `.answers::<T>(status, example)` or `.lists::<T>(example)` for what comes back. `T` derives `JsonSchema`; examples are in `example.rs`.
//! - `.refuses(…)` for each error that is the operation's own, from `refusal.rs`. Those that come with the right, with a
//!   path parameter or with a body are added by themselves ([`Operation::refusals`]).
//!
//! The tests see to the rest: an answer that its row does not name, an example that does not fit its schema, an operation
//! that is not in the table of who may call what (`routes/matrix.rs` prints the line to add), and one for people that has
//! neither a command of novactl nor a reason why not (`crates/novactl/tests/novactl/coverage.rs`) are red.

use std::sync::Arc;

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use novacula_protocol::people::Page;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::App;
use crate::refusal::{self, Refusal};
use crate::right::Right;
use crate::shape;

/// How a type describes itself.
pub(crate) type Describe = fn(&mut SchemaGenerator) -> Schema;

/// Puts layers around a handler.
pub(crate) type Wrap = fn(MethodRouter<Arc<App>>, &Arc<App>) -> MethodRouter<Arc<App>>;

/// One row of the table.
#[derive(Clone)]
pub(crate) struct Operation {
    pub method: Method,
    pub path: String,
    pub id: &'static str,
    pub area: &'static str,
    pub right: Right,
    pub summary: &'static str,
    pub query: Vec<Parameter>,
    /// Others say what stands in the query.
    pub takes_any_query: bool,
    /// The forms that a body may have; without any there is none.
    pub body: Vec<Content>,
    pub answers: Vec<Success>,
    own_refusals: Vec<Refusal>,
    pub handler: MethodRouter<Arc<App>>,
    pub wrap: Wrap,
}

/// A query parameter.
#[derive(Clone)]
pub(crate) struct Parameter {
    pub name: &'static str,
    pub about: &'static str,
    pub describe: Describe,
    pub how_often: HowOften,
}

/// How often a query parameter may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HowOften {
    AtMostOnce,
    Once,
    Many,
}

/// What a body looks like.
#[derive(Clone)]
pub(crate) struct Content {
    pub media_type: &'static str,
    pub describe: Describe,
    /// JSON, or text where the body is text; bytes have none.
    pub example: Option<Value>,
}

/// An answer that is a success.
#[derive(Clone)]
pub(crate) struct Success {
    pub status: u16,
    pub content: Vec<Content>,
}

macro_rules! methods {
    ($($method:ident = $http:ident),* $(,)?) => {
        $(
            pub(crate) fn $method<H, T>(path: &str, id: &'static str, right: Right, handler: H) -> Operation
            where
                H: Handler<T, Arc<App>>,
                T: 'static,
            {
                Operation::new(Method::$http, path, id, right, on(MethodFilter::$http, handler))
            }
        )*
    };
}

methods! { get = GET, post = POST, put = PUT, patch = PATCH, delete = DELETE }

impl Operation {
    fn new(
        method: Method,
        path: &str,
        id: &'static str,
        right: Right,
        handler: MethodRouter<Arc<App>>,
    ) -> Self {
        Self {
            method,
            path: path.to_owned(),
            id,
            area: "",
            right,
            summary: "",
            query: Vec::new(),
            takes_any_query: false,
            body: Vec::new(),
            answers: Vec::new(),
            own_refusals: Vec::new(),
            handler,
            wrap: |handler, _| handler,
        }
    }

    /// What it does, in one line.
    pub(crate) fn summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// A query parameter that stands at most once.
    pub(crate) fn query<T: JsonSchema>(self, name: &'static str, about: &'static str) -> Self {
        self.parameter::<T>(name, about, HowOften::AtMostOnce)
    }

    /// A query parameter without which there is no answer.
    pub(crate) fn query_needed<T: JsonSchema>(self, name: &'static str, about: &'static str) -> Self {
        self.parameter::<T>(name, about, HowOften::Once)
    }

    /// A query parameter that may stand several times.
    pub(crate) fn query_many<T: JsonSchema>(self, name: &'static str, about: &'static str) -> Self {
        self.parameter::<T>(name, about, HowOften::Many)
    }

    fn parameter<T: JsonSchema>(
        mut self,
        name: &'static str,
        about: &'static str,
        how_often: HowOften,
    ) -> Self {
        self.query.push(Parameter { name, about, describe: SchemaGenerator::subschema_for::<T>, how_often });
        self
    }

    /// A JSON body.
    pub(crate) fn takes<T: JsonSchema>(self, example: &str) -> Self {
        self.takes_as::<T>("application/json", Some(read(example)))
    }

    /// A document that people write as YAML and programs as JSON.
    pub(crate) fn takes_document<T: JsonSchema>(self, example: &str) -> Self {
        self.takes::<T>(example).takes_as::<T>("application/yaml", Some(read(example)))
    }

    /// A body that is not JSON. Called again: another form of the same.
    pub(crate) fn takes_as<T: JsonSchema>(
        mut self,
        media_type: &'static str,
        example: Option<Value>,
    ) -> Self {
        self.body.push(Content { media_type, describe: SchemaGenerator::subschema_for::<T>, example });
        self
    }

    /// A success with a JSON body.
    pub(crate) fn answers<T: JsonSchema>(self, status: u16, example: &str) -> Self {
        self.answers_as::<T>(status, "application/json", Some(read(example)))
    }

    /// A success with a body that is not JSON. Called again for the same status: another form of the same.
    pub(crate) fn answers_as<T: JsonSchema>(
        mut self,
        status: u16,
        media_type: &'static str,
        example: Option<Value>,
    ) -> Self {
        let content = Content { media_type, describe: SchemaGenerator::subschema_for::<T>, example };
        match self.answers.iter_mut().find(|answer| answer.status == status) {
            Some(answer) => answer.content.push(content),
            None => self.answers.push(Success { status, content: vec![content] }),
        }
        self
    }

    /// A success without a body: 204.
    pub(crate) fn answers_nothing(mut self) -> Self {
        self.answers.push(Success { status: 204, content: Vec::new() });
        self
    }

    /// A success that says where it is at the moment: 307.
    pub(crate) fn sends_elsewhere(mut self) -> Self {
        self.answers.push(Success { status: 307, content: Vec::new() });
        self
    }

    /// A success that sends the browser on: 303.
    pub(crate) fn sends_on(mut self) -> Self {
        self.answers.push(Success { status: 303, content: Vec::new() });
        self
    }

    /// Somebody else makes up the query, and may add to it.
    pub(crate) fn with_any_query(mut self) -> Self {
        self.takes_any_query = true;
        self
    }

    /// One page of rows that are ordered by their ids, from an example of a row.
    pub(crate) fn lists<T: JsonSchema>(self, example: &str) -> Self {
        self.lists_by::<Uuid, T>(example)
    }

    /// One page of rows, whose cursor is a `C`.
    pub(crate) fn lists_by<C: JsonSchema, T: JsonSchema>(self, example: &str) -> Self {
        let page = json!({"items": [read(example)], "nextCursor": null});
        self.query::<C>("cursor", "The `nextCursor` of the page before")
            .query::<shape::Limit>("limit", "The most rows on this page, 100 unless said")
            .answers_as::<Page<T>>(200, "application/json", Some(page))
    }

    /// The errors that only this operation gives.
    pub(crate) fn refuses(mut self, refusals: &[Refusal]) -> Self {
        self.own_refusals.extend_from_slice(refusals);
        self
    }

    /// What stands around the handler and the check of the right.
    pub(crate) fn wrapped(mut self, wrap: Wrap) -> Self {
        self.wrap = wrap;
        self
    }

    /// The same at a path below another.
    pub(crate) fn below(mut self, prefix: &str) -> Self {
        self.path.insert_str(0, prefix);
        self
    }

    /// Every error it can give.
    pub(crate) fn refusals(&self) -> Vec<Refusal> {
        let mut all = vec![refusal::INVALID_REQUEST];
        if self.right != Right::Nobody {
            all.push(refusal::INVALID_API_KEY);
        }
        if self.right != Right::Nobody {
            all.push(refusal::TOO_MANY_ATTEMPTS);
        }
        if self.right.is_for_some() {
            all.push(refusal::FORBIDDEN);
        }
        if self.right.is_for_people() && !self.method.is_safe() {
            all.push(refusal::CSRF);
        }
        if self.right.is_for_people() && !self.right.outlives_suspension() {
            all.push(refusal::PASSWORD_CHANGE_REQUIRED);
        }
        let acts = !self.method.is_safe() || self.right == Right::Fetch;
        if self.right != Right::Nobody && acts && !self.right.outlives_suspension() {
            all.push(refusal::ACCOUNT_SUSPENDED);
        }
        if self.path_parameters().next().is_some() {
            all.push(refusal::NOT_FOUND);
        }
        if !self.body.is_empty() {
            all.push(refusal::TOO_LARGE);
        }
        // An executor is told to come again instead.
        if self.method != Method::GET && !matches!(self.right, Right::Executor | Right::Enrol) {
            all.push(refusal::DISK_FULL);
        }
        all.extend_from_slice(&self.own_refusals);
        all.extend_from_slice(&[refusal::INTERNAL, refusal::UNAVAILABLE]);
        all.sort_by_key(|refusal| refusal.status);
        all
    }

    /// The names in the braces of its path.
    pub(crate) fn path_parameters(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }
}

/// The rows of one area.
pub(crate) fn area(name: &'static str, rows: impl IntoIterator<Item = Operation>) -> Vec<Operation> {
    rows.into_iter().map(|row| Operation { area: name, ..row }).collect()
}

/// Examples are part of the program; one that is not JSON is shown as it is, for the test of examples to find.
fn read(example: &str) -> Value {
    serde_json::from_str(example).unwrap_or_else(|_| example.into())
}
