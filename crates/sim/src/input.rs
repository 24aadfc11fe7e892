//! Reading what a client sent, with the refusals of the framework Palette is built on (fact sheet
//! §6 `[GOA]`): a body that is no JSON is 400, one of the wrong shape 422 with a code from 601 on.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::reply::{Reply, invalid, type_name};

type Read<T> = Result<T, Box<Reply>>;

/// A JSON object of the body. An empty body is refused.
pub(crate) fn object(body: &[u8], content_type: Option<&str>) -> Read<Map<String, Value>> {
    match optional_object(body, content_type)? {
        Some(object) => Ok(object),
        None => invalid(602, "body in body is required"),
    }
}

/// As [`object`], for calls where the body may be left out.
pub(crate) fn optional_object(
    body: &[u8],
    content_type: Option<&str>,
) -> Read<Option<Map<String, Value>>> {
    if body.is_empty() {
        return Ok(None);
    }
    if let Some(content_type) = content_type {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let message = format!(
                "unsupported media type {content_type:?}, only [application/json] are allowed"
            );
            return invalid(415, &message);
        }
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(object)) => Ok(Some(object)),
        Ok(Value::Null) => Ok(None),
        Ok(other) => wrong_type("body", "object", &other),
        Err(error) => invalid(400, &format!("parsing body body from \"\" failed, because {error}")),
    }
}

fn wrong_type<T>(path: &str, wanted: &str, found: &Value) -> Read<T> {
    invalid(601, &format!("{path} in body must be of type {wanted}: {:?}", type_name(found)))
}

/// The value under `name`; `null` counts as absent, as it does in Go.
fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

/// An object inside the body; empty if absent.
pub(crate) fn inner(object: &Map<String, Value>, path: &str) -> Read<Map<String, Value>> {
    match field(object, last(path)) {
        None => Ok(Map::new()),
        Some(Value::Object(inner)) => Ok(inner.clone()),
        Some(other) => wrong_type(path, "object", other),
    }
}

pub(crate) fn string(object: &Map<String, Value>, path: &str) -> Read<Option<String>> {
    match field(object, last(path)) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => wrong_type(path, "string", other),
    }
}

pub(crate) fn boolean(object: &Map<String, Value>, path: &str) -> Read<Option<bool>> {
    match field(object, last(path)) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(other) => wrong_type(path, "boolean", other),
    }
}

pub(crate) fn array(object: &Map<String, Value>, path: &str) -> Read<Vec<Value>> {
    match field(object, last(path)) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => Ok(items.clone()),
        Some(other) => wrong_type(path, "array", other),
    }
}

/// A map of texts (annotations, labels); empty if absent.
pub(crate) fn texts(object: &Map<String, Value>, path: &str) -> Read<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    for (name, value) in inner(object, path)? {
        match value {
            Value::String(text) => {
                texts.insert(name, text);
            }
            Value::Null => {
                texts.insert(name, String::new());
            }
            other => return wrong_type(&format!("{path}.{name}"), "string", &other),
        }
    }
    Ok(texts)
}

/// A time of the body; absent, empty and Go's zero time are `None` (fact sheet §3.2).
pub(crate) fn time(object: &Map<String, Value>, path: &str) -> Read<Option<Timestamp>> {
    let Some(text) = string(object, path)? else { return Ok(None) };
    match parse_time(&text) {
        Some(time) => Ok(time),
        None => invalid(601, &format!("{path} in body must be of type date-time: {text:?}")),
    }
}

/// A time of the query.
pub(crate) fn query_time(name: &str, text: Option<&str>) -> Read<Option<Timestamp>> {
    let Some(text) = text else { return Ok(None) };
    match parse_time(text) {
        Some(time) => Ok(time),
        None => invalid(601, &format!("{name} in query must be of type date-time: {text:?}")),
    }
}

