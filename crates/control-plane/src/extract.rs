//! Reading requests so that what cannot be read is answered with a problem that says where.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use novacula_protocol::people::{DocumentRefused, FleetUpgradePlan, Page};
use novacula_protocol::spec::Kind;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;
use uuid::Uuid;

use crate::operation::{HowOften, Parameter};
use crate::problem::ApiError;
use crate::secrets::unhex;

/// Refuses a query parameter that the operation does not have: a misspelt filter would select everything.
pub(crate) fn only_known(known: &[Parameter], parts: &Parts) -> Result<(), ApiError> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
        .map_err(|e| ApiError::invalid(e.body_text()))?;
    for (at, (name, _)) in pairs.iter().enumerate() {
        let Some(parameter) = known.iter().find(|parameter| parameter.name == name) else {
            let names: Vec<_> = known.iter().map(|parameter| format!("`{}`", parameter.name)).collect();
            let here = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(ApiError::invalid(format!("there is no query parameter `{name}` here, only {here}")));
        };
        if parameter.how_often != HowOften::Many && pairs[..at].iter().any(|(before, _)| before == name) {
            return Err(ApiError::invalid(format!("`{name}` must stand once, it stands twice")));
        }
    }
    let needed = |parameter: &&Parameter| parameter.how_often == HowOften::Once;
    match known.iter().filter(needed).find(|it| pairs.iter().all(|(name, _)| name != it.name)) {
        Some(missing) => {
            Err(ApiError::invalid(format!("`{}` must be given: {}", missing.name, missing.about)))
        }
        None => Ok(()),
    }
}

/// A JSON body, whatever the content type says.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state).await.map_err(|e| unreadable(&e))?;
        read(&bytes).or_else(|e| read_again(&bytes).ok_or(e)).map(Self).map_err(ApiError::invalid)
    }
}

/// What the bytes say, or one sentence about what they should and where they do not.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    // A list would be taken for the fields in their order, which nobody means.
    match bytes.trim_ascii_start().first() {
        Some(b'{') => {}
        Some(_) => {
            return Err("the body must be a JSON object, {…}, it begins with something else".to_owned());
        }
        None => return Err("the body must be a JSON object, {…}, it is empty".to_owned()),
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let body = serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let (path, cause) = (e.path().to_string(), e.inner());
        match cause.classify() {
            Category::Data => format!("the body must fit what this call takes, but {}", at(&path, cause)),
            _ => not_json(cause),
        }
    })?;
    json.end().map_err(|e| not_json(&e))?;
    Ok(body)
}

fn not_json(cause: &serde_json::Error) -> String {
    format!("the body must be JSON, it is not: {cause}")
}

/// `unknown field `x` at `labels.y`: expected …`, with the place where a person looks for it.
fn at(path: &str, cause: &serde_json::Error) -> String {
    let text = cause.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    if path == "." {
        return text.to_owned();
    }
    match text.split_once(", ") {
        Some((found, expected)) => format!("{found} at `{path}`, {expected}"),
        None => format!("{text} at `{path}`"),
    }
}

/// JSON has one kind of number: `60000.0` is the whole number that some languages write so.
fn read_again<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let mut value: Value = serde_json::from_slice(bytes).ok()?;
    // What serde reads into fields by their names it also reads by their order, from an array.
    value.as_object()?;
    if make_whole(&mut value) { serde_json::from_value(value).ok() } else { None }
}

/// Whether there was anything to do.
fn make_whole(value: &mut Value) -> bool {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0);
            // Beyond this two whole numbers are one float.
            let Some(whole) = whole.filter(|float| float.abs() <= 9_007_199_254_740_992.0) else {
                return false;
            };
            let Ok(read) = format!("{whole:.0}").parse::<i64>() else { return false };
            *value = read.into();
            true
        }
        Value::Array(items) => items.iter_mut().fold(false, |any, item| make_whole(item) | any),
        Value::Object(fields) => fields.values_mut().fold(false, |any, field| make_whole(field) | any),
        _ => false,
    }
}

/// A fleet plan, as YAML or JSON, whatever the content type says: YAML is written in as many ways as it is called.
pub(crate) struct PlanDocument(pub FleetUpgradePlan);

impl<S: Send + Sync> FromRequest<S> for PlanDocument {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state).await.map_err(|e| unreadable(&e))?;
        let text = std::str::from_utf8(&bytes).map_err(|e| {
            let reason = format!("must be text in UTF-8, it is not from byte {} on", e.valid_up_to());
            ApiError::invalid_plan(&DocumentRefused::whole(reason))
        })?;
        FleetUpgradePlan::read(text).map(Self).map_err(|refused| ApiError::invalid_plan(&refused))
    }
}

fn unreadable(rejection: &BytesRejection) -> ApiError {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large("the body is larger than this call takes"),
        _ => ApiError::invalid(rejection.body_text()),
    }
}

