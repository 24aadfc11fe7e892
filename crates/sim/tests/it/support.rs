//! A client for the tests: one request at a time, answers as status and JSON.

use std::sync::Once;
use std::time::Duration;

use palette_sim::{Account, Seed, Sim, SimOptions};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use serde_json::Value;

static PROVIDER: Once = Once::new();

/// A client without redirects or proxy. reqwest is built without a crypto provider.
pub fn client() -> Client {
    client_builder().build().unwrap()
}

pub fn client_builder() -> reqwest::ClientBuilder {
    PROVIDER.call_once(|| {
        rustls::crypto::ring::default_provider().install_default().unwrap();
    });
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10))
}

pub async fn demo() -> Sim {
    palette_sim::start(SimOptions::default()).await.unwrap()
}

pub async fn empty() -> Sim {
    palette_sim::start(SimOptions { seed: Seed::Empty, ..SimOptions::default() }).await.unwrap()
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn code(&self) -> Value {
        self.json()["code"].clone()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Items of a list.
    pub fn items(&self) -> Vec<Value> {
        self.json()["items"].as_array().unwrap_or_else(|| panic!("no items: {self:?}")).clone()
    }
}

/// Someone with a key, asking.
pub struct Api {
    pub client: Client,
    pub origin: String,
    pub credential: Vec<(&'static str, String)>,
}

impl Api {
    pub fn of(sim: &Sim, account: &Account) -> Self {
        assert!(!account.api_key.is_empty(), "the account has a key");
        Self::with(sim, "ApiKey", &account.api_key)
    }

    pub fn with(sim: &Sim, header: &'static str, value: &str) -> Self {
        let credential = vec![(header, value.to_owned())];
        Self { client: client(), origin: sim.origin(), credential }
    }

    pub fn nobody(sim: &Sim) -> Self {
        Self { client: client(), origin: sim.origin(), credential: Vec::new() }
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.origin));
        for (name, value) in &self.credential {
            request = request.header(*name, value);
        }
        request
    }

    pub async fn get(&self, path: &str) -> Got {
        read(self.request("GET", path)).await
    }

    pub async fn send(&self, method: &str, path: &str, body: Value) -> Got {
        read(self.request(method, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Got {
        read(self.request("DELETE", path)).await
    }

    /// Creates a key and gives its uid.
    pub async fn create(&self, name: &str) -> String {
        let body = serde_json::json!({ "metadata": { "name": name }, "spec": {} });
        let got = self.send("POST", "/v1/apiKeys", body).await;
        assert_eq!(got.status, 201, "{got:?}");
        got.json()["uid"].as_str().unwrap().to_owned()
    }
}

pub async fn read(request: reqwest::RequestBuilder) -> Got {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Got { status, headers, text: response.text().await.unwrap() }
}

/// A time this many seconds after the server's now, as clients write it.
pub fn at(sim: &Sim, seconds: i64) -> String {
    let time = sim.now() + jiff::SignedDuration::from_secs(seconds);
    format!("{time:.3}")
}
