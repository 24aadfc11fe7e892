//! The app is killed at the worst moments and started again.

use crate::child::{Child, How, Task};
use crate::desk::{Chance, Desk, came, drained, full, sampled, settle};
use crate::strace::{CALLS, Call, calls, said, wrapper};
use palette_keys_core::outbox::OutboxAction;
use palette_sim::{Fault, Matcher};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

fn task(desk: &Desk, folder: &Path, how: How, uids: &[String]) -> Task {
    Task {
        folder: folder.into(),
        connection: desk.connection.clone(),
        credential: desk.sim.admin().api_key,
        uids: uids.to_vec(),
        how,
        action: OutboxAction::Revoke,
        on_word: false,
        stay: false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_system_call_nothing_acknowledged_is_lost() {
    let desk = Desk::new(40).await;
    // Long enough under way that a person is told before it is confirmed, in every run.
    desk.sim.set_fault(Matcher::method("PUT"), Fault::DelayMs(300), None);
    // Each run has a folder of its own, so a key may be had again.
    let mut uids = desk.targets.iter().cycle();
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("log");

    // What a revoke does when nobody disturbs it.
    let (folder, uid) = (desk.copy(), uids.next().unwrap().clone());
    let quiet = wrapper(&log, &["-e", &format!("trace={CALLS}")]);
    let revoke = task(&desk, folder.path(), How::Single, &[uid]);
    assert!(Child::spawn_under(&quiet, &revoke).finished(LONG), "undisturbed it ends");
    let all = calls(&log);
    let (begin, end) = (said(&all, "begin"), said(&all, "empty"));
    let main = all[begin].thread;
    let begun = &all[begin + 1..=end];
    let points: Vec<&Call> = begun.iter().filter(|call| call.thread == main).collect();
    let elsewhere = begun.len() - points.len();
    assert!(points.len() >= 60, "{} calls are too few to be a revoke", points.len());
    // Most calls come before the record is written, where the client reads its certificates: a
    // sample takes most from after it, and half from after it was told to a person.
    let place = |is_it: &dyn Fn(&Call) -> bool| points.iter().position(|call| is_it(call));
    let written = place(&|call| call.name == "pwrite64").expect("it was written");
    let told = place(&|call| call.text.contains("@recorded")).expect("it was told");
    let evenly = |part: &[&Call], count: usize| -> Vec<Call> {
        (0..count).map(|at| part[at * part.len() / count].clone()).collect()
    };
    let chosen = if full() {
        points.iter().map(|call| (*call).clone()).collect()
    } else {
        let parts = [(0..written, 6), (written..told, 6), (told..points.len(), 12)];
        parts.map(|(part, count)| evenly(&points[part], count)).concat()
    };

    let runs = chosen.len();
    let (mut killed, mut acknowledged, mut lost, mut stuck) = (0, 0, Vec::new(), Vec::new());
    for point in &chosen {
        let (folder, uid) = (desk.copy(), uids.next().unwrap().clone());
        let revoke = task(&desk, folder.path(), How::Single, std::slice::from_ref(&uid));
        desk.sim.edit_key_directly(&uid, |key| key.active = true);
        let inject = format!("inject={}:signal=KILL:when={}", point.name, point.number);
        let disturbed = wrapper(&log, &["-e", &format!("trace={}", point.name), "-e", &inject]);
        let mut child = Child::spawn_under(&disturbed, &revoke);
        killed += usize::from(!child.finished(LONG));
        let was_told = child.acknowledged().contains(&uid);
        acknowledged += usize::from(was_told);

        let keys = desk.open_in(folder.path());
        if !drained(&keys, Duration::from_secs(20)).await {
            stuck.push(format!("{} #{}", point.name, point.number));
        }
        if was_told && !desk.is_done(&uid) {
            lost.push(format!("{} #{}", point.name, point.number));
        }
        drop(keys);
        settle().await;
    }
    println!(
        "check 1: {}/{runs} (of {} calls, {elsewhere} more in other threads; killed {killed}, \
         acknowledged before it {acknowledged}, lost {})",
        runs - lost.len().max(stuck.len()),
        points.len(),
        lost.len()
    );
    assert!(lost.is_empty(), "acknowledged, and lost: {lost:?}");
    assert!(stuck.is_empty(), "not sent after the restart: {stuck:?}");
    assert!(killed * 10 >= runs * 8, "only {killed} of {runs} were killed");
    assert!(acknowledged > 0 && acknowledged < runs, "{acknowledged} of {runs} prove nothing");
    assert_eq!(desk.touched(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_on_disk_before_the_first_byte_is_sent() {
    let desk = Desk::new(20).await;
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("log");
    let watched = "trace=write,writev,pwrite64,fsync,fdatasync,sendto,sendmsg";
    let wrapper = wrapper(&log, &["-yy", "-s", "20000", "-e", watched]);
    let revoke = task(&desk, desk.folder(), How::Single, &desk.targets);
    assert!(Child::spawn_under(&wrapper, &revoke).finished(LONG));
    let all = calls(&log);
    let mut in_order = 0;
    for uid in &desk.targets {
        let to_server = |call: &Call| call.text.contains("<TCP:") && call.text.contains(&**uid);
        let sent = all.iter().position(to_server).expect("it was sent");
        let on_log = |call: &Call| call.text.contains("-wal>");
        // The key as an outbox record names it; the list that is kept names it otherwise.
        let name = format!("keyUid\\\":\\\"{uid}");
        let written = all
            .iter()
            .position(|call| call.name == "pwrite64" && on_log(call) && call.text.contains(&name));
        let synced = written.and_then(|written| {
            let is_sync = |call: &Call| call.name.ends_with("sync") && on_log(call);
            all[written..].iter().position(is_sync).map(|at| written + at)
        });
        if synced.is_some_and(|synced| synced < sent) {
            in_order += 1;
        } else {
            println!("{uid}: written {written:?}, synced {synced:?}, sent {sent}");
        }
    }
    println!("check 2: {in_order}/{}", desk.targets.len());
    assert_eq!(in_order, desk.targets.len());
    assert_eq!((desk.done(), desk.touched()), (20, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments_of_a_batch_every_key_is_revoked_and_no_other() {
    let desk = Desk::new(30).await;
    desk.sim.set_fault(Matcher::any(), Fault::DelayMs(25), None);
    let (mut chance, wanted) = (Chance::new(), sampled(12, 50));
    let (mut kills, mut batches, mut revoked, mut early) = (0, 0, 0, 0);
    while kills < wanted {
        for uid in &desk.targets {
            desk.sim.edit_key_directly(uid, |key| key.active = true);
        }
        let folder = desk.copy();
        let batch = task(&desk, folder.path(), How::Bulk, &desk.targets);
        let mut child = Child::spawn(&batch);
        assert_eq!(child.wait_for("added", LONG).as_deref(), Some("added 30"));
        for _ in 0..6 {
            tokio::time::sleep(Duration::from_millis(chance.below(500))).await;
            child.kill();
            kills += 1;
            early += usize::from(desk.done() < 30);
            let resume = task(&desk, folder.path(), How::Resume, &[]);
            child = Child::spawn(&resume);
            if chance.below(4) > 0 {
                child.wait_for("ready", LONG);
            }
        }
        child.kill();
        let keys = desk.open_in(folder.path());
        came(LONG, || keys.outbox().items.is_empty()).await;
        assert_eq!(keys.outbox().items, [], "something is still waiting");
        batches += 1;
        revoked += desk.done();
        drop(keys);
        settle().await;
    }
    let asked: BTreeSet<_> = desk.writes().into_iter().map(|request| request.path).collect();
    println!(
        "check 3: {revoked}/{} after {kills} kills ({early} of them before the last was revoked), \
         other keys touched {}",
        batches * 30,
        desk.touched()
    );
    assert_eq!((revoked, desk.touched(), asked.len()), (batches * 30, 0, 30));
    assert!(early * 2 >= kills, "the batches were over before the kills: {early} of {kills}");
}
