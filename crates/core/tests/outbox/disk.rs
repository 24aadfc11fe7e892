//! The disk refuses the record: the revocation goes all the same, and that is said.

use crate::child::{Child, How, Task};
use crate::desk::Desk;
use crate::strace::wrapper;
use palette_keys_core::outbox::OutboxAction;
use palette_keys_core::store::FILE_NAME;
use palette_sim::{Fault, Matcher};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_recorded_is_sent_all_the_same_and_said() {
    let desk = Desk::new(4).await;
    // Long enough under way to be seen.
    desk.sim.set_fault(Matcher::method("PUT"), Fault::DelayMs(400), None);
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("log");
    let task = |folder: &tempfile::TempDir, uid: &String| Task {
        folder: folder.path().into(),
        connection: desk.connection.clone(),
        credential: desk.sim.admin().api_key,
        uids: vec![uid.clone()],
        how: How::Single,
        action: OutboxAction::Revoke,
        on_word: false,
        stay: false,
    };
    // SQLite calls one or the other, as it was built.
    let faults = [
        ("ENOSPC", "pwrite64"),
        ("EROFS", "pwrite64"),
        ("EACCES", "pwrite64"),
        ("EIO", "fsync,fdatasync"),
    ];
    let mut passed = 0;
    for ((error, call), uid) in faults.into_iter().zip(&desk.targets) {
        let folder = desk.copy();
        // The write-ahead log alone, in every thread: opening writes to the other files.
        let wal = folder.path().join(format!("{FILE_NAME}-wal"));
        let inject = format!("inject={call}:error={error}");
        let trace = format!("trace={call}");
        let options = ["-P", wal.to_str().unwrap(), "-e", &trace, "-e", &inject];
        let disturbed = wrapper(&log, &options);
        let mut child = Child::spawn_under(&disturbed, &task(&folder, uid));
        let ended = child.finished(LONG);
        let warned = child.said().iter().any(|line| *line == format!("unrecorded {uid}"));
        if ended && warned && desk.is_done(uid) {
            passed += 1;
        } else {
            println!("{error}: ended {ended}, sent {}, {:?}", desk.is_done(uid), child.said());
        }
    }
    println!("check 6: {passed}/{}", faults.len());
    assert_eq!((passed, desk.touched()), (faults.len(), 0));
}
