//! Commands that wait: for a print, for a person, for whatever happens.

use printmesh_api::reply::{Event, Join, Reply, Status, Sync};

use super::{
    samples::{KMZ, event, job, list, printing, queue, waiting},
    stage::Stage,
};

#[tokio::test]
async fn wait_listens_first_and_follows_events_until_the_job_is_done() {
    let stage = Stage::open().await;
    for job in [
        waiting(KMZ, "lid"),
        printing(KMZ, "lid"),
        job(KMZ, "lid", "done"),
    ] {
        stage.fake.on("job-show", Ok(Reply::Job(job)));
    }
    let other = event("job.state", Some("somebody-elses"));
    let progress = Event {
        copy: Some(1),
        progress: Some(0.5),
        ..event("print.progress", Some(KMZ))
    };
    stage
        .fake
        .then("job-show", vec![other, event("copy.state", Some(KMZ))]);
    stage
        .fake
        .then("job-show", vec![progress, event("reset", None)]);
    let ran = stage.run(&["job", "wait", "kmz"]).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(stage.fake.was_listening_at("job-show"));
    // Neither another job nor progress is a reason to ask again.
    assert_eq!(stage.fake.ops(), ["job-show"; 3]);
    let expected = "kmzqtwsu lid: queued (something lies on the bed)\n\
                    kmzqtwsu lid: printing\n\
                    kmzqtwsu lid: done\n";
    assert_eq!(ran.err, expected);
    assert_eq!(ran.out, format!("{KMZ}\tfarm\tlid\t0/3\tdone\n"));
    stage.close().await;
}

#[tokio::test]
async fn a_job_that_ended_otherwise_is_exit_ten_and_still_shown() {
    let stage = Stage::open().await;
    for state in ["failed", "cancelled"] {
        stage
            .fake
            .on("job-show", Ok(Reply::Job(job(KMZ, "lid", state))));
        let ran = stage.run(&["job", "wait", "kmz", "--json=state"]).await;
        assert_eq!(ran.exit, 10);
        assert!(
            ran.out.contains(&format!("\"state\":\"{state}\"")),
            "{}",
            ran.out
        );
        stage
            .fake
            .on("job-show", Ok(Reply::Job(job(KMZ, "lid", "cancelled"))));
        stage.run(&["job", "show", "kmz"]).await;
    }
    stage.close().await;
}

#[tokio::test]
async fn waiting_for_less_ends_earlier() {
    let stage = Stage::open().await;
    stage
        .fake
        .on("job-show", Ok(Reply::Job(printing(KMZ, "lid"))));
    for until in ["printing", "claimed"] {
        let ran = stage.run(&["job", "wait", "kmz", "--for", until]).await;
        assert_eq!(ran.exit, 0, "{ran:?}");
    }
    let ran = stage
        .run(&["job", "wait", "kmz", "--timeout", "0.01s"])
        .await;
    assert_eq!(ran.exit, 7, "{ran:?}");
    assert!(ran.err.contains("code timed.out (exit 7)"), "{}", ran.err);
    stage.close().await;
}

#[tokio::test]
async fn a_job_that_was_moved_is_followed() {
    let stage = Stage::open().await;
    let mut moved = job(KMZ, "lid", "moved");
    moved.moved_to = Some("zzz".to_owned());
    stage.fake.on("job-show", Ok(Reply::Job(moved)));
    stage
        .fake
        .on("job-show", Ok(Reply::Job(job("zzz", "lid", "done"))));
    let ran = stage.run(&["job", "wait", "kmz"]).await;
    assert_eq!(
        (ran.exit, ran.out.as_str()),
        (0, "zzz\tfarm\tlid\t0/3\tdone\n")
    );
    stage.close().await;
}

#[tokio::test]
async fn a_daemon_that_stops_ends_the_waiting() {
    let stage = Stage::open().await;
    stage
        .fake
        .on("job-show", Ok(Reply::Job(waiting(KMZ, "lid"))));
    let words = ["job", "wait", "kmz"];
    let (ran, ()) = tokio::join!(stage.run(&words), async {
        while stage.fake.ops().is_empty() {
            tokio::task::yield_now().await;
        }
        stage.stop();
    });
    assert_eq!(ran.exit, 6);
    assert!(ran.err.contains("code daemon.stopped"), "{}", ran.err);
    stage.close().await;
}

