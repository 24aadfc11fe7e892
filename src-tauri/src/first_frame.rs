//! What a new window shows until its page does: the app's mark and name on the page's own ground.
//!
//! A web view shows nothing before its process has started, has read its libraries and has run the
//! page, which takes most of a second. The window says meanwhile what it is, instead of standing
//! there empty, and white where the page will be dark.

use std::{cell::RefCell, time::Duration};

use gtk::{
    cairo::{Context, FontSlant, FontWeight},
    gdk::prelude::GdkContextExt,
    gdk_pixbuf::Pixbuf,
    gio,
    glib::{self, object::Cast, value::ToValue},
    prelude::{ObjectExt, WidgetExt},
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
}

/// Draws it over the web view until [`end`].
pub(crate) fn show<R: Runtime>(window: &WebviewWindow<R>) -> tauri::Result<()> {
    let colours = match window.theme()? {
        Theme::Dark => DARK,
        _ => LIGHT,
    };
    window.with_webview(move |page| {
        end();
        let view: gtk::Widget = page.inner().upcast();
        let mark = mark();
        // After the view has drawn itself: that it is drawn over changes nothing for it.
        let handler = view.connect_local("draw", true, move |values| {
            let view = values.first().and_then(|value| value.get::<gtk::Widget>().ok());
            let context = values.get(1).and_then(|value| value.get::<Context>().ok());
            if let (Some(view), Some(context)) = (view, context) {
                // Nothing to say where it cannot be drawn: the page comes anyway.
                let _ = draw(&view, &context, mark.as_ref(), colours);
            }
            Some(false.to_value())
        });
        SHOWN.replace(Some((view.downgrade(), handler)));
        glib::timeout_add_local_once(LONGEST, end);
    })
}

/// The page has painted. On the main thread.
pub(crate) fn end() {
    let Some((view, handler)) = SHOWN.take() else { return };
    if let Some(view) = view.upgrade() {
        view.disconnect(handler);
        view.queue_draw();
    }
}

fn draw(
    view: &gtk::Widget,
    context: &Context,
    mark: Option<&Pixbuf>,
    (ground, ink): Colours,
) -> Result<(), gtk::cairo::Error> {
    context.set_source_rgb(ground.0, ground.1, ground.2);
    context.paint()?;
    context.select_font_face("Inter", FontSlant::Normal, FontWeight::Bold);
    context.set_font_size(SIZE);
    let name = context.text_extents(NAME)?;
    let middle = f64::from(view.allocated_width()) / 2.0;
    let top = ((f64::from(view.allocated_height()) - MARK - GAP - SIZE) / 2.0).round();
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
