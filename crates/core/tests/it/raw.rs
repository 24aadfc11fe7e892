//! Servers on loopback that answer with exactly the bytes a test wants, and a client with short
//! limits to meet them.

use palette_keys_core::Secret;
use palette_keys_core::api::{ClientSettings, Credential, Limits, Origin, PaletteClient};
use palette_keys_core::clock::SystemClock;
use palette_keys_core::connection::ProxyChoice;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A key of the right form that no server knows.
pub const CANARY: &str = "QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl";

/// What a raw server does with one request.
pub enum Answer {
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// These bytes, then a byte every so often, for ever.
    Drip(Vec<u8>, Duration),
    /// These bytes, then the second ones for ever, as fast as they are read.
    Endless(Vec<u8>, Vec<u8>),
    /// A reset without a byte.
    Reset,
    /// Nothing, for ever.
    Silence,
}

/// A server for raw bytes.
#[derive(Clone)]
pub struct Raw {
    /// `http://127.0.0.1:PORT`
    pub origin: String,
    /// Its port.
    pub port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Raw {
    /// Every request so far: head and body as text.
    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// The request lines so far.
    pub fn lines(&self) -> Vec<String> {
        let first = |request: &String| request.lines().next().unwrap_or_default().to_owned();
        self.requests().iter().map(first).collect()
    }
}

/// A response with this status, content type and body, and its right length.
pub fn response(status: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// 200 with JSON.
pub fn json(body: &str) -> Vec<u8> {
    response("200 OK", "application/json", body.as_bytes())
}

/// Starts a server; `answer` gets the number of the request and its text.
pub async fn serve(answer: impl Fn(usize, &str) -> Answer + Send + Sync + 'static) -> Raw {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let raw = Raw { origin: format!("http://127.0.0.1:{port}"), port, seen: Arc::clone(&seen) };
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
            tokio::spawn(async move {
                let Some(request) = read_request(&mut stream).await else { return };
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(request.clone());
                    seen.len() - 1
                };
                play(stream, answer(number, &request)).await;
            });
        }
    });
    raw
}

/// Reads one request; none when the client left before it was whole.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length:")
                        .map(|length| length.trim().parse::<usize>().unwrap())
                })
                .unwrap_or(0);
            if body.len() >= length {
                return Some(text.into_owned());
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

async fn play(mut stream: TcpStream, answer: Answer) {
    match answer {
        Answer::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            // Let the client read before the socket goes: an early close could reset it.
            let _ = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut [0; 1])).await;
        }
        Answer::Drip(head, every) => {
            let _ = stream.write_all(&head).await;
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(every).await;
            }
        }
        Answer::Endless(head, again) => {
            let _ = stream.write_all(&head).await;
            while stream.write_all(&again).await.is_ok() {}
        }
        Answer::Reset => {
            stream.set_zero_linger().unwrap();
        }
        Answer::Silence => {
            let _ = stream.read(&mut [0; 1]).await;
        }
    }
}

/// Limits that let a test end soon, but not on a busy machine before the answer is there.
pub fn short() -> Limits {
    Limits {
        connect: Duration::from_millis(2000),
        read: Duration::from_millis(1000),
        total: Duration::from_millis(2000),
        list_body: 1024 * 1024,
        other_body: 64 * 1024,
        backoff: Duration::from_millis(5),
        retry_within: Duration::from_millis(400),
    }
}

/// A client of this origin that is not signed in.
pub fn stranger(origin: &str) -> PaletteClient {
    settled(origin, None, ProxyChoice::None)
}

/// A client with an extra authority or a proxy.
pub fn settled(origin: &str, ca: Option<&str>, proxy: ProxyChoice) -> PaletteClient {
    let (origin, _) = Origin::parse(origin).unwrap();
    let settings = ClientSettings { origin, ca_certificate: ca.map(str::to_owned), proxy };
    PaletteClient::open_with(settings, Arc::new(SystemClock), short()).unwrap()
}

/// A client signed in with a key.
pub fn client(origin: &str, key: &str) -> PaletteClient {
    let client = stranger(origin);
    client.sign_in(Credential::ApiKey(Secret::new(key.to_owned())));
    client
}
