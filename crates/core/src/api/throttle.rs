//! One throttle for each host and resource, in which a revoke overtakes everything.
//!
//! Palette counts requests per source IP and parent resource: 10 a second, burst 50 (fact sheet §7
//! \[DOC\]). The IP is shared with colleagues and CI behind the same NAT, so we take 8 a second with
//! a burst of 20 and at most 4 in flight (trust.md 5.2). Two connections to one host share the
//! count, since the server would count them together as well.
//!
//! Time is tokio's, so that tests can pause it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Requests a second when nothing is wrong.
const RATE: f64 = 8.0;
/// The least we go down to.
const LEAST_RATE: f64 = 1.0;
/// Requests that may go at once after a rest.
const BURST: f64 = 20.0;
/// No more than `BURST` in any such time, the refill of the bucket included (trust check 38).
const WINDOW: Duration = Duration::from_millis(1050);
/// Requests under way at one time; revokes have as many places of their own, so that four reads
/// that hang do not keep a leaked key alive.
const IN_FLIGHT: usize = 4;
/// The rate grows by one for each of these.
const RECOVERY: Duration = Duration::from_secs(10);
/// The longest pause a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Who goes first. A lower one overtakes all that are higher, those that already wait included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A key is to stop working now (and what that needs: a fresh session).
    Revoke,
    /// One of many keys that are to stop working.
    Bulk,
    /// Something a person asked for.
    Act,
    /// Lists and details.
    Read,
}

/// The throttle of one host.
pub(crate) struct Throttle {
    lanes: Mutex<HashMap<String, Arc<Lane>>>,
}

impl Throttle {
    fn new() -> Self {
        Self { lanes: Mutex::new(HashMap::new()) }
    }

    /// The throttle all connections to `origin` share; it ends with the last of them.
    pub(crate) fn of(origin: &str) -> Arc<Self> {
        static ALL: Mutex<Option<HashMap<String, Weak<Throttle>>>> = Mutex::new(None);
        let mut all = locked(&ALL);
        let all = all.get_or_insert_default();
        all.retain(|_, throttle| throttle.strong_count() > 0);
        if let Some(throttle) = all.get(origin).and_then(Weak::upgrade) {
            return throttle;
        }
        let throttle = Arc::new(Self::new());
        all.insert(origin.to_owned(), Arc::downgrade(&throttle));
        throttle
    }

    /// Waits for a turn on `prefix` (`/v1/apiKeys`). The turn ends when the pass is dropped.
    pub(crate) async fn pass(&self, prefix: &str, priority: Priority) -> Pass {
        let lane = {
            let mut lanes = locked(&self.lanes);
            match lanes.get(prefix) {
                Some(lane) => Arc::clone(lane),
                None => {
                    let lane = Arc::new(Lane::new());
                    lanes.insert(prefix.to_owned(), Arc::clone(&lane));
                    lane
                }
            }
        };
        lane.wait(priority).await
    }
}

/// A turn: a request may be sent while it is held.
pub(crate) struct Pass {
    lane: Arc<Lane>,
    priority: Priority,
}

