//! Commands that change something: what they ask of the daemon, how they ask people first.

use printmesh_api::{
    problem::Problem,
    reply::Reply,
    request::{NewJob, NewSet, Place, Request, Resolve},
};
use serde_json::Value;

use super::{
    samples::{KMZ, LQW, job, printing, queue},
    stage::Stage,
};

#[tokio::test]
async fn submit_uploads_each_file_once_and_says_what_it_is() {
    let stage = Stage::open().await;
    let file = |name: &str| {
        let path = stage.home.path().join(name);
        std::fs::write(&path, "G28\n").unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (base, leg) = (file("base.gcode"), format!("{}:4", file("leg.gcode")));
    stage
        .fake
        .on("job-submit", Ok(Reply::Job(job(KMZ, "base", "queued"))));
    let words = [
        "submit",
        &base,
        &leg,
        &base,
        "-c",
        "3",
        "-q",
        "farm",
        "--printer",
        "rack1/mk4",
    ];
    let ran = stage.run(&words).await;
    assert_eq!((ran.exit, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out, format!("{KMZ}\tfarm\tbase\t0/3\tqueued\n"));
    assert_eq!(
        *stage.fake.uploads.lock().unwrap(),
        ["base.gcode", "leg.gcode"]
    );
    let set = |upload: u32, name: &str, per_run| NewSet {
        hash: format!("{upload:064x}"),
        file_name: name.to_owned(),
        per_run,
        alternatives: Vec::new(),
    };
    let expected = NewJob {
        queue: Some("farm".to_owned()),
        name: None,
        sets: vec![
            set(1, "base.gcode", 1),
            set(2, "leg.gcode", 4),
            set(1, "base.gcode", 1),
        ],
        copies: 3,
        together: false,
        draft: false,
        printers: vec!["rack1/mk4".to_owned()],
        terms: printmesh_api::request::Terms::default(),
        slice: None,
    };
    assert_eq!(
        *stage.fake.calls.lock().unwrap(),
        [Request::JobSubmit(expected)]
    );

    let ran = stage.run(&["submit", &base, "--quiet"]).await;
    assert_eq!(ran.out, format!("{KMZ}\n"));
    let ran = stage.on_terminal(&["submit", &base]).await;
    assert_eq!(ran.out, "kmzqtwsu base in farm: 3 copies, queued\n");
    stage.close().await;
}

#[tokio::test]
async fn nothing_is_sent_when_one_of_the_files_is_bad() {
    let stage = Stage::open().await;
    let good = stage.home.path().join("good.gcode");
    std::fs::write(&good, "G28\n").unwrap();
    let bad = stage.home.path().join("missing.gcode");
    let ran = stage
        .run(&["submit", good.to_str().unwrap(), bad.to_str().unwrap()])
        .await;
    assert_eq!(ran.exit, 3);
    assert!(ran.err.contains("code file.missing"), "{}", ran.err);
    assert!(stage.fake.uploads.lock().unwrap().is_empty());
    assert!(stage.fake.ops().is_empty());
    stage.close().await;
}

#[tokio::test]
async fn several_jobs_are_cancelled_only_after_a_yes_and_by_their_full_ids() {
    let stage = Stage::open().await;
    for (id, name) in [
        (KMZ, "bracket"),
        (LQW, "lid"),
        (KMZ, "bracket"),
        (LQW, "lid"),
    ] {
        stage
            .fake
            .on("job-show", Ok(Reply::Job(job(id, name, "queued"))));
    }
    let ran = stage
        .run(&["job", "cancel", "farm#1", "farm#2", "--no-input"])
        .await;
    assert_eq!(ran.exit, 2);
    assert!(
        ran.err.contains("why  Cancel 2 jobs?\n  fix  --yes"),
        "{}",
        ran.err
    );
    assert_eq!(stage.fake.ops(), ["job-show", "job-show"]);

    stage.fake.calls.lock().unwrap().clear();
    stage.fake.on(
        "job-cancel",
        Ok(Reply::Job(job(KMZ, "bracket", "cancelled"))),
    );
    let leased = Problem::new("job.leased", 5, "mk4-1 prints lid");
    stage.fake.on("job-cancel", Err(leased));
    let ran = stage
        .run(&["job", "cancel", "farm#1", "farm#2", "-y", "--json"])
        .await;
    assert_eq!(ran.exit, 8);
    let batch: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&batch["kind"], &batch["items"][0]["ok"]),
        (&"BatchResult".into(), &true.into())
    );
    assert_eq!(batch["items"][0]["result"]["state"], "cancelled");
    assert_eq!(batch["items"][1]["problem"]["code"], "job.leased");
    let cancel = |id: &str| Request::JobCancel {
        job: id.to_owned(),
        stop: false,
    };
    assert_eq!(
        stage.fake.calls.lock().unwrap()[2..],
        [cancel(KMZ), cancel(LQW)]
    );
    stage.close().await;
}

