//! The simulated printer under virtual time.

use std::io::Write;

use tempfile::NamedTempFile;
use tokio::{
    sync::mpsc::{self, UnboundedReceiver},
    time::Instant,
};

use crate::{Address, Doing, Driver, Event, Outcome, Phase, PrintRequest, StartError, connect};

/// 40 s in all; the first 10 s neither heat nor move.
const FILE: &str = "M117 hello\nG4 S10\nM104 S82\nG4 S15\nM140 S60\nG4 S15\n";

struct Bench {
    driver: Box<dyn Driver>,
    events: UnboundedReceiver<Event>,
    file: NamedTempFile,
}

impl Bench {
    async fn new(address: &str, text: &str) -> Self {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let (sender, events) = mpsc::unbounded_channel();
        let driver = connect(&address.parse::<Address>().unwrap(), sender)
            .await
            .unwrap();
        Self {
            driver,
            events,
            file,
        }
    }

    fn start(&self, fence: u64) -> Result<(), StartError> {
        let path = self.file.path().to_owned();
        self.driver.start(PrintRequest {
            attempt: format!("a{fence}"),
            fence,
            path,
        })
    }

    /// The next thing that is not a status.
    async fn news(&mut self) -> Event {
        loop {
            match self.events.recv().await.expect("the driver lives") {
                Event::Status(_) => {}
                event => return event,
            }
        }
    }

    async fn phase(&mut self, phase: Phase) {
        while self.driver.status().phase != phase {
            self.events.recv().await.expect("the driver lives");
        }
    }
}

