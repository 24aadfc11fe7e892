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
        let owner = Owner::<R, Desktop>::new(app, Arc::clone(&armed));
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

/// A clear that could not be confirmed is tried again after this time, until it is.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// What we put on the clipboard: its hash, and until when it may stay.
struct Ours {
    hash: [u8; 32],
    until: Instant,
    /// It was said that it could not be cleared.
    stuck: bool,
}

/// Whose is what is on the clipboard now?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Ours,
    Another,
    /// The desktop did not let us look.
    Unknown,
}

/// The desktop's clipboard, as far as it is needed.
trait Board: Sized {
    fn open() -> Result<Self, arboard::Error>;
    fn put(&mut self, text: &str) -> Result<(), arboard::Error>;
    fn text(&mut self) -> Result<String, arboard::Error>;
    fn clear(&mut self) -> Result<(), arboard::Error>;
}

struct Desktop(arboard::Clipboard);

impl Board for Desktop {
    fn open() -> Result<Self, arboard::Error> {
        arboard::Clipboard::new().map(Self)
    }

    fn put(&mut self, text: &str) -> Result<(), arboard::Error> {
        excluded_from_history(self.0.set()).text(text)
    }

    fn text(&mut self) -> Result<String, arboard::Error> {
        self.0.get_text()
    }

    fn clear(&mut self) -> Result<(), arboard::Error> {
        self.0.clear()
    }
}

struct Owner<R: Runtime, B: Board> {
    app: AppHandle<R>,
    board: Option<B>,
    ours: Option<Ours>,
    armed: Arc<AtomicBool>,
}

impl<R: Runtime, B: Board> Owner<R, B> {
    fn new(app: AppHandle<R>, armed: Arc<AtomicBool>) -> Self {
        Self { app, board: None, ours: None, armed }
    }

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
        let put = self.board().and_then(|board| board.put(plain));
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
        self.ours = Some(Ours { hash: hash(plain), until: Instant::now() + life, stuck: false });
        Ok(ClipboardView {
            state: ClipboardState::Armed,
            clears_in: Some(u64::from(seconds) * 1000),
        })
    }

    /// Takes our value off again, unless something else was copied since. Where that cannot be seen
    /// it stays ours, and is tried again: by itself, and when a person asks.
    fn clear(&mut self) -> ClipboardView {
        let said = self.ours.as_ref().is_some_and(|ours| ours.stuck);
        let state = match self.ours.take() {
            None => ClipboardState::Idle,
            Some(ours) => match self.whose(&ours) {
                Whose::Another => ClipboardState::LeftAlone,
                Whose::Unknown => self.keep(ours),
                Whose::Ours => {
                    let cleared = self.board().and_then(Board::clear).is_ok();
                    // Some desktops ignore a clear from a window without focus: look again.
                    if cleared && self.whose(&ours) == Whose::Another {
                        ClipboardState::Cleared
                    } else {
                        self.keep(ours)
                    }
                }
            },
        };
        let view = ClipboardView { state, clears_in: None };
        if !(said && matches!(view.state, ClipboardState::CouldNotClear)) {
            events::clipboard(&self.app, view.clone());
        }
        view
    }

    fn keep(&mut self, ours: Ours) -> ClipboardState {
        self.ours = Some(Ours { until: Instant::now() + TRY_AGAIN, stuck: true, ..ours });
        ClipboardState::CouldNotClear
    }

    fn whose(&mut self, ours: &Ours) -> Whose {
        use arboard::Error::{ContentNotAvailable, ConversionFailure};
        match self.board().and_then(Board::text).map(zeroize::Zeroizing::new) {
            Ok(text) if hash(&text) == ours.hash => Whose::Ours,
            // Nothing, or a picture, or no text that ours could be.
            Ok(_) | Err(ContentNotAvailable | ConversionFailure) => Whose::Another,
            Err(_) => Whose::Unknown,
        }
    }

    fn board(&mut self) -> Result<&mut B, arboard::Error> {
        match &mut self.board {
            Some(_) => {}
            empty => *empty = Some(B::open()?),
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[derive(Default)]
    struct Fake {
        text: Option<String>,
        /// The desktop ignores a clear.
        holds: bool,
        /// It does not let anybody look.
        occupied: bool,
    }

    thread_local! {
        static ON: RefCell<Fake> = RefCell::default();
    }

    struct FakeBoard;

    impl Board for FakeBoard {
        fn open() -> Result<Self, arboard::Error> {
            Ok(Self)
        }

        fn put(&mut self, text: &str) -> Result<(), arboard::Error> {
            ON.with_borrow_mut(|on| on.text = Some(text.to_owned()));
            Ok(())
        }

        fn text(&mut self) -> Result<String, arboard::Error> {
            ON.with_borrow(|on| match &on.text {
                _ if on.occupied => Err(arboard::Error::ClipboardOccupied),
                Some(text) => Ok(text.clone()),
                None => Err(arboard::Error::ContentNotAvailable),
            })
        }

        fn clear(&mut self) -> Result<(), arboard::Error> {
            ON.with_borrow_mut(|on| {
                if !on.holds {
                    on.text = None;
                }
            });
            Ok(())
        }
    }

    /// The owner with our value on the clipboard of a desktop that behaves like this.
    fn copied(on: Fake) -> Owner<tauri::test::MockRuntime, FakeBoard> {
        ON.set(on);
        let app = tauri::test::mock_app().handle().clone();
        let mut owner = Owner::new(app, Arc::default());
        owner.copy(&Secret::new("a value".to_owned()), 30).expect("it is taken");
        owner
    }

    fn on_it() -> Option<String> {
        ON.with_borrow(|on| on.text.clone())
    }

    fn change(how: impl FnOnce(&mut Fake)) {
        ON.with_borrow_mut(how);
    }

    #[test]
    fn our_value_is_cleared_and_another_is_left_alone() {
        let mut owner = copied(Fake::default());
        assert_eq!(owner.clear().state, ClipboardState::Cleared);
        assert_eq!(on_it(), None);
        assert_eq!(owner.clear().state, ClipboardState::Idle);

        let mut owner = copied(Fake::default());
        change(|on| on.text = Some("notes".into()));
        assert_eq!(owner.clear().state, ClipboardState::LeftAlone);
        assert_eq!(on_it().as_deref(), Some("notes"));
        assert!(owner.ours.is_none());
    }

    #[test]
    fn a_clear_that_the_desktop_ignores_can_be_asked_for_again() {
        let mut owner = copied(Fake { holds: true, ..Fake::default() });
        assert_eq!(owner.clear().state, ClipboardState::CouldNotClear);
        assert_eq!(owner.clear().state, ClipboardState::CouldNotClear, "no false all-clear");
        change(|on| on.holds = false);
        assert_eq!(owner.clear().state, ClipboardState::Cleared);
        assert_eq!(on_it(), None);
    }

    #[test]
    fn a_clipboard_that_cannot_be_read_is_not_called_somebody_elses() {
        let mut owner = copied(Fake::default());
        change(|on| on.occupied = true);
        assert_eq!(owner.clear().state, ClipboardState::CouldNotClear);
        let again = owner.ours.as_ref().expect("it is still ours").until;
        assert!(again > Instant::now(), "it is tried again by itself");
        change(|on| on.occupied = false);
        assert_eq!(owner.clear().state, ClipboardState::Cleared);
        assert_eq!(on_it(), None);
    }
}
