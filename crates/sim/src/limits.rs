//! The two limits of a tenant: requests a second, and keys a person.

use std::collections::HashMap;
use std::net::IpAddr;

use tokio::time::Instant;

/// Keys a person may have (fact sheet §3.6 `[DOC]`).
pub(crate) const KEYS_PER_USER: usize = 20;
/// The most an administrator may allow (fact sheet §3.6 `[SDK]`, TF `api_keys` 1–10,000).
pub(crate) const MOST_KEYS_PER_USER: usize = 10_000;

/// Requests a second, and the burst (fact sheet §7 `[DOC]`: 10 × 5).
const PER_SECOND: f64 = 10.0;
const BURST: f64 = 50.0;

/// Parents that have a bucket of their own; everything else shares one, so that made-up paths
/// cannot grow the table.
const PARENTS: [&str; 12] = [
    "apiKeys",
    "audits",
    "auth",
    "permissions",
    "roles",
    "tenants",
    "users",
    "health",
    "projects",
    "teams",
    "services",
    "system",
];

/// One token bucket for each source address and parent resource.
///
/// It runs on tokio's clock, so a test with paused time sees the same limit as one without.
#[derive(Default)]
pub(crate) struct Buckets {
    buckets: HashMap<(IpAddr, &'static str), Bucket>,
}

struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Buckets {
    /// Takes one token for a request to `path`; false means 429.
    pub(crate) fn take(&mut self, from: IpAddr, path: &str) -> bool {
        let parent = path.split('/').nth(2).unwrap_or_default();
        let parent = PARENTS.iter().find(|known| **known == parent).copied().unwrap_or("");
        let now = Instant::now();
        let bucket =
            self.buckets.entry((from, parent)).or_insert_with(|| Bucket { tokens: BURST, at: now });
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * PER_SECOND).min(BURST);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }

    pub(crate) fn refill(&mut self) {
        self.buckets.clear();
    }
}
