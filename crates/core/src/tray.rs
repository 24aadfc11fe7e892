//! The tray's menu as data: what it says, and what each entry means.
//!
//! [`menu`] is a pure function of a [`TrayModel`] and the time; the shell only draws what it gives.
//! An entry's id names a connection and a key, never a position, because an open menu keeps its old
//! entries while the list below it changes (trust.md 3.3): what is clicked is looked up again with
//! [`PaletteKeys::tray_key`], and is that key or none.

use crate::{
    PaletteKeys,
    connection::{live::Live, renewal::own_affair},
    keys::{KeyUid, KeyView},
    outbox::{OutboxAction, OutboxItemView, OutboxState},
    shown::visible,
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use std::{
    collections::{HashMap, HashSet},
    fmt,
    str::FromStr,
    time::Duration,
};

/// Entries of one list before "More…".
const SHOWN: usize = 10;
/// Longest name, in characters; longer ones lose their middle.
const NAME: usize = 40;
/// Longest other text that comes from outside, in characters.
const WORDS: usize = 90;
/// How long an undo is offered after a confirmed revocation.
const UNDO: SignedDuration = SignedDuration::from_mins(15);
/// So many undos stand in the menu itself; all are in Activity.
const UNDOS: usize = 5;
/// The hour at which "Until tomorrow" ends.
const MORNING: i8 = 8;

/// How long notices are paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pause {
    /// For one hour.
    Hour,
    /// Until tomorrow morning.
    Tomorrow,
}

impl Pause {
    /// When the pause ends.
    pub fn ends(self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        let hours = |hours| now.checked_add(SignedDuration::from_hours(hours)).unwrap_or(now);
        match self {
            Self::Hour => hours(1),
            Self::Tomorrow => now
                .to_zoned(zone.clone())
                .tomorrow()
                .and_then(|tomorrow| tomorrow.date().at(MORNING, 0, 0, 0).to_zoned(zone.clone()))
                .map_or_else(|_| hours(24), |morning| morning.timestamp()),
        }
    }
}

/// What a click means. Its text form is the entry's id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TrayId {
    /// Open or raise the window.
    Open,
    /// Show a key in the window.
    Show {
        /// Id of the connection.
        connection: String,
        /// uid of the key.
        uid: KeyUid,
    },
    /// Renew a key for 30 days.
    Renew {
        /// Id of the connection.
        connection: String,
        /// uid of the key.
        uid: KeyUid,
    },
    /// The window, with "Roll API key" for a key.
    Roll {
        /// Id of the connection.
        connection: String,
        /// uid of the key.
        uid: KeyUid,
    },
    /// Revoke a key now.
    Revoke {
        /// Id of the connection.
        connection: String,
        /// uid of the key.
        uid: KeyUid,
    },
    /// Re-activate a key that was just revoked.
    Undo {
        /// Id of the connection.
        connection: String,
        /// uid of the key.
        uid: KeyUid,
    },
    /// Copy a stored value.
    Copy {
        /// Id of the connection.
        connection: String,
        /// uid of the key.
        uid: KeyUid,
    },
    /// Try a record of the outbox now.
    Try {
        /// Names the record.
        record: String,
    },
    /// "More…": the window, with the focus in the search box.
    Search {
        /// Id of the connection.
        connection: String,
    },
    /// The window, with everything that is not confirmed.
    Outbox,
    /// The window, with "New API key".
    NewKey {
        /// Id of the connection.
        connection: String,
    },
    /// Switch to a connection.
    Connection {
        /// Its id.
        connection: String,
    },
    /// Pause the notices.
    Pause(Pause),
    /// End the pause.
    Resume,
    /// End the app.
    Quit,
}

