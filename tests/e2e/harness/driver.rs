//! The part of the WebDriver protocol that the tests speak (<https://www.w3.org/TR/webdriver2/>).
//!
//! Our own dozen calls instead of a client crate: the known one switches `serde_json` to another
//! key order for the whole workspace, so the tests would run another program than the one we ship.

use std::time::Duration;

use serde_json::{Value, json};

/// The protocol's marker of an element reference.
pub const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One automated program.
#[derive(Clone, Debug)]
pub struct Session {
    http: reqwest::Client,
    base: String,
}

/// What the driver refused, by the protocol's error code ("stale element reference", …).
#[derive(Clone, Debug)]
pub struct Refusal {
    pub code: String,
    pub message: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl Session {
    /// Has the driver on this port start a program.
    pub async fn open(port: u16, binary: &str, arguments: &[String]) -> Result<Self, Refusal> {
        // Without a provider reqwest would refuse to be made, though nothing here is https.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(40))
            .build()
            .expect("a plain HTTP client");
        let driver = Self { http, base: format!("http://127.0.0.1:{port}") };
        let options = json!({ "binary": binary, "args": arguments });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "webkitgtk:browserOptions": options,
        } } });
        let value = driver.post("/session", wanted).await?;
        let id = value["sessionId"].as_str().expect("a session has an id");
        Ok(Self { base: format!("{}/session/{id}", driver.base), ..driver })
    }

    pub async fn post(&self, path: &str, body: Value) -> Result<Value, Refusal> {
        answer(self.http.post(format!("{}{path}", self.base)).json(&body)).await
    }

    pub async fn get(&self, path: &str) -> Result<Value, Refusal> {
        answer(self.http.get(format!("{}{path}", self.base))).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value, Refusal> {
        answer(self.http.delete(format!("{}{path}", self.base))).await
    }

    /// Ends the session; the driver then ends the program.
    pub async fn close(&self) -> Result<Value, Refusal> {
        answer(self.http.delete(&self.base)).await
    }

    /// Runs a script in the page and gives what it returns; a promise is waited for.
    pub async fn script(&self, script: &str, arguments: Value) -> Result<Value, Refusal> {
        self.post("/execute/sync", json!({ "script": script, "args": arguments })).await
    }

    /// What the page looks like, as PNG.
    pub async fn picture(&self) -> Result<Vec<u8>, Refusal> {
        use base64::Engine;
        let value = self.get("/screenshot").await?;
        let text = value.as_str().unwrap_or_default();
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .map_err(|error| Refusal { code: "picture".into(), message: error.to_string() })
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Value, Refusal> {
    let lost = |error: reqwest::Error| Refusal { code: "lost".into(), message: error.to_string() };
    let response = request.send().await.map_err(lost)?;
    let ok = response.status().is_success();
    let mut body: Value = response.json().await.map_err(lost)?;
    let value = body["value"].take();
    if ok {
        return Ok(value);
    }
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    Err(Refusal { code: text("error"), message: text("message") })
}
