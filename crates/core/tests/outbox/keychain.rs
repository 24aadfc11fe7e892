//! The keychain fails while records wait, and works again without a restart.

use crate::desk::{Desk, Watch, connect_request, drained, op, settle};
use palette_keys_core::connection::SignInRequest;
use palette_keys_core::keychain::{EntryName, KeychainError, KeychainState, SecretStore};
use palette_keys_core::keys::revoke::RevokeView;
use std::time::Duration;

const QUARTER: Duration = Duration::from_secs(15 * 60 + 90);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Absent,
    Locked,
    /// The service ends and starts again: some calls fail in a way of their own.
    Restarted,
    /// Somebody removed the entry.
    Emptied,
}

#[tokio::test(start_paused = true)]
async fn records_wait_for_the_keychain_and_go_when_it_is_back() {
    let troubles = [Trouble::Absent, Trouble::Locked, Trouble::Restarted, Trouble::Emptied];
    let mut passed = 0;
    for trouble in troubles {
        let desk = Desk::new(3).await;
        let entry = EntryName::credential(&*desk.connection);
        match trouble {
            Trouble::Absent => desk.keychain.set_state(KeychainState::Absent),
            Trouble::Locked => desk.keychain.set_state(KeychainState::Locked),
            Trouble::Restarted => {
                for _ in 0..4 {
                    desk.keychain.fail_next_read(KeychainError::Failed);
                }
            }
            Trouble::Emptied => assert!(desk.keychain.remove(entry).await.unwrap()),
        }
        let keys = desk.open();
        let watch = Watch::on(&keys, &desk.sim);
        let mut waiting = 0;
        for uid in &desk.targets {
            let answer = keys.revoke_key(desk.act(uid)).await;
            let answer = answer.unwrap_or_else(|failure| panic!("{trouble:?}: {failure:?}"));
            waiting += usize::from(matches!(answer, RevokeView::Unconfirmed { .. }));
        }
        let nothing_sent = desk.sim.requests().is_empty();
        // Back again; nobody tells the app, except that an emptied keychain needs its person.
        match trouble {
            Trouble::Absent | Trouble::Locked => desk.keychain.set_state(KeychainState::Ready),
            Trouble::Restarted => {}
            Trouble::Emptied => {
                tokio::time::sleep(QUARTER).await;
                assert_eq!(keys.outbox().items.len(), 3);
                let request = connect_request(desk.sim.origin(), desk.sim.admin().api_key);
                let request = SignInRequest {
                    op_id: op(),
                    connection: desk.connection.clone(),
                    sign_in: request.sign_in,
                };
                keys.sign_in(request).await.unwrap();
            }
        }
        let within = match trouble {
            Trouble::Emptied => Duration::from_secs(30),
            _ => QUARTER,
        };
        let ended = drained(&keys, within).await;
        let before = trouble == Trouble::Restarted || (waiting == 3 && nothing_sent);
        let right = before && ended && desk.done() == 3 && desk.touched() == 0;
        if !right || watch.falsely() + watch.given_up() > 0 {
            println!("{trouble:?}: waiting {waiting}, ended {ended}, {:?}", keys.outbox());
        }
        passed += usize::from(right && watch.falsely() + watch.given_up() == 0);
        drop(keys);
        settle().await;
    }
    println!("check 9: {passed}/{}", troubles.len());
    assert_eq!(passed, troubles.len());
}

#[tokio::test(start_paused = true)]
async fn an_unlocked_keychain_that_the_app_sees_is_used_at_once() {
    let desk = Desk::new(1).await;
    desk.keychain.set_state(KeychainState::Locked);
    let keys = desk.open();
    keys.revoke_key(desk.act(&desk.targets[0])).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    desk.keychain.set_state(KeychainState::Ready);
    assert_eq!(keys.check_keychain().await.state, KeychainState::Ready);
    assert!(drained(&keys, Duration::from_secs(10)).await, "{:?}", keys.outbox());
    assert_eq!(desk.done(), 1);
}
