//! One throttle for each host and resource, in which a revoke overtakes everything.
//!
//! Palette counts requests per source IP and parent resource: 10 a second, burst 50 (fact sheet §7
//! \[DOC\]). We take 10 a second and a burst just below 50, so that we never cause a 429 by ourselves
//! even when requests bunch up on their way. Where the address is shared and others take their part,
//! a 429 halves our rate, which then recovers. Two connections to one host share the count, since
//! the server would count them together as well.
//!
//! Time is tokio's, so that tests can pause it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Requests a second when nothing is wrong.
const RATE: f64 = 10.0;
/// The least we go down to.
const LEAST_RATE: f64 = 1.0;
/// Requests that may go beyond the rate after a rest: a fifth of a second less than the server's
/// own burst, since the first request of a row takes longer than those that follow.
const BURST: f64 = 48.0;
/// No more than `AT_ONCE` in any such time, whatever the bucket holds (trust check 38).
const WINDOW: Duration = Duration::from_millis(1050);
const AT_ONCE: usize = 20;
/// Between two of many, so that they do not fill the window: a single revocation in their middle
/// finds a place in it at once.
const BULK_GAP: Duration = Duration::from_millis(56);
/// Requests under way at one time. Single revocations, bulk ones and all others have places of
/// their own, so that four reads that hang do not keep a leaked key alive.
const PLACES: [usize; CLASSES] = [4, 6, 4];
const CLASSES: usize = 3;
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

impl Priority {
    /// Which places it uses.
    fn class(self) -> usize {
        match self {
            Self::Revoke => 0,
            Self::Bulk => 1,
            Self::Act | Self::Read => 2,
        }
    }
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
        state.under_way[self.priority.class()] -= 1;
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
    /// When the last `AT_ONCE` requests went, oldest first.
    recent: VecDeque<Instant>,
    /// When the last of many went.
    last_bulk: Option<Instant>,
    /// By class.
    under_way: [usize; CLASSES],
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
    fn is_full(&self, class: usize) -> bool {
        self.under_way[class] >= PLACES[class]
    }

