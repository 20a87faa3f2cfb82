//! The whole driver over a real pseudo-terminal, through the real serial port library, in real time.

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::NamedTempFile;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::{expected, sliced};
use crate::{
    Address, ConnectError, Driver, Event, Phase, PrintRequest, StartError,
    fake_marlin::{FakeMarlin, Faults},
    marlin::{
        Timings,
        serial::{self, Serial},
    },
};

/// Waits that suit a printer that answers at once; a slow machine that runs the tests only causes a few probes too many.
const QUICK: Timings = Timings {
    boot_ms: 300,
    ask_ms: 500,
    identify_ms: 20_000,
    ok_ms: 300,
    ok_without_busy_ms: 300,
    long_ms: 2_000,
    silence_ms: 60_000,
    quiet_ms: 20,
    waits_max: 20,
    cooling_ms: 50,
};

pub(super) struct Bench {
    pub(super) fake: FakeMarlin,
    pub(super) driver: Serial,
    pub(super) events: UnboundedReceiver<Event>,
    pub(super) file: NamedTempFile,
}

pub(super) async fn connect(
    path: &Path,
) -> Result<(Serial, UnboundedReceiver<Event>), ConnectError> {
    let (sender, events) = mpsc::unbounded_channel();
    serial::connect(path, 115_200, QUICK, sender)
        .await
        .map(|driver| (driver, events))
}

impl Bench {
    pub(super) async fn new(faults: Faults, text: &str) -> Self {
        let fake = FakeMarlin::spawn(faults);
        let (driver, events) = connect(fake.path()).await.unwrap();
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Self {
            fake,
            driver,
            events,
            file,
        }
    }

    pub(super) fn start(&self, fence: u64) -> Result<(), StartError> {
        let path = self.file.path().to_owned();
        self.driver.start(PrintRequest {
            attempt: format!("a{fence}"),
            fence,
            path,
        })
    }

    pub(super) async fn event(&mut self) -> Event {
        let event = tokio::time::timeout(Duration::from_secs(60), self.events.recv()).await;
        event
            .expect("something happens within a minute")
            .expect("the driver lives")
    }

    /// The next thing that is not a status.
    pub(super) async fn news(&mut self) -> Event {
        loop {
            match self.event().await {
                Event::Status(_) => {}
                event => return event,
            }
        }
    }

    pub(super) async fn phase(&mut self, phase: Phase) {
        while self.driver.status().phase != phase {
            self.event().await;
        }
    }

    pub(super) async fn started(&mut self) {
        assert!(matches!(self.news().await, Event::Started { .. }));
    }

    pub(super) async fn failed(&mut self, part: &str) {
        let news = self.news().await;
        assert!(
            matches!(&news, Event::Failed { reason, .. } if reason.contains(part)),
            "{news:?}"
        );
    }

    /// Commands of the print only: those before it, to identify, may have been garbled.
    pub(super) fn printed(&self) -> Vec<String> {
        let printed = self.fake.printed();
        let from = printed
            .iter()
            .position(|command| command == "M73 P0 R1")
            .unwrap_or(printed.len());
        printed[from..].to_vec()
    }
}

async fn prints(faults: Faults) {
    let text = sliced(4, 250);
    let mut bench = Bench::new(faults, &text).await;
    bench.start(1).unwrap();
    bench.started().await;
    assert_eq!(
        bench.news().await,
        Event::Finished {
            attempt: "a1".into()
        }
    );
    assert_eq!(bench.printed()[..expected(&text).len()], expected(&text));
    let status = bench.driver.status();
    assert_eq!(
        (status.phase, status.attempt, status.progress),
        (Phase::Idle, None, 1.0)
    );
}

#[tokio::test]
async fn a_file_is_printed() {
    prints(Faults::default()).await;
}

#[tokio::test]
async fn one_percent_of_garbled_lines_to_the_printer_changes_nothing() {
    prints(Faults {
        corrupt_to_printer: 0.01,
        seed: 2,
        ..Faults::default()
    })
    .await;
}

#[tokio::test]
async fn one_percent_of_garbled_lines_to_the_host_changes_nothing() {
    prints(Faults {
        corrupt_to_host: 0.01,
        seed: 3,
        ..Faults::default()
    })
    .await;
}

