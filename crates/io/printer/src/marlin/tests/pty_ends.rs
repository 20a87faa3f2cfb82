//! Every end of a print but the good one, over a real pseudo-terminal.

use std::time::Duration;

use super::{
    expected,
    pty::{Bench, connect},
    sliced,
};
use crate::{ConnectError, Driver, Event, Phase, StartError, fake_marlin::Faults};

#[tokio::test]
async fn a_reset_during_the_print_fails_it() {
    let mut bench = Bench::new(
        Faults {
            reset_after: Some(200),
            ..Faults::default()
        },
        &sliced(4, 250),
    )
    .await;
    bench.start(1).unwrap();
    bench.started().await;
    bench.failed("reset").await;
    bench.fake.wait_until_cold();
    // A new print, with a newer claim, counts from the beginning.
    bench.phase(Phase::Idle).await;
    assert!(matches!(
        bench.start(1),
        Err(StartError::StaleFence { fence: 1, seen: 1 })
    ));
    bench.start(2).unwrap();
    bench.started().await;
    assert_eq!(
        bench.news().await,
        Event::Finished {
            attempt: "a2".into()
        }
    );
}

#[tokio::test]
async fn a_pulled_cable_fails_the_print_and_loses_the_link() {
    let mut bench = Bench::new(
        Faults {
            unplug_after: Some(200),
            ..Faults::default()
        },
        &sliced(4, 250),
    )
    .await;
    bench.start(1).unwrap();
    bench.started().await;
    bench.failed("connection").await;
    assert!(matches!(bench.news().await, Event::LinkLost { .. }));
    assert_eq!(bench.driver.status().phase, Phase::Offline);
    assert_eq!(bench.start(2), Err(StartError::NotIdle(Phase::Offline)));

    // Without a print there is nothing to fail.
    let mut bench = Bench::new(Faults::default(), "").await;
    bench.fake.unplug();
    assert!(matches!(bench.news().await, Event::LinkLost { .. }));
}

#[tokio::test]
async fn a_thermal_error_is_a_fault_and_ends_cold() {
    let mut bench = Bench::new(
        Faults {
            thermal_error_after: Some(200),
            ..Faults::default()
        },
        &sliced(4, 250),
    )
    .await;
    bench.start(1).unwrap();
    bench.started().await;
    bench.failed("Thermal Runaway").await;
    let status = bench.driver.status();
    assert_eq!(status.phase, Phase::Fault);
    assert!(status.fault.unwrap().contains("Thermal Runaway"));
    bench.fake.wait_until_cold();
    assert_eq!(bench.start(2), Err(StartError::NotIdle(Phase::Fault)));
}

#[tokio::test]
async fn a_print_can_be_cancelled() {
    let slow = vec![("G1 ".to_owned(), Duration::from_millis(3))];
    let mut bench = Bench::new(
        Faults {
            slow,
            ..Faults::default()
        },
        &sliced(4, 250),
    )
    .await;
    bench.start(1).unwrap();
    bench.started().await;
    bench.fake.wait_for(|executed| executed.len() > 100);
    bench.driver.cancel();
    assert_eq!(
        bench.news().await,
        Event::Aborted {
            attempt: "a1".into()
        }
    );
    assert!(!bench.fake.is_hot());
    assert!(
        bench
            .printed()
            .ends_with(&["M400".to_owned(), "M84".to_owned()])
    );
    assert_eq!(bench.driver.status().phase, Phase::Idle);
}

#[tokio::test]
async fn a_print_can_be_paused_and_resumed() {
    let slow = vec![("G1 ".to_owned(), Duration::from_millis(3))];
    let text = sliced(2, 100);
    let mut bench = Bench::new(
        Faults {
            slow,
            ..Faults::default()
        },
        &text,
    )
    .await;
    bench.start(1).unwrap();
    bench.started().await;
    bench.fake.wait_for(|executed| executed.len() > 50);
    bench.driver.pause();
    bench.phase(Phase::Paused).await;
    assert!(bench.fake.is_hot());
    bench.driver.resume();
    assert_eq!(
        bench.news().await,
        Event::Finished {
            attempt: "a1".into()
        }
    );
    // The moves of the pause itself are tested in the model.
    let printed = bench.printed();
    for command in expected(&text) {
        assert!(printed.contains(&command), "{command}");
    }
}

#[tokio::test]
async fn the_printer_can_pause_by_itself() {
    let slow = vec![("G1 ".to_owned(), Duration::from_millis(3))];
    let mut bench = Bench::new(
        Faults {
            slow,
            ..Faults::default()
        },
        &sliced(2, 100),
    )
    .await;
    bench.start(1).unwrap();
    bench.started().await;
    bench.fake.wait_for(|executed| executed.len() > 50);
    bench.fake.say("//action:paused filament_runout 0");
    bench.phase(Phase::Paused).await;
    bench.fake.say("//action:resumed");
    assert_eq!(
        bench.news().await,
        Event::Finished {
            attempt: "a1".into()
        }
    );
}

#[tokio::test]
async fn an_emergency_stop_halts_the_machine() {
    let slow = vec![("G1 ".to_owned(), Duration::from_millis(3))];
    let mut bench = Bench::new(
        Faults {
            slow,
            ..Faults::default()
        },
        &sliced(2, 100),
    )
    .await;
    bench.start(1).unwrap();
    bench.started().await;
    bench.driver.emergency_stop();
    bench.failed("emergency").await;
    bench
        .fake
        .wait_for(|executed| executed.contains(&"M112".to_owned()));
    assert!(bench.fake.is_halted());
    assert_eq!(bench.driver.status().phase, Phase::Fault);
}

#[tokio::test]
async fn closing_switches_off_and_frees_the_port() {
    let slow = vec![("G1 ".to_owned(), Duration::from_millis(3))];
    let mut bench = Bench::new(
        Faults {
            slow,
            ..Faults::default()
        },
        &sliced(2, 100),
    )
    .await;
    bench.start(1).unwrap();
    bench.started().await;
    assert!(matches!(
        connect(bench.fake.path()).await,
        Err(ConnectError::PortInUse { .. })
    ));
    drop(bench.driver);
    loop {
        match bench.events.recv().await {
            Some(Event::Failed { reason, .. }) => break assert!(reason.contains("closed")),
            Some(_) => {}
            None => panic!("the print had no outcome"),
        }
    }
    bench.fake.wait_until_cold();
    let (driver, _events) = connect(bench.fake.path()).await.unwrap();
    assert_eq!(driver.status().phase, Phase::Idle);
}