impl fmt::Display for TrayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::Show { connection, uid } => write!(f, "show:{connection}:{uid}"),
            Self::Renew { connection, uid } => write!(f, "renew:{connection}:{uid}"),
            Self::Roll { connection, uid } => write!(f, "roll:{connection}:{uid}"),
            Self::Revoke { connection, uid } => write!(f, "revoke:{connection}:{uid}"),
            Self::Undo { connection, uid } => write!(f, "undo:{connection}:{uid}"),
            Self::Copy { connection, uid } => write!(f, "copy:{connection}:{uid}"),
            Self::Try { record } => write!(f, "try:{record}"),
            Self::Search { connection } => write!(f, "search:{connection}"),
            Self::Outbox => f.write_str("outbox"),
            Self::NewKey { connection } => write!(f, "new:{connection}"),
            Self::Connection { connection } => write!(f, "connection:{connection}"),
            Self::Pause(Pause::Hour) => f.write_str("pause:hour"),
            Self::Pause(Pause::Tomorrow) => f.write_str("pause:tomorrow"),
            Self::Resume => f.write_str("resume"),
            Self::Quit => f.write_str("quit"),
        }
    }
}

/// The text is not the id of an entry that can be clicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a tray entry")]
pub struct NotATrayId;

impl FromStr for TrayId {
    type Err = NotATrayId;

    /// Only what [`TrayId`]'s own text looks like; anything else is nothing that can be clicked.
    fn from_str(text: &str) -> Result<Self, NotATrayId> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let alone = |id: Self| rest.is_empty().then_some(id);
        let connection = || is_connection(rest).then(|| rest.to_owned());
        let key = || {
            let (connection, uid) = rest.split_once(':')?;
            is_connection(connection).then_some((connection.to_owned(), KeyUid::new(uid)?))
        };
        let id = match kind {
            "open" => alone(Self::Open),
            "outbox" => alone(Self::Outbox),
            "resume" => alone(Self::Resume),
            "quit" => alone(Self::Quit),
            "pause" => match rest {
                "hour" => Some(Self::Pause(Pause::Hour)),
                "tomorrow" => Some(Self::Pause(Pause::Tomorrow)),
                _ => None,
            },
            "show" => key().map(|(connection, uid)| Self::Show { connection, uid }),
            "renew" => key().map(|(connection, uid)| Self::Renew { connection, uid }),
            "roll" => key().map(|(connection, uid)| Self::Roll { connection, uid }),
            "revoke" => key().map(|(connection, uid)| Self::Revoke { connection, uid }),
            "undo" => key().map(|(connection, uid)| Self::Undo { connection, uid }),
            "copy" => key().map(|(connection, uid)| Self::Copy { connection, uid }),
            "search" => connection().map(|connection| Self::Search { connection }),
            "new" => connection().map(|connection| Self::NewKey { connection }),
            "connection" => connection().map(|connection| Self::Connection { connection }),
            "try" => is_record(rest).then(|| Self::Try { record: rest.to_owned() }),
            _ => None,
        };
        // A bare word is its own id: "open:" is not "open".
        id.filter(|id| id.to_string() == text).ok_or(NotATrayId)
    }
}

/// Connections are named by us: UUIDs, and "demo".
fn is_connection(text: &str) -> bool {
    KeyUid::new(text).is_some()
}

fn is_record(text: &str) -> bool {
    (1..=256).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// A connection, as the tray names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrayConnection {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How many own keys end within the lead time: said of those that are not open, too.
    pub ending: usize,
}

/// A key that the tray may offer: one of the caller's, or one whose value is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrayKey {
    /// Its uid.
    pub uid: KeyUid,
    /// As on the server, whatever characters it has.
    pub name: String,
    /// The caller owns it.
    pub mine: bool,
    /// Not revoked, as far as the last list knows.
    pub active: bool,
    /// When it ends, ms since 1970 UTC by the server's clock; none: never.
    pub expires: Option<i64>,
    /// Its value is in the keychain.
    pub stored: bool,
    /// How often its value was copied.
    pub copies: u32,
    /// A person confirmed its revocation or deletion, the server has not.
    pub revoking: bool,
    /// The name of the key that takes its place: it is being rolled.
    pub replaced_by: Option<String>,
    /// It signs this app in, which renews it in time: its end is nobody else's business.
    pub own_affair: bool,
}

/// A confirmed revocation that can be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrayUndo {
    /// Id of the connection.
    pub connection: String,
    /// Its name.
    pub connection_name: String,
    /// uid of the key.
    pub uid: KeyUid,
    /// Its name.
    pub name: String,
    /// When it was confirmed, ms since 1970 UTC.
    pub at: i64,
}

