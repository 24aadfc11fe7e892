//! What happens without anybody asking: lists are read again from time to time, after sleep and
//! when the network changed, and never while the keychain asks for something.
//!
//! [`Schedule`] is pure: it is told the time and what was heard, and says what to do next.

use crate::{
    PaletteKeys,
    connection::{ConnectionState, SignInMethod, live::Live},
    keychain::KeychainState,
    keys::list,
};
use std::time::Duration;

/// Wall clock and steady clock further apart than this: the computer slept, or its clock was set.
const JUMP_MS: i64 = 30_000;
/// How soon after a change the lists are read: a network that just came up is not quite there.
const SETTLE: Duration = Duration::from_secs(2);
/// Lists are not read more often than this, whatever is heard.
const CLOSEST: Duration = Duration::from_secs(15);
/// The outbox is not woken more often than this.
const WAKES: Duration = Duration::from_secs(5);
/// After a prompt was found open it is looked for again after this time.
const PROMPT: Duration = Duration::from_secs(15);
/// After the start the window, if there is one, comes first.
const FIRST: Duration = Duration::from_secs(10);
/// The first pause after lists that could not be read; doubled each time, up to the interval.
const AGAIN: Duration = Duration::from_secs(60);
/// No pause is longer, so that a jump of the clock is noticed.
const LONGEST: Duration = Duration::from_secs(30);
/// Nothing is done more often.
const SHORTEST: Duration = Duration::from_millis(500);

/// One instant by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// This computer's clock, ms since 1970 UTC. It may be set.
    pub wall_ms: i64,
    /// A clock that only goes forward and may stand still in sleep.
    pub steady: Duration,
}

/// What was heard since the last look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// The network came, went or changed.
    pub network: bool,
    /// The computer woke from sleep.
    pub resumed: bool,
}

/// What to do now, and when to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Call [`PaletteKeys::wake`].
    pub wake: bool,
    /// Read the lists with [`refresh`], and say [`Schedule::refreshed`] when it ended.
    pub refresh: bool,
    /// Look again after this time, or when something is heard.
    pub next: Duration,
}

/// How reading the lists went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// Everything that could be read was read.
    Read,
    /// Something could not be read that may work later: no network, the keychain is locked.
    Partly,
    /// The keychain has a prompt open, so nothing was tried.
    PromptOpen,
}

/// When lists are read and the outbox is woken.
#[derive(Debug)]
pub struct Schedule {
    last: Moment,
    promised: Duration,
    running: bool,
    /// When the last reading began.
    began: Option<Duration>,
    /// When the last reading ended, and where in its range the pause after it lies (0 to 1).
    pause_from: Duration,
    jitter: f64,
    failures: u32,
    /// Asked for before its time, or put off.
    asked: Option<Duration>,
    woken: Option<Duration>,
    wake_asked: bool,
}

impl Schedule {
    /// A schedule from now on. The first reading is soon.
    pub fn new(now: Moment) -> Self {
        Self {
            last: now,
            promised: Duration::ZERO,
            running: false,
            began: None,
            pause_from: now.steady,
            jitter: 0.5,
            failures: 0,
            asked: Some(now.steady + FIRST),
            woken: None,
            wake_asked: false,
        }
    }

    /// What to do now. `minutes` is the setting.
    pub fn look(&mut self, now: Moment, heard: Heard, minutes: u32) -> Step {
        let steady = now.steady.max(self.last.steady);
        let went = steady - self.last.steady;
        let by_wall = now.wall_ms.saturating_sub(self.last.wall_ms);
        let by_steady = i64::try_from(went.as_millis()).unwrap_or(i64::MAX);
        // Where the steady clock runs on in sleep, a look comes long after it was promised.
        let slept = by_wall.saturating_sub(by_steady).saturating_abs() > JUMP_MS
            || went > self.promised.saturating_add(Duration::from_secs(60));
        self.last = Moment { wall_ms: now.wall_ms, steady };
        if slept || heard.network || heard.resumed {
            self.wake_asked = true;
            // A computer that is online again did not fail before.
            self.failures = 0;
            let soon = steady + SETTLE;
            self.asked = Some(self.asked.map_or(soon, |asked| asked.min(soon)));
        }
        let wake_at = self.woken.map_or(steady, |woken| woken + WAKES);
        let wake = self.wake_asked && wake_at <= steady;
        if wake {
            self.wake_asked = false;
            self.woken = Some(steady);
        }
        let due = self.due(minutes);
        let refresh = !self.running && due <= steady;
        if refresh {
            self.running = true;
            self.began = Some(steady);
            self.asked = None;
        }
        let mut next = LONGEST;
        if self.wake_asked {
            next = next.min(wake_at.saturating_sub(steady));
        }
        if !self.running {
            next = next.min(due.saturating_sub(steady));
        }
        self.promised = next.max(SHORTEST);
        Step { wake, refresh, next: self.promised }
    }

    /// The reading that [`Schedule::look`] asked for ended. `random` is any number: it puts the
    /// pause within 10 % around the setting, so that a company's computers do not ask in step.
    pub fn refreshed(&mut self, now: Moment, outcome: Refreshed, random: u32) {
        let steady = now.steady.max(self.last.steady);
        self.running = false;
        self.pause_from = steady;
        self.jitter = f64::from(random) / f64::from(u32::MAX);
        match outcome {
            Refreshed::Read => self.failures = 0,
            Refreshed::Partly => self.failures = self.failures.saturating_add(1),
            Refreshed::PromptOpen => {
                self.asked = Some(steady + PROMPT);
            }
        }
    }

    fn due(&self, minutes: u32) -> Duration {
        let mut pause = Duration::from_secs(60 * u64::from(minutes.max(1)));
        if self.failures > 0 {
            pause = pause.min(AGAIN * 2_u32.saturating_pow(self.failures - 1).min(1 << 10));
        }
        let regular = self.pause_from + pause.mul_f64(0.9 + 0.2 * self.jitter);
        let wanted = self.asked.map_or(regular, |asked| asked.min(regular));
        // A prompt that is open puts everything off.
        let earliest = self.began.map_or(Duration::ZERO, |began| began + CLOSEST);
        wanted.max(earliest)
    }
}

/// Reads the list of every connection that can be read without a question to the person.
pub async fn refresh(keys: &PaletteKeys) -> Refreshed {
    let ports = keys.ports();
    let keychain = ports.keychain.view().await.state;
    if keychain == KeychainState::WaitingForPrompt {
        return Refreshed::PromptOpen;
    }
    let mut outcome = Refreshed::Read;
    for live in keys.connections().all() {
        match readiness(ports, &live, keychain) {
            Readiness::Ready => {
                let read = list::refresh(ports, &live).await;
                // A credential that does not count any more is not mended by asking again soon.
                let later = live.view().state != ConnectionState::NeedsSignIn;
                if read.is_err() && later {
                    outcome = Refreshed::Partly;
                }
            }
            Readiness::Later => outcome = Refreshed::Partly,
            Readiness::Never => {}
        }
    }
    outcome
}

enum Readiness {
    Ready,
    /// The keychain cannot be read without a prompt now.
    Later,
    /// Only a person can sign it in.
    Never,
}

fn readiness(ports: &crate::ports::Ports, live: &Live, keychain: KeychainState) -> Readiness {
    let record = live.record();
    if live.client(ports).is_ok_and(|client| client.is_signed_in()) {
        Readiness::Ready
    } else if record.method == SignInMethod::Password || record.in_memory_only {
        Readiness::Never
    } else if keychain == KeychainState::Ready {
        Readiness::Ready
    } else {
        Readiness::Later
    }
}
