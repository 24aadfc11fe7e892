//! The steps of a roll, each written down before it is begun.

use super::{Grace, RollError, RollPurpose, back, end_text};
use crate::{
    ErrorCode, Failure,
    api::{Credential, KeyList, PaletteClient},
    connection::{
        SignInMethod,
        live::Live,
        signing::{self, Doing},
    },
    held::{self, ProofState, SavedState},
    keychain::{EntryName, KeychainError},
    keys::{
        ApiKey, KeyChange, KeyUid,
        activity::{Act, ActState},
        create,
        edit::{self, EditError, read_for_change},
        revoke::{self, RevokeView},
    },
    notices,
    once::lock,
    palette_keys::Change,
    ports::{Deed, Ports, internal},
    store::{ConnectionRecord, JournalId, JournalOutcome, RollRecord, RollStep, ToldRow},
};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// What comes after a step.
pub(super) enum Next {
    /// Another step.
    Step(RollStep),
    /// Nothing for now: time, or a person.
    Wait,
    /// The roll is over.
    Over(ActState, String),
}

/// A roll at work.
pub(super) struct Drive<'a> {
    pub(super) ports: &'a Arc<Ports>,
    pub(super) live: &'a Arc<Live>,
    pub(super) roll: RollRecord,
    /// A person asked for it just now.
    by_person: bool,
}

/// Goes on with a roll until it waits for something, which is then in its `problem`. None: it is
/// over. Whoever calls this holds [`Live::rolling`].
pub(super) async fn advance(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    roll: RollRecord,
    by_person: bool,
) -> Option<RollRecord> {
    let mut drive = Drive { ports, live, roll, by_person };
    let mut next = drive.save().map(|()| Next::Step(drive.roll.step));
    loop {
        next = match next {
            Ok(Next::Step(step)) => {
                drive.roll.step = step;
                drive.roll.problem = None;
                match drive.save() {
                    Ok(()) => drive.step().await,
                    Err(failure) => Err(failure),
                }
            }
            Ok(Next::Wait) => {
                drive.roll.problem = None;
                break;
            }
            Ok(Next::Over(state, words)) => {
                over(ports, live, &drive.roll, state, &words).await;
                return None;
            }
            Err(failure) => match drive.rescued(&failure).await {
                Some(step) => Ok(Next::Step(step)),
                None => {
                    drive.roll.problem = Some(with_names(failure, &drive.roll));
                    break;
                }
            },
        };
    }
    drive.note_refusal();
    // Only the words of the problem are lost when this fails; the step is on disk.
    let _ = drive.save();
    Some(drive.roll)
}

/// Writes the outcome of a roll to the line that waits for it.
pub(super) fn outcome(ports: &Ports, roll: &RollRecord, state: ActState, words: &str) {
    let Some(line) = roll.line else { return };
    let outcome = JournalOutcome::new(state, words, ports.now());
    if ports.store.outcome(JournalId::from_view(line), &outcome).is_err() {
        tracing::warn!("how a roll ended could not be written down");
    }
    ports.tell(Change::Activity { connection: roll.connection.clone() });
}

/// The roll is over: its outcome is written, its row goes.
pub(super) async fn over(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    roll: &RollRecord,
    state: ActState,
    words: &str,
) {
    outcome(ports, roll, state, words);
    if roll.swapped && state == ActState::Done && roll.credential_before.is_none() {
        // The old credential's own entry is of no use any more, unless a person signed in anew.
        let record = live.record();
        let own = EntryName::credential(&*record.id);
        if record.credential_entry() != own {
            let _ = ports.keychain.remove(own).await;
        }
    }
    if ports.store.remove_roll(&roll.roll).is_err() {
        tracing::warn!("a roll that is over could not be forgotten; it is looked at again");
    }
    live.tell_changed(ports);
}

/// A problem of a roll names both of its keys.
fn with_names(failure: Failure, roll: &RollRecord) -> Failure {
    if failure.message.contains(&roll.old.name) && failure.message.contains(&roll.new_name) {
        return failure;
    }
    let message = format!(
        "The roll of \u{201c}{}\u{201d} to \u{201c}{}\u{201d} is held up. {}",
        roll.old.name, roll.new_name, failure.message
    );
    Failure { message, ..failure }
}

