//! A host whose name cannot be resolved for a while. The child sees a hosts file of its own, in a
//! mount namespace of its own.

use crate::child::{Child, How, Task};
use crate::desk::op;
use palette_keys_core::connection::{Colour, ProxyChoice, SignInMethod};
use palette_keys_core::outbox::OutboxAction;
use palette_keys_core::store::{ConnectionRecord, Store};
use palette_sim::{NewKey, Seed, SimOptions, TlsIdentity};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::process::{Command, Stdio};
use std::time::Duration;

const HOST: &str = "palette.test";
const LONG: Duration = Duration::from_secs(60);

/// A namespace in which files can be put in the place of others; none where this is not allowed.
fn namespace(folder: &std::path::Path) -> Option<Vec<String>> {
    let [hosts, resolver] = ["hosts", "resolv.conf"].map(|name| folder.join(name));
    std::fs::write(&hosts, "127.0.0.1 localhost\n").unwrap();
    // Nobody answers there: a name that is not in the file is not found, and at once.
    std::fs::write(&resolver, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n").unwrap();
    let script = format!(
        "mount --bind {} /etc/hosts && mount --bind {} /etc/resolv.conf && exec \"$0\" \"$@\"",
        hosts.display(),
        resolver.display()
    );
    let wrapper = |options: &str| -> Vec<String> {
        ["unshare", options, "sh", "-c", &script].map(str::to_owned).to_vec()
    };
    let works = |wrapper: &Vec<String>| {
        let mut command = Command::new(&wrapper[0]);
        command.args(&wrapper[1..]).arg("true").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    ["-rm", "-m"].map(wrapper).into_iter().find(works)
}

fn identity() -> (String, TlsIdentity) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
    let leaf = params.signed_by(&key, &issuer).unwrap();
    (authority, TlsIdentity { cert_pem: leaf.pem(), key_pem: key.serialize_pem() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_cannot_be_found_is_tried_until_it_is() {
    let mut passed = 0;
    let actions = [OutboxAction::Revoke, OutboxAction::Delete];
    for action in actions {
        let folder = tempfile::tempdir().unwrap();
        let Some(namespace) = namespace(folder.path()) else {
            println!("check 4: DNS SKIPPED, mount namespaces are not allowed here");
            return;
        };
        let (authority, tls) = identity();
        let options = SimOptions {
            seed: Seed::Empty,
            tls: Some(tls),
            extra_hosts: vec![HOST.to_owned()],
            rate_limit: false,
            ..SimOptions::default()
        };
        let sim = palette_sim::start(options).await.unwrap();
        let uid = sim.add_key(NewKey::named("target-0")).uid;
        let connection = op();
        let record = ConnectionRecord {
            id: connection.clone(),
            name: "acme".into(),
            colour: Colour::Teal,
            origin: format!("https://{HOST}:{}", sim.port()),
            method: SignInMethod::ApiKey,
            email: None,
            organization: None,
            ca_certificate: Some(authority),
            proxy: ProxyChoice::None,
            demo: false,
            in_memory_only: false,
            signing_key_uid: None,
            credential_key: None,
            sign_in: Default::default(),
            position: 0,
        };
        let data = folder.path().join("data");
        Store::open(&data).unwrap().0.put_connection(&record).unwrap();
        let task = Task {
            folder: data,
            connection,
            credential: sim.admin().api_key,
            uids: vec![uid.clone()],
            how: How::Bulk,
            action,
            on_word: false,
            stay: false,
        };
        let mut child = Child::spawn_under(&namespace, &task);
        child.wait_for("problem HostUnknown", LONG).expect("the name is not found");
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let quiet = sim.connections() == 0 && !child.said().iter().any(|l| l.starts_with("ended"));
        // In place: the child has this very file under the other name.
        let hosts = format!("127.0.0.1 localhost {HOST}\n");
        std::fs::write(folder.path().join("hosts"), hosts).unwrap();
        let ended = child.finished(LONG);
        let done = match action {
            OutboxAction::Revoke => sim.key(&uid).is_some_and(|key| !key.active),
            OutboxAction::Delete => sim.key(&uid).is_none(),
        };
        if quiet && ended && done {
            passed += 1;
        } else {
            println!("{action:?}: quiet {quiet}, ended {ended}, done {done}, {:?}", child.said());
        }
    }
    println!("check 4: {passed}/{} DNS", actions.len());
    assert_eq!(passed, actions.len());
}