/// The id at the end of a path. What is no id is the id of nothing.
pub(crate) struct Id(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.ok().and_then(|Path(id)| id.parse().ok()).map(Self).ok_or_else(|| ApiError::not_found("id"))
    }
}

/// The ids in a path, in its order. What is no id is the id of nothing.
pub(crate) struct Ids<const N: usize>(pub [Uuid; N]);

impl<const N: usize, S: Send + Sync> FromRequestParts<S> for Ids<N> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<Vec<String>>::from_request_parts(parts, state).await;
        let ids =
            path.ok().and_then(|Path(ids)| ids.iter().map(|id| id.parse().ok()).collect::<Option<Vec<_>>>());
        ids.and_then(|ids| ids.try_into().ok()).map(Self).ok_or_else(|| ApiError::not_found("id"))
    }
}

/// The kind in a path. What is no kind has no releases.
pub(crate) struct KindOf(pub Kind);

impl<S: Send + Sync> FromRequestParts<S> for KindOf {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.ok()
            .and_then(|Path(kind)| Kind::from_wire(&kind))
            .map(Self)
            .ok_or_else(|| ApiError::not_found("kind"))
    }
}

/// The most rows on one page.
pub(crate) const MAX_LIMIT: u32 = 500;
/// How many there are unless said otherwise.
pub(crate) const DEFAULT_LIMIT: u32 = 100;

/// The query of a list: which page, and filters by name.
pub(crate) struct ListQuery {
    pub cursor: Option<String>,
    pub limit: u32,
    /// The limit was asked for.
    pub is_limited: bool,
    filters: Vec<(String, String)>,
}

impl<S: Send + Sync> FromRequestParts<S> for ListQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|e| ApiError::invalid(e.body_text()))?;
        let mut query = Self { cursor: None, limit: DEFAULT_LIMIT, is_limited: false, filters: Vec::new() };
        for (name, value) in pairs {
            match name.as_str() {
                "cursor" => query.cursor = Some(value),
                "limit" => {
                    query.is_limited = true;
                    query.limit = value
                        .parse()
                        .ok()
                        .filter(|limit| (1..=MAX_LIMIT).contains(limit))
                        .ok_or_else(|| {
                            ApiError::invalid(format!("`limit` must be 1 to {MAX_LIMIT}, it is `{value}`"))
                        })?;
                }
                _ => query.filters.push((name, value)),
            }
        }
        Ok(query)
    }
}

impl ListQuery {
    /// Hands out every filter once; a name that `take` does not know is a mistake to be told, not a filter to drop.
    pub(crate) fn each_filter(
        &self,
        known: &str,
        mut take: impl FnMut(&str, &str) -> Result<bool, ApiError>,
    ) -> Result<(), ApiError> {
        for (name, value) in &self.filters {
            if !take(name, value)? {
                return Err(ApiError::invalid(format!("there is no filter `{name}` here, only {known}")));
            }
        }
        Ok(())
    }

    /// The cursor of a list that is ordered by id.
    pub(crate) fn cursor_id(&self) -> Result<Option<Uuid>, ApiError> {
        let read = |cursor: &String| cursor.parse().map_err(|_| bad_cursor());
        self.cursor.as_ref().map(read).transpose()
    }

    /// The cursor of a list that is ordered by a number. The store counts in signed numbers.
    pub(crate) fn cursor_number(&self) -> Result<Option<u64>, ApiError> {
        let read = |cursor: &String| cursor.parse::<i64>().ok()?.try_into().ok();
        self.cursor.as_ref().map(|cursor| read(cursor).ok_or_else(bad_cursor)).transpose()
    }

    /// The cursor of a list that is ordered by name: a place in the order, which need not be the name of anybody.
    pub(crate) fn cursor_name(&self) -> Result<Option<String>, ApiError> {
        let read = |cursor: &String| {
            let name = unhex(cursor).filter(|name| !name.is_empty())?;
            Some(String::from_utf8_lossy(&name).into_owned())
        };
        self.cursor.as_ref().map(|cursor| read(cursor).ok_or_else(bad_cursor)).transpose()
    }
}

fn bad_cursor() -> ApiError {
    ApiError::invalid("`cursor` must be the `nextCursor` of the page before")
}