/// Everything the menu depends on, beside the time. Made without network and without the keychain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrayModel {
    /// In the order of the switcher.
    pub connections: Vec<TrayConnection>,
    /// Id of the open one.
    pub active: Option<String>,
    /// Keys of the open connection.
    pub keys: Vec<TrayKey>,
    /// The server's clock minus this computer's, ms.
    pub offset_ms: i64,
    /// A key is about to expire when it ends within so many days.
    pub lead_days: u32,
    /// What the server has not confirmed, of all connections, oldest first.
    pub outbox: Vec<OutboxItemView>,
    /// Records that cannot be read.
    pub damaged: usize,
    /// Another process of this app sends the records.
    pub sent_elsewhere: bool,
    /// Confirmed revocations of late, newest first.
    pub undos: Vec<TrayUndo>,
    /// Notices are paused until then, ms since 1970 UTC.
    pub paused_until: Option<i64>,
    /// The zone in which times are shown; none: UTC.
    pub zone: Option<TimeZone>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrayItem {
    /// Can be clicked.
    Act {
        /// What a click means.
        id: TrayId,
        /// Plain text: no character in it is a mnemonic.
        label: String,
    },
    /// Only says something.
    Line {
        /// Names it among its neighbours.
        key: String,
        /// Plain text.
        label: String,
    },
    /// Opens a list.
    List {
        /// Names it among its neighbours.
        key: String,
        /// Plain text.
        label: String,
        /// What it opens.
        items: Vec<TrayItem>,
    },
    /// A line between groups.
    Separator {
        /// Names it among its neighbours.
        key: &'static str,
    },
}

impl TrayItem {
    /// Names the entry among its neighbours, whatever its label and place. Only the key of an
    /// [`TrayItem::Act`] reads as a [`TrayId`].
    pub fn key(&self) -> String {
        match self {
            Self::Act { id, .. } => id.to_string(),
            Self::Line { key, .. } | Self::List { key, .. } => format!("-{key}"),
            Self::Separator { key } => format!("-{key}"),
        }
    }

    /// What it says; empty for a separator.
    pub fn label(&self) -> &str {
        match self {
            Self::Act { label, .. } | Self::Line { label, .. } | Self::List { label, .. } => label,
            Self::Separator { .. } => "",
        }
    }

    fn act(id: TrayId, label: impl Into<String>) -> Self {
        Self::Act { id, label: label.into() }
    }

    fn line(key: impl Into<String>, label: impl Into<String>) -> Self {
        Self::Line { key: key.into(), label: label.into() }
    }

    fn list(key: impl Into<String>, label: impl Into<String>, items: Vec<Self>) -> Self {
        Self::List { key: key.into(), label: label.into(), items }
    }
}

/// What the icon says, by its shape.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum TrayIcon {
    /// Nothing to do.
    #[default]
    Fine,
    /// A key is about to expire.
    Attention,
    /// The server has not confirmed a revocation or deletion.
    Unconfirmed,
}

/// The whole menu.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrayMenu {
    /// The entries, from the top.
    pub items: Vec<TrayItem>,
    /// What the icon says.
    pub icon: TrayIcon,
    /// When the menu reads otherwise although nothing happened: ages, ends, an undo that lapses.
    pub stale_in: Duration,
}

/// The menu of `product.md` §4.
pub fn menu(model: &TrayModel, now: Timestamp) -> TrayMenu {
    let sheet = Sheet::of(model, now);
    let mut items = vec![TrayItem::act(TrayId::Open, "Open Palette Keys")];
    items.extend(sheet.expiring());
    items.extend(sheet.unconfirmed());
    items.push(TrayItem::Separator { key: "after-header" });
    items.push(sheet.quick_revoke());
    items.extend(sheet.undos());
    items.push(sheet.copy());
    items.push(TrayItem::Separator { key: "after-keys" });
    items.push(sheet.new_key());
    items.push(sheet.connection());
    items.push(sheet.pause());
    items.push(TrayItem::act(TrayId::Quit, "Quit"));
    TrayMenu { items, icon: sheet.icon(), stale_in: sheet.stale_in() }
}

/// A model at one moment.
struct Sheet<'a> {
    model: &'a TrayModel,
    now: Timestamp,
    server_ms: i64,
    zone: TimeZone,
    /// The open connection.
    open: Option<&'a TrayConnection>,
    /// Own keys that work, soonest to expire first.
    own: Vec<&'a TrayKey>,
}

