//! From starting the program to its window and its list on the screen, against KeePassXC on the
//! same display.

use std::time::{Duration, Instant};

use crate::{
    figures::{Figure, Samples},
    harness::{Program, Stage},
    screen::{Seen, watch},
    signed_in::{Window, large, usual},
};

/// How often each is started, in turns; the first start of each is told apart.
const ROUNDS: usize = 9;
/// No change for so long: what was to come has come, the answer of the server included.
const CALM: Duration = Duration::from_millis(1_500);

/// Kept times of one program.
#[derive(Default)]
struct Starts {
    first: Option<Seen>,
    mapped: Samples,
    painted: Samples,
    settled: Samples,
}

impl Starts {
    fn keep(&mut self, seen: Seen) {
        if self.first.is_none() {
            self.first = Some(seen);
            return;
        }
        self.mapped.push(seen.mapped);
        self.painted.push(seen.painted);
        self.settled.push(seen.settled);
    }

    fn note(&self, what: &str) -> Figure {
        let first = self.first.map(|seen| seen.painted).unwrap_or(f64::NAN);
        Figure::note(
            what,
            format!("{:.1} ms", self.painted.median()),
            format!(
                "mapped {:.1} ms; {}; first start {first:.1} ms",
                self.mapped.median(),
                self.painted.span()
            ),
        )
    }
}

/// All of them, in turns.
pub async fn measure() -> Vec<Figure> {
    // Each has connected once and then starts as on every other day: signed in from the keychain,
    // its list on disk.
    let mut stages = Vec::new();
    for palette in [usual(), large()] {
        let mut window = Window::open(palette).await;
        window.stage.quit().await;
        stages.push(window.stage);
    }
    let mut other = Starts::default();
    let mut ours = [Starts::default(), Starts::default()];
    for _ in 0..ROUNDS {
        other.keep(start(&stages[0], "keepassxc").await);
        for (stage, starts) in stages.iter().zip(&mut ours) {
            starts.keep(start(stage, env!("CARGO_BIN_EXE_palette-keys")).await);
        }
    }
    let [usual, large] = ours;
    let against = other.painted.median();
    let theirs = "KeePassXC's window";
    vec![
        Figure::ratio("window on the screen", usual.painted.median(), theirs, against, 1.2),
        Figure::ratio("first list painted", usual.settled.median(), theirs, against, 2.0),
        Figure::ratio(
            "first list painted, 6,000 keys",
            large.settled.median(),
            theirs,
            against,
            2.0,
        ),
        usual.note("  Palette Keys, window with text in it"),
        other.note("  KeePassXC, window with text in it"),
    ]
}

/// Starts a program as a person's desktop does, watches it come, and ends it.
async fn start(stage: &Stage, program: &str) -> Seen {
    let chosen = ["TAURI_WEBVIEW_AUTOMATION", "WEBKIT_DISABLE_DMABUF_RENDERER"];
    let environment: Vec<(String, String)> = stage
        .environment()
        .iter()
        .filter(|(name, _)| !chosen.contains(&name.as_str()))
        .cloned()
        .collect();
    let display = environment.iter().find(|(name, _)| name == "DISPLAY");
    let display = display.map(|(_, value)| value.clone()).expect("a display");
    let log = stage.home().join("..").join("starts.log");
    let began = Instant::now();
    let mut running = Program::new(program, &environment).log(&log).start();
    let seen = watch(&display, began, CALM);
    running.end();
    // The next one shall not share the machine with the last one's end.
    tokio::time::sleep(Duration::from_millis(500)).await;
    seen
}