/// The word that a filter's value names.
pub(crate) fn word<T>(name: &str, value: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, ApiError> {
    read(value).ok_or_else(|| ApiError::invalid(format!("`{name}` cannot be `{value}`")))
}

impl ListQuery {
    /// A page of rows of which one more than `limit` was asked for, to know whether another page follows.
    pub(crate) fn page<T>(&self, rows: impl Iterator<Item = T>, cursor: impl Fn(&T) -> String) -> Page<T> {
        let limit = self.limit as usize;
        let mut items: Vec<T> = rows.take(limit + 1).collect();
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| has_more).map(cursor);
        Page { items, next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Method;
    use novacula_protocol::people::{PreflightRequest, UpgradeRequest};
    use novacula_protocol::sync::SyncRequest;
    use serde_json::json;

    use super::*;
    use crate::in_process::{ControlPlane, said};

    fn refused<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> String {
        read::<T>(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_body_is_refused_with_the_place_where_it_does_not_fit() {
        for (body, expected) in [
            (
                r#"{"targetVersion": "1.0.0", "helthWindowMs": 1}"#,
                "unknown field `helthWindowMs` at `helthWindowMs`, expected one of",
            ),
            (r#"{"targetVersion": "1.0"}"#, "at `targetVersion`"),
            (
                r#"{"targetVersion": "1.0.0", "healthWindowMs": "1m"}"#,
                "invalid type: string \"1m\" at `healthWindowMs`, expected u64",
            ),
            ("{}", "missing field `targetVersion`"),
            ("[]", "begins with something else"),
            ("", "it is empty"),
            ("{\"targetVersion\": ", "must be JSON, it is not: EOF"),
            (r#"{"targetVersion": "1.0.0"} x"#, "must be JSON, it is not: trailing characters"),
        ] {
            let sentence = refused::<UpgradeRequest>(body);
            assert!(sentence.contains(expected), "{body}: {sentence}");
        }
        let sentence = refused::<PreflightRequest>(r#"{"checks": ["clock", 7]}"#);
        assert!(sentence.contains("at `checks[1]`"), "{sentence}");
        let mut wrong = said("host-1", "1.0.0");
        wrong["labels"] = json!({"rack": 7});
        let sentence = refused::<SyncRequest>(&wrong.to_string());
        assert!(
            sentence.contains("invalid type: integer `7` at `labels.rack`, expected a string"),
            "{sentence}"
        );
    }

    #[tokio::test]
    async fn a_person_sends_at_most_a_mebibyte_and_an_executor_two() {
        let control_plane = ControlPlane::start().await;
        let key = control_plane.key().await;
        let padded = |body: String, bytes: usize| format!("{body}{}", " ".repeat(bytes - body.len()));
        for (bytes, expected) in [(1 << 20, (201, "")), ((1 << 20) + 1, (413, "too_large"))] {
            let body = padded(json!({"name": "host-2"}).to_string(), bytes);
            let answer =
                control_plane.call(Method::POST, "/api/v1/executor-keys", control_plane.owner(), body).await;
            assert_eq!(answer.problem(), (expected.0, expected.1.to_owned()), "{bytes}");
        }
        for (bytes, expected) in [(2 << 20, (200, "")), ((2 << 20) + 1, (413, "too_large"))] {
            let body = padded(said("host-1", "1.0.0").to_string(), bytes);
            let answer = control_plane.call(Method::POST, "/api/v1/syncExecutor", &key, body).await;
            assert_eq!(answer.problem(), (expected.0, expected.1.to_owned()), "{bytes}");
        }
    }

    #[tokio::test]
    async fn a_body_is_an_object_and_its_numbers_are_numbers() {
        let control_plane = ControlPlane::start().await;
        let post = async |body: &str| {
            let path = "/api/v1/enrolment-tokens";
            control_plane.call(Method::POST, path, crate::in_process::OWNER, body.to_owned()).await
        };
        for (sentence, body, expected) in [
            ("a whole number", r#"{"maxUses": 3, "expiresAt": "2100-01-01T00:00:00Z"}"#, 201),
            ("as some languages write it", r#"{"maxUses": 3.0, "expiresAt": "2100-01-01T00:00:00Z"}"#, 201),
            ("in exponents", r#"{"maxUses": 3e2, "expiresAt": "2100-01-01T00:00:00Z"}"#, 201),
            (
                "with white space before",
                " \r\n{\"maxUses\": 3, \"expiresAt\": \"2100-01-01T00:00:00Z\"}",
                201,
            ),
            ("a part of a number", r#"{"maxUses": 3.5, "expiresAt": "2100-01-01T00:00:00Z"}"#, 400),
            ("a number of no size", r#"{"maxUses": 3e300, "expiresAt": "2100-01-01T00:00:00Z"}"#, 400),
            ("the fields by their order", r#"[3, "2100-01-01T00:00:00Z"]"#, 400),
            ("no JSON", "maxUses=3", 400),
            ("nothing", "", 400),
        ] {
            assert_eq!(post(body).await.status.as_u16(), expected, "{sentence}");
        }
        let tokens = control_plane.get("/api/v1/enrolment-tokens").await.ok();
        let uses = tokens["items"].as_array().unwrap().iter().map(|token| token["maxUses"].clone());
        assert_eq!(uses.collect::<Vec<_>>(), [json!(3), json!(300), json!(3), json!(3)]);
    }
}
