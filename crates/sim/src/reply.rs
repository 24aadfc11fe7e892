//! An answer before it meets the wire, and Palette's two forms of errors.

use serde::Serialize;
use serde_json::{Value, json};

use crate::tenant::reference;

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What a route gives back: both sides are answers, `Err` is the one that ends a handler early.
/// Boxed, for a `Reply` is big beside what handlers pass around.
pub(crate) type Answered = Result<Reply, Box<Reply>>;

impl Reply {
    pub(crate) fn json(status: u16, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self::of("application/json", status, body),
            // Cannot happen with our types (string keys, finite numbers); an honest 500 if it does.
            Err(_) => Self::error(500, "InternalServerError", "The answer could not be written"),
        }
    }

    pub(crate) fn of(content_type: &str, status: u16, body: Vec<u8>) -> Self {
        Self { status, content_type: Some(content_type.to_owned()), headers: Vec::new(), body }
    }

    /// No content. The content type is there although there is no content: the document says that every
    /// answer is JSON, outside checkers hold us to it, and a client has to bear it.
    pub(crate) fn no_content() -> Self {
        Self::of("application/json", 204, Vec::new())
    }

    /// An application error, `v1Error`: the code is a string (fact sheet §6 `[SPEC]`).
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = json!({
            "code": code, "message": message, "details": {}, "ref": reference(),
        });
        Self::json(status, &body)
    }

    /// A framework error: the code is a number, and codes from 600 on arrive with HTTP 422 (fact
    /// sheet §6 `[3P][GOA]`).
    pub(crate) fn framework(code: u16, message: &str) -> Self {
        let status = if code >= 600 { 422 } else { code };
        Self::json(status, &json!({ "code": code, "message": message }))
    }

    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// `Err` with an application error.
pub(crate) fn refuse<T>(status: u16, code: &str, message: &str) -> Result<T, Box<Reply>> {
    Err(Box::new(Reply::error(status, code, message)))
}

/// `Err` with a framework error.
pub(crate) fn invalid<T>(code: u16, message: &str) -> Result<T, Box<Reply>> {
    Err(Box::new(Reply::framework(code, message)))
}

/// The value as text that fits into a message: strings as they are, the rest by its JSON type.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
