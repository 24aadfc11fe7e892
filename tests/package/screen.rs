//! A display that nobody looks at, and what can be seen on it.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use x11rb::{
    connection::Connection,
    protocol::xproto::{AtomEnum, ConnectionExt, ImageFormat, MapState, Window},
    rust_connection::RustConnection,
};

/// An X server; it ends with this.
pub struct Screen {
    server: Child,
    number: u32,
    connection: RustConnection,
    root: Window,
}

impl Screen {
    pub fn start() -> Self {
        let mut server = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "Xvfb", "-displayfd", "1", "-noreset", "-ac"])
            .args(["-nolisten", "tcp", "-screen", "0", "1400x900x24"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb starts: cargo xtask test --only setup");
        let mut line = String::new();
        let stdout = server.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("Xvfb says its number");
        let number = line.trim().parse().expect("a number of a display");
        let (connection, screen) =
            x11rb::connect(Some(&format!(":{number}"))).expect("the display answers");
        let root = connection.setup().roots[screen].root;
        Self { server, number, connection, root }
    }

    /// The value of `DISPLAY`.
    pub fn display(&self) -> String {
        format!(":{}", self.number)
    }

    /// The window of this title, when it can be seen. No window manager runs here, so it is directly
    /// on the screen.
    pub fn window(&self, title: &str) -> Option<Window> {
        let name = self.connection.intern_atom(false, b"_NET_WM_NAME").ok()?.reply().ok()?.atom;
        let children = self.connection.query_tree(self.root).ok()?.reply().ok()?.children;
        children.into_iter().find(|window| {
            self.is_visible(*window) && self.property(*window, name) == title.as_bytes()
        })
    }

    /// The class of a window, its second word: what a dock looks for in the desktop entries. Their
    /// letters count in no case, as docks do it.
    pub fn class(&self, window: Window) -> String {
        let words = self.property(window, AtomEnum::WM_CLASS.into());
        let words = String::from_utf8_lossy(&words).to_lowercase();
        words.split('\0').nth(1).unwrap_or_default().to_owned()
    }

    /// How many colours there are in a window: an empty one has few, a page of text has many.
    pub fn colours(&self, window: Window) -> usize {
        let look = || {
            let size = self.connection.get_geometry(window).ok()?.reply().ok()?;
            let (width, height) = (size.width, size.height);
            let all = self.connection.get_image(
                ImageFormat::Z_PIXMAP,
                window,
                0,
                0,
                width,
                height,
                u32::MAX,
            );
            let pixels = all.ok()?.reply().ok()?.data;
            Some(pixels.chunks_exact(4).map(<[u8]>::to_vec).collect::<HashSet<_>>().len())
        };
        // The window may be larger than the screen, or gone: then there is nothing to see yet.
        look().unwrap_or_default()
    }

    fn is_visible(&self, window: Window) -> bool {
        let asked = self.connection.get_window_attributes(window);
        let state = asked.ok().and_then(|asked| asked.reply().ok());
        state.is_some_and(|state| state.map_state == MapState::VIEWABLE)
    }

    fn property(&self, window: Window, name: u32) -> Vec<u8> {
        let asked = self.connection.get_property(false, window, name, AtomEnum::ANY, 0, 256);
        asked.ok().and_then(|asked| asked.reply().ok()).map(|reply| reply.value).unwrap_or_default()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
