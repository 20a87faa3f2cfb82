//! What answers look like: on a terminal, in a pipe, as JSON, as ids.

use printmesh_api::{
    problem::Problem,
    reply::{
        Daemon, Finish, Forecast, ForecastJob, ForecastPrint, Job, Need, RelayUse, Reply, Share,
        Status, Sync,
    },
    request::Request,
};
use serde_json::Value;

use super::{
    samples::{KMZ, LQW, job, jobs, list, printer, printing, queue, waiting},
    stage::{Stage, run_in},
};

#[tokio::test]
async fn jobs_on_a_terminal_are_a_table_with_how_fresh_it_is() {
    let stage = Stage::open().await;
    stage.fake.on("job-list", Ok(jobs()));
    let ran = stage.on_terminal(&["jobs", "-q", "farm"]).await;
    let expected = [
        "  JOB       PLACE   NAME     COPIES  STATE     WHERE / WHY                BY        DONE AT",
        "  kmzqtwsu  farm#1  bracket  0/3     printing  mk4-1 42 %, then 2 more    workshop  -",
        "  lqwxyzkn  farm#1  lid      0/3     queued    something lies on the bed  workshop  -",
        "1 of 2 other hosts connected; not seen: rack2 (their rows may be old)\n",
    ];
    assert_eq!(ran.out, expected.join("\n"));
    assert_eq!((ran.exit, ran.err.as_str()), (0, ""));
    let request = Request::JobList {
        queue: Some("farm".to_owned()),
        all: false,
    };
    assert_eq!(*stage.fake.calls.lock().unwrap(), [request]);
    stage.close().await;
}

#[tokio::test]
async fn who_decided_about_prints_and_which_are_one_too_many_is_marked() {
    let stage = Stage::open().await;
    let cut = Job {
        copies_done: 2,
        certified: 2,
        speculative: 1,
        surplus: 1,
        ..job(KMZ, "bracket", "printing")
    };
    stage
        .fake
        .on("job-list", Ok(Reply::JobList(list(vec![cut.clone()]))));
    let ran = stage.on_terminal(&["jobs"]).await;
    assert!(ran.out.contains("2/3 \u{2713}2 ~1 +1"), "{}", ran.out);
    stage.fake.on("job-show", Ok(Reply::Job(cut)));
    let ran = stage.on_terminal(&["job", "show", KMZ]).await;
    let words = "2/3 done: 2 certified, 1 speculative, 1 surplus";
    assert!(ran.out.contains(words), "{}", ran.out);
    stage.close().await;
}

#[tokio::test]
async fn jobs_in_a_pipe_are_whole_tab_separated_rows() {
    let stage = Stage::open().await;
    stage.fake.on("job-list", Ok(jobs()));
    let ran = stage.run(&["jobs"]).await;
    let expected = format!(
        "{KMZ}\tfarm#1\tbracket\t0/3\tprinting\t\tworkshop\t2026-11-20T09:12:03Z\t\n\
         {LQW}\tfarm#1\tlid\t0/3\tqueued\tbed-not-clear\tworkshop\t2026-11-20T09:12:03Z\t\n"
    );
    assert_eq!(ran.out, expected);
    let ran = stage.run(&["jobs", "--quiet"]).await;
    assert_eq!(ran.out, format!("{KMZ}\n{LQW}\n"));
    stage.close().await;
}

#[tokio::test]
async fn json_has_the_envelope_and_only_the_fields_asked_for() {
    let stage = Stage::open().await;
    stage.fake.on("job-list", Ok(jobs()));
    let ran = stage.on_terminal(&["jobs", "--json"]).await;
    let all: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(all["apiVersion"], "printmesh/v1");
    assert_eq!(all["kind"], "JobList");
    assert_eq!(all["asOf"], "2026-11-20T12:30:00Z");
    assert_eq!(all["sync"]["peersKnown"], 2);
    assert_eq!(all["items"][0]["id"], KMZ);
    assert_eq!(all["items"][0]["claims"][0]["leftS"], 2280);

    let ran = stage.run(&["jobs", "--json=name,claims.printer"]).await;
    let some: Value = serde_json::from_str(&ran.out).unwrap();
    let expected = serde_json::json!([
        {"name": "bracket", "claims": [{"printer": "mk4-1"}]},
        {"name": "lid", "claims": []},
    ]);
    assert_eq!(some["items"], expected);
    let ran = stage.run(&["jobs", "--json=colour"]).await;
    assert_eq!(ran.exit, 2);
    let problem: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(
        (&problem["kind"], &problem["exit"]),
        (&"Problem".into(), &2.into())
    );
    stage.close().await;
}

