//! What those who run a control plane ask it.

use novacula_protocol::people::About;
use serde_json::Value;

use crate::api::{about, health};
use crate::example;
use crate::openapi;
use crate::operation::{Operation, area, get};
use crate::right::Right;

/// Outside of `/api/v1`, where load balancers and scrapers look.
pub(super) fn at_the_root() -> Vec<Operation> {
    area(
        "running it",
        [
            get("/healthz", "isAlive", Right::Nobody, health::healthz)
                .summary("The process answers")
                .answers_as::<String>(200, "text/plain", Some("ok\n".into())),
            get("/readyz", "isReady", Right::Nobody, health::readyz)
                .summary("It answers and can write")
                .answers_as::<String>(200, "text/plain", Some("ready\n".into())),
            get("/metrics", "showMetrics", Right::Nobody, health::metrics)
                .summary("How it goes, in numbers, for Prometheus")
                .answers_as::<String>(
                    200,
                    "text/plain",
                    Some("novacula_executors{status=\"online\"} 2\n".into()),
                ),
        ],
    )
}

pub(super) fn operations() -> Vec<Operation> {
    area(
        "running it",
        [
            get("/openapi.json", "showOpenApi", Right::Nobody, openapi::show)
                .summary("This document")
                .answers::<Value>(200, r#"{"openapi": "3.1.0"}"#),
            get("/about", "showAbout", Right::See, about::show)
                .summary("The version of the control plane, and where executors reach it")
                .answers::<About>(200, example::ABOUT),
        ],
    )
}
