//! The app signed in, on a desktop whose panel shows its tray, and what its processes cost.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use palette_sim::{NewKey, Recorded, SimOptions};

use crate::{
    harness::{PATIENCE, Panel, TrayItem, descendants, within},
    signed_in::Window,
};

const TITLE: &str = "Palette Keys";

/// A signed-in app with its window open, and its icon in a panel.
pub struct Desk {
    pub window: Window,
    pub panel: Panel,
    pub tray: TrayItem,
}

impl Desk {
    /// With `keys` own keys called `bench-000` and so on, in the order in which they end.
    pub async fn open(palette: SimOptions, keys: usize) -> Self {
        let stage = Window::stage(palette).await;
        for number in 0..keys {
            let minutes = 120 + i64::try_from(number).expect("a small number");
            stage.sim.add_key(NewKey {
                owner_uid: Some(stage.sim.admin().uid),
                expiry: Some(stage.sim.now() + SignedDuration::from_mins(minutes)),
                ..NewKey::named(&name(number))
            });
        }
        let panel = Panel::start(&stage).await;
        let window = Window::open_on(stage).await;
        let tray = panel.item().await;
        Self { window, panel, tray }
    }

    /// Closes the window and waits until its web process is gone.
    pub async fn close_window(&self) {
        let stage = &self.window.stage;
        stage.press_close_button(TITLE).await;
        stage.wait_window_gone(TITLE).await;
        let gone = within(PATIENCE, async || stage.web_processes().is_empty().then_some(()));
        assert!(gone.await.is_some(), "web processes stay: {:?}", stage.processes());
    }

    /// Opens the window from the tray and waits until it has its web process.
    pub async fn open_window(&self) {
        let stage = &self.window.stage;
        // The agent may have begun anew since, with a new icon.
        self.panel.item().await.pick(&["Open Palette Keys"]).await;
        stage.wait_for_window(TITLE).await;
        let there = within(PATIENCE, async || (!stage.web_processes().is_empty()).then_some(()));
        assert!(there.await.is_some(), "no web process comes");
        // Until it has loaded its page: WebKitGTK 2.50 aborts the whole program when a web process
        // ends before it has said its number.
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }

    /// Waits until the agent without its window has begun anew, and gives its icon.
    pub async fn begun_anew(&self) -> TrayItem {
        let pid = self.window.stage.app_pid();
        // What is in the way (an act whose notice is gathered) is looked at again every ten seconds.
        let anew = within(3 * PATIENCE, async || {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).any(|word| word == b"--hidden").then_some(())
        });
        let anew = anew.await.is_some();
        assert!(anew, "the agent does not begin anew: {}", self.window.stage.log());
        tokio::time::sleep(Duration::from_secs(2)).await;
        self.panel.item().await
    }

    /// Waits for the request that takes this key out of service, and gives the time to it in
    /// milliseconds.
    pub async fn on_wire(&self, uid: &str, since: Timestamp) -> f64 {
        let found = within(PATIENCE, async || revocation(&self.window, uid, since)).await;
        let request = found.expect("the revocation is on the wire");
        request.at.duration_since(since).as_secs_f64() * 1000.0
    }
}

fn revocation(window: &Window, uid: &str, since: Timestamp) -> Option<Recorded> {
    let path = format!("/v1/apiKeys/{uid}/state");
    let mut requests = window.stage.sim.requests().into_iter();
    requests.find(|request| request.path == path && request.at >= since)
}

/// Name of an own key.
pub fn name(number: usize) -> String {
    format!("bench-{number:03}")
}

/// What a process and those it started cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Share of the memory, in KiB; what several processes map is divided among them.
    pub pss: f64,
    /// Time on a processor so far, in seconds.
    pub cpu: f64,
    /// How many processes.
    pub processes: usize,
}

impl Cost {
    /// Of this process and all below it.
    ///
    /// # Panics
    /// When the kernel does not let us look (the measurements run as the same user or as root).
    pub fn of(pid: u32) -> Self {
        let mut cost = Self::default();
        for (pid, name) in descendants(pid) {
            let Some(pss) = pss(pid) else {
                let gone = !std::path::Path::new(&format!("/proc/{pid}")).exists();
                assert!(gone, "the memory of {name} ({pid}) cannot be read: run as root");
                continue;
            };
            cost.pss += pss;
            cost.cpu += cpu(pid);
            cost.processes += 1;
        }
        cost
    }

    /// The same once it has come to rest: the smallest of several looks.
    pub async fn at_rest(pid: u32) -> Self {
        tokio::time::sleep(Duration::from_secs(8)).await;
        let mut least = Self::of(pid);
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = Self::of(pid);
            if now.pss < least.pss {
                least = now;
            }
        }
        least
    }
}

fn pss(pid: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The scheduler's own count, in nanoseconds; `stat` counts in hundredths of a second.
fn cpu(pid: u32) -> f64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let time = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    time.sum::<f64>() / 1e9
}