impl Pass {
    /// The server said 429: halve the rate and pause this prefix, for as long as it asked (at most
    /// 60 s), else 1 to 5 s.
    pub(crate) fn told_to_slow_down(&self, retry_after: Option<Duration>) {
        let pause = match retry_after {
            Some(pause) => pause.min(LONGEST_PAUSE),
            None => Duration::from_secs(1) + Duration::from_secs(4).mul_f64(chance()),
        };
        let mut state = locked(&self.lane.state);
        let now = Instant::now();
        state.refill(now);
        // Answers to requests that were already under way tell nothing new.
        if state.paused_until.is_none_or(|until| until <= now) {
            state.rate = (state.rate / 2.0).max(LEAST_RATE);
            state.changed = now;
        }
        state.tokens = 0.0;
        let until = now + pause;
        if state.paused_until.is_none_or(|old| old < until) {
            state.paused_until = Some(until);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = locked(&self.lane.state);
        *state.under_way(self.priority) -= 1;
        state.wake_first();
    }
}

/// One prefix: a bucket of tokens and a queue.
struct Lane {
    state: Mutex<State>,
}

struct State {
    tokens: f64,
    rate: f64,
    /// When `tokens` was last counted.
    counted: Instant,
    /// When `rate` last changed.
    changed: Instant,
    paused_until: Option<Instant>,
    /// When the last `BURST` requests went, oldest first.
    recent: VecDeque<Instant>,
    revokes: usize,
    others: usize,
    next_number: u64,
    waiting: BTreeMap<(Priority, u64), Arc<Notify>>,
}

/// What the first in the queue has to do.
enum Turn {
    Now,
    /// Not before this time.
    At(Instant),
    /// When a request under way has ended, or those in front have gone.
    WhenTold,
}

impl State {
    fn under_way(&mut self, priority: Priority) -> &mut usize {
        if priority == Priority::Revoke { &mut self.revokes } else { &mut self.others }
    }

    /// Adds the tokens of the time since the last count, the recovery of the rate included.
    fn refill(&mut self, now: Instant) {
        while self.rate < RATE && self.changed + RECOVERY <= now {
            let step = self.changed + RECOVERY;
            let passed = step.saturating_duration_since(self.counted).as_secs_f64();
            self.tokens = (self.tokens + passed * self.rate).min(BURST);
            self.counted = self.counted.max(step);
            self.rate = (self.rate + 1.0).min(RATE);
            self.changed = step;
        }
        let passed = now.saturating_duration_since(self.counted).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate).min(BURST);
        self.counted = now;
    }

    /// Whether `ticket` may go. When it may, it has gone: token and place are taken.
    fn turn(&mut self, ticket: (Priority, u64), now: Instant) -> Turn {
        // The first of the revokes and the first of the others may both look, since they have
        // places of their own; but nobody takes a token that a revoke in front could use.
        let first = self.waiting.keys().next().copied();
        let first_other =
            self.waiting.keys().find(|(priority, _)| *priority != Priority::Revoke).copied();
        let revokes_full = self.revokes >= IN_FLIGHT;
        let may_look = first == Some(ticket) || (revokes_full && first_other == Some(ticket));
        if !may_look || *self.under_way(ticket.0) >= IN_FLIGHT {
            return Turn::WhenTold;
        }
        if let Some(until) = self.paused_until {
            if now < until {
                return Turn::At(until);
            }
            self.paused_until = None;
        }
        if self.recent.len() >= BURST as usize
            && let Some(oldest) = self.recent.front()
            && now < *oldest + WINDOW
        {
            return Turn::At(*oldest + WINDOW);
        }
        self.refill(now);
        if self.tokens < 1.0 {
            // A hair more than the arithmetic says, so that the token is there when we look.
            let missing = (1.0 - self.tokens) / self.rate;
            return Turn::At(now + Duration::from_secs_f64(missing) + Duration::from_millis(1));
        }
        self.tokens -= 1.0;
        if self.recent.len() >= BURST as usize {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        *self.under_way(ticket.0) += 1;
        self.waiting.remove(&ticket);
        self.wake_first();
        Turn::Now
    }

    /// Tells those who may be next to look again.
    fn wake_first(&self) {
        if let Some(first) = self.waiting.values().next() {
            first.notify_one();
        }
        let other = self.waiting.iter().find(|((priority, _), _)| *priority != Priority::Revoke);
        if let Some((_, other)) = other {
            other.notify_one();
        }
    }
}

impl Lane {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            state: Mutex::new(State {
                tokens: BURST,
                rate: RATE,
                counted: now,
                changed: now,
                paused_until: None,
                recent: VecDeque::new(),
                revokes: 0,
                others: 0,
                next_number: 0,
                waiting: BTreeMap::new(),
            }),
        }
    }

    async fn wait(self: Arc<Self>, priority: Priority) -> Pass {
        let bell = Arc::new(Notify::new());
        let ticket = {
            let mut state = locked(&self.state);
            let ticket = (priority, state.next_number);
            state.next_number += 1;
            state.waiting.insert(ticket, Arc::clone(&bell));
            ticket
        };
        let mut queued = Queued { lane: &self, ticket, gone: false };
        loop {
            let turn = locked(&self.state).turn(ticket, Instant::now());
            match turn {
                Turn::Now => {
                    queued.gone = true;
                    drop(queued);
                    return Pass { lane: self, priority };
                }
                Turn::WhenTold => bell.notified().await,
                Turn::At(time) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(time) => {}
                        () = bell.notified() => {}
                    }
                }
            }
        }
    }
}

