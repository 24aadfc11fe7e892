//! Thirty days without a server, and clocks that jump.

use crate::desk::{Desk, Watch, came, drained, settle};
use jiff::SignedDuration;
use palette_keys_core::keys::revoke::RevokeView;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Instant;

const HOUR: Duration = Duration::from_secs(3600);

/// The longest pause between two tries, and some room for the tries themselves.
const LONGEST: Duration = Duration::from_secs(5 * 60 + 35);

/// Stands where the server was: takes a connection, drops it, and remembers when that was.
struct Doorbell {
    rung: Arc<Mutex<Vec<Instant>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Doorbell {
    async fn at(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let rung = Arc::new(Mutex::new(Vec::new()));
        let rings = Arc::clone(&rung);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                rings.lock().unwrap().push(Instant::now());
                stream.set_zero_linger().unwrap();
            }
        });
        Self { rung, task }
    }

    fn rung(&self) -> Vec<Instant> {
        self.rung.lock().unwrap().clone()
    }

    /// The longest time without a try, from the first to now.
    fn longest_gap(&self) -> Duration {
        let mut rung = self.rung();
        rung.push(Instant::now());
        rung.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(Duration::MAX)
    }

    async fn gone(self) -> usize {
        self.task.abort();
        let _ = self.task.await;
        self.rung.lock().unwrap().len()
    }
}

#[tokio::test(start_paused = true)]
async fn thirty_days_without_a_server_are_waited_out() {
    let desk = Desk::new(1).await;
    let uid = desk.targets[0].clone();
    let keys = desk.open();
    let watch = Watch::on(&keys, &desk.sim);
    desk.sim.go_down().await;
    let answer = keys.revoke_key(desk.act(&uid)).await.unwrap();
    assert!(matches!(answer, RevokeView::Unconfirmed { .. }), "{answer:?}");
    let doorbell = Doorbell::at(desk.sim.port()).await;
    let began = Instant::now();
    while began.elapsed() < 30 * 24 * HOUR {
        tokio::time::sleep(6 * HOUR).await;
        assert_eq!(keys.outbox().items.len(), 1, "still there after {:?}", began.elapsed());
    }
    let gap = doorbell.longest_gap();
    let item = keys.outbox().items.remove(0);
    // It is on disk, too: a start after those days finds it.
    let copy = desk.copy();
    let tries = doorbell.gone().await;
    desk.sim.come_back().await.unwrap();
    let ended = drained(&keys, LONGEST).await && desk.is_done(&uid);
    println!(
        "check 5: {}/1, {tries} tries in 30 days, longest gap {gap:?}, gave up {}",
        usize::from(ended && gap <= LONGEST),
        watch.given_up()
    );
    assert!(item.recorded && item.attempts > 1000, "{item:?}");
    assert!(gap <= LONGEST, "no try for {gap:?}");
    assert!(tries < 30 * 24 * 60, "{tries} tries are too many");
    assert!(ended && watch.given_up() == 0 && watch.falsely() == 0 && desk.touched() == 0);
    drop(keys);
    settle().await;

    desk.sim.edit_key_directly(&uid, |key| key.active = true);
    let later = desk.open_in(copy.path());
    assert!(drained(&later, LONGEST).await && desk.is_done(&uid), "the record of the copy");
}

/// What happens to the clock, in minutes, and when.
#[derive(Clone, Copy, Debug)]
enum Jump {
    /// The app is started with a clock that went wrong since the record was written.
    AtStart(SignedDuration),
    /// While the app waits for the next try.
    InBetween(SignedDuration),
    /// The computer slept: the clock is further, the app's own time is not; the shell says so.
    Slept(SignedDuration),
    /// The same, and nobody said so.
    SleptUnnoticed(SignedDuration),
}

#[tokio::test(start_paused = true)]
async fn no_clock_parks_a_record() {
    let years = SignedDuration::from_hours(10 * 365 * 24);
    let night = SignedDuration::from_hours(9);
    let jumps = [
        Jump::AtStart(years),
        Jump::AtStart(-years),
        Jump::InBetween(years),
        Jump::InBetween(-years),
        Jump::Slept(night),
        Jump::SleptUnnoticed(night),
    ];
    let mut passed = 0;
    for jump in jumps {
        let desk = Desk::new(1).await;
        let uid = desk.targets[0].clone();
        let mut keys = desk.open();
        desk.sim.go_down().await;
        keys.revoke_key(desk.act(&uid)).await.unwrap();
        // Long enough for the pauses to have grown to the longest.
        tokio::time::sleep(HOUR).await;
        let changed = Instant::now();
        match jump {
            Jump::AtStart(error) => {
                drop(keys);
                settle().await;
                desk.clock.wrong_by(error);
                keys = desk.open();
            }
            Jump::InBetween(error) | Jump::SleptUnnoticed(error) => desk.clock.wrong_by(error),
            Jump::Slept(error) => {
                desk.clock.wrong_by(error);
                keys.wake();
            }
        }
        let doorbell = Doorbell::at(desk.sim.port()).await;
        let tried = came(HOUR, || !doorbell.rung().is_empty()).await;
        let first = doorbell.rung().first().map(|at| *at - changed);
        tokio::time::sleep(HOUR).await;
        let gap = doorbell.longest_gap();
        doorbell.gone().await;
        desk.sim.come_back().await.unwrap();
        let ended = drained(&keys, LONGEST).await && desk.is_done(&uid);
        // Whoever is told that the computer woke up tries at once.
        let soon = match jump {
            Jump::Slept(_) | Jump::AtStart(_) => Duration::from_secs(15),
            _ => LONGEST,
        };
        let right = tried && ended && gap <= LONGEST && first.is_some_and(|first| first <= soon);
        if !right {
            println!("{jump:?}: first {first:?}, gap {gap:?}, {:?}", keys.outbox());
        }
        passed += usize::from(right && desk.touched() == 0);
        drop(keys);
        settle().await;
    }
    println!("check 10: {passed}/{}", jumps.len());
    assert_eq!(passed, jumps.len());
}
