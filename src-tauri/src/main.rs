//! The program: harden the process, then run the app.

#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

fn main() -> std::process::ExitCode {
    palette_keys::hardening::before_threads();
    match palette_keys::run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            #[cfg(target_os = "linux")]
            palette_keys::hardening::start_again_after_a_dying_instance(&*error);
            tracing::error!("Palette Keys could not start: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