fn started(attempt: &str) -> Event {
    Event::Started {
        attempt: attempt.to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_print_takes_the_time_of_its_moves_divided_by_speed() {
    let mut bench = Bench::new("sim://?speed=2", FILE).await;
    let begin = Instant::now();
    bench.start(1).unwrap();
    assert_eq!(bench.driver.status().phase, Phase::Starting);
    assert_eq!(bench.news().await, started("a1"));
    assert_eq!(begin.elapsed().as_millis(), 5000);
    assert_eq!(bench.driver.status().phase, Phase::Printing);
    assert_eq!(
        bench.news().await,
        Event::Finished {
            attempt: "a1".into()
        }
    );
    assert_eq!(begin.elapsed().as_millis(), 20_000);
    let status = bench.driver.status();
    assert_eq!(
        (status.phase, status.attempt, status.progress),
        (Phase::Idle, None, 1.0)
    );
    assert!(!status.temperatures.any_target());
    assert_eq!(bench.news().await, Event::BedCleared);
}

#[tokio::test(start_paused = true)]
async fn progress_rises_and_is_told_at_most_four_times_a_second() {
    let mut bench = Bench::new("sim://?speed=1", FILE).await;
    bench.start(1).unwrap();
    let (mut last, mut count, mut hottest) = (0.0, 0, 0.0f32);
    loop {
        match bench.events.recv().await.unwrap() {
            Event::Status(status) => {
                count += 1;
                assert!(status.progress >= last);
                last = status.progress;
                hottest = hottest.max(status.temperatures.tools[0].actual);
            }
            Event::Finished { .. } => break,
            _ => {}
        }
    }
    assert!((100..=170).contains(&count), "{count} updates in 40 s");
    assert!((60.0..=82.0).contains(&hottest), "{hottest}");
}

#[tokio::test(start_paused = true)]
async fn pausing_stops_the_clock() {
    let mut bench = Bench::new("sim://?speed=1", FILE).await;
    let begin = Instant::now();
    bench.start(1).unwrap();
    assert_eq!(bench.news().await, started("a1"));
    bench.driver.pause();
    bench.phase(Phase::Paused).await;
    tokio::time::sleep(std::time::Duration::from_secs(100)).await;
    bench.driver.resume();
    assert_eq!(
        bench.news().await,
        Event::Finished {
            attempt: "a1".into()
        }
    );
    assert_eq!(begin.elapsed().as_secs(), 140);
}

#[tokio::test(start_paused = true)]
async fn cancel_ends_the_print_with_cold_heaters() {
    let mut bench = Bench::new("sim://?clear=manual", FILE).await;
    bench.start(1).unwrap();
    assert_eq!(bench.news().await, started("a1"));
    bench.driver.cancel();
    assert_eq!(
        bench.news().await,
        Event::Aborted {
            attempt: "a1".into()
        }
    );
    assert!(!bench.driver.status().temperatures.any_target());
    // The next one may start, and with clear=manual nobody claims a clear bed in between.
    bench.start(2).unwrap();
    assert_eq!(bench.news().await, started("a2"));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_while_the_file_is_read_starts_nothing() {
    let mut bench = Bench::new("sim://?clear=manual", FILE).await;
    bench.start(1).unwrap();
    bench.driver.cancel();
    assert_eq!(
        bench.news().await,
        Event::Aborted {
            attempt: "a1".into()
        }
    );
    bench.start(2).unwrap();
    assert_eq!(bench.news().await, started("a2"));
    assert_eq!(
        bench.news().await,
        Event::Finished {
            attempt: "a2".into()
        }
    );
}

#[tokio::test(start_paused = true)]
async fn faults_come_when_the_address_asks() {
    let mut bench = Bench::new("sim://?speed=1&fail_after=0.5", FILE).await;
    let begin = Instant::now();
    bench.start(1).unwrap();
    assert_eq!(bench.news().await, started("a1"));
    assert!(
        matches!(bench.news().await, Event::Failed { attempt, reason } if attempt == "a1" && reason.contains("fail_after"))
    );
    assert_eq!(begin.elapsed().as_secs(), 20);
    assert_eq!(bench.news().await, Event::BedCleared);
    assert_eq!(bench.driver.status().phase, Phase::Idle);

    let mut bench = Bench::new("sim://?disconnect_after=0.1", FILE).await;
    bench.start(1).unwrap();
    assert!(matches!(bench.news().await, Event::Failed { .. }));
    assert!(matches!(bench.news().await, Event::LinkLost { .. }));
    assert_eq!(bench.driver.status().phase, Phase::Offline);
    assert_eq!(bench.start(2), Err(StartError::NotIdle(Phase::Offline)));

    let bench = Bench::new("sim://?refuse_start=yes", FILE).await;
    assert!(matches!(bench.start(1), Err(StartError::Refused(_))));

    let mut bench = Bench::new("sim://?slow_start=30", FILE).await;
    let begin = Instant::now();
    bench.start(1).unwrap();
    assert_eq!(bench.news().await, started("a1"));
    assert_eq!(begin.elapsed().as_secs(), 30);

    let mut bench = Bench::new("sim://?hang_after=0.5", FILE).await;
    bench.start(1).unwrap();
    assert_eq!(bench.news().await, started("a1"));
    tokio::time::sleep(std::time::Duration::from_secs(1000)).await;
    bench.driver.cancel();
    tokio::time::sleep(std::time::Duration::from_secs(1000)).await;
    assert_eq!(bench.driver.status().phase, Phase::Printing);
    bench.driver.emergency_stop();
    assert!(matches!(bench.news().await, Event::Failed { .. }));
    assert_eq!(bench.driver.status().phase, Phase::Fault);
}

#[tokio::test(start_paused = true)]
async fn a_bad_file_fails_with_a_reason_and_without_a_start() {
    for (text, part) in [
        ("", "no G-code"),
        ("Dear reader\n", "no G-code"),
        ("GCDE\0", "binary"),
    ] {
        let mut bench = Bench::new("sim://?clear=manual", text).await;
        bench.start(1).unwrap();
        let news = bench.news().await;
        assert!(
            matches!(&news, Event::Failed { reason, .. } if reason.contains(part)),
            "{news:?}"
        );
    }
    let mut bench = Bench::new("sim://", FILE).await;
    bench
        .driver
        .start(PrintRequest {
            attempt: "x".into(),
            fence: 1,
            path: "/nowhere".into(),
        })
        .unwrap();
    assert!(matches!(bench.news().await, Event::Failed { .. }));
}

#[tokio::test(start_paused = true)]
async fn the_file_can_ask_for_a_person() {
    let mut bench = Bench::new("sim://", "G28\nM0 look\nG4 S5\n").await;
    bench.start(1).unwrap();
    bench.phase(Phase::Paused).await;
    bench.driver.resume();
    bench.phase(Phase::Idle).await;
}

#[tokio::test(start_paused = true)]
async fn closing_fails_the_print_and_ends_the_task() {
    let mut bench = Bench::new("sim://", FILE).await;
    bench.start(1).unwrap();
    assert_eq!(bench.news().await, started("a1"));
    drop(bench.driver);
    let mut last = None;
    while let Some(event) = bench.events.recv().await {
        if !matches!(event, Event::Status(_)) {
            last = Some(event);
        }
    }
    assert!(matches!(last, Some(Event::Failed { reason, .. }) if reason.contains("closed")));
}

/// A machine that prints by itself, and the file in which it keeps what it does.
struct Alone {
    folder: tempfile::TempDir,
    options: &'static str,
}

impl Alone {
    fn new(options: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, options }
    }

    async fn connect(&self) -> Bench {
        let memory = self.folder.path().join("memory");
        let address = format!("sim://?{}&autonomous={}", self.options, memory.display());
        Bench::new(&address, FILE).await
    }

    /// As if so many seconds had passed that nobody saw.
    fn pass(&self, seconds: u64) {
        let path = self.folder.path().join("memory");
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let (rest, since) = lines[2].rsplit_once(' ').unwrap();
        let since: u64 = since.parse().unwrap();
        lines[2] = format!("{rest} {}", since - seconds * 1000);
        std::fs::write(path, lines.join("\n") + "\n").unwrap();
    }
}

fn printing(attempt: &str) -> Doing {
    Doing::Printing {
        attempt: Some(attempt.to_owned()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_with_a_journal_says_what_it_did_and_nothing_of_what_never_heated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let address = format!("sim://?speed=1&journal={}", path.display());
    let mut bench = Bench::new(&address, FILE).await;
    let said = || {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let words = text.lines().map(|line| {
            let (at, what) = line.split_once(' ').unwrap();
            assert!(at.parse::<u64>().is_ok(), "{line}");
            what.to_owned()
        });
        words.collect::<Vec<_>>()
    };
    bench.start(1).unwrap();
    assert_eq!(said(), [""; 0]);
    bench.driver.cancel();
    assert!(matches!(bench.news().await, Event::Aborted { .. }));
    assert_eq!(bench.news().await, Event::BedCleared);
    assert_eq!(said(), [""; 0], "it had not begun");
    bench.start(2).unwrap();
    assert_eq!(bench.news().await, started("a2"));
    assert_eq!(said(), ["begins a2"]);
    assert!(matches!(bench.news().await, Event::Finished { .. }));
    assert_eq!(said(), ["begins a2", "finished a2"]);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_fed_prints_nothing_when_its_driver_is_new() {
    let bench = Bench::new("sim://", FILE).await;
    assert_eq!(bench.driver.doing(), Doing::Fed);
}

#[tokio::test(start_paused = true)]
async fn an_autonomous_machine_prints_on_while_nobody_is_connected_and_says_so() {
    let machine = Alone::new("speed=1&clear=manual");
    let mut bench = machine.connect().await;
    assert_eq!(bench.driver.doing(), Doing::Idle { last: None });
    bench.start(1).unwrap();
    assert_eq!(bench.news().await, started("a1"));
    drop(bench.driver);
    while let Some(event) = bench.events.recv().await {
        assert!(
            matches!(event, Event::Status(_)),
            "nothing is told: {event:?}"
        );
    }
    machine.pass(20);
    let mut bench = machine.connect().await;
    assert_eq!(bench.driver.doing(), printing("a1"));
    assert_eq!(
        bench.start(2),
        Err(StartError::NotIdle(Phase::Printing)),
        "it is at work"
    );
    assert_eq!(bench.news().await, started("a1"), "told once more");
    let begin = Instant::now();
    let finished = Event::Finished {
        attempt: "a1".into(),
    };
    assert_eq!(bench.news().await, finished);
    // Of 40 s, 20 passed while nobody looked; the test itself takes a moment of real time.
    let seconds = begin.elapsed().as_secs_f64();
    assert!((15.0..=20.0).contains(&seconds), "{seconds}");
    let last = Some(("a1".to_owned(), Outcome::Finished));
    assert_eq!(bench.driver.doing(), Doing::Idle { last });
    bench.start(3).unwrap();
    assert_eq!(bench.news().await, started("a3"));
}

#[tokio::test(start_paused = true)]
async fn an_autonomous_machine_remembers_how_a_print_ended_that_nobody_saw_end() {
    let machine = Alone::new("speed=1&clear=manual");
    let mut bench = machine.connect().await;
    bench.start(1).unwrap();
    assert_eq!(bench.news().await, started("a1"));
    drop(bench);
    machine.pass(1000);
    let last = Some(("a1".to_owned(), Outcome::Finished));
    assert_eq!(machine.connect().await.driver.doing(), Doing::Idle { last });

    let machine = Alone::new("speed=1&clear=manual&fail_after=0.5");
    let mut bench = machine.connect().await;
    bench.start(1).unwrap();
    assert_eq!(bench.news().await, started("a1"));
    drop(bench);
    machine.pass(1000);
    let doing = machine.connect().await.driver.doing();
    assert!(
        matches!(&doing, Doing::Idle { last: Some((attempt, Outcome::Failed { reason })) }
            if attempt == "a1" && reason.contains("fail_after")),
        "{doing:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_autonomous_machine_survives_its_link_and_stands_where_it_was_paused() {
    let machine = Alone::new("speed=1&clear=manual&disconnect_after=0.5");
    let mut bench = machine.connect().await;
    bench.start(1).unwrap();
    assert_eq!(bench.news().await, started("a1"));
    assert!(matches!(bench.news().await, Event::LinkLost { .. }));
    let mut bench = machine.connect().await;
    assert_eq!(bench.driver.doing(), printing("a1"));
    bench.driver.pause();
    bench.phase(Phase::Paused).await;
    drop(bench);
    let mut bench = machine.connect().await;
    assert_eq!(bench.driver.doing(), printing("a1"));
    assert_eq!(bench.driver.status().phase, Phase::Paused);
    bench.driver.cancel();
    let aborted = Event::Aborted {
        attempt: "a1".into(),
    };
    assert_eq!(bench.news().await, aborted);
    let last = Some(("a1".to_owned(), Outcome::Aborted));
    assert_eq!(bench.driver.doing(), Doing::Idle { last });
}
