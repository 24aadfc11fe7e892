//! The desktop's own file dialog.

use std::path::PathBuf;

use palette_keys_core::{ErrorCode, Failure};
use tauri::{AppHandle, Runtime};
use tauri_plugin_dialog::{DialogExt, FilePath};
use tokio::sync::oneshot;

use crate::lock;

/// Asks where to put a key's value.
///
/// Fails with `Cancelled` when the person closed the dialog.
pub async fn pick_for_value<R: Runtime>(
    app: &AppHandle<R>,
    name: &str,
) -> Result<PathBuf, Failure> {
    pick(app, "Save the value of your API key", &file_name(name)).await
}

/// Asks where to put a report.
///
/// Fails with `Cancelled` when the person closed the dialog.
pub async fn pick_for_report<R: Runtime>(
    app: &AppHandle<R>,
    name: &str,
) -> Result<PathBuf, Failure> {
    pick(app, "Export report", name).await
}

async fn pick<R: Runtime>(app: &AppHandle<R>, title: &str, name: &str) -> Result<PathBuf, Failure> {
    let (sender, picked) = oneshot::channel();
    app.dialog().file().set_title(title).set_file_name(name).save_file(move |path| {
        let _ = sender.send(path);
    });
    chosen(app, picked.await, "Nothing was written.")
}

/// Asks which policy file counts.
///
/// Fails with `Cancelled` when the person closed the dialog.
pub async fn pick_policy<R: Runtime>(app: &AppHandle<R>) -> Result<PathBuf, Failure> {
    let (sender, picked) = oneshot::channel();
    app.dialog()
        .file()
        .set_title("Choose the policy file")
        .add_filter("Policy (TOML)", &["toml"])
        .pick_file(move |path| {
            let _ = sender.send(path);
        });
    chosen(app, picked.await, "The policy was not changed.")
}

/// What was chosen, unless the app was locked while the dialog was open: whoever closed it then was
/// not asked who they are.
fn chosen<R: Runtime>(
    app: &AppHandle<R>,
    picked: Result<Option<FilePath>, oneshot::error::RecvError>,
    so: &str,
) -> Result<PathBuf, Failure> {
    let Ok(Some(path)) = picked else {
        return Err(Failure::new(ErrorCode::Cancelled, format!("No file was chosen. {so}")));
    };
    if lock::is_locked(app) {
        return Err(lock::refusal());
    }
    path.into_path().map_err(|_| {
        let words = format!("That place is not a file on this computer. {so}");
        Failure::new(ErrorCode::FileFailed, words)
    })
}

/// A file name that every system takes.
fn file_name(key_name: &str) -> String {
    let safe: String = key_name
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' })
        .take(80)
        .collect();
    let safe = safe.trim_matches(['.', '-']);
    format!("{}.key", if safe.is_empty() { "palette-api-key" } else { safe })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_file_names() {
        let table = [
            ("ci-prod", "ci-prod.key"),
            ("../../etc/passwd", "etc-passwd.key"),
            ("a/b\\c:d", "a-b-c-d.key"),
            ("  ", "palette-api-key.key"),
            ("Ünïcode key", "Ünïcode-key.key"),
        ];
        for (name, expected) in table {
            assert_eq!(file_name(name), expected);
        }
    }
}
