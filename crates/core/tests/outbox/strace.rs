//! What `strace` is asked to do to a child, and what it wrote down.

use std::collections::HashMap;
use std::path::Path;

/// Everything that changes a file, tells the server something or takes a lock, and what lies
/// between those. Waiting (epoll, futex) is left out: it happens a different number of times in
/// each run.
pub const CALLS: &str = "openat,close,read,pread64,write,writev,pwrite64,ftruncate,fsync,fdatasync,\
                         rename,unlink,flock,fcntl,mmap,socket,connect,sendto,sendmsg,recvfrom";

/// A system call as it was begun.
#[derive(Debug, Clone)]
pub struct Call {
    pub thread: u32,
    pub name: String,
    /// The how-manieth of this name in this thread, from 1.
    pub number: usize,
    /// The rest of the line.
    pub text: String,
}

/// The program with its options, writing to `log`.
pub fn wrapper(log: &Path, options: &[&str]) -> Vec<String> {
    let log = log.to_str().unwrap();
    let fixed = ["strace", "-f", "-qq", "-o", log];
    fixed.iter().chain(options).map(|word| (*word).to_owned()).collect()
}

/// The calls of a log, in the order in which they began.
pub fn calls(log: &Path) -> Vec<Call> {
    let mut seen: HashMap<(u32, String), usize> = HashMap::new();
    let bytes = std::fs::read(log).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let call = |line: &str| {
        let (thread, rest) = line.split_once(' ')?;
        let (thread, rest) = (thread.parse().ok()?, rest.trim_start());
        let (name, text) = rest.split_once('(')?;
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return None;
        }
        let number = seen.entry((thread, name.to_owned())).or_default();
        *number += 1;
        Some(Call { thread, name: name.to_owned(), number: *number, text: text.to_owned() })
    };
    text.lines().filter_map(call).collect()
}

/// Where in the log the child said this.
pub fn said(calls: &[Call], word: &str) -> usize {
    let word = format!("@{word}");
    calls
        .iter()
        .position(|call| call.name == "write" && call.text.contains(&word))
        .unwrap_or_else(|| panic!("{word} is not in the log"))
}
