//! Thousands of bad cables: whatever they do, what is printed is the file, or the print has failed.

use std::time::Duration;

use proptest::prelude::*;

use super::{
    expected,
    model::{Bench, check, feeds, print},
    sliced,
};
use crate::{fake_marlin::Faults, marlin::protocol::Outcome};

prop_compose! {
    fn cables()(
        seed: u64,
        to_printer in prop_oneof![Just(0.0), 0.0..0.02, 0.0..0.15],
        to_host in prop_oneof![Just(0.0), 0.0..0.02, 0.0..0.15],
        lose_ok in prop_oneof![Just(0.0), 0.0..0.02, 0.0..0.1],
        double_ok in prop_oneof![Just(0.0), 0.0..0.02, 0.0..0.1],
        resend_has_ok: bool,
        has_advanced_ok: bool,
        has_auto_report: bool,
        has_busy: bool,
        says_start: bool,
        is_slow: bool,
    ) -> Faults {
        Faults {
            seed, corrupt_to_printer: to_printer, corrupt_to_host: to_host, lose_ok, double_ok, resend_has_ok, has_advanced_ok,
            has_auto_report, says_start,
            busy_every: has_busy.then_some(Duration::from_secs(2)),
            slow: if is_slow { vec![("G1 ".to_owned(), Duration::from_millis(300))] } else { Vec::new() },
            ..Faults::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_is_the_file_or_the_print_has_failed(
        faults in cables(), layers in 1u32..4, moves in 1u32..60, reset_after in proptest::option::weighted(0.2, 10usize..150),
        is_reset_silent: bool,
    ) {
        let text = sliced(layers, moves);
        // On the worst cables nobody may be found at all, which is no print and no harm.
        let Ok(mut bench) = Bench::new(Faults { reset_after, is_reset_silent, ..faults }) else { return Ok(()) };
        bench.start(feeds(&text));
        let outcome = bench.run();
        let law = check(&bench, &outcome, &expected(&text));
        prop_assert!(law.is_ok(), "{}", law.unwrap_err());
    }

    #[test]
    fn cancelling_at_any_time_ends_cold(faults in cables(), moves in 1u32..60, steps in 1usize..400) {
        let Ok(mut bench) = Bench::new(faults) else { return Ok(()) };
        bench.start(feeds(&sliced(2, moves)));
        for _ in 0..steps {
            bench.step();
        }
        bench.protocol.cancel(bench.now_ms);
        bench.run();
        prop_assert!(!bench.fake.is_hot());
    }
}

/// Not a law but a promise, so always with the same thousand seeds: faults can meet so that giving up is right.
#[test]
fn an_ordinary_bad_cable_does_not_fail_the_print() {
    for seed in 0..1000u64 {
        let text = sliced(1 + seed as u32 % 3, 1 + seed as u32 % 59);
        let faults = Faults {
            seed,
            has_advanced_ok: seed % 2 == 0,
            corrupt_to_printer: 0.01,
            corrupt_to_host: 0.01,
            lose_ok: 0.01,
            double_ok: 0.01,
            ..Faults::default()
        };
        let (bench, outcome) = print(&text, faults);
        assert_eq!(outcome, Outcome::Finished, "seed {seed}");
        check(&bench, &outcome, &expected(&text)).unwrap();
    }
}