/// A place in the queue that is given up when the caller stops waiting.
struct Queued<'a> {
    lane: &'a Arc<Lane>,
    ticket: (Priority, u64),
    gone: bool,
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        if !self.gone {
            let mut state = locked(&self.lane.state);
            state.waiting.remove(&self.ticket);
            state.wake_first();
        }
    }
}

/// Evenly from 0 to 1. Only spreads load, so the random part of a fresh uuid is good enough.
pub(crate) fn chance() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}

/// A lock whose holder panicked is still a lock: no state here is half-written across a panic.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = "/v1/apiKeys";

    /// Sends `count` requests that take no time, and says how long that took.
    async fn burst(throttle: &Throttle, count: usize) -> Duration {
        let start = Instant::now();
        for _ in 0..count {
            drop(throttle.pass(KEYS, Priority::Read).await);
        }
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn twenty_at_once_then_eight_a_second() {
        let throttle = Throttle::new();
        assert_eq!(burst(&throttle, 20).await, Duration::ZERO, "the burst does not wait");
        let took = burst(&throttle, 80).await.as_secs_f64();
        assert!((9.8..=11.2).contains(&took), "80 more at 8/s took {took} s");
    }

    #[tokio::test(start_paused = true)]
    async fn prefixes_do_not_wait_for_each_other() {
        let throttle = Throttle::new();
        burst(&throttle, 20).await;
        let start = Instant::now();
        drop(throttle.pass("/v1/users", Priority::Read).await);
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn four_in_flight() {
        let throttle = Arc::new(Throttle::new());
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(throttle.pass(KEYS, Priority::Read).await);
        }
        let fifth =
            tokio::time::timeout(Duration::from_secs(9), throttle.pass(KEYS, Priority::Act));
        assert!(fifth.await.is_err(), "a fifth waits for a place");
        held.pop();
        let next = tokio::time::timeout(Duration::from_secs(1), throttle.pass(KEYS, Priority::Act));
        assert!(next.await.is_ok(), "a freed place is taken");
    }

    #[tokio::test(start_paused = true)]
    async fn a_revoke_does_not_wait_for_reads_that_hang() {
        let throttle = Throttle::new();
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(throttle.pass(KEYS, Priority::Read).await);
        }
        let start = Instant::now();
        let _revoke = throttle.pass(KEYS, Priority::Revoke).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_revoke_overtakes_all_that_wait() {
        let throttle = Arc::new(Throttle::new());
        burst(&throttle, 20).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        let queue = [Priority::Read, Priority::Read, Priority::Act, Priority::Read, Priority::Act];
        for priority in queue.into_iter().chain([Priority::Revoke, Priority::Revoke]) {
            let (throttle, order) = (Arc::clone(&throttle), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let pass = throttle.pass(KEYS, priority).await;
                locked(&order).push(priority);
                tokio::time::sleep(Duration::from_millis(300)).await;
                drop(pass);
            }));
            tokio::task::yield_now().await;
        }
        for task in tasks {
            task.await.expect("no panic");
        }
        use Priority::{Act, Read, Revoke};
        assert_eq!(*locked(&order), [Revoke, Revoke, Act, Act, Read, Read, Read]);
    }

    #[tokio::test(start_paused = true)]
    async fn reads_go_on_while_four_revokes_hang() {
        let throttle = Throttle::new();
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(throttle.pass(KEYS, Priority::Revoke).await);
        }
        let fifth = throttle.pass(KEYS, Priority::Revoke);
        let fifth = tokio::time::timeout(Duration::from_secs(5), fifth);
        let read =
            tokio::time::timeout(Duration::from_secs(1), throttle.pass(KEYS, Priority::Read));
        let (fifth, read) = tokio::join!(fifth, read);
        assert!(fifth.is_err(), "a fifth revoke waits for a place");
        assert!(read.is_ok(), "a read has a place of its own");
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_stops_waiting_leaves_the_queue() {
        let throttle = Throttle::new();
        burst(&throttle, 20).await;
        let gone =
            tokio::time::timeout(Duration::from_millis(1), throttle.pass(KEYS, Priority::Revoke));
        assert!(gone.await.is_err());
        let next =
            tokio::time::timeout(Duration::from_secs(2), throttle.pass(KEYS, Priority::Read));
        assert!(next.await.is_ok(), "the next in line goes on");
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_requests_pause_and_halve_and_recover() {
        let throttle = Throttle::new();
        let pass = throttle.pass(KEYS, Priority::Read).await;
        let start = Instant::now();
        pass.told_to_slow_down(None);
        pass.told_to_slow_down(None);
        drop(pass);
        drop(throttle.pass(KEYS, Priority::Read).await);
        let paused = start.elapsed().as_secs_f64();
        assert!((1.0..=5.3).contains(&paused), "paused {paused} s");
        // 4/s at first, not 2/s: the second 429 of the same moment does not halve again.
        burst(&throttle, 20).await;
        let took = burst(&throttle, 8).await.as_secs_f64();
        assert!((1.2..=2.2).contains(&took), "8 at 4 to 6 a second took {took} s");
        tokio::time::sleep(Duration::from_secs(60)).await;
        burst(&throttle, 20).await;
        let took = burst(&throttle, 80).await.as_secs_f64();
        assert!((9.8..=11.2).contains(&took), "recovered, 80 took {took} s");
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_is_obeyed_up_to_a_minute() {
        for (asked, expected) in [(7, 7.0), (3600, 60.0)] {
            let throttle = Throttle::new();
            let pass = throttle.pass(KEYS, Priority::Read).await;
            pass.told_to_slow_down(Some(Duration::from_secs(asked)));
            drop(pass);
            let start = Instant::now();
            drop(throttle.pass(KEYS, Priority::Revoke).await);
            let waited = start.elapsed().as_secs_f64();
            assert!((expected..expected + 1.0).contains(&waited), "waited {waited} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn five_hundred_revokes() {
        // Trust check 38: all done within 75 s, never more than 20 in any second.
        let throttle = Arc::new(Throttle::new());
        let start = Instant::now();
        let mut tasks = Vec::new();
        for _ in 0..500 {
            let throttle = Arc::clone(&throttle);
            tasks.push(tokio::spawn(async move {
                let pass = throttle.pass(KEYS, Priority::Revoke).await;
                let at = Instant::now();
                tokio::time::sleep(Duration::from_millis(10)).await;
                drop(pass);
                at
            }));
        }
        let mut ends = Vec::new();
        for task in tasks {
            ends.push(task.await.expect("no panic"));
        }
        ends.sort();
        assert!(start.elapsed() <= Duration::from_secs(75), "took {:?}", start.elapsed());
        let most = ends
            .iter()
            .map(|from| {
                ends.iter()
                    .filter(|at| *at >= from && **at < *from + Duration::from_secs(1))
                    .count()
            })
            .max();
        assert!(most <= Some(20), "at most 20 in one second, was {most:?}");
    }

    #[test]
    fn connections_to_one_host_share_a_throttle() {
        let one = Throttle::of("https://a.example");
        assert!(Arc::ptr_eq(&one, &Throttle::of("https://a.example")));
        assert!(!Arc::ptr_eq(&one, &Throttle::of("https://b.example")));
    }
}
