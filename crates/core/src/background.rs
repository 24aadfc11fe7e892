//! What happens without anybody asking: lists are read again from time to time, after sleep and
//! when the network changed, and never while the keychain asks for something.
//!
//! [`Schedule`] is pure: it is told the time and what was heard, and says what to do next.

use crate::{
    PaletteKeys,
    connection::{ConnectionState, SignInMethod, live::Live, own_key, renewal},
    keychain::KeychainState,
    keys::list,
    ports::Ports,
};
use std::{sync::Arc, time::Duration};

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

/// Reads the list of every connection that can be read without a question to the person. A sign-in
/// key that is due is renewed with it, so all of it counts as work ([`PaletteKeys::at_work`]) and
/// goes on when nobody waits for it.
pub async fn refresh(keys: &PaletteKeys) -> Refreshed {
    let (ports, connections) = (Arc::clone(keys.ports()), keys.connections().all());
    let refreshed = keys.ports().tasks.run(async move { refresh_all(&ports, connections).await });
    // Stopped: the app is closing.
    refreshed.await.unwrap_or(Refreshed::Partly)
}

async fn refresh_all(ports: &Arc<Ports>, connections: Vec<Arc<Live>>) -> Refreshed {
    let keychain = ports.keychain.view().await.state;
    if keychain == KeychainState::WaitingForPrompt {
        return Refreshed::PromptOpen;
    }
    let mut outcome = Refreshed::Read;
    for live in connections {
        if keychain == KeychainState::Ready {
            own_key::resume(ports, &live).await;
        }
        match readiness(ports, &live, keychain) {
            Readiness::Ready => {
                let read = list::refresh(ports, &live).await;
                // What is told of changes by others names them where the log does.
                drop(live.naming.write().await);
                // A credential that does not count any more is not mended by asking again soon.
                renewal::renew_if_due(ports, &live).await;
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

fn readiness(ports: &Ports, live: &Live, keychain: KeychainState) -> Readiness {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUIET: Heard = Heard { network: false, resumed: false };
    const NETWORK: Heard = Heard { network: true, resumed: false };
    const RESUMED: Heard = Heard { network: false, resumed: true };

    /// Both clocks, run by hand.
    struct Run {
        now: Moment,
        schedule: Schedule,
        refreshes: Vec<u64>,
        wakes: Vec<u64>,
        looks: u32,
    }

    impl Run {
        fn new() -> Self {
            let now = Moment { wall_ms: 1_000_000_000_000, steady: Duration::from_secs(1000) };
            let schedule = Schedule::new(now);
            Self { now, schedule, refreshes: Vec::new(), wakes: Vec::new(), looks: 0 }
        }

        fn seconds(&self) -> u64 {
            self.now.steady.as_secs() - 1000
        }

        fn pass(&mut self, time: Duration) {
            self.now.steady += time;
            self.now.wall_ms += i64::try_from(time.as_millis()).unwrap();
        }

        /// One look; a reading it asks for ends at once.
        fn look(&mut self, heard: Heard, outcome: Refreshed, random: u32) -> Step {
            let step = self.schedule.look(self.now, heard, 15);
            self.looks += 1;
            if step.wake {
                self.wakes.push(self.seconds());
            }
            if step.refresh {
                self.refreshes.push(self.seconds());
                self.schedule.refreshed(self.now, outcome, random);
                // The end of a reading wakes the loop.
                return Step {
                    refresh: true,
                    wake: step.wake,
                    ..self.look(QUIET, outcome, random)
                };
            }
            step
        }

        /// Runs on as the loop does.
        fn run(&mut self, time: Duration, outcome: Refreshed, random: u32) {
            let end = self.now.steady + time;
            loop {
                let next = self.look(QUIET, outcome, random).next;
                if self.now.steady + next > end {
                    let rest = end - self.now.steady;
                    return self.pass(rest);
                }
                self.pass(next);
            }
        }
    }

    const fn minutes(count: u64) -> Duration {
        Duration::from_secs(60 * count)
    }

    #[test]
    fn lists_are_read_in_the_interval_with_a_tenth_of_play() {
        for (random, expected) in [(0, 810), (u32::MAX / 2, 899), (u32::MAX, 990)] {
            let mut run = Run::new();
            run.run(minutes(60), Refreshed::Read, random);
            assert_eq!(run.refreshes[0], 10);
            assert!(run.refreshes[1].abs_diff(10 + expected) <= 1, "{:?}", run.refreshes);
            assert!(run.wakes.is_empty(), "nothing was heard");
        }
    }

    #[test]
    fn ten_quiet_minutes_cost_at_most_two_dozen_looks() {
        let mut run = Run::new();
        run.run(minutes(10), Refreshed::Read, 0);
        let before = run.looks;
        run.run(minutes(10), Refreshed::Read, 0);
        assert!(run.looks - before <= 24, "{}", run.looks - before);
    }

    #[test]
    fn what_changes_wakes_the_outbox_at_once_and_the_lists_soon() {
        let table: [(&str, Heard, i64); 5] = [
            ("network", NETWORK, 0),
            ("resume is said", RESUMED, 0),
            ("resume is seen", QUIET, 3_600_000),
            ("the clock is set forward", QUIET, 10 * 365 * 86_400_000),
            ("the clock is set back", QUIET, -10 * 365 * 86_400_000),
        ];
        for (why, heard, jump) in table {
            let mut run = Run::new();
            run.run(minutes(5), Refreshed::Read, 0);
            let now = run.seconds();
            run.now.wall_ms += jump;
            run.look(heard, Refreshed::Read, 0);
            assert_eq!(run.wakes, [now], "{why}");
            run.run(minutes(1), Refreshed::Read, 0);
            assert_eq!(run.refreshes, [10, now + 2], "{why}");
        }
        let mut run = Run::new();
        run.run(minutes(5), Refreshed::Read, 0);
        run.now.wall_ms += 29_000;
        run.look(QUIET, Refreshed::Read, 0);
        assert!(run.wakes.is_empty(), "a small correction of the clock is no sleep");
        // Where the steady clock runs on in sleep.
        run.pass(minutes(90));
        run.look(QUIET, Refreshed::Read, 0);
        assert_eq!(run.wakes.len(), 1);
    }

    #[test]
    fn a_network_that_flaps_is_not_answered_each_time() {
        let mut run = Run::new();
        run.run(minutes(5), Refreshed::Read, 0);
        run.refreshes.clear();
        for _ in 0..60 {
            run.pass(Duration::from_secs(1));
            run.look(NETWORK, Refreshed::Read, 0);
        }
        run.run(minutes(1), Refreshed::Read, 0);
        assert!(
            run.wakes.len() <= 14 && run.refreshes.len() <= 6,
            "{:?} {:?}",
            run.wakes,
            run.refreshes
        );
        let last = *run.wakes.last().unwrap();
        assert!(last >= 360, "the last change is answered: {last}");
    }

    #[test]
    fn an_open_prompt_puts_reading_off_and_is_looked_at_again() {
        let mut run = Run::new();
        run.run(minutes(3), Refreshed::PromptOpen, 0);
        assert!(
            run.refreshes.windows(2).all(|pair| pair[1] - pair[0] >= 15),
            "{:?}",
            run.refreshes
        );
        assert!((10..=13).contains(&run.refreshes.len()), "{:?}", run.refreshes);
        run.refreshes.clear();
        run.run(minutes(10), Refreshed::Read, 0);
        assert_eq!(run.refreshes.len(), 1, "soon after it closed, and then in the interval");
    }

    #[test]
    fn what_could_not_be_read_is_tried_sooner_and_sooner_not_for_ever() {
        let mut run = Run::new();
        run.run(minutes(60), Refreshed::Partly, u32::MAX / 2);
        let gaps: Vec<u64> = run.refreshes.windows(2).map(|pair| pair[1] - pair[0]).collect();
        for (gap, expected) in gaps.iter().zip([60, 120, 240, 480, 900]) {
            assert!(gap.abs_diff(expected) <= 1, "{gaps:?}");
        }
    }

    #[test]
    fn one_reading_at_a_time() {
        let mut run = Run::new();
        run.pass(FIRST);
        assert!(run.schedule.look(run.now, QUIET, 15).refresh);
        for _ in 0..100 {
            run.pass(Duration::from_secs(20));
            assert!(!run.schedule.look(run.now, NETWORK, 15).refresh);
        }
        run.schedule.refreshed(run.now, Refreshed::Read, 0);
        assert!(run.schedule.look(run.now, QUIET, 15).refresh, "what was heard meanwhile counts");
    }

    proptest! {
        /// Whatever is heard and however clocks jump: no look sooner than half a second or later
        /// than 30 s, readings 15 s apart, and one at least every interval and a tenth.
        #[test]
        fn whatever_happens_the_pauses_stay_in_their_bounds(
            events in prop::collection::vec(
                (0_u8..8, 0_u64..40_000, any::<u32>(), -100_000_000_000_i64..100_000_000_000),
                1..300,
            ),
        ) {
            let mut run = Run::new();
            let mut last: Option<Duration> = None;
            let mut next = Duration::ZERO;
            for (kind, ms, random, jump) in events {
                run.pass(Duration::from_millis(ms).min(next));
                let heard = Heard { network: kind == 0, resumed: kind == 1 };
                if kind == 2 {
                    run.now.wall_ms += jump;
                }
                let outcome = match kind {
                    3 => Refreshed::Partly,
                    4 => Refreshed::PromptOpen,
                    _ => Refreshed::Read,
                };
                let step = run.look(heard, outcome, random);
                prop_assert!((SHORTEST..=LONGEST).contains(&step.next));
                next = step.next;
                if step.refresh {
                    if let Some(last) = last {
                        prop_assert!(run.now.steady - last >= CLOSEST);
                    }
                    last = Some(run.now.steady);
                } else if let Some(last) = last {
                    prop_assert!(run.now.steady - last <= Duration::from_secs(991));
                }
            }
        }
    }
}