/// `Some(None)` is "unset", `None` is "no time". Times up to the year 1 are unset.
#[allow(clippy::option_option)]
fn parse_time(text: &str) -> Option<Option<Timestamp>> {
    if text.is_empty() {
        return Some(None);
    }
    let time: Timestamp = text.parse().ok()?;
    // Whole milliseconds, the precision the API writes.
    let time = Timestamp::from_millisecond(time.as_millisecond()).ok()?;
    let year_two: Timestamp = "0002-01-01T00:00:00Z".parse().ok()?;
    Some((time >= year_two).then_some(time))
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// Page of a list: `limit`, `offset` and `continue` (fact sheet §4).
pub(crate) struct Page {
    pub(crate) limit: usize,
    pub(crate) offset: usize,
}

/// The most a list gives at once, and the default (fact sheet §4 `[DOC]`).
const MOST: i64 = 50;

impl Page {
    /// Reads the page. `limit` over 50 is 422/608 `[3P]`; `limit=0` means "all", as the Go SDK
    /// relies on `[SDK]`.
    pub(crate) fn read(query: &Query) -> Read<Self> {
        let limit = query.integer("limit")?.unwrap_or(MOST);
        if limit > MOST {
            return invalid(608, "limit in query should be less than or equal to 50");
        }
        if limit < 0 {
            return invalid(609, "limit in query should be greater than or equal to 0");
        }
        let mut offset = query.integer("offset")?.unwrap_or(0);
        if offset < 0 {
            return invalid(609, "offset in query should be greater than or equal to 0");
        }
        if let Some(token) = query.get("continue").filter(|token| !token.is_empty()) {
            // The token knows where the list goes on; it wins over a repeated offset.
            let Some(next) = unpack(token) else {
                return crate::reply::refuse(
                    400,
                    "InvalidContinueToken",
                    "The continue token is not valid",
                );
            };
            offset = next;
        }
        let limit = if limit == 0 { usize::MAX } else { usize::try_from(limit).unwrap_or(50) };
        Ok(Self { limit, offset: usize::try_from(offset).unwrap_or(usize::MAX) })
    }

    /// Cuts the page out of all items and writes its `listmeta`.
    pub(crate) fn cut<T>(&self, items: Vec<T>) -> (Vec<T>, Value) {
        let count = items.len();
        let page: Vec<T> = items.into_iter().skip(self.offset).take(self.limit).collect();
        let end = self.offset.saturating_add(page.len());
        let token = if end < count && !page.is_empty() { pack(end, count) } else { String::new() };
        let meta = serde_json::json!({
            "continue": token,
            "count": count,
            "limit": self.limit.min(count.max(50)),
            "offset": self.offset.min(i64::MAX as usize),
        });
        (page, meta)
    }
}

/// base64 of a JSON object, as seen on live servers (fact sheet §4 `[3P]`); opaque to clients.
fn pack(offset: usize, count: usize) -> String {
    use base64::Engine as _;
    let token = serde_json::json!({ "offset": offset, "count": count, "token": "" });
    base64::engine::general_purpose::STANDARD.encode(token.to_string())
}

fn unpack(token: &str) -> Option<i64> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(token).ok()?;
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    value.get("offset")?.as_i64().filter(|offset| *offset >= 0)
}

/// The query of a request, decoded.
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(crate) fn read(raw: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(raw.unwrap_or_default().as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        Self { pairs }
    }

    /// The first value under this name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// As [`Query::get`], with empty counted as absent.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    fn integer(&self, name: &str) -> Read<Option<i64>> {
        let Some(text) = self.filled(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => invalid(601, &format!("{name} in query must be of type int64: {text:?}")),
        }
    }

    pub(crate) fn boolean(&self, name: &str) -> Read<Option<bool>> {
        match self.filled(name) {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(text) => {
                invalid(601, &format!("{name} in query must be of type boolean: {text:?}"))
            }
        }
    }

    /// One of a closed list.
    pub(crate) fn one_of(&self, name: &str, allowed: &[&str]) -> Read<Option<&str>> {
        match self.filled(name) {
            Some(text) if !allowed.contains(&text) => {
                invalid(606, &format!("{name} in query should be one of [{}]", allowed.join(" ")))
            }
            text => Ok(text),
        }
    }
}
