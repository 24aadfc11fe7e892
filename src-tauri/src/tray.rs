//! Draws the tray: the menu that core describes, changed by its difference, and the icon.
//!
//! An open menu on Linux keeps entries that are gone, and a click on one still arrives (trust.md
//! 3.3). So an entry is never given another meaning: what moves or goes is removed, and what comes
//! is made anew under the id that names its key.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Mutex,
    time::Duration,
};

use palette_keys_core::tray::{TrayIcon as Shape, TrayItem, TrayMenu};
use tauri::{
    AppHandle, Manager, Runtime,
    image::Image,
    menu::{IsMenuItem, Menu, MenuItem, PredefinedMenuItem, Submenu},
    tray::{TrayIcon, TrayIconBuilder},
};

use crate::{
    agent::{self, Agent},
    desk::Desk,
};

/// The menu changes at most so often.
const PAUSE: Duration = Duration::from_secs(1);

/// Name of the icon.
const ID: &str = "palette-keys";

/// What is drawn now. Touched on the main thread only.
struct Drawn<R: Runtime> {
    icon: TrayIcon<R>,
    shape: Shape,
    menu: Menu<R>,
    entries: Vec<Entry<R>>,
}

/// One entry as it is drawn.
struct Entry<R: Runtime> {
    key: String,
    label: String,
    kind: Kind<R>,
}

enum Kind<R: Runtime> {
    Act(MenuItem<R>),
    Line(MenuItem<R>),
    List(Submenu<R>, Vec<Entry<R>>),
    Separator(PredefinedMenuItem<R>),
}

/// Shows the icon and keeps its menu up to date. Must be called on the main thread. False where the
/// system has no library for tray icons: then the app lives in its window alone.
pub fn start<R: Runtime>(app: &AppHandle<R>) -> bool {
    let menu = app.state::<Desk>().keys.tray_menu(app.state::<Agent>().paused_until());
    // The library is loaded when it is first used, and panics when it is not installed.
    let drawn = catch_unwind(AssertUnwindSafe(|| show(app, &menu)));
    let drawn = match drawn {
        Ok(Ok(drawn)) => drawn,
        Ok(Err(error)) => {
            tracing::warn!("there is no tray icon: {error}");
            return false;
        }
        Err(_) => {
            tracing::warn!("there is no tray icon: its library could not be loaded");
            return false;
        }
    };
    app.manage(Mutex::new(drawn));
    tauri::async_runtime::spawn(keep_up(app.clone(), menu));
    true
}

fn show<R: Runtime>(app: &AppHandle<R>, wanted: &TrayMenu) -> tauri::Result<Drawn<R>> {
    let menu = Menu::new(app)?;
    let mut entries = Vec::new();
    draw(app, &menu, &mut entries, &wanted.items)?;
    let icon = TrayIconBuilder::with_id(ID)
        .temp_dir_path(icon_folder(app)?)
        .icon(picture(wanted.icon)?)
        .tooltip("Palette Keys")
        .menu(&menu)
        .on_menu_event(|app, event| agent::clicked(app, event.id().as_ref()))
        .build(app)?;
    Ok(Drawn { icon, shape: wanted.icon, menu, entries })
}

/// Linux reads the icon from a file: in a folder that only this user may enter, never in `/tmp`
/// (trust.md T1).
fn icon_folder<R: Runtime>(app: &AppHandle<R>) -> tauri::Result<PathBuf> {
    let folder = match app.path().runtime_dir() {
        Ok(folder) => folder.join("palette-keys-tray"),
        Err(_) => app.path().app_data_dir()?.join("tray"),
    };
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn picture(shape: Shape) -> tauri::Result<Image<'static>> {
    Image::from_bytes(match shape {
        Shape::Fine => include_bytes!("../../icons/tray/fine.png"),
        Shape::Attention => include_bytes!("../../icons/tray/attention.png"),
        Shape::Unconfirmed => include_bytes!("../../icons/tray/unconfirmed.png"),
    })
}

/// Draws what changed, when something did.
async fn keep_up<R: Runtime>(app: AppHandle<R>, mut drawn: TrayMenu) {
    let changes = app.state::<Agent>().changes();
    loop {
        let _ = tokio::time::timeout(drawn.stale_in, changes.notified()).await;
        let wanted = app.state::<Desk>().keys.tray_menu(app.state::<Agent>().paused_until());
        if wanted.items != drawn.items || wanted.icon != drawn.icon {
            let (task, menu) = (app.clone(), wanted.clone());
            if app.run_on_main_thread(move || redraw(&task, &menu)).is_err() {
                return;
            }
        }
        drawn = wanted;
        tokio::time::sleep(PAUSE).await;
    }
}