impl<'a> Sheet<'a> {
    fn of(model: &'a TrayModel, now: Timestamp) -> Self {
        let server_ms = now.as_millisecond().saturating_add(model.offset_ms);
        let mut own: Vec<&TrayKey> =
            model.keys.iter().filter(|key| key.mine && works(key, server_ms)).collect();
        own.sort_by_key(|key| (key.expires.unwrap_or(i64::MAX), &key.name, &key.uid));
        let open = model.active.as_deref();
        Self {
            model,
            now,
            server_ms,
            zone: model.zone.clone().unwrap_or(TimeZone::UTC),
            open: model.connections.iter().find(|one| Some(&*one.id) == open),
            own,
        }
    }

    fn ends_soon(&self) -> Vec<&'a TrayKey> {
        let lead = i64::from(self.model.lead_days) * 86_400_000;
        let soon = self.own.iter().filter(|key| {
            key.expires.is_some_and(|ends| ends.saturating_sub(self.server_ms) <= lead)
        });
        // What is being revoked needs no renewal, and what renews itself nobody's.
        soon.filter(|key| !key.revoking && !key.own_affair).copied().collect()
    }

    fn icon(&self) -> TrayIcon {
        if !self.model.outbox.is_empty() || self.model.damaged > 0 {
            TrayIcon::Unconfirmed
        } else if self.ends_soon().iter().any(|key| key.replaced_by.is_none())
            || self.others().any(|other| other.ending > 0)
        {
            TrayIcon::Attention
        } else {
            TrayIcon::Fine
        }
    }

    /// Ages are told to the minute while something waits; else only ends move, slowly.
    fn stale_in(&self) -> Duration {
        let now = self.now.as_millisecond();
        let until = |at: i64| u64::try_from(at.saturating_sub(now)).ok().filter(|ms| *ms > 0);
        let longest: u64 = if self.model.outbox.is_empty() { 600_000 } else { 60_000 };
        let undos = self.model.undos.iter().map(|undo| undo.at.saturating_add(ms(UNDO)));
        let ends = self.own.iter().filter_map(|key| key.expires);
        let ends = ends.map(|at| at.saturating_sub(self.model.offset_ms));
        let next = undos.chain(self.model.paused_until).chain(ends).filter_map(until).min();
        // A moment later, so that it has passed then.
        Duration::from_millis(next.map_or(longest, |next| next.saturating_add(50).min(longest)))
    }

    fn expiring(&self) -> Option<TrayItem> {
        let (keys, connection) = (self.ends_soon(), &self.open?.id);
        let days = count(u64::from(self.model.lead_days), "day", "days");
        let label = match keys.len() {
            0 => return None,
            1 => format!("1 key expires within {days}"),
            many => format!("{many} keys expire within {days}"),
        };
        let mut items: Vec<TrayItem> = keys
            .iter()
            .take(SHOWN)
            .map(|key| {
                let (connection, uid) = (connection.clone(), key.uid.clone());
                let mut acts = match &key.replaced_by {
                    // It is meant to end.
                    Some(name) => {
                        let words = format!("Rolling: replaced by {}", shown_name(name));
                        vec![TrayItem::line("rolling", words)]
                    }
                    None => vec![
                        TrayItem::act(
                            TrayId::Roll { connection: connection.clone(), uid: uid.clone() },
                            "Roll\u{2026}",
                        ),
                        TrayItem::act(
                            TrayId::Renew { connection: connection.clone(), uid: uid.clone() },
                            "Renew 30 days",
                        ),
                    ],
                };
                let key_id = format!("expiring:{uid}");
                acts.push(TrayItem::act(TrayId::Show { connection, uid }, "Open"));
                TrayItem::list(key_id, self.headline(key, &keys), acts)
            })
            .collect();
        if keys.len() > SHOWN {
            items.push(more(connection));
        }
        Some(TrayItem::list("expiring", label, items))
    }

    fn unconfirmed(&self) -> Option<TrayItem> {
        let waiting = &self.model.outbox;
        let of = |action| waiting.iter().filter(|item| item.action == action).count() as u64;
        let mut parts = Vec::new();
        for (count_of, one, many) in [
            (of(OutboxAction::Revoke), "revocation", "revocations"),
            (of(OutboxAction::Delete), "deletion", "deletions"),
        ] {
            if count_of > 0 {
                parts.push(count(count_of, one, many));
            }
        }
        let damaged = (self.model.damaged > 0)
            .then(|| count(self.model.damaged as u64, "damaged record", "damaged records"));
        let label = match (parts.is_empty(), &damaged) {
            (true, None) => return None,
            (true, Some(damaged)) => damaged.clone(),
            (false, _) => format!("{} not confirmed yet", parts.join(" and ")),
        };
        let mut items: Vec<TrayItem> =
            waiting.iter().take(SHOWN).map(|item| self.waiting(item)).collect();
        if let Some(damaged) = damaged {
            items.push(TrayItem::act(TrayId::Outbox, format!("{damaged}\u{2026}")));
        } else if waiting.len() > SHOWN {
            items.push(TrayItem::act(TrayId::Outbox, "More\u{2026}"));
        }
        Some(TrayItem::list("unconfirmed", label, items))
    }

    fn waiting(&self, item: &OutboxItemView) -> TrayItem {
        let record = &item.record;
        let mut label = name_and_uid(&item.key_name, &item.key_uid);
        if item.action == OutboxAction::Delete {
            label = format!("{label} (deletion)");
        }
        let tries = match item.attempts {
            0 => "not sent yet".to_owned(),
            tries => format!("sent {}", count(u64::from(tries), "time", "times")),
        };
        let answer = match (&item.problem, item.state) {
            (_, OutboxState::Accepted) => "accepted, not confirmed by a fresh read".to_owned(),
            (Some(problem), _) => visible(&problem.message, WORDS),
            (None, _) => "none yet".to_owned(),
        };
        let mut items = vec![
            TrayItem::line("age", format!("Asked {}, {tries}", self.ago(item.asked_at))),
            TrayItem::line("answer", format!("Last answer: {answer}")),
        ];
        if !item.recorded {
            items.push(TrayItem::line("disk", "Not recorded: keep Palette Keys open"));
        }
        if self.model.sent_elsewhere {
            items.push(TrayItem::line("elsewhere", "Sent by another Palette Keys"));
        }
        items.push(TrayItem::act(TrayId::Try { record: record.clone() }, "Try now"));
        TrayItem::list(format!("waiting:{record}"), label, items)
    }

    fn quick_revoke(&self) -> TrayItem {
        let mut items = Vec::new();
        if let Some(open) = self.open {
            for key in self.own.iter().take(SHOWN) {
                items.push(self.revoke(open, key));
            }
            if self.own.len() > SHOWN {
                items.push(more(&open.id));
            }
        }
        if items.is_empty() {
            items.push(TrayItem::line("nothing", "No active keys of yours"));
        }
        // Where there are several, production is never mistaken for staging.
        let label = match self.open {
            Some(open) if self.model.connections.len() > 1 => {
                format!("Quick revoke in {}", shown_name(&open.name))
            }
            _ => "Quick revoke".into(),
        };
        TrayItem::list("revoke", label, items)
    }

    fn revoke(&self, open: &TrayConnection, key: &TrayKey) -> TrayItem {
        let id = format!("revoke:{}", key.uid);
        if key.revoking {
            let record = self
                .model
                .outbox
                .iter()
                .find(|item| item.connection == open.id && item.key_uid == key.uid.as_str());
            let label = format!("{} (Revoking\u{2026} not confirmed)", shown_name(&key.name));
            let act = match record {
                Some(item) => TrayItem::act(TrayId::Try { record: item.record.clone() }, "Try now"),
                None => TrayItem::line("wait", "Revoking\u{2026} not confirmed"),
            };
            return TrayItem::list(id, label, vec![act]);
        }
        let now = TrayItem::act(
            TrayId::Revoke { connection: open.id.clone(), uid: key.uid.clone() },
            format!("Revoke {} now", name_and_uid(&key.name, key.uid.as_str())),
        );
        TrayItem::list(id, self.headline(key, &self.own), vec![now])
    }

    fn undos(&self) -> Vec<TrayItem> {
        let now = self.now.as_millisecond();
        // A clock that was set back must not offer an undo for ever.
        let fresh = self.model.undos.iter().filter(|undo| {
            (undo.at.saturating_sub(ms(UNDO))..undo.at.saturating_add(ms(UNDO))).contains(&now)
        });
        let fresh: Vec<&TrayUndo> = fresh.take(UNDOS).collect();
        fresh
            .iter()
            .map(|undo| {
                let mut said = vec![self.time_of_day(undo.at)];
                if self.open.is_none_or(|open| open.id != undo.connection) {
                    said.push(shown_name(&undo.connection_name));
                }
                let twin = |other: &&&TrayUndo| other.name == undo.name && other.uid != undo.uid;
                let name = match fresh.iter().find(twin) {
                    Some(_) => name_and_uid(&undo.name, undo.uid.as_str()),
                    None => shown_name(&undo.name),
                };
                TrayItem::act(
                    TrayId::Undo { connection: undo.connection.clone(), uid: undo.uid.clone() },
                    format!("Undo revoke {name} ({})", said.join(", ")),
                )
            })
            .collect()
    }

    fn copy(&self) -> TrayItem {
        let mut items = Vec::new();
        if let Some(open) = self.open {
            let stored = self.model.keys.iter().filter(|key| key.stored && !key.revoking);
            let mut stored: Vec<&TrayKey> =
                stored.filter(|key| works(key, self.server_ms)).collect();
            stored.sort_by_key(|key| (u32::MAX - key.copies, &key.name, &key.uid));
            for key in stored.iter().take(SHOWN) {
                items.push(TrayItem::act(
                    TrayId::Copy { connection: open.id.clone(), uid: key.uid.clone() },
                    name_and_uid(&key.name, key.uid.as_str()),
                ));
            }
            if stored.len() > SHOWN {
                items.push(more(&open.id));
            }
        }
        if items.is_empty() {
            items.push(TrayItem::line("nothing", "No stored keys"));
        }
        TrayItem::list("copy", "Copy key", items)
    }

    fn new_key(&self) -> TrayItem {
        match self.open {
            Some(open) => {
                TrayItem::act(TrayId::NewKey { connection: open.id.clone() }, "New key\u{2026}")
            }
            // Without a connection the window asks for one first.
            None => TrayItem::act(TrayId::Open, "Connect to Palette\u{2026}"),
        }
    }

    /// The connections that are not open.
    fn others(&self) -> impl Iterator<Item = &'a TrayConnection> {
        let open = self.open.map(|open| &*open.id);
        self.model.connections.iter().filter(move |other| Some(&*other.id) != open)
    }

    fn connection(&self) -> TrayItem {
        let Some(open) = self.open else {
            return TrayItem::line("connection", "Connection: none");
        };
        let label = |other: &TrayConnection| match other.ending {
            0 => shown_name(&other.name),
            1 => format!("{} (1 key expires soon)", shown_name(&other.name)),
            many => format!("{} ({many} keys expire soon)", shown_name(&other.name)),
        };
        let mut items: Vec<TrayItem> = self
            .others()
            .map(|other| {
                let id = TrayId::Connection { connection: other.id.clone() };
                TrayItem::act(id, label(other))
            })
            .collect();
        if items.is_empty() {
            items.push(TrayItem::line("nothing", "No other connection"));
        }
        TrayItem::list("connections", format!("Connection: {}", shown_name(&open.name)), items)
    }

    fn pause(&self) -> TrayItem {
        let mut items = vec![
            TrayItem::act(TrayId::Pause(Pause::Hour), "1 hour"),
            TrayItem::act(TrayId::Pause(Pause::Tomorrow), "Until tomorrow"),
        ];
        let until = self.model.paused_until.filter(|until| *until > self.now.as_millisecond());
        if let Some(until) = until {
            let until = self.time_of_day(until);
            items.push(TrayItem::act(
                TrayId::Resume,
                format!("Resume notices (paused until {until})"),
            ));
        }
        TrayItem::list("pause", "Pause notices", items)
    }

    /// "ci-prod (ends in 5 d)", and of two with one name, which.
    fn headline(&self, key: &TrayKey, among: &[&TrayKey]) -> String {
        let twin = among.iter().any(|other| other.name == key.name && other.uid != key.uid);
        let name = match twin {
            true => name_and_uid(&key.name, key.uid.as_str()),
            false => shown_name(&key.name),
        };
        format!("{name} ({})", self.ends_in(key.expires))
    }

    /// Days and hours are rounded up, as in the notices.
    fn ends_in(&self, expires: Option<i64>) -> String {
        let Some(expires) = expires else { return "never expires".to_owned() };
        let minutes = ceil(expires.saturating_sub(self.server_ms), 60_000);
        let (number, unit) = match minutes {
            ..60 => (minutes.max(1), "min"),
            60..2_880 => (ceil(minutes, 60), "h"),
            _ => (ceil(minutes, 1_440), "d"),
        };
        format!("ends in {number} {unit}")
    }

    fn ago(&self, at: i64) -> String {
        let minutes = self.now.as_millisecond().saturating_sub(at) / 60_000;
        match minutes {
            ..1 => "just now".to_owned(),
            1..60 => format!("{minutes} min ago"),
            60..2_880 => format!("{} h ago", minutes / 60),
            _ => format!("{} d ago", minutes / 1_440),
        }
    }

    /// "14:02", with the day when it is another one.
    fn time_of_day(&self, at: i64) -> String {
        let Ok(at) = Timestamp::from_millisecond(at) else { return "?".to_owned() };
        let (at, now) = (at.to_zoned(self.zone.clone()), self.now.to_zoned(self.zone.clone()));
        let format = if at.date() == now.date() { "%H:%M" } else { "%a %H:%M" };
        at.strftime(format).to_string()
    }
}