#[tokio::test]
async fn a_print_is_stopped_only_after_a_yes_that_names_its_printer() {
    let stage = Stage::open().await;
    for _ in 0..2 {
        let shown = Reply::Job(printing(KMZ, "bracket"));
        stage.fake.on("job-show", Ok(shown));
    }
    let cancel = ["job", "cancel", "kmz", "--stop"];
    let ran = stage.run(&[&cancel[..], &["--no-input"]].concat()).await;
    assert_eq!(ran.exit, 2);
    let question = "Stop the print on rack1/mk4-1 and cancel the job?";
    assert!(ran.err.contains(question), "{}", ran.err);
    assert_eq!(stage.fake.ops(), ["job-show"]);
    stage.fake.on(
        "job-cancel",
        Ok(Reply::Job(job(KMZ, "bracket", "cancelled"))),
    );
    let ran = stage.run(&[&cancel[..], &["-y"]].concat()).await;
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let stop = Request::JobCancel {
        job: "kmz".into(),
        stop: true,
    };
    assert_eq!(stage.fake.calls.lock().unwrap().last(), Some(&stop));
    stage.close().await;
}

#[tokio::test]
async fn a_start_is_asked_of_the_printer_that_was_named() {
    let stage = Stage::open().await;
    for _ in 0..2 {
        let text = "bracket is next on b/mk4".to_owned();
        let done = Reply::Done(printmesh_api::reply::Done {
            already: false,
            text,
        });
        stage.fake.on("job-start", Ok(done));
    }
    for flag in ["--printer", "--on"] {
        let ran = stage.run(&["job", "start", "kmz", flag, "b/mk4"]).await;
        assert_eq!((ran.exit, &*ran.out), (0, "bracket is next on b/mk4\n"));
    }
    let start = Request::JobStart {
        job: "kmz".into(),
        printer: "b/mk4".into(),
    };
    assert_eq!(*stage.fake.calls.lock().unwrap(), [start.clone(), start]);
    stage.close().await;
}

#[tokio::test]
async fn a_persons_word_about_a_copy_is_sent_as_it_was_typed() {
    let stage = Stage::open().await;
    let words = [
        ("--done", Resolve::Done),
        ("--failed", Resolve::Failed),
        ("--retry", Resolve::Retry),
    ];
    for (flag, resolve) in words {
        let text = "copy 2 of bracket is good".to_owned();
        let done = Reply::Done(printmesh_api::reply::Done {
            already: false,
            text,
        });
        stage.fake.on("job-resolve", Ok(done));
        let ran = stage.run(&["job", "resolve", "kmz#2", flag]).await;
        assert_eq!((ran.exit, &*ran.out), (0, "copy 2 of bracket is good\n"));
        let sent = stage.fake.calls.lock().unwrap().pop();
        let copy = "kmz#2".to_owned();
        assert_eq!(sent, Some(Request::JobResolve { copy, resolve }));
    }
    stage.close().await;
}

#[tokio::test]
async fn when_no_job_can_be_cancelled_the_first_reason_is_the_answer() {
    let stage = Stage::open().await;
    stage
        .fake
        .on("job-show", Ok(Reply::Job(job(KMZ, "bracket", "queued"))));
    stage.fake.on(
        "job-cancel",
        Err(Problem::new("job.leased", 5, "mk4-1 prints it")),
    );
    let ran = stage.run(&["job", "cancel", "a", "b", "-y"]).await;
    assert_eq!(ran.exit, 5);
    assert_eq!(ran.err.matches("error:").count(), 1);
    stage.close().await;
}