fn redraw<R: Runtime>(app: &AppHandle<R>, wanted: &TrayMenu) {
    let state = app.state::<Mutex<Drawn<R>>>();
    let mut guard = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Drawn { icon, shape, menu, entries } = &mut *guard;
    let mut changed = draw(app, menu, entries, &wanted.items);
    if *shape != wanted.icon {
        *shape = wanted.icon;
        changed = changed.and(picture(wanted.icon).and_then(|new| icon.set_icon(Some(new))));
    }
    if let Err(error) = changed {
        tracing::warn!("the tray could not be brought up to date: {error}");
    }
}

/// A menu or a list in it.
trait Level<R: Runtime> {
    fn put(&self, item: &dyn IsMenuItem<R>, place: usize) -> tauri::Result<()>;
    fn take(&self, place: usize) -> tauri::Result<()>;
}

impl<R: Runtime> Level<R> for Menu<R> {
    fn put(&self, item: &dyn IsMenuItem<R>, place: usize) -> tauri::Result<()> {
        self.insert(item, place)
    }

    fn take(&self, place: usize) -> tauri::Result<()> {
        self.remove_at(place).map(drop)
    }
}

impl<R: Runtime> Level<R> for Submenu<R> {
    fn put(&self, item: &dyn IsMenuItem<R>, place: usize) -> tauri::Result<()> {
        self.insert(item, place)
    }

    fn take(&self, place: usize) -> tauri::Result<()> {
        self.remove_at(place).map(drop)
    }
}

/// Brings one level to what is wanted. What stays in its place is only worded anew.
fn draw<R: Runtime>(
    app: &AppHandle<R>,
    level: &dyn Level<R>,
    entries: &mut Vec<Entry<R>>,
    wanted: &[TrayItem],
) -> tauri::Result<()> {
    for place in (0..entries.len()).rev() {
        if !wanted.iter().any(|item| entries[place].is(item)) {
            level.take(place)?;
            entries.remove(place);
        }
    }
    for (place, item) in wanted.iter().enumerate() {
        if !entries.get(place).is_some_and(|entry| entry.is(item)) {
            if let Some(later) = entries.iter().skip(place).position(|entry| entry.is(item)) {
                level.take(place + later)?;
                entries.remove(place + later);
            }
            let entry = Entry::make(app, item)?;
            level.put(entry.native(), place)?;
            entries.insert(place, entry);
        }
        entries[place].say(app, item)?;
    }
    while entries.len() > wanted.len() {
        level.take(entries.len() - 1)?;
        entries.pop();
    }
    Ok(())
}

impl<R: Runtime> Entry<R> {
    fn is(&self, item: &TrayItem) -> bool {
        let same_kind = matches!(
            (&self.kind, item),
            (Kind::Act(_), TrayItem::Act { .. })
                | (Kind::Line(_), TrayItem::Line { .. })
                | (Kind::List(..), TrayItem::List { .. })
                | (Kind::Separator(_), TrayItem::Separator { .. })
        );
        // The menu library cannot word a list anew on Linux, so it is made anew.
        let same_words = matches!(self.kind, Kind::Act(_) | Kind::Line(_) | Kind::Separator(_))
            || self.label == item.label();
        same_kind && same_words && self.key == item.key()
    }

    fn make(app: &AppHandle<R>, item: &TrayItem) -> tauri::Result<Self> {
        let (key, label) = (item.key(), item.label().to_owned());
        let text = plain(&label);
        let kind = match item {
            TrayItem::Act { .. } => {
                Kind::Act(MenuItem::with_id(app, &*key, text, true, None::<&str>)?)
            }
            TrayItem::Line { .. } => {
                Kind::Line(MenuItem::with_id(app, &*key, text, false, None::<&str>)?)
            }
            TrayItem::List { .. } => {
                Kind::List(Submenu::with_id(app, &*key, text, true)?, Vec::new())
            }
            TrayItem::Separator { .. } => Kind::Separator(PredefinedMenuItem::separator(app)?),
        };
        Ok(Self { key, label, kind })
    }

    fn native(&self) -> &dyn IsMenuItem<R> {
        match &self.kind {
            Kind::Act(item) | Kind::Line(item) => item,
            Kind::List(list, _) => list,
            Kind::Separator(line) => line,
        }
    }

    /// Its words, and what it opens.
    fn say(&mut self, app: &AppHandle<R>, item: &TrayItem) -> tauri::Result<()> {
        if self.label != item.label() {
            self.label = item.label().to_owned();
            let text = plain(&self.label);
            match &self.kind {
                Kind::Act(native) | Kind::Line(native) => native.set_text(text)?,
                Kind::List(..) | Kind::Separator(_) => {}
            }
        }
        if let (Kind::List(native, entries), TrayItem::List { items, .. }) = (&mut self.kind, item)
        {
            draw(app, &*native, entries, items)?;
        }
        Ok(())
    }
}

/// The menu library takes `&` for the mark of a shortcut.
fn plain(label: &str) -> String {
    label.replace('&', "&&")
}