fn more(connection: &str) -> TrayItem {
    TrayItem::act(TrayId::Search { connection: connection.to_owned() }, "More\u{2026}")
}

fn works(key: &TrayKey, server_ms: i64) -> bool {
    key.active && key.expires.is_none_or(|ends| ends > server_ms)
}

fn ms(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn ceil(number: i64, by: i64) -> i64 {
    number.div_euclid(by) + i64::from(number.rem_euclid(by) > 0)
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A name as a menu or a notice shows it: in plain text, what cannot be seen made visible, and its
/// middle left out when it is longer than 40 characters.
pub fn shown_name(name: &str) -> String {
    match visible(name, NAME) {
        name if name.is_empty() => "(no name)".to_owned(),
        name => name,
    }
}

/// The name with the last six characters of the uid, which no other key shares in practice.
fn name_and_uid(name: &str, uid: &str) -> String {
    let skip = uid.chars().count().saturating_sub(6);
    let tail: String = visible(uid, 256).chars().skip(skip).collect();
    format!("{} \u{2026}{tail}", shown_name(name))
}

/// How many own keys of a connection end within the lead time.
fn ending(ports: &crate::ports::Ports, live: &Live, outbox: &[OutboxItemView]) -> usize {
    let Some(list) = live.known(ports) else { return 0 };
    let id = live.id();
    let waits = |key: &crate::keys::ApiKey| {
        outbox.iter().any(|item| item.connection == id && item.key_uid == key.uid.as_str())
    };
    live.look(ports, |lens| {
        let me = lens.identity.map(|me| &*me.user_uid).filter(|me| !me.is_empty());
        let lead = jiff::SignedDuration::from_hours(24 * i64::from(lens.lead_days));
        let soon = lens.now.checked_add(lead).unwrap_or(lens.now);
        let own_affair =
            own_affair(&live.record(), &list.keys, lens.rolls, lens.now, &ports.settings());
        list.keys
            .iter()
            .filter(|key| me == Some(&*key.owner_uid) && key.active && !waits(key))
            .filter(|key| !own_affair.contains(&key.uid))
            // What is being rolled is meant to end.
            .filter(|key| lens.rolls.iter().all(|roll| roll.old.uid != key.uid))
            .filter(|key| key.expires.is_some_and(|ends| ends > lens.now && ends <= soon))
            .count()
    })
}

impl PaletteKeys {
    /// Everything the tray's menu depends on. Nothing is sent, and the keychain is not asked.
    pub fn tray_model(&self) -> TrayModel {
        let (ports, connections) = (self.ports(), self.connections());
        let outbox = self.outbox();
        let active = connections.active();
        let open = active.as_deref().and_then(|id| connections.find(id));
        let mut model = TrayModel {
            connections: connections
                .all()
                .iter()
                .map(|live| TrayConnection {
                    id: live.id(),
                    name: live.name(),
                    ending: ending(ports, live, &outbox.items),
                })
                .collect(),
            active,
            lead_days: ports.settings().lead_days,
            damaged: outbox.damaged.len(),
            sent_elsewhere: outbox.sent_elsewhere,
            zone: Some(ports.clock.time_zone()),
            undos: self.undos(),
            ..TrayModel::default()
        };
        if let Some(live) = open {
            let id = live.id();
            let revoking: HashSet<&str> = outbox
                .items
                .iter()
                .filter(|item| item.connection == id)
                .map(|item| &*item.key_uid)
                .collect();
            // Not knowing what is used most costs an order, never the menu.
            let copies: HashMap<String, u32> = ports.store.copies(&id).unwrap_or_default();
            if let Some(list) = live.known(ports) {
                model.keys = live.look(ports, |lens| {
                    let (record, settings) = (live.record(), ports.settings());
                    let own_affair =
                        own_affair(&record, &list.keys, lens.rolls, lens.now, &settings);
                    let me = lens.identity.map(|me| &*me.user_uid).filter(|me| !me.is_empty());
                    let ours = list.keys.iter().filter_map(|key| {
                        let uid = key.uid.as_str();
                        let mine = me == Some(&*key.owner_uid);
                        let stored = lens.stored.contains(uid);
                        (mine || stored).then(|| TrayKey {
                            uid: key.uid.clone(),
                            name: key.name.clone(),
                            mine,
                            active: key.active,
                            expires: key.expires.map(Timestamp::as_millisecond),
                            stored,
                            copies: copies.get(uid).copied().unwrap_or_default(),
                            revoking: revoking.contains(uid),
                            replaced_by: lens
                                .rolls
                                .iter()
                                .find(|roll| roll.old.uid == key.uid)
                                .map(|roll| roll.new_name.clone()),
                            own_affair: own_affair.contains(&key.uid),
                        })
                    });
                    ours.collect()
                });
            }
            model.offset_ms = live.offset_ms();
        }
        model.outbox = outbox.items;
        model
    }

    /// Confirmed revocations of the last minutes that a re-activation would undo, newest first.
    fn undos(&self) -> Vec<TrayUndo> {
        let (ports, connections) = (self.ports(), self.connections());
        let since = ports.now().checked_sub(UNDO).unwrap_or(Timestamp::UNIX_EPOCH);
        let lines = ports.store.revoked_since(since).unwrap_or_default();
        let undo = lines.into_iter().filter_map(|line| {
            let live = connections.find(&line.connection)?;
            let uid = KeyUid::new(&line.key_uid)?;
            let known = live.known(ports)?;
            // The list may know better by now: somebody else re-activated or deleted it.
            known.keys.iter().find(|key| key.uid == uid && !key.active)?;
            Some(TrayUndo {
                connection: line.connection,
                connection_name: live.name(),
                uid,
                name: line.key_name,
                at: line.ended_at,
            })
        });
        undo.collect()
    }

    /// The key that a tray entry names, as it is known now; none when it is gone, or its connection
    /// is. An entry never comes to mean another key.
    pub fn tray_key(&self, connection: &str, uid: &KeyUid) -> Option<KeyView> {
        let (ports, connections) = (self.ports(), self.connections());
        let live = connections.find(connection)?;
        let key = live.known_key(ports, uid)?;
        Some(live.view_key(ports, &key))
    }

    /// When a pause that begins now ends, ms since 1970 UTC.
    pub fn pause_ends(&self, pause: Pause) -> i64 {
        let ports = self.ports();
        pause.ends(ports.now(), &ports.clock.time_zone()).as_millisecond()
    }

    /// The menu as it reads now. `paused_until` is known to the shell.
    pub fn tray_menu(&self, paused_until: Option<i64>) -> TrayMenu {
        let model = TrayModel { paused_until, ..self.tray_model() };
        menu(&model, self.ports().now())
    }
}

#[cfg(test)]
mod tests;