#[tokio::test]
async fn lost_and_doubled_oks_change_nothing() {
    prints(Faults {
        lose_ok: 0.01,
        double_ok: 0.01,
        seed: 4,
        ..Faults::default()
    })
    .await;
}

#[tokio::test]
async fn all_of_it_at_once_changes_nothing() {
    let faults = Faults {
        corrupt_to_printer: 0.01,
        corrupt_to_host: 0.01,
        lose_ok: 0.01,
        double_ok: 0.01,
        seed: 5,
        ..Faults::default()
    };
    prints(faults).await;
}

#[tokio::test]
async fn progress_and_temperatures_are_told() {
    let mut bench = Bench::new(Faults::default(), &sliced(4, 250)).await;
    bench.start(1).unwrap();
    let (mut last, mut hottest) = (0.0, 0.0f32);
    loop {
        match bench.event().await {
            Event::Status(status) => {
                assert!(status.progress >= last, "{} after {last}", status.progress);
                last = status.progress;
                hottest = status
                    .temperatures
                    .tools
                    .iter()
                    .map(|tool| tool.target)
                    .fold(hottest, f32::max);
            }
            Event::Finished { .. } => break,
            _ => {}
        }
    }
    assert_eq!(hottest, 210.0);
}

#[tokio::test]
async fn bad_files_fail_before_anything_is_heated() {
    let mut fence = 0;
    let mut bench = Bench::new(Faults::default(), "").await;
    for (text, part) in [
        ("", "no G-code commands"),
        ("M104 S200\nM112\n", "would kill"),
        ("Dear reader\n", "line 1"),
    ] {
        bench.file = NamedTempFile::new().unwrap();
        bench.file.write_all(text.as_bytes()).unwrap();
        fence += 1;
        bench.start(fence).unwrap();
        bench.failed(part).await;
    }
    assert!(bench.fake.printed().is_empty());
}

#[tokio::test]
async fn connecting_says_who_answers() {
    let bench = Bench::new(Faults::default(), "").await;
    let info = bench.driver.info();
    assert!(info.firmware.starts_with("Marlin 2.1.2.1"));
    assert_eq!((info.machine.as_str(), info.tools), ("Fake 3D", 1));
    assert!(info.caps.emergency_parser && info.caps.reports_temperatures);
    assert!(
        bench.fake.printed().is_empty(),
        "connecting moves and heats nothing"
    );
}

#[tokio::test]
async fn connecting_says_what_is_wrong() {
    let refused = async |path: PathBuf| connect(&path).await.err().expect("no printer").to_string();
    assert!(
        refused("/dev/serial/by-id/no-such-port".into())
            .await
            .contains("there is no port")
    );
    let file = NamedTempFile::new().unwrap();
    assert!(
        refused(file.path().to_owned())
            .await
            .contains("as a serial port")
    );
    let parrot = |answer: &str| {
        FakeMarlin::spawn(Faults {
            parrot: Some(answer.into()),
            ..Faults::default()
        })
    };
    let silent = parrot("");
    assert!(
        refused(silent.path().to_owned())
            .await
            .contains("no answer")
    );
    let modem = parrot("ERROR\r\n");
    assert!(
        refused(modem.path().to_owned())
            .await
            .contains("not like a printer")
    );
    let busy = FakeMarlin::spawn(Faults {
        card_print: Some((1, 100)),
        ..Faults::default()
    });
    assert!(refused(busy.path().to_owned()).await.contains("card"));
}

#[tokio::test]
async fn an_address_is_enough() {
    let text = sliced(1, 50);
    let fake = FakeMarlin::spawn(Faults::default());
    let (sender, mut events) = mpsc::unbounded_channel();
    let address: Address = format!("serial:{}?baud=250000", fake.path().display())
        .parse()
        .unwrap();
    let driver = crate::connect(&address, sender).await.unwrap();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let path = file.path().to_owned();
    driver
        .start(PrintRequest {
            attempt: "a".into(),
            fence: 1,
            path,
        })
        .unwrap();
    while events.recv().await.unwrap()
        != (Event::Finished {
            attempt: "a".into(),
        })
    {}
    assert_eq!(fake.printed(), expected(&text));
}
