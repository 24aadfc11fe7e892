//! What a new window shows until its page does: the app's mark and name on the page's own ground.
//!
//! A web view shows nothing before its process has started, has read its libraries and has run the
//! page, which takes most of a second. The window says meanwhile what it is, instead of standing
//! there empty, and white where the page will be dark.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use gtk::{
    cairo::{Context, FontSlant, FontWeight, RectangleInt, Region},
    gdk::prelude::GdkContextExt,
    gdk_pixbuf::Pixbuf,
    gio,
    glib::{self, object::Cast, value::ToValue},
    prelude::{GtkApplicationExt, GtkSettingsExt, ObjectExt, WidgetExt},
};
use tauri::{Runtime, Theme, WebviewWindow};

/// A page that has not painted after this time never says so.
const LONGEST: Duration = Duration::from_secs(5);
/// Edge of the mark, in the window's own units.
const MARK: f64 = 56.0;
/// From the mark to the name.
const GAP: f64 = 14.0;
const NAME: &str = "Palette Keys";
/// Of the letters.
const SIZE: f64 = 17.0;

/// Ground and ink of the page: `--bg` and `--ink` in `ui/src/styles/tokens.css`.
type Colours = (Rgb, Rgb);
type Rgb = (f64, f64, f64);
const LIGHT: Colours = ((0.978, 0.980, 0.986), (0.111, 0.127, 0.162));
const DARK: Colours = ((0.072, 0.082, 0.104), (0.920, 0.928, 0.945));

thread_local! {
    /// The view that is drawn over, on the main thread.
    static SHOWN: RefCell<Option<(glib::WeakRef<gtk::Widget>, glib::SignalHandlerId)>> =
        const { RefCell::new(None) };
    /// Whether it still is.
    static STAND: Cell<Stand> = const { Cell::new(Stand::Covers) };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// Whatever the page draws is drawn over.
    Covers,
    /// What the page draws next shows.
    GivesWay,
    /// The page has drawn since.
    Gone,
}

/// As long as this lives, a new window is drawn on in the moment in which it is mapped.
pub(crate) struct Mapping(Option<(gtk::Application, glib::SignalHandlerId)>);

impl Drop for Mapping {
    fn drop(&mut self) {
        if let Some((app, handler)) = self.0.take() {
            app.disconnect(handler);
        }
    }
}

/// Draws it on the bare window already: making the web view takes a tenth of a second, during which
/// the main thread draws nothing. `theme` is the chosen one; none follows the desktop.
///
/// A window that its desktop shows only later (a window manager that takes its time) loses this, and
/// Wayland shows nothing before the first frame of its own: there [`show`] is the first to draw.
pub(crate) fn at_mapping(theme: Option<Theme>) -> Mapping {
    let app = gio::Application::default().and_then(|app| app.downcast::<gtk::Application>().ok());
    Mapping(app.map(|app| {
        let handler = app.connect_window_added(move |_, window| {
            let drawn = Cell::new(false);
            window.connect_map(move |window| {
                if !drawn.replace(true) {
                    // Nothing to say where it cannot be drawn, as below.
                    let _ = draw_at_once(window, colours(theme.unwrap_or_else(of_desktop)));
                }
            });
        });
        (app, handler)
    }))
}

/// The desktop's theme, as the window has just found out.
fn of_desktop() -> Theme {
    match gtk::Settings::default() {
        Some(all) if all.is_gtk_application_prefer_dark_theme() => Theme::Dark,
        _ => Theme::Light,
    }
}

fn colours(theme: Theme) -> Colours {
    match theme {
        Theme::Dark => DARK,
        _ => LIGHT,
    }
}

fn draw_at_once(window: &gtk::Window, colours: Colours) -> Option<()> {
    let ground = window.window()?;
    let display = ground.display();
    if display.type_().name() != "GdkX11Display" {
        return None;
    }
    let (width, height) = (window.allocated_width(), window.allocated_height());
    let region = Region::create_rectangle(&RectangleInt::new(0, 0, width, height));
    let drawing = ground.begin_draw_frame(&region)?;
    let drawn = drawing
        .cairo_context()
        .map(|context| draw((width, height), &context, mark().as_ref(), colours));
    ground.end_draw_frame(&drawing);
    display.flush();
    drawn?.ok()
}

/// Draws it over the web view until [`end`]. A window that was just made does not know its own
/// `theme` yet where no desktop portal tells it, so the chosen one counts; none follows the desktop.
pub(crate) fn show<R: Runtime>(
    window: &WebviewWindow<R>,
    theme: Option<Theme>,
) -> tauri::Result<()> {
    let colours = colours(match theme {
        Some(theme) => theme,
        None => window.theme()?,
    });
    window.with_webview(move |page| {
        end();
        STAND.set(Stand::Covers);
        let view: gtk::Widget = page.inner().upcast();
        let mark = mark();
        // After the view has drawn itself: that it is drawn over changes nothing for it.
        let handler = view.connect_local("draw", true, move |values| {
            if STAND.get() != Stand::Covers {
                STAND.set(Stand::Gone);
                return Some(false.to_value());
            }
            let view = values.first().and_then(|value| value.get::<gtk::Widget>().ok());
            let context = values.get(1).and_then(|value| value.get::<Context>().ok());
            if let (Some(view), Some(context)) = (view, context) {
                // Nothing to say where it cannot be drawn: the page comes anyway.
                let size = (view.allocated_width(), view.allocated_height());
                let _ = draw(size, &context, mark.as_ref(), colours);
            }
            Some(false.to_value())
        });
        SHOWN.replace(Some((view.downgrade(), handler)));
        glib::timeout_add_local_once(LONGEST, end);
    })
}

/// The page's next frame is worth showing. Nothing is drawn for it now: that frame brings itself,
/// sooner than the page could tell that it has painted. On the main thread.
pub(crate) fn give_way() {
    STAND.set(Stand::GivesWay);
}

/// The page has painted. On the main thread.
pub(crate) fn end() {
    let Some((view, handler)) = SHOWN.take() else { return };
    if let Some(view) = view.upgrade() {
        view.disconnect(handler);
        if STAND.get() != Stand::Gone {
            view.queue_draw();
        }
    }
}

fn draw(
    (width, height): (i32, i32),
    context: &Context,
    mark: Option<&Pixbuf>,
    (ground, ink): Colours,
) -> Result<(), gtk::cairo::Error> {
    context.set_source_rgb(ground.0, ground.1, ground.2);
    context.paint()?;
    context.select_font_face("Inter", FontSlant::Normal, FontWeight::Bold);
    context.set_font_size(SIZE);
    let name = context.text_extents(NAME)?;
    let middle = f64::from(width) / 2.0;
    let top = ((f64::from(height) - MARK - GAP - SIZE) / 2.0).round();
    if let Some(mark) = mark {
        context.save()?;
        context.translate((middle - MARK / 2.0).round(), top);
        let scale = MARK / f64::from(mark.width());
        context.scale(scale, scale);
        context.set_source_pixbuf(mark, 0.0, 0.0);
        context.paint()?;
        context.restore()?;
    }
    context.set_source_rgb(ink.0, ink.1, ink.2);
    context.move_to((middle - name.width() / 2.0).round(), top + MARK + GAP + SIZE);
    context.show_text(NAME)
}

fn mark() -> Option<Pixbuf> {
    let picture = include_bytes!("../../icons/128x128.png");
    let stream = gio::MemoryInputStream::from_bytes(&glib::Bytes::from_static(picture));
    Pixbuf::from_stream(&stream, gio::Cancellable::NONE).ok()
}
