//! Strangers, and members that break the rules: they are turned away and named, and nothing else happens.

use printmesh_api::reply;
use printmesh_net::{Event, FetchError, ProtocolRange};
use printmesh_node::Message;
use printmesh_queue::{
    Ballot, Bed, ClaimRecord, ClaimState, CopyId, EpochHash, EpochId, Equivocation, FileHash,
    FileSpec, HostId, Job, JobId, JobState, PrinterRecord, QueueId, Rank, Set, SetId, SetSpec,
    SignedChange, Signer as _, Timestamp, VersionVector,
};
use serde_json::{Value, json};

use super::{
    impostor::{Device, Impostor, device_of, forge, key_of, log_of, queue_id, whereabouts},
    until_jobs,
};
use crate::suite::environment::{Farm, Host, sliced};

const FAST: &str = "sim://?speed=2000";

fn stranger() -> Device {
    Device(ed25519_dalek::SigningKey::from_bytes(&[77; 32]))
}

/// A draft, so that nobody prints it.
fn draft(n: u8, name: &str, submitter: HostId) -> Job {
    let file = FileSpec {
        hash: FileHash([n; 32]),
        size: 1000,
        name: "part.gcode".to_owned(),
        estimate_s: None,
        material: None,
        slicer: None,
        model: None,
        nozzle_um: None,
        needs: printmesh_queue::Needs::default(),
    };
    Job {
        id: JobId([n; 16]),
        name: name.to_owned(),
        rank: Rank::between(None, None),
        copies: 1,
        together: false,
        draft: true,
        held: false,
        printers: Vec::new(),
        state: JobState::Open,
        submitter,
        created: Timestamp(1_700_000_000_000),
        origin: None,
        retries: None,
        again: std::collections::BTreeMap::new(),
        terms: printmesh_queue::Terms::default(),
        sets: vec![Set {
            id: SetId([n; 16]),
            rank: Rank::between(None, None),
            per_run: 1,
            spec: SetSpec { files: vec![file] },
        }],
    }
}

/// Everything that the queue says to people, as far as a change could alter it.
fn picture(host: &Host) -> Value {
    let items = |command: &[&str]| host.json(command)["items"].clone();
    let members = items(&["queue", "peers", "farm"]);
    let members = members.as_array().unwrap().iter();
    let members: Vec<_> = members
        .map(|peer| (peer["host"].clone(), peer["role"].clone()))
        .collect();
    let printers = items(&["printer", "list"]);
    let own: Vec<_> = printers
        .as_array()
        .unwrap()
        .iter()
        .filter(|printer| printer["mine"] == true)
        .cloned()
        .collect();
    json!({"jobs": items(&["jobs", "-q", "farm"]), "members": members, "printers": own})
}

/// Host `a` that runs, and what host `b` left when it was stopped: another may now say to be `b`.
struct Stage {
    a: Host,
    b: Host,
    queue: QueueId,
    log: Vec<Vec<u8>>,
}

fn stage(farm: &Farm) -> Stage {
    let (a, mut b) = farm.two_hosts(FAST);
    a.submit(&[
        &sliced("clip.gcode"),
        "-q",
        "farm",
        "--name",
        "clip",
        "--draft",
    ]);
    until_jobs(&b, &["clip"]);
    let queue = queue_id(&a, "farm");
    b.stop();
    a.until_link("farm", "b", "away");
    let log = log_of(&b, queue);
    Stage { a, b, queue, log }
}