#[tokio::test]
async fn jobs_that_are_moved_together_keep_their_order() {
    let stage = Stage::open().await;
    for id in [KMZ, LQW] {
        stage
            .fake
            .on("job-show", Ok(Reply::Job(job(id, "part", "queued"))));
    }
    // In the other queue the jobs have new ids.
    let there = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";
    stage
        .fake
        .on("job-move", Ok(Reply::Job(job(there, "part", "queued"))));
    let ran = stage
        .run(&["job", "mv", "local#1", "local#2", "--to", "farm", "--top"])
        .await;
    assert_eq!(ran.exit, 0);
    let moved = |job: &str, place| Request::JobMove {
        job: job.to_owned(),
        to: Some("farm".to_owned()),
        place,
    };
    let expected = [
        moved(KMZ, Place::Top),
        moved(LQW, Place::After(there.to_owned())),
    ];
    assert_eq!(stage.fake.calls.lock().unwrap()[2..], expected);
    stage.close().await;
}

#[tokio::test]
async fn edit_sends_only_what_was_named() {
    let stage = Stage::open().await;
    let edit = |name: Option<&str>, copies, printers, together| Request::JobEdit {
        job: "kmz".to_owned(),
        name: name.map(str::to_owned),
        copies,
        printers,
        together,
        terms: printmesh_api::request::Terms::default(),
    };
    for (words, expected) in [
        (vec!["--copies", "5"], edit(None, Some(5), None, None)),
        (
            vec!["--any-printer", "--together"],
            edit(None, None, Some(Vec::new()), Some(true)),
        ),
        (
            vec![
                "--name",
                "lid",
                "--together=false",
                "--printer",
                "a",
                "--printer",
                "b",
            ],
            edit(
                Some("lid"),
                None,
                Some(vec!["a".to_owned(), "b".to_owned()]),
                Some(false),
            ),
        ),
    ] {
        let ran = stage
            .run(&[&["job", "edit", "kmz"], words.as_slice()].concat())
            .await;
        assert_eq!(ran.exit, 0, "{ran:?}");
        assert_eq!(stage.fake.calls.lock().unwrap().pop(), Some(expected));
    }
    stage.close().await;
}

#[tokio::test]
async fn a_host_is_let_in_only_after_comparing_the_code() {
    let stage = Stage::open().await;
    stage.fake.on("queue-show", Ok(Reply::Queue(queue("LAN"))));
    let words = ["member", "approve", "LAN", "garage"];
    let ran = stage.run(&[&words[..], &["--no-input"]].concat()).await;
    assert_eq!(ran.exit, 2);
    assert!(
        ran.err.contains(
            "garage (m3kk-77ty) asks to join LAN. Does its screen show the code 481-920?"
        ),
        "{}",
        ran.err
    );
    assert_eq!(stage.fake.ops(), ["queue-show"]);
    let ran = stage.run(&[&words[..], &["--yes"]].concat()).await;
    assert_eq!((ran.exit, ran.out.as_str()), (0, "member-approve done\n"));
    stage.close().await;
}

#[tokio::test]
async fn all_printers_are_an_empty_list_and_several_are_asked_one_by_one() {
    let stage = Stage::open().await;
    stage.run(&["printer", "ready", "--all"]).await;
    stage.run(&["autoprint", "off", "mk4", "mini"]).await;
    stage
        .run(&["printer", "pause", "mk4", "mini", "--reason", "nozzle worn"])
        .await;
    let pause = |printer: &str| Request::PrinterPause {
        printer: printer.to_owned(),
        reason: Some("nozzle worn".to_owned()),
    };
    let expected = [
        Request::PrinterReady {
            printers: Vec::new(),
            good: None,
        },
        Request::Autoprint {
            printers: vec!["mk4".to_owned(), "mini".to_owned()],
            on: false,
            cycles: None,
        },
        pause("mk4"),
        pause("mini"),
    ];
    assert_eq!(*stage.fake.calls.lock().unwrap(), expected);
    stage.close().await;
}
