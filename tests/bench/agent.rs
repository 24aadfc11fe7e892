//! What the agent costs while nobody looks, against KeePassXC on the same display.

use std::time::{Duration, Instant};

use crate::{
    desk::{Cost, Desk},
    figures::Figure,
    harness::Stage,
    signed_in::usual,
};

/// Opened and closed so often before anything is counted: caches fill.
const WARM_UP: usize = 3;
/// CPU seconds in ten minutes.
const IDLE_CPU: f64 = 0.2;
/// MiB of growth over [`CYCLES`].
const GROWTH: f64 = 5.0;
const CYCLES: usize = 200;

/// `full`: ten minutes and 200 openings; else a minute and 40.
pub async fn measure(full: bool) -> Vec<Figure> {
    let (minutes, cycles) = if full { (10, CYCLES) } else { (1, 40) };
    let mut desk = Desk::open(usual(), 3).await;
    let other = keepassxc(&mut desk.window.stage).await;

    let pid = desk.window.stage.app_pid();
    for _ in 0..WARM_UP {
        desk.close_window().await;
        desk.open_window().await;
    }
    desk.close_window().await;
    let agent = Cost::at_rest(pid).await;
    let began = (Instant::now(), Cost::of(pid).cpu);
    tokio::time::sleep(Duration::from_secs(60 * minutes)).await;
    let used = Cost::of(pid).cpu - began.1;
    let in_ten = used * 600.0 / began.0.elapsed().as_secs_f64();

    for _ in 0..cycles {
        desk.open_window().await;
        desk.close_window().await;
    }
    let after = Cost::at_rest(pid).await;
    let growth = (after.pss - agent.pss) / 1024.0;
    let orphans = desk.window.stage.web_processes().len();

    // Never had a window: what a start at login costs.
    desk.window.stage.quit().await;
    desk.window.stage.start_alone(&["--hidden"]);
    desk.panel.item().await;
    let hidden = Cost::at_rest(desk.window.stage.app_pid()).await;

    let mib = |cost: Cost| format!("{:.1} MiB", cost.pss / 1024.0);
    let processes = |cost: Cost| format!("{} processes", cost.processes);
    vec![
        Figure::of(
            "memory (PSS) of the agent, window closed",
            mib(agent),
            format!("KeePassXC idle {}; {}", mib(other), processes(agent)),
            agent.pss / other.pss,
            1.0,
            "×",
        ),
        Figure::of(
            "memory (PSS) of the agent, started hidden",
            mib(hidden),
            format!("KeePassXC idle {}; {}", mib(other), processes(hidden)),
            hidden.pss / other.pss,
            1.0,
            "×",
        ),
        Figure::of(
            "processor time of the idle agent in 10 min",
            format!("{used:.3} s"),
            format!("measured over {minutes} min"),
            in_ten,
            IDLE_CPU,
            " s",
        ),
        Figure::of(
            &format!("growth over {cycles} open/close cycles"),
            format!("{growth:.2} MiB"),
            format!("from {} to {}", mib(agent), mib(after)),
            growth,
            GROWTH,
            " MiB",
        ),
        Figure::of(
            "web processes left over",
            orphans.to_string(),
            format!("after {} cycles", cycles + WARM_UP),
            orphans as f64,
            0.0,
            "",
        ),
    ]
}

/// Idle, without a database, as it opens.
async fn keepassxc(stage: &mut Stage) -> Cost {
    let pid = stage.start("keepassxc", &[]);
    stage.wait_for_window("KeePassXC").await;
    let cost = Cost::at_rest(pid).await;
    stage.end_started(pid);
    cost
}