#[tokio::test]
async fn a_job_says_where_it_is_and_each_printer_why_not() {
    let stage = Stage::open().await;
    stage
        .fake
        .on("job-show", Ok(Reply::Job(printing(KMZ, "bracket"))));
    let ran = stage.on_terminal(&["job", "show", "kmz", "--why"]).await;
    for line in [
        "  queue     farm#1\n",
        "  since     09:12\n",
        "bracket.gcode  ×1        0     3m 17s  PLA       137.1 kB  here",
        "rack1/mk4-1  printing  42 %  38m 00s  12:00",
        "workshop/sim-1  bed-not-clear",
    ] {
        assert!(ran.out.contains(line), "{line}\n{}", ran.out);
    }
    stage
        .fake
        .on("job-show", Ok(Reply::Job(waiting(LQW, "lid"))));
    let ran = stage.run(&["job", "show", "lqw"]).await;
    assert!(!ran.out.contains("sim-1"), "not asked why: {}", ran.out);
    stage.close().await;
}

#[tokio::test]
async fn queues_and_members_are_shown_with_who_asks() {
    let stage = Stage::open().await;
    stage.fake.on("queue-show", Ok(Reply::Queue(queue("farm"))));
    let ran = stage.on_terminal(&["queue", "show", "farm"]).await;
    assert!(
        ran.out
            .contains("garage        m3kk-77ty  481-920  printmesh member approve farm garage"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("2h 05m ago"), "{}", ran.out);
    let ran = stage.run(&["queue", "show", "farm"]).await;
    assert!(
        ran.out.contains("asking\tgarage\tm3kk-77ty\t481-920\t\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.out
            .contains("member\track2\tk7dm-94qx\tprinter\taway\t0.1.0\t2026-11-20T10:25:00Z\t"),
        "{}",
        ran.out
    );
    stage.close().await;
}

#[tokio::test]
async fn status_is_one_screen_and_check_exits_one_when_somebody_is_needed() {
    let stage = Stage::open().await;
    let mut status = Status {
        as_of: "2026-11-20T12:30:00Z".to_owned(),
        sync: Sync::default(),
        host: "workshop".to_owned(),
        fingerprint: "k7dm-94qx".to_owned(),
        queues: vec![queue("farm")],
        printers: vec![printer()],
        needs_you: Vec::new(),
    };
    stage.fake.on("status", Ok(Reply::Status(status.clone())));
    let ran = stage.on_terminal(&["status", "--check"]).await;
    assert_eq!(ran.exit, 0);
    assert!(
        ran.out
            .contains("sim-1    printing  occupied  bracket  █████░░░░░  50 %  1m 30s  on"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("NEEDS YOU"));
    status.needs_you.push(Need {
        text: "clear the bed of sim-1".to_owned(),
        command: "printmesh printer ready sim-1".to_owned(),
    });
    stage.fake.on("status", Ok(Reply::Status(status)));
    stage.run(&["status"]).await;
    let ran = stage.run(&["status", "--check"]).await;
    assert_eq!(ran.exit, 1);
    assert!(
        ran.out
            .contains("needs-you\tclear the bed of sim-1\tprintmesh printer ready sim-1\n")
    );
    stage.close().await;
}

#[tokio::test]
async fn a_ticket_is_alone_on_stdout() {
    let stage = Stage::open().await;
    let share = Share {
        queue: "farm".to_owned(),
        ticket: Some("pmq1abc".to_owned()),
        role: "printer".to_owned(),
        expires: Some("2026-11-21T12:30:00Z".to_owned()),
        uses: Some(1),
        id: None,
        relays: Vec::new(),
    };
    stage.fake.on("queue-share", Ok(Reply::Share(share)));
    let ran = stage.on_terminal(&["queue", "share", "farm"]).await;
    assert_eq!(ran.out, "pmq1abc\n");
    assert!(
        ran.err
            .starts_with("For one host, role printer, until Nov 21 12:30."),
        "{}",
        ran.err
    );
    let request = Request::QueueShare {
        queue: "farm".to_owned(),
        role: "operator".to_owned(),
        expires_s: Some(86_400),
        uses: 1,
        with_key: false,
        open_s: None,
        wan: false,
    };
    assert_eq!(*stage.fake.calls.lock().unwrap(), [request]);
    stage.close().await;
}

#[tokio::test]
async fn a_ticket_that_leads_over_a_relay_comes_with_what_the_relay_learns() {
    let stage = Stage::open().await;
    let share = Share {
        queue: "farm".to_owned(),
        ticket: Some("pmq1abc".to_owned()),
        role: "operator".to_owned(),
        expires: Some("2026-11-21T12:30:00Z".to_owned()),
        uses: Some(1),
        id: None,
        relays: vec!["https://relay.example.org".to_owned()],
    };
    stage.fake.on("queue-share", Ok(Reply::Share(share)));
    let ran = stage
        .on_terminal(&["queue", "share", "farm", "--wan"])
        .await;
    assert_eq!(ran.out, "pmq1abc\n");
    for said in [
        "printmesh join TICKET --wan",
        "https://relay.example.org",
        "learns which hosts talk over it",
    ] {
        assert!(ran.err.contains(said), "{}", ran.err);
    }
    stage.close().await;
}

#[tokio::test]
async fn the_daemon_says_which_relays_it_uses_or_that_nothing_leaves_the_network() {
    let stage = Stage::open().await;
    let daemon = |relays| {
        Reply::Daemon(Daemon {
            pid: 7,
            version: "0.1.0".to_owned(),
            home: "home".to_owned(),
            uptime_s: 1,
            host: "garage".to_owned(),
            addresses: Vec::new(),
            relays,
        })
    };
    stage.fake.on("daemon-status", Ok(daemon(Vec::new())));
    let ran = stage.on_terminal(&["daemon", "status"]).await;
    assert!(
        ran.out.contains("none: nothing leaves the local network"),
        "{}",
        ran.out
    );
    stage.close().await;

    let stage = Stage::open().await;
    let relay = RelayUse {
        url: "http://10.0.0.1:3340".to_owned(),
        state: "ending".to_owned(),
        encrypted: false,
        note: None,
    };
    stage.fake.on("daemon-status", Ok(daemon(vec![relay])));
    let ran = stage.on_terminal(&["daemon", "status"]).await;
    for said in [
        "http://10.0.0.1:3340",
        "connected until the daemon is started again",
        "not encrypted",
        "learns which hosts talk over it",
    ] {
        assert!(ran.out.contains(said), "{}", ran.out);
    }
    stage.close().await;
}

#[tokio::test]
async fn the_daemons_problem_is_shown_as_it_is() {
    let stage = Stage::open().await;
    let problem = Problem::new("job.leased", 5, "cannot cancel kmzt").because("mk4-1 prints it");
    stage.fake.on("job-cancel", Err(problem));
    let ran = stage.run(&["job", "cancel", "kmzt"]).await;
    assert_eq!((ran.exit, ran.out.as_str()), (5, ""));
    assert_eq!(
        ran.err,
        "error: cannot cancel kmzt\n  why  mk4-1 prints it\n  code job.leased (exit 5)\n"
    );
    let ran = stage.run(&["job", "cancel", "kmzt", "--json"]).await;
    let problem: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(problem["code"], "job.leased");
    stage.close().await;
}

#[tokio::test]
async fn without_a_daemon_the_way_out_names_the_same_home() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("h");
    let ran = run_in(home.clone(), &["status"], None).await;
    assert_eq!(ran.exit, 6);
    assert!(ran.err.contains("code daemon.down (exit 6)"), "{}", ran.err);
    let init = format!("fix  printmesh --home {} init ", home.display());
    assert!(ran.err.contains(&init), "{}", ran.err);
    std::fs::create_dir(&home).unwrap();
    let ran = run_in(home.clone(), &["jobs"], None).await;
    let up = format!("fix  printmesh --home {} up ", home.display());
    assert!(ran.err.contains(&up), "{}", ran.err);
    // Stopping what does not run is done already.
    let ran = run_in(home, &["daemon", "stop"], None).await;
    assert_eq!(
        (ran.exit, ran.out.as_str()),
        (0, "already: no daemon runs\n")
    );
}

#[tokio::test]
async fn an_unexpected_answer_and_an_empty_one_are_said() {
    let stage = Stage::open().await;
    let ran = stage
        .run(&["job", "wait", "kmz", "--timeout", "0.05s"])
        .await;
    // The fake answers with something that is no job: the command says so instead of guessing.
    assert_eq!(ran.exit, 1);
    assert!(ran.err.contains("daemon.foreign"), "{}", ran.err);
    stage
        .fake
        .on("printer-list", Ok(Reply::PrinterList(list(Vec::new()))));
    let ran = stage.on_terminal(&["printer", "list"]).await;
    assert!(ran.out.starts_with("no printers; add one:"), "{}", ran.out);
    stage.close().await;
}

#[tokio::test]
async fn a_simulation_is_a_timeline_and_says_which_date_is_missed_and_what_nobody_knows() {
    let stage = Stage::open().await;
    let print = |job: &str, to: Option<&str>, unknown: Option<&str>| ForecastPrint {
        printer: "rack1/mk4".to_owned(),
        job_id: KMZ.to_owned(),
        job: job.to_owned(),
        queue: "farm".to_owned(),
        copy: 2,
        begun: false,
        from: "2026-11-20T13:00:00Z".to_owned(),
        to: to.map(str::to_owned),
        basis: "slicer".to_owned(),
        unknown: unknown.map(str::to_owned),
    };
    let job = |job: &str, finish| ForecastJob {
        id: KMZ.to_owned(),
        job: job.to_owned(),
        queue: "farm".to_owned(),
        due: Some("2026-11-20T13:30:00Z".to_owned()),
        finish,
    };
    let why = "nobody knows how long lid.gcode takes";
    let late = Finish {
        at: Some("2026-11-20T14:00:00Z".to_owned()),
        unknown: None,
        late_s: Some(1800),
    };
    let unknown = Finish {
        unknown: Some(why.to_owned()),
        ..Finish::default()
    };
    let forecast = Forecast {
        as_of: "2026-11-20T12:30:00Z".to_owned(),
        sync: Sync::default(),
        turnaround_s: Some(600),
        done_at: None,
        cut: false,
        prints: vec![
            print("bracket", Some("2026-11-20T14:00:00Z"), None),
            print("lid", None, Some(why)),
        ],
        jobs: vec![job("bracket", late), job("lid", unknown)],
        learned: Vec::new(),
    };
    stage.fake.on("simulate", Ok(Reply::Forecast(forecast)));
    let words = ["simulate", "-q", "farm", "--turnaround", "10m"];
    let ran = stage.on_terminal(&words).await;
    let expected = [
        "  FROM   TO     PRINTER    COPY        QUEUE  TIME RESTS ON",
        "  13:00  14:00  rack1/mk4  bracket #2  farm   estimate",
        "  13:00  ?      rack1/mk4  lid #2      farm   nobody knows how long lid.gcode takes",
        "",
        "  JOB      QUEUE  DONE                                     DUE    LATE",
        "  bracket  farm   14:00                                    13:30  30m 00s",
        "  lid      farm   ? nobody knows how long lid.gcode takes  13:30  -",
        "when everything is done is not known\n",
    ];
    assert_eq!(ran.out, expected.join("\n"));
    let request = Request::Simulate {
        queue: Some("farm".to_owned()),
        turnaround_s: Some(600),
        until_ms: None,
    };
    assert_eq!(*stage.fake.calls.lock().unwrap(), [request]);
    stage.close().await;
}
