//! What is on the display, and since when: seen from the X server, the same way for any program.

use std::{
    thread,
    time::{Duration, Instant},
};

use x11rb::{
    connection::Connection,
    protocol::xproto::{ConnectionExt, ImageFormat, MapState, Window},
    rust_connection::RustConnection,
};

/// Time between two looks.
const GLANCE: Duration = Duration::from_millis(4);
/// Every so many lines of the window are looked at: all of them would keep the X server busy.
const STEP: u16 = 12;
/// Text has many shades at its edges; a window that shows nothing yet has a colour or two.
const COLOURS_OF_TEXT: usize = 16;
/// Smaller ones are not a program's main window.
const SMALLEST: (u16, u16) = (400, 300);

/// When a window came, from the start of its program, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The X server shows the window.
    pub mapped: f64,
    /// There is text in it.
    pub painted: f64,
    /// Its middle looks as it does in the end.
    pub settled: f64,
}

/// Watches a display with no window on it until one has come and has not changed for `calm`.
///
/// # Panics
/// When none comes within 20 s.
pub fn watch(display: &str, began: Instant, calm: Duration) -> Seen {
    let (server, screen) = x11rb::connect(Some(display)).expect("the display answers");
    let root = server.setup().roots[screen].root;
    let patience = began + Duration::from_secs(20);
    let (window, mapped) = loop {
        if let Some(window) = main_window(&server, root) {
            break (window, since(began));
        }
        assert!(Instant::now() < patience, "no window came within 20 s");
        thread::sleep(GLANCE);
    };
    let mut painted = None;
    let mut middles: Vec<(f64, Vec<u32>)> = Vec::new();
    let mut changed = Instant::now();
    loop {
        if let Some(picture) = Picture::of(&server, root, window) {
            let at = since(began);
            if painted.is_none() && picture.colours() >= COLOURS_OF_TEXT {
                painted = Some(at);
            }
            let middle = picture.middle();
            if middles.last().is_none_or(|(_, last)| *last != middle) {
                middles.push((at, middle));
                changed = Instant::now();
            }
        }
        if painted.is_some() && changed.elapsed() >= calm {
            break;
        }
        assert!(Instant::now() < patience, "nothing was painted within 20 s");
        thread::sleep(GLANCE);
    }
    let last = middles.last().map(|(_, middle)| middle.clone()).unwrap_or_default();
    let settled = middles.iter().find(|(_, middle)| alike(middle, &last)).map(|(at, _)| *at);
    Seen { mapped, painted: painted.unwrap_or(f64::NAN), settled: settled.unwrap_or(f64::NAN) }
}

fn since(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1000.0
}

fn main_window(server: &RustConnection, root: Window) -> Option<Window> {
    let children = server.query_tree(root).ok()?.reply().ok()?.children;
    // The last is the topmost.
    children.into_iter().rev().find(|window| {
        let shown = || -> Option<bool> {
            let attributes = server.get_window_attributes(*window).ok()?.reply().ok()?;
            let size = server.get_geometry(*window).ok()?.reply().ok()?;
            Some(
                attributes.map_state == MapState::VIEWABLE
                    && size.width >= SMALLEST.0
                    && size.height >= SMALLEST.1,
            )
        };
        shown().unwrap_or(false)
    })
}

/// Some lines of a window, as they are on the screen.
struct Picture {
    width: usize,
    lines: Vec<Vec<u32>>,
}

impl Picture {
    fn of(server: &RustConnection, root: Window, window: Window) -> Option<Self> {
        let size = server.get_geometry(window).ok()?.reply().ok()?;
        let screen = server.get_geometry(root).ok()?.reply().ok()?;
        let (left, top) = (size.x.max(0), size.y.max(0));
        let width = size.width.min(screen.width.saturating_sub(left.unsigned_abs()));
        let height = size.height.min(screen.height.saturating_sub(top.unsigned_abs()));
        // All are asked for before the first answer is waited for.
        let asked: Vec<_> = (0..height)
            .step_by(usize::from(STEP))
            .filter_map(|line| {
                let line = top.checked_add_unsigned(line)?;
                server.get_image(ImageFormat::Z_PIXMAP, root, left, line, width, 1, !0).ok()
            })
            .collect();
        let lines = asked.into_iter().map(|line| Some(pixels(&line.reply().ok()?.data)));
        Some(Self { width: usize::from(width), lines: lines.collect::<Option<_>>()? })
    }

    fn colours(&self) -> usize {
        let mut all: Vec<u32> = self.lines.iter().flatten().copied().collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    }

    /// What lies between the bars around it: in Palette Keys, the rows of the list.
    fn middle(&self) -> Vec<u32> {
        let (first, last) = (self.lines.len() / 4, self.lines.len() * 17 / 20);
        let (left, right) = (self.width * 3 / 10, self.width * 6 / 10);
        self.lines[first..last].iter().flat_map(|line| line[left..right].to_vec()).collect()
    }
}

/// Red, green and blue of each pixel; the fourth byte means nothing on a screen of depth 24.
fn pixels(data: &[u8]) -> Vec<u32> {
    data.chunks_exact(4).map(|p| u32::from_le_bytes([p[0], p[1], p[2], 0])).collect()
}

/// A relative time may have moved on meanwhile: one pixel in 200 may differ.
fn alike(one: &[u32], other: &[u32]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).filter(|(a, b)| a != b).count() * 200 <= one.len()
}