/// Times count in ms, as Palette writes them.
pub(super) fn same(one: Option<Timestamp>, other: Option<Timestamp>) -> bool {
    one.map(Timestamp::as_millisecond) == other.map(Timestamp::as_millisecond)
}

impl RollRecord {
    /// Whether this is an end that this roll gave the old key, and not somebody else.
    pub(super) fn is_ours(&self, end: Option<Timestamp>) -> bool {
        same(end, self.target) || (self.other_target.is_some() && same(end, self.other_target))
    }

    /// The connection signs in with the new key of this roll, which gave it that.
    pub(super) fn signs_in(&self, connection: &ConnectionRecord) -> bool {
        self.swapped && self.new_uid.is_some() && connection.credential_key == self.new_uid
    }

    /// The server has this end: of the two that may be ours it is the one that counts. The other
    /// one may still arrive.
    pub(super) fn has_end(&mut self, end: Option<Timestamp>) {
        if !same(end, self.target) && self.is_ours(end) {
            std::mem::swap(&mut self.target, &mut self.other_target);
        }
    }
}

fn both(roll: &RollRecord) -> String {
    let uid = roll.new_uid.as_ref().map(|uid| format!(" ({uid})")).unwrap_or_default();
    format!(
        "\u{201c}{}\u{201d}{uid}, made to replace \u{201c}{}\u{201d} ({})",
        roll.new_name, roll.old.name, roll.old.uid
    )
}

