//! One press, one effect: a second call with the same `op_id` joins the first.
//!
//! Tauri can deliver one call twice (trust.md section 0, 3), a page can be reloaded, a person can
//! click twice. The work runs in a task of its own, so it also goes on when whoever asked for it
//! is gone: a new key's value must not be lost because a window was closed.

use std::{
    collections::VecDeque,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
};

/// The tasks of one [`crate::PaletteKeys`]; they end with it.
#[derive(Clone, Default)]
pub(crate) struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    /// Starts a task on the current tokio runtime.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.0);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(work);
    }

    /// As [`Tasks::spawn`], and waits for what it comes to: none when it was stopped or panicked. It
    /// goes on when nobody waits any more.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (done, ended) = oneshot::channel();
        self.spawn(async move {
            let _ = done.send(work.await);
        });
        ended.await.ok()
    }

    /// How many have not ended yet.
    pub(crate) fn running(&self) -> usize {
        let mut tasks = lock(&self.0);
        while tasks.try_join_next().is_some() {}
        tasks.len()
    }

    /// Stops every task where it waits.
    pub(crate) fn stop(&self) {
        lock(&self.0).abort_all();
    }
}

/// Outcomes by `op_id`. Of finished ones the last `keep` are remembered.
pub(crate) struct Once<T> {
    known: Mutex<VecDeque<Known<T>>>,
    keep: usize,
}

struct Known<T> {
    op_id: String,
    outcome: watch::Receiver<Option<T>>,
}

impl<T> Known<T> {
    fn is_running(&self) -> bool {
        self.outcome.has_changed().is_ok() && self.outcome.borrow().is_none()
    }
}

impl<T: Clone + Send + Sync + 'static> Once<T> {
    /// Remembers the outcomes of the last `keep` finished operations; 0 joins running ones only.
    pub(crate) fn new(keep: usize) -> Self {
        Self { known: Mutex::default(), keep }
    }

    /// Does `work`, or joins the call with the same `op_id` that does or did it. None when the work
    /// ended without an outcome: it panicked, or the app is closing.
    pub(crate) async fn run<F>(
        &self,
        tasks: &Tasks,
        op_id: &str,
        work: impl FnOnce() -> F,
    ) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut outcome = self.joined(tasks, op_id, work);
        let ended = outcome.wait_for(Option::is_some).await.ok()?;
        ended.clone()
    }

    fn joined<F>(
        &self,
        tasks: &Tasks,
        op_id: &str,
        work: impl FnOnce() -> F,
    ) -> watch::Receiver<Option<T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut known = lock(&self.known);
        let mut finished = known.iter().filter(|known| !known.is_running()).count();
        known.retain(|known| {
            let forgotten = finished > self.keep && !known.is_running();
            finished -= usize::from(forgotten);
            !forgotten
        });
        if let Some(first) = known.iter().find(|known| known.op_id == op_id) {
            return first.outcome.clone();
        }
        let (sender, outcome) = watch::channel(None);
        known.push_back(Known { op_id: op_id.to_owned(), outcome: outcome.clone() });
        let work = work();
        tasks.spawn(async move {
            let ended = work.await;
            sender.send_replace(Some(ended));
        });
        outcome
    }
}

/// A lock that outlives a panic elsewhere: what it guards is never left half changed.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::Notify;

    #[tokio::test]
    async fn calls_with_one_op_id_join_and_the_outcome_is_remembered() {
        let (once, tasks) = (Arc::new(Once::new(2)), Tasks::default());
        let (runs, go) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let start = |op_id: &'static str| {
            let (once, tasks, runs, go) = (once.clone(), tasks.clone(), runs.clone(), go.clone());
            tokio::spawn(async move {
                once.run(&tasks, op_id, || async move {
                    go.notified().await;
                    runs.fetch_add(1, Ordering::Relaxed)
                })
                .await
            })
        };
        let eight: Vec<_> = (0..8).map(|_| start("a")).collect();
        tokio::task::yield_now().await;
        go.notify_one();
        for call in eight {
            assert_eq!(call.await.unwrap(), Some(0));
        }
        assert_eq!(start("a").await.unwrap(), Some(0), "remembered");
        for other in ["b", "c", "d", "e"] {
            go.notify_one();
            start(other).await.unwrap();
        }
        go.notify_one();
        assert_eq!(start("a").await.unwrap(), Some(5), "memory is bounded");
    }

    #[tokio::test]
    async fn work_goes_on_when_the_caller_is_gone_and_a_panic_has_no_outcome() {
        let (once, tasks) = (Once::<u8>::new(8), Tasks::default());
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let (send, done) = tokio::sync::oneshot::channel();
        let call = once.run(&tasks, "a", || async move {
            gone.await.unwrap();
            send.send(()).unwrap();
            1
        });
        assert!(tokio::time::timeout(std::time::Duration::from_millis(5), call).await.is_err());
        go.send(()).unwrap();
        done.await.unwrap();
        assert_eq!(once.run(&tasks, "a", || async { 2 }).await, Some(1));
        assert_eq!(once.run(&tasks, "b", || async { panic!("on purpose") }).await, None);
        assert_eq!(once.run(&tasks, "b", || async { 3 }).await, None, "not tried again");
    }

    #[tokio::test]
    async fn what_is_run_counts_as_work_also_when_nobody_waits_for_it() {
        let tasks = Tasks::default();
        assert_eq!(tasks.run(async { 1 }).await, Some(1));
        let (go, gone) = oneshot::channel::<()>();
        let waiting = tasks.run(async move { gone.await.is_ok() });
        assert!(tokio::time::timeout(std::time::Duration::from_millis(5), waiting).await.is_err());
        assert_eq!(tasks.running(), 1);
        go.send(()).unwrap();
        tokio::task::yield_now().await;
        assert_eq!(tasks.running(), 0);
    }

    #[tokio::test]
    async fn stopping_ends_what_runs() {
        let (once, tasks) = (Arc::new(Once::<u8>::new(8)), Tasks::default());
        let call = {
            let (once, tasks) = (once.clone(), tasks.clone());
            tokio::spawn(async move { once.run(&tasks, "a", std::future::pending).await })
        };
        tokio::task::yield_now().await;
        tasks.stop();
        assert_eq!(call.await.unwrap(), None);
    }
}