#[test]
fn a_stranger_gets_past_neither_sync_nor_files_and_learns_nothing() {
    let farm = Farm::new();
    let mut a = farm.host("a");
    a.start_verbose();
    a.ok(&["queue", "create", "farm"]);
    let job = a.submit(&[&sliced("clip.gcode"), "-q", "farm", "--draft"]);
    let hash: FileHash = a.job(&job)["sets"][0]["hash"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();

    let mut stranger = Impostor::new(&farm, stranger(), whereabouts(&a));
    stranger.call();
    a.until_logged(&["refused a stranger", "printmesh/sync"]);
    match stranger.fetch(hash.0) {
        Err(FetchError::NobodyHasIt { asked, .. }) => {
            assert_eq!(
                asked[0].answer,
                "the peer does not know this host as a member"
            );
        }
        other => panic!("{other:?}"),
    }
    // The door for those who want to join is open, and what does not belong there is not answered.
    let conversation = stranger.ask_to_join();
    let queue = queue_id(&a, "farm");
    let have = Message::Have {
        queue,
        epoch: EpochId::default(),
        vector: VersionVector::default(),
    };
    stranger.say_in(conversation, have.encode(), false);
    stranger.say_in(conversation, vec![0xff; 5000], true);
    let heard = stranger.wait(|event| matches!(event, Event::JoinClosed { .. }));
    let told = |event: &Event| {
        matches!(
            event,
            Event::Connected { .. } | Event::Frame { .. } | Event::JoinFrame { .. }
        )
    };
    assert!(!heard.iter().any(told), "{heard:#?}");
    a.until_logged(&["sent a join message that cannot be read"]);
    let peers = a.json(&["queue", "peers", "farm"]);
    assert_eq!(peers["items"].as_array().unwrap().len(), 1, "{peers:#}");
    stranger.leave();
}

#[test]
fn forged_changes_are_refused_and_named_and_the_queue_goes_on() {
    let farm = Farm::new();
    let Stage {
        a,
        mut b,
        queue,
        log,
    } = stage(&farm);
    let before = picture(&a);
    let mut member = Impostor::new(&farm, device_of(&b), whereabouts(&a));
    member.connect();
    let (me, them) = (member.device.host(), key_of(&a));
    let mut events = a.events();
    let mut refused = |change: Vec<u8>, code: &str, by: &str| {
        member.send_changes(queue, vec![change]);
        let event = events.wait_for("a refusal", |event| event.kind == "refused");
        let reply::Event {
            state,
            printer,
            queue,
            ..
        } = event;
        assert_eq!(
            (state.as_deref(), printer.as_deref()),
            (Some(code), Some(by))
        );
        assert_eq!(queue.as_deref(), Some("farm"));
        a.until_logged(&["refused a change", &me.to_string(), code]);
        assert_eq!(picture(&a), before, "after {code}");
    };

    // Signed by nobody.
    let honest = member.change(queue, &log, 1001, |edit| {
        edit.add_job(&draft(1, "evil", me))
    });
    let mut unsigned = honest.clone();
    *unsigned.last_mut().unwrap() ^= 1;
    refused(unsigned, "bad-signature", "b");
    // Altered after it was signed.
    let mut altered = honest.clone();
    let at = altered.windows(4).position(|part| part == b"evil").unwrap();
    altered[at..at + 4].copy_from_slice(b"good");
    refused(altered, "bad-signature", "b");
    // By a key that nobody let in.
    let (own, other) = (me.0, stranger());
    let unknown = other.host();
    let foreign = forge(&honest, queue, &other, &[(&own, &unknown.0)]);
    refused(foreign, "unknown-author", &unknown.fingerprint());
    // In the name of the host that it is sent to.
    let named = forge(&honest, queue, &member.device, &[(&own, &them.0)]);
    refused(named, "bad-signature", "b");

    // A printer of another host: a new one, and one that is there.
    let (own, other) = (me.to_string(), them.to_string());
    let swap: &[(&[u8], &[u8])] = &[(own.as_bytes(), other.as_bytes())];
    let record = PrinterRecord {
        position: 0,
        machine: None,
        bed: Bed::Clear,
        autoprint: true,
        paused: None,
        online: true,
        fault: None,
        last_print_ended: None,
        equipment: printmesh_queue::Equipment::default(),
        set_aside: false,
        between: None,
        routine: printmesh_queue::Routine::default(),
        removed: false,
    };
    let ghost = member.change(queue, &log, 1002, |edit| edit.put_printer("ghost", &record));
    refused(
        forge(&ghost, queue, &member.device, swap),
        "not-permitted",
        "b",
    );
    let paused = PrinterRecord {
        paused: Some("mine now".to_owned()),
        ..record
    };
    let taken = member.change(queue, &log, 1003, |edit| edit.put_printer("sim", &paused));
    refused(
        forge(&taken, queue, &member.device, swap),
        "predecessor",
        "b",
    );
    // A copy in another host's name.
    let job = a.json(&["jobs", "-q", "farm"])["items"][0]["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let claim = ClaimRecord {
        printer: "sim".to_owned(),
        ballot: Ballot {
            n: 9,
            host: me,
            printer: "sim".to_owned(),
        },
        cfg: 1,
        spec_hash: [0; 32],
        state: ClaimState::Finished,
        speculative: false,
        credited_to: None,
        note: None,
        at: Timestamp(1_700_000_000_000),
    };
    let copy = CopyId { job, index: 0 };
    let claimed = member.change(queue, &log, 1004, |edit| edit.put_claim(copy, 1, &claim));
    refused(
        forge(&claimed, queue, &member.device, swap),
        "not-permitted",
        "b",
    );
    // What another host says about itself.
    let name = member.change(queue, &log, 1005, |edit| edit.set_my_name("bb"));
    refused(
        forge(&name, queue, &member.device, swap),
        "predecessor",
        "b",
    );
    // Not even a change: cut off in the middle.
    refused(honest[..honest.len() / 2].to_vec(), "encoding", "b");

    // On the same link, an honest change is taken.
    let honest = member.change(queue, &log, 1006, |edit| {
        edit.add_job(&draft(2, "honest", me))
    });
    member.send_changes(queue, vec![honest]);
    until_jobs(&a, &["clip", "honest"]);
    member.leave();
    // And the host whose key it was comes back to a queue that works.
    b.start();
    until_jobs(&b, &["clip", "honest"]);
    let job = b.submit(&[&sliced("clip.gcode"), "-q", "farm", "--name", "real"]);
    a.wait(&[&job]);
    assert!(!a.log().contains("panicked"), "{}", a.log());
}

#[test]
fn garbage_from_a_member_does_no_harm() {
    let farm = Farm::new();
    let Stage { a, b, queue, log } = stage(&farm);
    a.ok(&["queue", "create", "secret"]);
    let secret = queue_id(&a, "secret");
    let before = picture(&a);
    let mut member = Impostor::new(&farm, device_of(&b), whereabouts(&a));
    member.connect();
    let me = member.device.host();
    let honest = member.change(queue, &log, 1001, |edit| {
        edit.add_job(&draft(1, "honest", me))
    });
    let said = Message::Changes {
        queue,
        epoch: EpochHash::default(),
        changes: vec![honest.clone()],
        also: Vec::new(),
    }
    .encode();
    member.say(Vec::new());
    member.say(vec![0xff; 900_000]);
    for kind in 0..=40u8 {
        member.say([&[kind][..], &[0xff; 64]].concat());
        member.say(vec![kind]);
    }
    // Each beginning of a good message, and each with one byte spoilt.
    for at in 0..said.len().min(200) {
        member.say(said[..at].to_vec());
        let mut spoilt = said.clone();
        spoilt[at] ^= 0x55;
        member.say(spoilt);
    }
    assert_eq!(a.run(&["status"]).code, 0);

    // What is asked of a queue that is not shared is not answered; frames are answered in their order.
    for queue in [secret, QueueId([9; 32]), queue] {
        let vector = VersionVector::default();
        let epoch = EpochId::default();
        let have = Message::Have {
            queue,
            epoch,
            vector,
        };
        member.say(have.encode());
    }
    let changes = |event: &Event| match event {
        Event::Frame { bytes, .. } => match Message::decode(bytes) {
            Some(Message::Changes { queue, .. }) => Some(queue),
            _ => None,
        },
        _ => None,
    };
    let heard = member.wait(|event| changes(event) == Some(queue));
    let of_others = heard.iter().filter_map(changes).filter(|of| *of != queue);
    assert_eq!(of_others.count(), 0, "{heard:#?}");
    assert!(
        !heard
            .iter()
            .any(|event| matches!(event, Event::Disconnected { .. }))
    );
    assert_eq!(picture(&a), before);

    // More than a frame may hold ends the link, and only that.
    member.send_changes(queue, vec![honest]);
    until_jobs(&a, &["clip", "honest"]);
    assert!(!a.log().contains("panicked"), "{}", a.log());
    member.leave();
}

#[test]
fn a_member_of_an_incompatible_version_is_shown_as_such() {
    let farm = Farm::new();
    let Stage { a, mut b, .. } = stage(&farm);
    let future = ProtocolRange {
        oldest: 7,
        newest: 9,
    };
    let member = Impostor::speaking(&farm, device_of(&b), whereabouts(&a), future, "9.4.2");
    member.call();
    a.until_link("farm", "b", "incompatible");
    let peers = a.json(&["queue", "peers", "farm"]);
    let b_row = peers["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|peer| peer["host"] == "b")
        .unwrap();
    assert_eq!(b_row["version"], "9.4.2");
    assert!(
        b_row["note"].as_str().unwrap().contains("protocol 7-9"),
        "{b_row:#}"
    );
    let shown = a.ok(&["queue", "peers", "farm"]);
    assert!(
        shown.contains("incompatible") && shown.contains("9.4.2"),
        "{shown}"
    );
    member.leave();
    // Brought up to date, it is a peer like any other, without waiting for the next try.
    b.start();
    a.until_link("farm", "b", "connected");
    let peers = a.json(&["queue", "peers", "farm"]);
    let b_row = peers["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|peer| peer["host"] == "b")
        .unwrap();
    assert_eq!(
        (&b_row["version"], &b_row["note"]),
        (&json!(env!("CARGO_PKG_VERSION")), &Value::Null)
    );
}

#[test]
fn a_member_that_tells_two_stories_is_shown_with_the_proof() {
    let farm = Farm::new();
    let Stage { a, b, queue, log } = stage(&farm);
    let mut member = Impostor::new(&farm, device_of(&b), whereabouts(&a));
    member.connect();
    let me = member.device.host();
    let [one, two] = ["one", "two"].map(|name| {
        member.change(queue, &log, 999, |edit| {
            edit.add_job(&draft(9, name, me));
        })
    });
    member.send_changes(queue, vec![one.clone(), two.clone()]);

    // The first one stays, and who signed both is named wherever members are.
    until_jobs(&a, &["clip", "one"]);
    let mark = a.until("b to be marked", |me| {
        let listed = me.json(&["member", "list", "farm"]);
        let mut members = listed["items"].as_array()?.iter();
        let of_b = members.find(|member| member["host"] == "b")?;
        of_b["marks"].get(0).cloned()
    });
    assert_eq!(mark["code"], "equivocation");
    let shown = a.json(&["queue", "show", "farm"]);
    let peers = shown["members"].as_array().unwrap().iter();
    let marked: Vec<_> = peers.filter(|peer| peer["marks"].is_array()).collect();
    assert_eq!(marked.len(), 1, "{shown:#}");
    assert!(a.ok(&["status"]).contains("b (equivocation)"));

    // Anybody can check it: two signed changes and the queue's id are all that it takes.
    let bytes = |n: usize| -> Vec<u8> {
        let hex = mark["proof"][n].as_str().unwrap();
        let digits = (0..hex.len()).step_by(2);
        digits
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    };
    let changes = [0, 1].map(|n| SignedChange::from_bytes(&bytes(n)).unwrap());
    let proof = Equivocation::of(queue, &changes[0], &changes[1]).unwrap();
    assert_eq!(proof.author(), me);
    // So does the command that shows one member.
    let shown = a.json(&["member", "show", "farm", "b"]);
    assert_eq!(shown["role"], "operator");
    assert_eq!(shown["key"], me.to_string());
    assert_eq!(shown["invitedBy"], "a");
    assert_eq!(shown["proof"]["verified"], true, "{shown:#}");
    assert_eq!(shown["proof"]["signed"], mark["proof"]);
    let text = a.ok(&["member", "show", "farm", "b"]);
    assert!(
        text.contains("equivocation") && text.contains("verified"),
        "{text}"
    );
    let nobody = a.problem("member.unknown", &["member", "show", "farm", "nobody"]);
    assert_eq!(nobody["exit"], 3);
    member.leave();
}