    /// The first that waits of a class.
    fn first(&self, class: usize) -> Option<(Priority, u64)> {
        self.waiting.keys().find(|(priority, _)| priority.class() == class).copied()
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
        // The first of each class may look, since it has places of its own; but nobody takes a token
        // that one in front could use.
        let class = ticket.0.class();
        let in_front = (0..class).any(|class| self.first(class).is_some() && !self.is_full(class));
        if in_front || self.is_full(class) || self.first(class) != Some(ticket) {
            return Turn::WhenTold;
        }
        if let Some(until) = self.paused_until {
            if now < until {
                return Turn::At(until);
            }
            self.paused_until = None;
        }
        if ticket.0 == Priority::Bulk
            && let Some(last) = self.last_bulk
            && now < last + BULK_GAP
        {
            return Turn::At(last + BULK_GAP);
        }
        if self.recent.len() >= AT_ONCE
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
        if self.recent.len() >= AT_ONCE {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        if ticket.0 == Priority::Bulk {
            self.last_bulk = Some(now);
        }
        self.under_way[class] += 1;
        self.waiting.remove(&ticket);
        self.wake_first();
        Turn::Now
    }

    /// Tells those who may be next to look again.
    fn wake_first(&self) {
        for class in 0..CLASSES {
            if let Some(bell) = self.first(class).and_then(|ticket| self.waiting.get(&ticket)) {
                bell.notify_one();
            }
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
                last_bulk: None,
                under_way: [0; CLASSES],
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
    async fn twenty_at_once_then_what_the_bucket_allows() {
        let throttle = Throttle::new();
        assert_eq!(burst(&throttle, 20).await, Duration::ZERO, "the first do not wait");
        let took = burst(&throttle, 180).await.as_secs_f64();
        assert!((15.1..=15.3).contains(&took), "200 at 10/s beyond a burst of 48 took {took} s");
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
        // 5/s at first, not 2.5/s: the second 429 of the same moment does not halve again.
        let took = burst(&throttle, 20).await.as_secs_f64();
        assert!((0.5..=4.3).contains(&took), "20 at 5 to 6 a second took {took} s");
        tokio::time::sleep(Duration::from_secs(60)).await;
        burst(&throttle, 48).await;
        let took = burst(&throttle, 80).await.as_secs_f64();
        assert!((5.5..=8.2).contains(&took), "recovered, 80 took {took} s");
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

    /// What a server counts: 10 a second, burst 50.
    struct Server {
        tokens: f64,
        at: Instant,
        refused: usize,
    }

    impl Server {
        fn new() -> Self {
            Self { tokens: 50.0, at: Instant::now(), refused: 0 }
        }

        /// Somebody takes `count`; false when the last of them was refused.
        fn take(&mut self, count: f64) -> bool {
            let now = Instant::now();
            self.tokens = (self.tokens + (now - self.at).as_secs_f64() * 10.0).min(50.0);
            self.at = now;
            let there = self.tokens >= count;
            self.tokens -= if there { count } else { 0.0 };
            there
        }
    }

    /// Sends `count` bulk revocations to the server until it took each; says when it took them,
    /// and how many it refused.
    async fn many(
        throttle: &Arc<Throttle>,
        server: &Arc<Mutex<Server>>,
        count: usize,
    ) -> (Vec<Instant>, usize) {
        let start_places = Arc::new(tokio::sync::Semaphore::new(6));
        let mut tasks = Vec::new();
        for _ in 0..count {
            let place = Arc::clone(&start_places).acquire_owned().await.unwrap();
            let (throttle, server) = (Arc::clone(throttle), Arc::clone(server));
            tasks.push(tokio::spawn(async move {
                let _place = place;
                let mut sent = Vec::new();
                loop {
                    let pass = throttle.pass(KEYS, Priority::Bulk).await;
                    sent.push(Instant::now());
                    let taken = {
                        let mut server = locked(&server);
                        let taken = server.take(1.0);
                        server.refused += usize::from(!taken);
                        taken
                    };
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    if taken {
                        return sent;
                    }
                    pass.told_to_slow_down(None);
                }
            }));
        }
        let mut sent = Vec::new();
        for task in tasks {
            sent.extend(task.await.expect("no panic"));
        }
        sent.sort();
        (sent, locked(server).refused)
    }

    fn most_in_a_second(sent: &[Instant]) -> usize {
        let within = |from: &Instant| {
            sent.iter().filter(|at| *at >= from && **at < *from + Duration::from_secs(1)).count()
        };
        sent.iter().map(within).max().unwrap_or_default()
    }

    #[tokio::test(start_paused = true)]
    async fn two_hundred_take_what_the_bucket_allows_and_one_in_their_middle_goes_at_once() {
        let (throttle, server) = (Arc::new(Throttle::new()), Arc::new(Mutex::new(Server::new())));
        let start = Instant::now();
        let all = {
            let (throttle, server) = (Arc::clone(&throttle), Arc::clone(&server));
            tokio::spawn(async move { many(&throttle, &server, 200).await })
        };
        let mut slowest = Duration::ZERO;
        for at in [700, 2_111, 4_500, 7_777, 9_013, 12_345] {
            tokio::time::sleep_until(start + Duration::from_millis(at)).await;
            let asked = Instant::now();
            drop(throttle.pass(KEYS, Priority::Revoke).await);
            slowest = slowest.max(asked.elapsed());
            assert!(locked(&server).take(1.0));
        }
        let (sent, refused) = all.await.unwrap();
        // Six more than two hundred.
        let allowed = (206.0 - 50.0) / 10.0;
        let took = start.elapsed().as_secs_f64();
        assert_eq!(refused, 0);
        assert!(took <= allowed * 1.02, "took {took} s of {allowed}");
        assert!(slowest <= Duration::from_millis(110), "a single one waited {slowest:?}");
        assert!(most_in_a_second(&sent) <= 20);
    }

    #[tokio::test(start_paused = true)]
    async fn five_hundred_revokes_beside_a_noisy_neighbour() {
        // Trust check 38.
        let (throttle, server) = (Arc::new(Throttle::new()), Arc::new(Mutex::new(Server::new())));
        let start = Instant::now();
        let noise = {
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    locked(&server).take(2.0);
                }
            })
        };
        let (sent, refused) = many(&throttle, &server, 500).await;
        noise.abort();
        let (took, most) = (start.elapsed(), most_in_a_second(&sent));
        assert!(took <= Duration::from_secs(75), "took {took:?}");
        assert!(refused <= 5 && most <= 20, "{refused} x 429, {most} in a second");
    }

    #[test]
    fn connections_to_one_host_share_a_throttle() {
        let one = Throttle::of("https://a.example");
        assert!(Arc::ptr_eq(&one, &Throttle::of("https://a.example")));
        assert!(!Arc::ptr_eq(&one, &Throttle::of("https://b.example")));
    }
}
