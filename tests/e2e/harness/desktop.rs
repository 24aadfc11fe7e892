//! What a person does to windows from outside: their close button, their focus, keys in dialogs
//! that are not web pages.

use x11rb::{
    connection::Connection,
    protocol::xproto::{AtomEnum, ClientMessageEvent, ConnectionExt, EventMask, MapState, Window},
    rust_connection::RustConnection,
};

use super::{Stage, eventually};

impl Stage {
    /// Presses the close button of the window with this in its title. No window manager runs here,
    /// so the message that one would send is sent by hand (ICCCM 4.2.8.1, `WM_DELETE_WINDOW`).
    pub async fn press_close_button(&self, title: &str) {
        let window = self.wait_for_window(title).await;
        let (connection, _) = self.x_server();
        let protocols = atom(&connection, "WM_PROTOCOLS");
        let delete = atom(&connection, "WM_DELETE_WINDOW");
        let message = ClientMessageEvent::new(32, window, protocols, [delete, 0, 0, 0, 0]);
        // Waits for the server's word: what is still on its way is lost with the connection.
        let sent = connection.send_event(false, window, EventMask::NO_EVENT, message);
        sent.expect("it is sent").check().expect("the message has arrived");
    }

    /// Gives the keyboard to the window with this in its title.
    pub async fn bring_to_front(&self, title: &str) {
        let window = self.wait_for_window(title).await.to_string();
        self.xdotool(&["windowraise", &window]).await;
        self.xdotool(&["windowfocus", "--sync", &window]).await;
    }

    /// Presses a key wherever the keyboard is, in the X server's own names ("Return", "ctrl+a").
    pub async fn press_key(&self, key: &str) {
        self.xdotool(&["key", "--clearmodifiers", key]).await;
    }

    /// Types a text wherever the keyboard is.
    pub async fn type_on_desktop(&self, text: &str) {
        self.xdotool(&["type", "--clearmodifiers", "--delay", "4", text]).await;
    }

    /// Titles of the windows that can be seen.
    pub fn window_titles(&self) -> Vec<String> {
        self.visible_windows().into_iter().map(|(_, title)| title).collect()
    }

    /// Waits until no window has this in its title.
    pub async fn wait_window_gone(&self, title: &str) {
        eventually(&format!("the window {title:?} is gone"), async || {
            self.window_titles().iter().all(|known| !known.contains(title)).then_some(())
        })
        .await;
    }

    /// Waits for a window with this in its title.
    pub async fn wait_for_window(&self, title: &str) -> Window {
        eventually(&format!("a window {title:?}"), async || {
            let mut windows = self.visible_windows().into_iter();
            windows.find(|(_, known)| known.contains(title)).map(|(window, _)| window)
        })
        .await
    }

    fn visible_windows(&self) -> Vec<(Window, String)> {
        let (connection, screen) = self.x_server();
        let root = connection.setup().roots[screen].root;
        let name = atom(&connection, "_NET_WM_NAME");
        let tree = connection.query_tree(root).expect("asked").reply();
        let children = tree.map(|tree| tree.children).unwrap_or_default();
        children
            .into_iter()
            .filter_map(|window| {
                // Windows come and go while we look.
                let state = connection.get_window_attributes(window).ok()?.reply().ok()?;
                if state.map_state != MapState::VIEWABLE {
                    return None;
                }
                let title = connection.get_property(false, window, name, AtomEnum::ANY, 0, 256);
                let title = title.ok()?.reply().ok()?.value;
                Some((window, String::from_utf8_lossy(&title).into_owned()))
            })
            .collect()
    }

    fn x_server(&self) -> (RustConnection, usize) {
        let display = self.environment().iter().find(|(name, _)| name == "DISPLAY");
        let display = display.map(|(_, value)| value.as_str());
        x11rb::connect(display).expect("the display answers")
    }

    async fn xdotool(&self, arguments: &[&str]) {
        let output = self.command("xdotool", arguments).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "xdotool {arguments:?}: {said}");
    }
}

fn atom(connection: &RustConnection, name: &str) -> u32 {
    let asked = connection.intern_atom(false, name.as_bytes()).expect("asked");
    asked.reply().expect("the atom").atom
}