impl Drive<'_> {
    /// Writes the row and tells whoever looks.
    pub(super) fn save(&self) -> Result<(), Failure> {
        let written = self.ports.store.update_roll(&self.roll).map_err(|error| error.failure());
        self.live.tell_changed(self.ports);
        written
    }

    /// Remembers that the server said no, so that it is not asked again at once.
    fn note_refusal(&self) {
        let code = self.roll.problem.as_ref().map(|problem| problem.code);
        let refused = matches!(code, Some(ErrorCode::Forbidden | ErrorCode::Refused));
        let mut known = lock(&self.live.refused_rolls);
        if refused {
            known.insert(self.roll.roll.clone(), self.ports.now());
        } else {
            known.remove(&self.roll.roll);
        }
    }

    async fn step(&mut self) -> Result<Next, Failure> {
        match self.roll.step {
            RollStep::Asked | RollStep::Lost | RollStep::Made => self.recover().await,
            RollStep::HandOver => self.hand_over().await,
            RollStep::Orphaned => self.orphan().await,
            RollStep::Kept => self.prove().await,
            RollStep::Proved => self.swap().await,
            RollStep::Ending => self.end_old().await,
            RollStep::Rolling => self.watch().await,
            RollStep::Revoking => self.revoke_old().await,
            RollStep::Cancelling => back::restore(self).await,
            RollStep::CancelRevoking => back::revoke_new(self).await,
        }
    }

    /// The connection signs in with the new key, and the server does not take it any more: the old
    /// credential is tried, and if it works the roll is cancelled.
    async fn rescued(&mut self, failure: &Failure) -> Option<RollStep> {
        let refused = matches!(
            failure.code,
            ErrorCode::Unauthorized | ErrorCode::CredentialRejected | ErrorCode::NotSignedIn
        );
        let may = refused
            && self.roll.signs_in(&self.live.record())
            && matches!(self.roll.step, RollStep::Ending | RollStep::Rolling);
        (may && back::swap_back(self).await.is_ok()).then_some(RollStep::Cancelling)
    }

    /// The new key's entry in the keychain.
    fn new_entry(&self) -> Result<EntryName, Failure> {
        let uid = self.new_uid()?;
        Ok(EntryName::key_value(&*self.roll.connection, uid))
    }

    pub(super) fn new_uid(&self) -> Result<KeyUid, Failure> {
        self.roll.new_uid.clone().ok_or_else(|| internal("The new key of this roll is not known."))
    }

    /// What a cut-off creation came to. Never a second POST: a fresh list tells.
    async fn recover(&mut self) -> Result<Next, Failure> {
        let (ports, live) = (self.ports, self.live);
        if let Ok(held) = ports.held.view(&self.roll.roll) {
            self.roll.new_uid =
                self.roll.new_uid.take().or_else(|| held.uid.as_deref().and_then(KeyUid::new));
            return Ok(Next::Step(RollStep::HandOver));
        }
        let (client, me) = live.identified(ports).await?;
        let intent = create::open_intent(ports, &self.roll.roll)?;
        let since = live.step();
        let listed = client.read_keys().await;
        live.heard(ports, &client, &listed);
        let listed = listed.map_err(|error| error.failure())?;
        live.replace_keys(ports, since, &client, &me, listed.clone());
        let KeyList { keys, skipped } = listed;
        let found: Vec<&ApiKey> = match (&self.roll.new_uid, &intent) {
            (Some(uid), _) => keys.iter().filter(|key| key.uid == *uid).collect(),
            (None, Some(intent)) => create::candidates(intent, &keys),
            (None, None) => create::marked(&self.roll.roll, &keys),
        };
        for key in &found {
            let entry = EntryName::key_value(&*self.roll.connection, key.uid.clone());
            match ports.keychain.read(entry).await {
                Ok(_) => {
                    // Filed, and the app ended before that was written down.
                    self.roll.new_uid = Some(key.uid.clone());
                    let stored = ports.store.mark_stored(
                        &self.roll.connection,
                        key.uid.as_str(),
                        &key.name,
                        ports.now(),
                    );
                    stored.map_err(|error| error.failure())?;
                    let _ = ports.store.remove_intent(&self.roll.roll);
                    return Ok(Next::Step(RollStep::Kept));
                }
                Err(KeychainError::ItemMissing) => {}
                Err(error) => return Err(error.failure()),
            }
        }
        match *found {
            [] => self.nothing_made(&client, intent.is_some(), skipped == 0),
            [key] if !key.active => {
                let _ = ports.store.remove_intent(&self.roll.roll);
                Ok(Next::Over(
                    ActState::Failed,
                    format!(
                        "{} is revoked and nobody has its value; the old key goes on as it was",
                        both(&self.roll)
                    ),
                ))
            }
            [key] => {
                self.roll.new_uid = Some(key.uid.clone());
                // Without an intent somebody was given the value.
                let unsure = intent.is_none() && self.roll.step == RollStep::Made;
                Ok(Next::Step(if unsure { RollStep::HandOver } else { RollStep::Orphaned }))
            }
            _ => {
                self.roll.step = RollStep::Lost;
                Err(Failure::new(
                    ErrorCode::RollValueLost,
                    format!(
                        "The answer was lost, and {} new keys may be {}. Pick the one to revoke under \
                     the list's notice about it. The old key goes on as it was.",
                        found.len(),
                        both(&self.roll)
                    ),
                ))
            }
        }
    }

    fn nothing_made(
        &mut self,
        client: &PaletteClient,
        sent: bool,
        complete: bool,
    ) -> Result<Next, Failure> {
        let settled: std::time::Duration = self.ports.timing.looks.iter().sum();
        let settled = SignedDuration::try_from(settled).unwrap_or(SignedDuration::MAX);
        let age = client.server_now().duration_since(self.roll.asked_at);
        if !complete || (sent && age <= settled && self.roll.new_uid.is_none()) {
            return Err(Failure::new(
                ErrorCode::OutcomeUnknown,
                format!(
                    "It is not known yet whether {} was made. It is looked up again; the old key goes \
                 on as it was.",
                    both(&self.roll)
                ),
            ));
        }
        let _ = self.ports.store.remove_intent(&self.roll.roll);
        let words = match self.roll.new_uid {
            Some(_) => format!(
                "{} is not on the server any more; the old key goes on as it was",
                both(&self.roll)
            ),
            None => "No new key was made; the old key goes on as it was".to_owned(),
        };
        Ok(Next::Over(ActState::Failed, words))
    }

    /// The value is in memory: it is found, saved and tried, or waits for a person.
    async fn hand_over(&mut self) -> Result<Next, Failure> {
        let (ports, live) = (self.ports, self.live);
        let id = self.roll.roll.clone();
        let Ok(mut view) = ports.held.view(&id) else { return self.after_the_dialog().await };
        if view.uid.is_none() {
            let found = create::find_held(ports, live, &id).await?;
            self.roll.new_uid = Some(found.ok_or(held::HeldError::NotFoundYet)?);
            self.save()?;
            view = ports.held.view(&id)?;
        }
        if !self.roll.mine {
            // "Done" in the dialog is what it waits for.
            return Ok(Next::Wait);
        }
        if view.saved != SavedState::Saved && (self.by_person || view.saved == SavedState::NotAsked)
        {
            let _ = held::save_to_keychain(ports, live, &id).await;
            view = ports.held.view(&id)?;
            if view.saved == SavedState::Saved {
                // Nobody closes a dialog for it. From here on the stored value counts.
                ports.held.drop_value(&id);
            }
        }
        // What is saved is read back and tried; what is only held was tried when it was made.
        self.roll.proved =
            view.saved != SavedState::Saved && matches!(view.proof, ProofState::Works { .. });
        match view.saved {
            SavedState::Saved => Ok(Next::Step(RollStep::Kept)),
            SavedState::Failed { problem } => Err(Failure {
                message: format!(
                    "The keychain did not take the value of {}. It is still held: save it again or \
                     copy it. The old key goes on as it was. {}",
                    both(&self.roll),
                    problem.message
                ),
                ..problem
            }),
            SavedState::NotAsked => Ok(Next::Wait),
        }
    }

    /// The value is held no more: the app ended, or the dialog was closed.
    async fn after_the_dialog(&mut self) -> Result<Next, Failure> {
        match self.ports.keychain.read(self.new_entry()?).await {
            Ok(_) => return Ok(Next::Step(RollStep::Kept)),
            Err(KeychainError::ItemMissing) => {}
            Err(error) => return Err(error.failure()),
        }
        if create::open_intent(self.ports, &self.roll.roll)?.is_some() {
            return Ok(Next::Step(RollStep::Orphaned));
        }
        if self.by_person {
            return Ok(Next::Step(RollStep::Kept));
        }
        Err(Failure::new(
            ErrorCode::RollValueUnsure,
            format!(
                "Palette Keys ended while the value of {} was handed over. If somebody has it, go on; \
             if not, cancel the roll: that revokes the new key. The old key goes on as it was.",
                both(&self.roll)
            ),
        ))
    }

    /// Nobody has the value of the new key.
    async fn orphan(&mut self) -> Result<Next, Failure> {
        let client = self.live.signed_in(self.ports).await?;
        match read_for_change(self.ports, self.live, &client, &self.new_uid()?).await {
            Ok(key) if key.active => {}
            Ok(_) | Err(EditError::Gone) => {
                let _ = self.ports.store.remove_intent(&self.roll.roll);
                return Ok(Next::Over(
                    ActState::Failed,
                    format!(
                        "{} is revoked or gone, and nobody had its value; the old key goes on as it was",
                        both(&self.roll)
                    ),
                ));
            }
            Err(error) => return Err(error.into()),
        }
        Err(Failure::new(
            ErrorCode::RollValueLost,
            format!(
                "A key was made whose value nobody has: {}. Cancel the roll, which revokes the new key, \
             and roll again. The old key goes on as it was.",
                both(&self.roll)
            ),
        ))
    }

    /// The stored value is read back and tried.
    async fn prove(&mut self) -> Result<Next, Failure> {
        if self.roll.proved || !self.roll.mine {
            return Ok(Next::Step(RollStep::Proved));
        }
        let value = match self.ports.keychain.read(self.new_entry()?).await {
            Ok(value) => value,
            Err(KeychainError::ItemMissing) => {
                return Err(Failure::new(
                    ErrorCode::RollNotProved,
                    format!(
                        "The value of {} is not in the keychain, so it cannot be tried. Cancel the \
                     roll and roll again. The old key goes on as it was.",
                        both(&self.roll)
                    ),
                ));
            }
            Err(error) => return Err(error.failure()),
        };
        let (client, me) = self.live.identified(self.ports).await?;
        let uid = self.new_uid()?;
        let deed = Deed {
            act: Act::RollProve,
            key_uid: uid.as_str(),
            key_name: &self.roll.new_name,
            owner_name: &self.roll.old.owner_name,
            detail: "Try the new value",
        };
        let asked = self.ports.ask(self.live, &deed)?;
        let failure = match client.prove(&value).await {
            Ok(who) if who.user_uid == me.user_uid => {
                asked.done(&format!("It works: acts as {}", me.name));
                self.roll.proved = true;
                return Ok(Next::Step(RollStep::Proved));
            }
            Ok(_) => self.not_proved("it acts as somebody else"),
            Err(error) if error.needs_sign_in() => Failure {
                details: error.failure().details,
                ..self.not_proved("the server does not accept it")
            },
            Err(error) => error.failure(),
        };
        asked.failed(&failure);
        Err(failure)
    }

    fn not_proved(&self, why: &str) -> Failure {
        Failure::new(
            ErrorCode::RollNotProved,
            format!(
                "The value of {} was tried, and {why}. Try again in a moment, or cancel the roll. The \
             old key goes on as it was.",
                both(&self.roll)
            ),
        )
    }

    /// The connection signs in with the new key from now on: one write that also says so in the
    /// roll. The keychain has both values.
    async fn swap(&mut self) -> Result<Next, Failure> {
        if self.roll.purpose == RollPurpose::Ordinary || self.roll.swapped {
            return Ok(Next::Step(RollStep::Ending));
        }
        let (ports, live) = (self.ports, self.live);
        let uid = self.new_uid()?;
        let value =
            ports.keychain.read(self.new_entry()?).await.map_err(|error| error.failure())?;
        let connections = ports.outbox.connections();
        let _turn = connections.changing.lock().await;
        let before = live.record();
        let other =
            before.signing_key_uid.as_deref().filter(|uid| *uid != self.roll.old.uid.as_str());
        if before.method != SignInMethod::ApiKey || other.is_some() {
            // Signed in to again meanwhile, with something else: that stays.
            return Ok(Next::Step(RollStep::Ending));
        }
        let client = live.client(ports)?;
        let mut roll = self.roll.clone();
        roll.credential_before = before.credential_key.clone().map(String::from);
        roll.signing_before = Some(roll.old.uid.as_str().to_owned());
        roll.swapped = true;
        roll.step = RollStep::Ending;
        let deed = Deed {
            act: Act::RollSwap,
            key_uid: uid.as_str(),
            key_name: &roll.new_name,
            owner_name: &roll.old.owner_name,
            detail: "Sign in with the new key",
        };
        let asked = ports.ask(live, &deed)?;
        let written = live.rewrite(
            ports,
            |record| {
                record.credential_key = Some(uid.clone());
                record.signing_key_uid = Some(uid.as_str().to_owned());
            },
            |store, record| store.swap_credential(record, &roll),
        );
        if let Err(failure) = written {
            asked.failed(&failure);
            return Err(failure);
        }
        client.sign_in(Credential::ApiKey(value));
        self.roll = roll;
        asked.done("The connection signs in with the new key; the old one still works");
        ports.outbox.credential_changed(ports, &live.id());
        ports.tell(Change::Connections);
        Ok(Next::Step(RollStep::Ending))
    }

    /// Nothing happens to the old key before the new one is seen on the server, in service.
    async fn new_is_there(&self, client: &PaletteClient) -> Result<bool, Failure> {
        match read_for_change(self.ports, self.live, client, &self.new_uid()?).await {
            Ok(key) => Ok(key.active),
            Err(EditError::Gone) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The old key as it is now; the next step when there is nothing to end any more.
    async fn old_now(&self, client: &PaletteClient) -> Result<Result<ApiKey, Next>, Failure> {
        match read_for_change(self.ports, self.live, client, &self.roll.old.uid).await {
            Ok(key) if key.active => {
                self.live.patch(self.ports, &key.uid, Some(&key));
                Ok(Ok(key))
            }
            Ok(key) => {
                self.live.patch(self.ports, &key.uid, Some(&key));
                Ok(Err(Next::Over(
                    ActState::Done,
                    format!("{} is in its place; the old key is revoked", both(&self.roll)),
                )))
            }
            Err(EditError::Gone) => Ok(Err(Next::Over(
                ActState::Done,
                format!(
                    "{} is in its place; the old key is not on the server any more",
                    both(&self.roll)
                ),
            ))),
            Err(error) => Err(error.into()),
        }
    }

    /// The old key's end is moved, on the server.
    async fn end_old(&mut self) -> Result<Next, Failure> {
        let (ports, live) = (self.ports, self.live);
        let client = live.signed_in(ports).await?;
        if !self.new_is_there(&client).await? {
            return self.new_key_gone();
        }
        let old = match self.old_now(&client).await? {
            Ok(old) => old,
            Err(next) => return Ok(next),
        };
        if self.roll.grace == Grace::Now {
            // Not this connection any more, if it was this one: the new key signs it in by now.
            signing::guard(ports, live, &old.uid, Doing::Revoke)?;
            return Ok(Next::Step(RollStep::Revoking));
        }
        if self.roll.target.is_some() && same(old.expires, self.roll.target) {
            // Moved before a crash, or by an answer that was lost.
            return Ok(self.rolling());
        }
        let target = self.roll.grace.ends(client.server_now());
        // What we did not move is what a cancelled roll goes back to.
        self.roll.old = old.clone();
        if old.expires.is_some_and(|ends| ends <= target) {
            self.roll.target = old.expires;
            return Ok(self.rolling());
        }
        self.roll.target = Some(target);
        self.save()?;
        let change = KeyChange {
            name: old.name.clone(),
            description: old.description.clone(),
            expires: Some(target),
        };
        let sent = edit::apply(ports, live, &client, &old, &change, Act::RollEnd).await;
        sent.map_err(|error| self.end_not_moved(error))?;
        Ok(self.rolling())
    }

    fn end_not_moved(&self, error: EditError) -> Failure {
        let (old, new) = (&self.roll.old.name, &self.roll.new_name);
        let stands = format!(
            "\u{201c}{new}\u{201d} is in place, but the end of \u{201c}{old}\u{201d} could not be \
             moved, so both keys work."
        );
        match error {
            EditError::NotTaken(error) => {
                error.failure_on_the_way(&stands, "Try again, end it now, or cancel the roll.")
            }
            EditError::Unconfirmed(words) => Failure::new(
                ErrorCode::OutcomeUnknown,
                format!(
                    "\u{201c}{new}\u{201d} is in place, but it is not confirmed that the end of \
                     \u{201c}{old}\u{201d} was moved. {words}"
                ),
            ),
            other => {
                let failure = Failure::from(other);
                Failure { message: format!("{stands} {}", failure.message), ..failure }
            }
        }
    }

    fn new_key_gone(&self) -> Result<Next, Failure> {
        if self.roll.swapped {
            return Ok(Next::Step(RollStep::Cancelling));
        }
        Ok(Next::Over(
            ActState::Failed,
            format!(
                "{} is not on the server any more, or was revoked; the old key goes on as it was",
                both(&self.roll)
            ),
        ))
    }

    fn rolling(&self) -> Next {
        let ends = end_text(self.ports, self.roll.target);
        let words = format!("{} is in its place; the old key ends {ends}", both(&self.roll));
        outcome(self.ports, &self.roll, ActState::Done, &words);
        self.replaced(&format!(
            "Replaces \u{201c}{}\u{201d}, which ends {ends}",
            self.roll.old.name
        ));
        Next::Step(RollStep::Rolling)
    }

    /// A line for the new key's history.
    fn replaced(&self, words: &str) {
        let Some(uid) = &self.roll.new_uid else { return };
        let deed = Deed {
            act: Act::Replace,
            key_uid: uid.as_str(),
            key_name: &self.roll.new_name,
            owner_name: &self.roll.old.owner_name,
            detail: words,
        };
        if self.ports.note(self.live, &deed, ActState::Done).is_err() {
            tracing::warn!("that a key took another's place could not be written down");
        }
    }

    /// The old key goes on until its end. A list tells whether both are still there.
    async fn watch(&mut self) -> Result<Next, Failure> {
        let (ports, live) = (self.ports, self.live);
        if self.roll.swapped
            && live.view().state == crate::connection::ConnectionState::NeedsSignIn
            && back::swap_back(self).await.is_ok()
        {
            return Ok(Next::Step(RollStep::Cancelling));
        }
        let now = live.server_now(ports);
        let Some(list) = live.known(ports) else { return Ok(Next::Wait) };
        let known = |uid: &KeyUid| list.keys.iter().find(|key| key.uid == *uid).cloned();
        let finished = |words: &str| {
            Next::Over(ActState::Done, format!("{} is in its place; {words}", both(&self.roll)))
        };
        match known(&self.roll.old.uid) {
            Some(old) if !old.active => return Ok(finished("the old key is revoked")),
            Some(old) if old.expires.is_some_and(|ends| ends <= now) => {
                self.remember_end(&old);
                return Ok(finished("the old key has ended"));
            }
            Some(_) => {}
            None => {
                let client = live.signed_in(ports).await?;
                if let Err(next) = self.old_now(&client).await? {
                    return Ok(next);
                }
            }
        }
        let listed = known(&self.roll.old.uid).map(|old| old.expires);
        let shown = if let Some(end) = listed.filter(|end| self.roll.is_ours(*end)) {
            end
        } else {
            // A list of before a crash may not know of the end; the key itself does.
            let client = live.signed_in(ports).await?;
            match self.old_now(&client).await? {
                Err(next) => return Ok(next),
                Ok(old) if !self.roll.is_ours(old.expires) => {
                    return Err(Failure::new(
                        ErrorCode::RollEndChanged,
                        format!(
                            "Somebody moved the end of \u{201c}{}\u{201d} meanwhile: it ends {} now. \
                         Both it and \u{201c}{}\u{201d} work until then; \u{201c}End now\u{201d} \
                         ends it at once.",
                            old.name,
                            end_text(ports, old.expires),
                            self.roll.new_name,
                        ),
                    ));
                }
                Ok(old) => old.expires,
            }
        };
        let in_service = match known(&self.new_uid()?) {
            Some(new) if new.active => true,
            // A list that was on its way may not have it.
            _ => self.new_is_there(&live.signed_in(ports).await?).await?,
        };
        self.roll.has_end(shown);
        match in_service {
            true => Ok(Next::Wait),
            // The old one is the only key that works: it gets its end back.
            false => Ok(Next::Step(RollStep::Cancelling)),
        }
    }

    /// The roll is forgotten now, and whoever tells of ends looks only later.
    fn remember_end(&self, old: &ApiKey) {
        let Some(ends) = old.expires else { return };
        let row = ToldRow {
            connection: self.roll.connection.clone(),
            uid: old.uid.as_str().to_owned(),
            ends_at: ends.as_millisecond(),
            days: notices::ROLLED,
            at: self.ports.now().as_millisecond(),
        };
        // Then it is told as any other end.
        if self.ports.store.put_told(&[row]).is_err() {
            tracing::warn!("that an end is one of a roll could not be written down");
        }
    }

    /// The old key's revocation goes to the outbox, which sees to it.
    async fn revoke_old(&mut self) -> Result<Next, Failure> {
        let (ports, live) = (self.ports, self.live);
        let open = ports.outbox.revoking(&live.id());
        if self.roll.revocation_asked && !open.contains(self.roll.old.uid.as_str()) {
            let client = live.signed_in(ports).await?;
            return Ok(match self.old_now(&client).await? {
                Err(next) => next,
                Ok(_) => Next::Over(
                    ActState::Done,
                    format!(
                        "{} is in its place; the old key was put back into service",
                        both(&self.roll)
                    ),
                ),
            });
        }
        let op_id = format!("{}-old", self.roll.roll);
        let revoked = revoke::revoke(ports, live, &self.roll.old.uid.clone(), &op_id).await?;
        if revoked.recorded && !self.roll.revocation_asked {
            self.roll.revocation_asked = true;
            self.save()?;
            self.replaced(&format!(
                "Replaces \u{201c}{}\u{201d}, which is revoked",
                self.roll.old.name
            ));
        }
        match revoked.view {
            RevokeView::Confirmed { .. } => Ok(Next::Over(
                ActState::Done,
                format!("{} is in its place; the old key is revoked", both(&self.roll)),
            )),
            RevokeView::Unconfirmed { .. } => Ok(Next::Wait),
        }
    }
}

/// "Extend grace": the old key goes on for longer, but never for longer than it was made for.
pub(super) async fn extend(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    roll: RollRecord,
    grace: Grace,
) -> Result<RollRecord, RollError> {
    if roll.step != RollStep::Rolling {
        return Err(RollError::NotNow("The old key is not ending by a grace now.".into()));
    }
    let client = live.signed_in(ports).await?;
    let old = still_works(ports, live, &client, &roll).await?;
    let mut target = grace.ends(client.server_now());
    if let Some(before) = roll.old.expires {
        target = target.min(before);
    }
    if old.expires.is_none_or(|ends| ends >= target) {
        let ends = end_text(ports, old.expires);
        return Err(RollError::GraceTooLong(format!(
            "\u{201c}{}\u{201d} goes on until {ends} already, and a roll never makes a key live \
             longer than it was made for.",
            old.name
        )));
    }
    let before = roll.clone();
    // Either is ours until the answer is known, also after the end of the app. What somebody else
    // set meanwhile is not.
    let other_target = if roll.is_ours(old.expires) { old.expires } else { roll.target };
    let mut roll = RollRecord { target: Some(target), other_target, ..roll };
    ports.store.update_roll(&roll).map_err(|error| error.failure())?;
    let change = KeyChange {
        name: old.name.clone(),
        description: old.description.clone(),
        expires: Some(target),
    };
    let moved = edit::apply(ports, live, &client, &old, &change, Act::RollEnd).await;
    if let Err(error) = moved {
        let failure = Failure::from(error);
        if failure.code == ErrorCode::OutcomeUnknown {
            // The last read counts for what is shown; the change may still arrive.
            roll.has_end(live.known_key(ports, &old.uid).and_then(|key| key.expires));
        } else {
            roll = before;
        }
        ports.store.update_roll(&roll).map_err(|error| error.failure())?;
        live.tell_changed(ports);
        return Err(failure.into());
    }
    roll.problem = None;
    roll.other_target = None;
    ports.store.update_roll(&roll).map_err(|error| error.failure())?;
    let words = format!(
        "{} is in its place; the old key ends {}",
        both(&roll),
        end_text(ports, roll.target)
    );
    outcome(ports, &roll, ActState::Done, &words);
    live.tell_changed(ports);
    Ok(roll)
}

/// "End now": the old key's revocation is the next step.
pub(super) async fn begin_end_now(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    mut roll: RollRecord,
) -> Result<RollRecord, RollError> {
    if !matches!(roll.step, RollStep::Rolling | RollStep::Ending) {
        return Err(RollError::NotNow("The new key is not in the old one's place yet.".into()));
    }
    let client = live.signed_in(ports).await?;
    still_works(ports, live, &client, &roll).await?;
    // What the key is for may have been said only after the roll was begun.
    signing::guard(ports, live, &roll.old.uid, Doing::Revoke)?;
    let drive = Drive { ports, live, roll: roll.clone(), by_person: true };
    if !drive.new_is_there(&client).await? {
        return Err(Failure::new(ErrorCode::RollNewKeyGone, format!(
            "{} is not on the server any more, or was revoked, so the old key is the only one that \
             works and was left as it is. Cancel the roll.",
            both(&roll)
        )).into());
    }
    roll.step = RollStep::Revoking;
    roll.grace = Grace::Now;
    ports.store.update_roll(&roll).map_err(|error| error.failure())?;
    Ok(roll)
}

/// The old key as it is on the server now, if it still works.
pub(super) async fn still_works(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    client: &PaletteClient,
    roll: &RollRecord,
) -> Result<ApiKey, RollError> {
    let ended = || RollError::OldEnded(roll.old.name.clone());
    match read_for_change(ports, live, client, &roll.old.uid).await {
        Ok(key) => {
            live.patch(ports, &key.uid, Some(&key));
            let works = key.active && key.expires.is_none_or(|ends| ends > client.server_now());
            if works { Ok(key) } else { Err(ended()) }
        }
        Err(EditError::Gone) => Err(ended()),
        Err(error) => Err(RollError::Failed(error.into())),
    }
}