#[tokio::test]
async fn submit_with_wait_answers_only_with_the_end() {
    let stage = Stage::open().await;
    let file = stage.home.path().join("lid.gcode");
    std::fs::write(&file, "G28\n").unwrap();
    stage
        .fake
        .on("job-submit", Ok(Reply::Job(waiting(KMZ, "lid"))));
    stage
        .fake
        .on("job-show", Ok(Reply::Job(job(KMZ, "lid", "done"))));
    let ran = stage
        .run(&[
            "submit",
            file.to_str().unwrap(),
            "--wait",
            "--json=id,state",
        ])
        .await;
    assert_eq!((ran.exit, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out.lines().count(), 1);
    assert!(ran.out.contains("\"state\":\"done\""), "{}", ran.out);
    stage.close().await;
}

fn asked() -> Reply {
    Reply::Join(Join {
        state: "asked".to_owned(),
        queue: None,
        host: Some("workshop".to_owned()),
        code: Some("481-920".to_owned()),
        relays: Vec::new(),
        unused_relays: Vec::new(),
    })
}

fn status() -> Reply {
    Reply::Status(Status {
        as_of: "2026-11-20T12:30:00Z".to_owned(),
        sync: Sync::default(),
        host: "garage".to_owned(),
        fingerprint: "m3kk-77ty".to_owned(),
        queues: Vec::new(),
        printers: Vec::new(),
        needs_you: Vec::new(),
    })
}

#[tokio::test]
async fn join_shows_the_code_and_waits_until_the_queue_is_there() {
    let stage = Stage::open().await;
    stage.fake.on("queue-join", Ok(asked()));
    stage.fake.on("status", Ok(status()));
    for _ in 0..2 {
        stage.fake.on(
            "queue-list",
            Ok(Reply::QueueList(list(vec![queue("local")]))),
        );
    }
    let both = list(vec![queue("local"), queue("LAN")]);
    stage.fake.on("queue-list", Ok(Reply::QueueList(both)));
    // The first answer is the state before; the second finds nothing new yet.
    stage.fake.then("queue-list", Vec::new());
    stage.fake.then(
        "queue-list",
        vec![event("printer.state", None), event("queue.changed", None)],
    );
    let ran = stage.on_terminal(&["join"]).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(stage.fake.was_listening_at("queue-join"));
    assert_eq!(ran.out, "joined LAN (workshop let this host in)\n");
    assert_eq!(
        ran.err,
        "Asked host workshop to let garage in. Its `printmesh status` shows the same code: 481-920\n\
         Then, on that host: printmesh member approve LAN garage\n"
    );
    stage.close().await;
}

#[tokio::test]
async fn join_ends_when_it_is_refused_or_time_is_over_or_nobody_waits() {
    let stage = Stage::open().await;
    stage.fake.on("queue-join", Ok(asked()));
    stage.fake.on("status", Ok(status()));
    stage.fake.on(
        "queue-list",
        Ok(Reply::QueueList(list(vec![queue("local")]))),
    );
    stage.fake.then("queue-list", Vec::new());
    stage
        .fake
        .then("queue-list", vec![event("join.refused", None)]);
    let ran = stage.run(&["join"]).await;
    assert_eq!(ran.exit, 4, "{ran:?}");
    assert!(ran.err.contains("code join.refused"), "{}", ran.err);

    let ran = stage.run(&["join", "--timeout", "0.05s"]).await;
    assert_eq!(ran.exit, 7, "{ran:?}");

    let ran = stage.run(&["join", "--no-wait"]).await;
    assert_eq!(
        (ran.exit, ran.out.as_str()),
        (0, "asked\t\tworkshop\t481-920\n")
    );
    stage.close().await;
}

#[tokio::test]
async fn events_are_json_lines_until_the_daemon_stops() {
    let stage = Stage::open().await;
    let words = ["events", "--kind", "job.state", "--json=kind,job"];
    let (ran, ()) = tokio::join!(stage.run(&words), async {
        while stage.fake.events.receiver_count() == 0 {
            tokio::task::yield_now().await;
        }
        for kind in ["job.state", "peer.state", "reset"] {
            stage.fake.events.send(event(kind, Some(KMZ))).unwrap();
        }
        // What was sent before the stop still arrives: it is read off first.
        while !stage.fake.events.is_empty() {
            tokio::task::yield_now().await;
        }
        stage.stop();
    });
    assert_eq!(ran.exit, 6);
    let expected = format!(
        "{{\"job\":\"{KMZ}\",\"kind\":\"job.state\"}}\n{{\"job\":\"{KMZ}\",\"kind\":\"reset\"}}\n"
    );
    assert_eq!(ran.out, expected);
    stage.close().await;
}
