//! Two processes on one folder: one sends, both add; the other takes over.

use crate::child::{Child, How, Task};
use crate::desk::{Desk, came};
use palette_keys_core::outbox::OutboxAction;
use palette_sim::{Fault, Matcher, Recorded};
use std::collections::BTreeMap;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// The two processes; each signs in with a key of its own, by which the server tells them apart.
fn two(desk: &Desk, each: usize) -> [Child; 2] {
    [0, 1].map(|number| {
        let task = Task {
            folder: desk.folder().into(),
            connection: desk.connection.clone(),
            credential: credential(desk, number),
            uids: desk.targets[number * each..][..each].to_vec(),
            how: How::Bulk,
            action: OutboxAction::Revoke,
            on_word: true,
            stay: true,
        };
        let mut child = Child::spawn(&task);
        child.wait_for("ready", LONG).expect("it starts");
        child
    })
}

fn credential(desk: &Desk, number: usize) -> String {
    desk.sim.key_named(&format!("bystander-{number}")).unwrap().value
}

/// How often each key was written to, by each of the two.
fn by_key(desk: &Desk) -> BTreeMap<String, [usize; 2]> {
    let mut counted = BTreeMap::<_, [usize; 2]>::new();
    let sender = |request: &Recorded| {
        let value = request.header("apikey").unwrap().to_owned();
        [0, 1].into_iter().find(|number| credential(desk, *number) == value).unwrap()
    };
    for request in desk.writes() {
        counted.entry(request.path.clone()).or_default()[sender(&request)] += 1;
    }
    counted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_one_process_sends_what_both_ask_for() {
    let desk = Desk::new(100).await;
    let mut children = two(&desk, 50);
    children.iter_mut().for_each(Child::word);
    for child in &mut children {
        assert!(child.wait_for("added", LONG).is_some());
    }
    came(LONG, || desk.done() == 100).await;
    // Whoever does not send learns of it too.
    for (number, child) in children.iter_mut().enumerate() {
        let last = format!("ended {}", desk.targets[number * 50]);
        assert!(child.wait_for(&last, LONG).is_some(), "the end is told in its own process");
    }
    children.iter_mut().for_each(Child::kill);
    let counted = by_key(&desk);
    let duplicates = counted.values().filter(|sent| sent[0] + sent[1] > 1).count();
    let senders = [0, 1].map(|number| counted.values().filter(|sent| sent[number] > 0).count());
    println!(
        "check 8: {}/100 revoked, duplicates {duplicates}, lost {}, sent by the first {} and by \
         the second {}",
        desk.done(),
        100 - desk.done(),
        senders[0],
        senders[1]
    );
    assert_eq!((desk.done(), duplicates, desk.touched()), (100, 0, 0));
    assert_eq!(senders.iter().filter(|sent| **sent > 0).count(), 1, "one process sends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_sender_dies_the_other_takes_over() {
    let desk = Desk::new(40).await;
    desk.sim.set_fault(Matcher::any(), Fault::DelayMs(30), None);
    let mut children = two(&desk, 20);
    children.iter_mut().for_each(Child::word);
    for child in &mut children {
        assert!(child.wait_for("added", LONG).is_some());
    }
    came(LONG, || desk.done() >= 5).await;
    let sender = usize::from(by_key(&desk).values().any(|sent| sent[1] > 0));
    children[sender].kill();
    let at_kill = desk.done();
    came(LONG, || desk.done() == 40).await;
    let counted = by_key(&desk);
    let repeated = counted.values().filter(|sent| sent.iter().any(|times| *times > 1)).count();
    let by_both = counted.values().filter(|sent| sent[0] > 0 && sent[1] > 0).count();
    println!(
        "check 8: {}/40 revoked after the sender was killed at {at_kill}; sent again because its \
         answer was lost with it {by_both}, twice by one process {repeated}",
        desk.done()
    );
    assert_eq!((desk.done(), repeated, desk.touched()), (40, 0, 0));
    assert!(at_kill < 40, "it was killed in the middle");
    // Only what had been sent and not been confirmed when it died may be sent again.
    assert!(by_both <= 12, "{by_both} were sent again");
}
