//! The clipboard: our value goes on it with the history-exclusion hints and comes
//! off again if it is still ours.
//!
//! One thread owns the clipboard, because on Linux the owner must stay alive to
//! serve it and every access may block. It keeps a hash of what it put there, never
//! the text.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::{Duration, Instant},
};

use palette_keys_core::{ErrorCode, Failure, Secret};
use sha2::{Digest, Sha256};
use tauri::{AppHandle, Runtime};
use tokio::sync::oneshot;

use crate::{
    events,
    views::{ClipboardState, ClipboardView},
};

enum Order {
    Copy { text: Secret, seconds: u32, answer: oneshot::Sender<Result<ClipboardView, Failure>> },
    Clear { answer: oneshot::Sender<ClipboardView> },
    ClearAndEnd { done: Sender<()> },
}

/// A handle on the thread that owns the clipboard.
pub struct Clipboard {
    orders: Sender<Order>,
    /// Something of ours may be on it.
    armed: Arc<AtomicBool>,
}

impl Clipboard {
    /// Starts the thread. It touches the desktop's clipboard only when asked to copy.
    pub fn start<R: Runtime>(app: AppHandle<R>) -> Self {
        let (sender, orders) = channel();
        let armed = Arc::new(AtomicBool::new(false));
        let owner = Owner { app, board: None, ours: None, armed: Arc::clone(&armed) };
        std::thread::spawn(move || owner.serve(&orders));
        Self { orders: sender, armed }
    }

    /// Copies a value and arms its clearing.
    pub async fn copy(&self, text: Secret, seconds: u32) -> Result<ClipboardView, Failure> {
        let (answer, view) = oneshot::channel();
        self.armed.store(true, Ordering::Release);
        self.orders.send(Order::Copy { text, seconds, answer }).map_err(|_| thread_gone())?;
        view.await.map_err(|_| thread_gone())?
    }

    /// Clears now, if it is still ours.
    pub async fn clear(&self) -> Result<ClipboardView, Failure> {
        let (answer, view) = oneshot::channel();
        self.orders.send(Order::Clear { answer }).map_err(|_| thread_gone())?;
        view.await.map_err(|_| thread_gone())
    }

    /// Nothing of ours is on it, and nothing is about to be.
    pub fn is_idle(&self) -> bool {
        !self.armed.load(Ordering::Acquire)
    }

    /// Clears on the way out. Waits a second at most: quitting must not hang.
    pub fn clear_before_exit(&self) {
        let (done, wait) = channel();
        if self.orders.send(Order::ClearAndEnd { done }).is_ok() {
            let _ = wait.recv_timeout(Duration::from_secs(1));
        }
    }
}

fn thread_gone() -> Failure {
    Failure::new(
        ErrorCode::ClipboardFailed,
        "The clipboard cannot be used any more. Nothing was copied.",
    )
}

/// What we put on the clipboard: its hash, and until when it may stay.
struct Ours {
    hash: [u8; 32],
    until: Instant,
}

struct Owner<R: Runtime> {
    app: AppHandle<R>,
    board: Option<arboard::Clipboard>,
    ours: Option<Ours>,
    armed: Arc<AtomicBool>,
}

impl<R: Runtime> Owner<R> {
    fn serve(mut self, orders: &Receiver<Order>) {
        loop {
            self.armed.store(self.ours.is_some(), Ordering::Release);
            let order = match &self.ours {
                Some(ours) => {
                    orders.recv_timeout(ours.until.saturating_duration_since(Instant::now()))
                }
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match order {
                Ok(Order::Copy { text, seconds, answer }) => {
                    let copied = self.copy(&text, seconds);
                    if let Ok(view) = &copied {
                        events::clipboard(&self.app, view.clone());
                    }
                    let _ = answer.send(copied);
                }
                Ok(Order::Clear { answer }) => {
                    let _ = answer.send(self.clear());
                }
                Ok(Order::ClearAndEnd { done }) => {
                    self.clear();
                    let _ = done.send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.clear();
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn copy(&mut self, text: &Secret, seconds: u32) -> Result<ClipboardView, Failure> {
        // EXPOSE: the clipboard is where the person asked to have it.
        let plain = text.expose_secret();
        let put = self.board().and_then(|board| excluded_from_history(board.set()).text(plain));
        if let Err(error) = put {
            self.board = None;
            return Err(Failure::new(
                ErrorCode::ClipboardFailed,
                format!(
                    "The desktop's clipboard did not take the value: {error}. Nothing was copied."
                ),
            ));
        }
        let life = Duration::from_secs(seconds.into());
        self.ours = Some(Ours { hash: hash(plain), until: Instant::now() + life });
        Ok(ClipboardView {
            state: ClipboardState::Armed,
            clears_in: Some(u64::from(seconds) * 1000),
        })
    }

    /// Takes our value off again, unless something else was copied since.
    fn clear(&mut self) -> ClipboardView {
        let state = match self.ours.take() {
            None => ClipboardState::Idle,
            Some(ours) => match self.is_on_it(&ours) {
                false => ClipboardState::LeftAlone,
                true => {
                    let cleared = self.board().and_then(arboard::Clipboard::clear).is_ok();
                    // Some desktops ignore a clear from a window without focus: look again.
                    if cleared && !self.is_on_it(&ours) {
                        ClipboardState::Cleared
                    } else {
                        ClipboardState::CouldNotClear
                    }
                }
            },
        };
        let view = ClipboardView { state, clears_in: None };
        events::clipboard(&self.app, view.clone());
        view
    }

    fn is_on_it(&mut self, ours: &Ours) -> bool {
        self.board()
            .and_then(arboard::Clipboard::get_text)
            .map(zeroize::Zeroizing::new)
            .is_ok_and(|text| hash(&text) == ours.hash)
    }

    fn board(&mut self) -> Result<&mut arboard::Clipboard, arboard::Error> {
        match &mut self.board {
            Some(_) => {}
            empty => *empty = Some(arboard::Clipboard::new()?),
        }
        self.board.as_mut().ok_or(arboard::Error::ClipboardNotSupported)
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(all(unix, not(target_os = "macos")))]
fn excluded_from_history(set: arboard::Set<'_>) -> arboard::Set<'_> {
    arboard::SetExtLinux::exclude_from_history(set)
}

#[cfg(target_os = "macos")]
fn excluded_from_history(set: arboard::Set<'_>) -> arboard::Set<'_> {
    arboard::SetExtApple::exclude_from_history(set)
}

#[cfg(windows)]
fn excluded_from_history(set: arboard::Set<'_>) -> arboard::Set<'_> {
    use arboard::SetExtWindows;
    set.exclude_from_monitoring().exclude_from_cloud().exclude_from_history()
}
