//! Starting with the desktop session, without a window.
//!
//! Linux: one file in the folder `autostart` of the person's configuration, as the desktops read
//! it. Elsewhere it cannot be set up yet, and that is said.

#[cfg(target_os = "linux")]
pub(crate) use linux::{apply, verify};

/// What a switch that does nothing says.
#[cfg(not(target_os = "linux"))]
const NOT_YET: &str = "Palette Keys cannot set this up on this system yet. Add it to the programs \
                       that start at login in the system's settings, with the option --hidden.";

/// A person switched it on or off.
#[cfg(not(target_os = "linux"))]
pub(crate) fn apply(on: bool) -> Result<(), String> {
    if on { Err(NOT_YET.to_owned()) } else { Ok(()) }
}

/// The app started.
#[cfg(not(target_os = "linux"))]
pub(crate) fn verify(on: bool) -> Result<(), String> {
    apply(on)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        ffi::OsString,
        fs, io,
        io::Write,
        os::unix::ffi::OsStrExt,
        path::{Path, PathBuf},
    };

    const FILE: &str = "dev.palettekeys.app.desktop";

    /// A person switched it on or off.
    pub(crate) fn apply(on: bool) -> Result<(), String> {
        set(&folder()?, &program()?, on, true)
    }

    /// The app started: the file says what the setting says, with the path the app has now.
    pub(crate) fn verify(on: bool) -> Result<(), String> {
        set(&folder()?, &program()?, on, false)
    }

    fn folder() -> Result<PathBuf, String> {
        folder_of(std::env::var_os("XDG_CONFIG_HOME"), std::env::var_os("HOME"))
            .ok_or_else(|| "Nobody said where this person's configuration is (HOME).".to_owned())
    }

    /// A relative path in `XDG_CONFIG_HOME` is no path, says its specification.
    pub(super) fn folder_of(config: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
        let absolute = |path: Option<OsString>| path.map(PathBuf::from).filter(|p| p.is_absolute());
        let config =
            absolute(config).or_else(|| absolute(home).map(|home| home.join(".config")))?;
        Some(config.join("autostart"))
    }

    fn program() -> Result<PathBuf, String> {
        let own = std::env::current_exe().ok();
        program_of(std::env::var_os("APPIMAGE"), own)
            .ok_or_else(|| "Palette Keys does not know where its own program lies.".to_owned())
    }

    /// An AppImage's own path lies inside a mount that is gone at the next login.
    pub(super) fn program_of(image: Option<OsString>, own: Option<PathBuf>) -> Option<PathBuf> {
        let image = image.map(PathBuf::from).filter(|path| path.is_absolute() && path.is_file());
        let own = own.map(|own| {
            // An update replaced the file while this process runs from the old one.
            let bytes = own.as_os_str().as_bytes();
            match bytes.strip_suffix(b" (deleted)") {
                Some(path) => PathBuf::from(std::ffi::OsStr::from_bytes(path)),
                None => own,
            }
        });
        image.or(own.filter(|own| own.is_file()))
    }

    /// Writes or removes the file. `anew`: a person just said so; else what they did to the file in
    /// the desktop's own settings stays.
    pub(super) fn set(folder: &Path, program: &Path, on: bool, anew: bool) -> Result<(), String> {
        let path = folder.join(FILE);
        let known = match fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            // Not text: not what we write.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Some(String::new()),
            Err(error) => return Err(in_words("read", &path, &error)),
        };
        if !on {
            return match known {
                None => Ok(()),
                Some(text) if !anew => left_over(&text),
                Some(_) => {
                    fs::remove_file(&path).map_err(|error| in_words("removed", &path, &error))
                }
            };
        }
        if !anew && known.as_deref().is_some_and(is_off) {
            return Err("Starting at login is switched off in your desktop's own settings for \
                        programs that start at login. Switch it on there, or off and on here."
                .to_owned());
        }
        let wanted = entry(program)?;
        if known.as_deref() == Some(&*wanted) {
            return Ok(());
        }
        write(folder, &path, &wanted).map_err(|error| in_words("written", &path, &error))
    }

    /// The setting may be off only because the file of settings could not be read: what a person
    /// set up is not taken away for that.
    fn left_over(text: &str) -> Result<(), String> {
        if is_off(text) {
            return Ok(());
        }
        Err("Palette Keys starts at login all the same: an entry of an earlier time is there. \
             Switch this on and off again to remove it."
            .to_owned())
    }

    fn in_words(what: &str, path: &Path, error: &io::Error) -> String {
        format!("The file {} could not be {what}: {}.", path.display(), error.kind())
    }

    /// Desktops switch an entry off instead of removing it.
    fn is_off(text: &str) -> bool {
        text.lines().any(|line| {
            let line: String = line.chars().filter(|c| !c.is_whitespace()).collect();
            line.eq_ignore_ascii_case("Hidden=true")
                || line.eq_ignore_ascii_case("X-GNOME-Autostart-enabled=false")
        })
    }

    fn entry(program: &Path) -> Result<String, String> {
        let command = program.to_str().filter(|path| !path.chars().any(char::is_control));
        let command = command.ok_or_else(|| {
            "The path of Palette Keys has characters that a desktop entry cannot hold. Move the \
             program to another folder."
                .to_owned()
        })?;
        Ok(format!(
            "[Desktop Entry]\nType=Application\nName=Palette Keys\n\
             Comment=API keys of Spectro Cloud Palette\nExec={} --hidden\nTryExec={}\n\
             Icon=palette-keys\nTerminal=false\nStartupNotify=false\n\
             X-GNOME-Autostart-enabled=true\n",
            quoted(command),
            // Without the program (removed, say) the entry is none.
            command.replace('\\', "\\\\")
        ))
    }

    /// An argument in a desktop entry's `Exec`: quoted first, then escaped once more as every text
    /// in such a file is.
    pub(super) fn quoted(argument: &str) -> String {
        let mut quoted = String::from("\"");
        for c in argument.chars() {
            match c {
                '"' | '`' | '$' => quoted.extend(["\\\\", c.encode_utf8(&mut [0; 4])]),
                '\\' => quoted.push_str("\\\\\\\\"),
                '%' => quoted.push_str("%%"),
                c => quoted.push(c),
            }
        }
        quoted.push('"');
        quoted
    }

    /// Whole or not at all.
    fn write(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let draft = folder.join(format!(".{FILE}.new"));
        let mut file = fs::File::create(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path).inspect_err(|_| {
            let _ = fs::remove_file(&draft);
        })
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::linux::*;

    const FILE: &str = "dev.palettekeys.app.desktop";

    #[test]
    fn the_entry_comes_follows_the_program_and_goes() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("not/yet/autostart");
        let read = || fs::read_to_string(folder.join(FILE)).ok();
        set(&folder, Path::new("/opt/a b/palette-keys"), true, true).unwrap();
        let text = read().unwrap();
        assert!(text.starts_with("[Desktop Entry]\n"), "{text}");
        assert!(text.contains("\nExec=\"/opt/a b/palette-keys\" --hidden\n"), "{text}");
        assert!(text.contains("\nTryExec=/opt/a b/palette-keys\n"), "{text}");
        set(&folder, Path::new("/usr/bin/palette-keys"), true, false).unwrap();
        assert!(read().unwrap().contains("Exec=\"/usr/bin/palette-keys\" --hidden"));
        let left = set(&folder, Path::new("/usr/bin/palette-keys"), false, false).unwrap_err();
        assert!(left.contains("starts at login all the same"), "{left}");
        assert!(read().is_some(), "a start takes nothing away");
        set(&folder, Path::new("/usr/bin/palette-keys"), false, true).unwrap();
        assert_eq!(read(), None);
        set(&folder, Path::new("/usr/bin/palette-keys"), false, true).unwrap();
        set(&folder, Path::new("/usr/bin/palette-keys"), false, false).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "no draft stays behind");
    }

    #[test]
    fn what_the_desktop_switched_off_stays_off_until_a_person_says_so_here() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(FILE);
        for off in ["Hidden=true", "Hidden = true", "X-GNOME-Autostart-enabled=false"] {
            fs::write(&path, format!("[Desktop Entry]\n{off}\n")).unwrap();
            let problem = set(home.path(), Path::new("/a"), true, false).unwrap_err();
            assert!(problem.contains("switched off"), "{problem}");
            assert!(fs::read_to_string(&path).unwrap().contains(off));
            set(home.path(), Path::new("/a"), true, true).unwrap();
            assert!(!fs::read_to_string(&path).unwrap().contains(off));
        }
    }

    #[test]
    fn what_cannot_be_written_is_said() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        let problem = set(&file.join("autostart"), Path::new("/a"), true, true).unwrap_err();
        assert!(problem.contains("could not be"), "{problem}");
        let problem = set(home.path(), Path::new("/a\nExec=evil"), true, true).unwrap_err();
        assert!(problem.contains("Move the program"), "{problem}");
        fs::write(home.path().join(FILE), [0xff, 0xfe, 0]).unwrap();
        set(home.path(), Path::new("/a"), true, false).unwrap();
        assert!(fs::read_to_string(home.path().join(FILE)).unwrap().contains("\"/a\""));
    }

    #[test]
    fn the_path_is_quoted_as_the_specification_says() {
        let table = [
            ("/usr/bin/x", r#""/usr/bin/x""#),
            ("/a b", r#""/a b""#),
            ("/a\"b", r#""/a\\"b""#),
            ("/a$b`c", r#""/a\\$b\\`c""#),
            ("/a\\b", r#""/a\\\\b""#),
            ("/100%", r#""/100%%""#),
        ];
        for (path, expected) in table {
            assert_eq!(quoted(path), expected, "{path}");
        }
    }

    #[test]
    fn an_image_is_started_by_its_own_path_and_an_updated_program_by_its_new_one() {
        let home = tempfile::tempdir().unwrap();
        let (image, own) = (home.path().join("P.AppImage"), home.path().join("palette-keys"));
        fs::write(&own, "").unwrap();
        let find =
            |image: &Path, own: &str| program_of(Some(image.into()), Some(home.path().join(own)));
        assert_eq!(find(&image, "palette-keys"), Some(own.clone()), "the image is not there");
        fs::write(&image, "").unwrap();
        assert_eq!(find(&image, "palette-keys"), Some(image.clone()));
        assert_eq!(find(Path::new("P.AppImage"), "palette-keys"), Some(own.clone()), "relative");
        assert_eq!(find(Path::new(""), "palette-keys (deleted)"), Some(own));
        assert_eq!(find(Path::new(""), "gone"), None);
    }

    #[test]
    fn the_folder_is_the_one_desktops_read() {
        let path = |text: &str| Some(text.into());
        let table = [
            (path("/c"), path("/h"), Some("/c/autostart")),
            (path("relative"), path("/h"), Some("/h/.config/autostart")),
            (None, path("/h"), Some("/h/.config/autostart")),
            (None, None, None),
        ];
        for (config, home, expected) in table {
            assert_eq!(folder_of(config, home).as_deref(), expected.map(Path::new));
        }
    }
}
