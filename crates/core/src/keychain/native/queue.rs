//! One thread that works through a queue, callers that wait with a deadline.

use super::KeychainError;
use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// Threads that may be stuck at once. One more caller after that is told to wait at once.
const STUCK_LIMIT: usize = 3;

/// Runs jobs one after the other on a plain thread that owns a `T`.
///
/// It is not tokio's blocking pool on purpose: a thread stuck there keeps the runtime from ending,
/// and the app could not quit (trust.md 4).
pub(super) struct Queue<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    wake: Condvar,
    make: Box<dyn Fn() -> T + Send + Sync>,
}

struct State<T> {
    waiting: VecDeque<Job<T>>,
    next_job: u64,
    /// Counts up when a stuck thread is left behind; a thread of an older number ends.
    generation: u64,
    /// There is a thread of this generation.
    alive: bool,
    /// What that thread is doing.
    running: Option<Running>,
    /// Threads that were left behind and have not ended.
    stuck: usize,
    closed: bool,
}

struct Job<T> {
    number: u64,
    run: Box<dyn FnOnce(&mut T) + Send>,
}

#[derive(Clone, Copy)]
struct Running {
    job: u64,
    since: Instant,
}

impl<T: 'static> Queue<T> {
    /// No thread yet; each thread will make its own `T`.
    pub(super) fn new(make: impl Fn() -> T + Send + Sync + 'static) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            next_job: 0,
            generation: 0,
            alive: false,
            running: None,
            stuck: 0,
            closed: false,
        };
        let shared =
            Shared { state: Mutex::new(state), wake: Condvar::new(), make: Box::new(make) };
        Self { shared: Arc::new(shared) }
    }

    /// Runs `act` on the thread and waits for it, at most for `deadline`. `act` is also given a
    /// question to ask: whether its caller has given up. A job whose caller has given up before
    /// its turn is not run at all.
    pub(super) async fn call<A: Send + 'static>(
        &self,
        deadline: Duration,
        act: impl FnOnce(&mut T, &dyn Fn() -> bool) -> Result<A, KeychainError> + Send + 'static,
    ) -> Result<A, KeychainError> {
        let (answer, answered) = oneshot::channel();
        let job = self.add(Box::new(move |owned| {
            if !answer.is_closed() {
                let result = act(owned, &|| answer.is_closed());
                let _ = answer.send(result);
            }
        }))?;
        match tokio::time::timeout(deadline, answered).await {
            Ok(Ok(result)) => result,
            // The job panicked.
            Ok(Err(_)) => Err(KeychainError::Failed),
            Err(_) => {
                self.give_up(job, deadline);
                Err(KeychainError::Waiting)
            }
        }
    }

    /// Whether a thread is stuck.
    pub(super) fn is_stuck(&self) -> bool {
        self.shared.lock().stuck > 0
    }

    fn add(&self, run: Box<dyn FnOnce(&mut T) + Send>) -> Result<u64, KeychainError> {
        let mut state = self.shared.lock();
        let number = state.next_job;
        state.next_job += 1;
        state.waiting.push_back(Job { number, run });
        if !self.ensure_thread(&mut state) {
            state.waiting.pop_back();
            return Err(KeychainError::Waiting);
        }
        self.shared.wake.notify_all();
        Ok(number)
    }

    fn give_up(&self, number: u64, deadline: Duration) {
        let mut state = self.shared.lock();
        state.waiting.retain(|job| job.number != number);
        // Also when it is another's job that blocks, whose caller is gone.
        let blocked = state
            .running
            .is_some_and(|running| running.job == number || running.since.elapsed() >= deadline);
        if blocked {
            state.generation += 1;
            state.stuck += 1;
            state.alive = false;
            state.running = None;
            if !state.waiting.is_empty() && !self.ensure_thread(&mut state) {
                // Dropping the jobs tells their callers.
                state.waiting.clear();
            }
        }
    }

    /// False when no further thread may or can be started.
    fn ensure_thread(&self, state: &mut State<T>) -> bool {
        if state.alive {
            return true;
        }
        if state.stuck >= STUCK_LIMIT {
            return false;
        }
        let shared = Arc::clone(&self.shared);
        let generation = state.generation;
        let spawned =
            thread::Builder::new().name("keychain".into()).spawn(move || shared.work(generation));
        state.alive = spawned.is_ok();
        state.alive
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        state.waiting.clear();
        self.shared.wake.notify_all();
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, generation: u64) {
        let mut owned = (self.make)();
        while let Some(job) = self.next(generation) {
            let done = catch_unwind(AssertUnwindSafe(|| (job.run)(&mut owned)));
            if done.is_err() {
                // Whatever it left behind is not to be used again.
                owned = (self.make)();
            }
        }
    }

    /// Waits for a job; none when this thread is to end.
    fn next(&self, generation: u64) -> Option<Job<T>> {
        let mut state = self.lock();
        loop {
            if state.generation != generation {
                state.stuck -= 1;
                return None;
            }
            state.running = None;
            if state.closed {
                return None;
            }
            if let Some(job) = state.waiting.pop_front() {
                state.running = Some(Running { job: job.number, since: Instant::now() });
                return Some(job);
            }
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    };

    const SHORT: Duration = Duration::from_millis(60);
    const LONG: Duration = Duration::from_secs(20);

    /// Counts how many values of it were made.
    fn counted() -> (Queue<usize>, Arc<AtomicUsize>) {
        let made = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&made);
        (Queue::new(move || count.fetch_add(1, Ordering::SeqCst)), made)
    }

    fn until(met: impl Fn() -> bool) {
        for _ in 0..2000 {
            if met() {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("not met in 10 s");
    }

    #[tokio::test]
    async fn runs_jobs_in_order_on_one_thread() {
        let (queue, made) = counted();
        let mut order = Vec::new();
        for number in 0..20 {
            order.push(queue.call(LONG, move |_, _| Ok(number)).await.unwrap());
        }
        assert_eq!(order, (0..20).collect::<Vec<_>>());
        assert_eq!(made.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_stuck_job_is_left_behind_and_the_next_one_works() {
        let (queue, made) = counted();
        let (release, stuck) = mpsc::channel::<()>();
        let first = queue.call(SHORT, move |_, _| Ok(stuck.recv().is_ok())).await;
        assert_eq!(first, Err(KeychainError::Waiting));
        assert!(queue.is_stuck());
        assert_eq!(queue.call(LONG, |_, _| Ok(7)).await, Ok(7), "on a new thread");
        assert_eq!(made.load(Ordering::SeqCst), 2, "with a connection of its own");
        drop(release);
        until(|| !queue.is_stuck());
    }

    #[tokio::test]
    async fn jobs_behind_a_stuck_one_are_run_once_it_is_left_behind() {
        let (queue, _) = counted();
        let (_release, stuck) = mpsc::channel::<()>();
        let first = queue.call(SHORT, move |_, _| Ok(stuck.recv().is_ok()));
        let second = queue.call(LONG, |_, _| Ok(2));
        let (first, second) = tokio::join!(first, second);
        assert_eq!(first, Err(KeychainError::Waiting));
        assert_eq!(second, Ok(2));
    }

    #[tokio::test]
    async fn a_stuck_job_whose_caller_went_away_is_left_behind_too() {
        let (queue, _) = counted();
        let (_release, stuck) = mpsc::channel::<()>();
        let gone =
            tokio::time::timeout(SHORT, queue.call(LONG, move |_, _| Ok(stuck.recv().is_ok())))
                .await;
        assert!(gone.is_err());
        assert_eq!(queue.call(SHORT, |_, _| Ok(())).await, Err(KeychainError::Waiting));
        assert_eq!(queue.call(LONG, |_, _| Ok(())).await, Ok(()));
    }

    #[tokio::test]
    async fn at_most_three_threads_are_left_behind_and_then_callers_hear_at_once() {
        let (queue, made) = counted();
        let mut releases = Vec::new();
        for _ in 0..STUCK_LIMIT {
            let (release, stuck) = mpsc::channel::<()>();
            releases.push(release);
            let result = queue.call(SHORT, move |_, _| Ok(stuck.recv().is_ok())).await;
            assert_eq!(result, Err(KeychainError::Waiting));
        }
        let before = Instant::now();
        assert_eq!(queue.call(LONG, |_, _| Ok(())).await, Err(KeychainError::Waiting));
        assert!(before.elapsed() < Duration::from_secs(1), "at once");
        assert_eq!(made.load(Ordering::SeqCst), STUCK_LIMIT);
        releases.clear();
        until(|| !queue.is_stuck());
        assert_eq!(queue.call(LONG, |_, _| Ok(())).await, Ok(()), "works again");
    }

    #[tokio::test]
    async fn a_job_whose_caller_gave_up_before_its_turn_is_not_run() {
        let (queue, _) = counted();
        let (release, stuck) = mpsc::channel::<()>();
        let ran = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&ran);
        let blocked = queue.call(LONG, move |_, _| Ok(stuck.recv().is_ok()));
        let late = queue.call(SHORT, move |_, _| Ok(count.fetch_add(1, Ordering::SeqCst)));
        let done = async {
            let late = late.await;
            drop(release);
            late
        };
        let (_, late) = tokio::join!(blocked, done);
        assert_eq!(late, Err(KeychainError::Waiting));
        assert_eq!(queue.call(LONG, |_, _| Ok(())).await, Ok(()));
        assert_eq!(ran.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_running_job_can_ask_whether_its_caller_gave_up() {
        let (queue, _) = counted();
        let (release, stuck) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let result = queue
            .call(SHORT, move |_, given_up| {
                let before = given_up();
                let _ = stuck.recv();
                let _ = tell.send((before, given_up()));
                Ok(())
            })
            .await;
        assert_eq!(result, Err(KeychainError::Waiting));
        drop(release);
        assert_eq!(told.recv(), Ok((false, true)));
    }

    #[tokio::test]
    async fn a_panic_costs_one_job_only() {
        let (queue, made) = counted();
        let result = queue.call(LONG, |_, _| -> Result<(), _> { panic!("in a store") }).await;
        assert_eq!(result, Err(KeychainError::Failed));
        assert_eq!(queue.call(LONG, |_, _| Ok(1)).await, Ok(1));
        assert_eq!(made.load(Ordering::SeqCst), 2, "with a new connection");
    }

    #[tokio::test]
    async fn its_thread_ends_with_it() {
        let (queue, _) = counted();
        queue.call(LONG, |_, _| Ok(())).await.unwrap();
        let shared = Arc::downgrade(&queue.shared);
        drop(queue);
        until(|| shared.strong_count() == 0);
    }
}
