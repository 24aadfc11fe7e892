//! From starting the program to its window and its list on the screen, against KeePassXC on the
//! same display.

use std::{
    path::Path,
    time::{Duration, Instant},
};

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

/// WebKitGTK's own browser, which Debian's library package brings along.
const BROWSER: &str = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";
/// The least that has something to see in the middle of the window.
const TWO_LINES: &str = "<!doctype html><meta charset=\"utf-8\"><title>Two lines</title>\
    <p style=\"margin: 45vh 0 0 40vw\">Two lines<br>of text</p>";
/// How our program has WebKitGTK draw (`src-tauri/src/hardening.rs`); the browser is given the same.
const DRAWING: [(&str, &str); 2] =
    [("WEBKIT_DISABLE_DMABUF_RENDERER", "1"), ("WEBKIT_WEB_RENDER_DEVICE_FILE", "/dev/null")];

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
    let mut least = Starts::default();
    let page = stages[0].home().join("two-lines.html");
    std::fs::write(&page, TWO_LINES).expect("the page is written");
    for _ in 0..ROUNDS {
        other.keep(start(&stages[0], "keepassxc", &[]).await);
        for (stage, starts) in stages.iter().zip(&mut ours) {
            starts.keep(start(stage, env!("CARGO_BIN_EXE_palette-keys"), &[]).await);
        }
        if Path::new(BROWSER).exists() {
            least.keep(start(&stages[0], BROWSER, &[&page]).await);
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
        least_of_all(&least, against),
    ]
}

/// What a web view needs for two lines of text: no list can be there before.
fn least_of_all(least: &Starts, against: f64) -> Figure {
    let what = "  WebKitGTK's own browser, two lines of text painted";
    if least.first.is_none() {
        return Figure::note(what, "-".to_owned(), format!("{BROWSER} is not here"));
    }
    let settled = least.settled.median();
    let times = format!("{:.2} x KeePassXC's window; {}", settled / against, least.settled.span());
    Figure::note(what, format!("{settled:.1} ms"), times)
}

/// Starts a program as a person's desktop does, watches it come, and ends it.
async fn start(stage: &Stage, program: &str, arguments: &[&Path]) -> Seen {
    let chosen = ["TAURI_WEBVIEW_AUTOMATION", "WEBKIT_DISABLE_DMABUF_RENDERER"];
    let drawing = DRAWING.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let environment: Vec<(String, String)> = stage
        .environment()
        .iter()
        .filter(|(name, _)| !chosen.contains(&name.as_str()))
        .cloned()
        .chain(drawing.filter(|_| program == BROWSER))
        .collect();
    let display = environment.iter().find(|(name, _)| name == "DISPLAY");
    let display = display.map(|(_, value)| value.clone()).expect("a display");
    let log = stage.home().join("..").join("starts.log");
    let began = Instant::now();
    let mut running = Program::new(program, &environment).args(arguments).log(&log).start();
    let seen = watch(&display, began, CALM);
    running.end();
    // The next one shall not share the machine with the last one's end.
    tokio::time::sleep(Duration::from_millis(500)).await;
    seen
}
