//! Hosts that sleep, freeze, are paused with their clock, or have a wrong one: nobody's print is taken away for it, and
//! nothing begins on what was true before.

use printmesh_node::{Command, Effect, Input, Message};
use printmesh_queue::{CopyId, JobId, Timestamp};

use crate::farm::{Farm, Machines, job};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

fn autoprint(farm: &mut Farm, n: usize, on: bool) {
    let printers = Vec::new();
    farm.ok(n, Command::Autoprint { printers, on });
}

/// What hosts started prints, in order.
fn started(farm: &Farm) -> Vec<usize> {
    farm.starts.iter().map(|start| start.host).collect()
}

fn words(farm: &Farm, n: usize, job: JobId) -> usize {
    let lost = &farm.snapshot(n, "farm").lost;
    lost.get(&(CopyId { job, index: 0 }, 0))
        .map_or(0, |words| words.len())
}

/// Texts of what a host says about its own sleep.
fn slept(farm: &Farm, n: usize) -> Vec<String> {
    let events = farm.hosts[n].events.iter();
    let slept = events.filter(|event| event.kind == "host.slept");
    slept.filter_map(|event| event.text.clone()).collect()
}

/// Two printers, `a` being the only voter, and `b` has claimed the copy and not started: whatever comes next stays on the
/// way to it.
fn claimed_by_b() -> Farm {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.machines = Machines::Print;
    autoprint(&mut farm, 2, false);
    farm.give_job(0, job("farm", "bracket"));
    let claimed = |farm: &Farm| {
        let mut kept = farm.hosts[1].keys.iter();
        kept.any(|(key, work)| {
            key.starts_with(b"work/") && String::from_utf8_lossy(work).contains("Fetching")
        })
    };
    while !claimed(&farm) {
        let act = farm.acts()[0];
        farm.act(act);
    }
    assert!(farm.starts.is_empty());
    farm
}

#[test]
fn r_l3_a_host_that_was_frozen_for_longer_than_its_lease_gives_its_claim_up() {
    let mut farm = claimed_by_b();
    farm.hosts[1].frozen = true;
    farm.settle();
    autoprint(&mut farm, 2, true);
    farm.pass(55_000);
    assert!(farm.starts.is_empty(), "its lease still runs");
    farm.pass(10_000);
    assert_eq!(started(&farm), [2]);
    farm.hosts[1].frozen = false;
    farm.settle();
    farm.pass(HOUR);
    assert_eq!(started(&farm), [2]);
    let told = slept(&farm, 1);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("this host was asleep or frozen for "),
        "{told:?}"
    );
    farm.check();
}

#[test]
fn a_host_that_was_asleep_asks_again_before_it_starts_anything() {
    let mut farm = claimed_by_b();
    // Shorter than its lease: the clocks say so, nobody else noticed.
    farm.mono_ms += 30_000;
    farm.input(1, Input::Slept { ms: 30_000 });
    let dropped = farm.hosts[1].effects.iter().any(|effect| match effect {
        Effect::Send { bytes, .. } => matches!(Message::decode(bytes), Some(Message::Abort { .. })),
        _ => false,
    });
    assert!(dropped, "its claim is given back");
    assert!(farm.starts.is_empty());
    farm.settle();
    farm.pass(10_000);
    assert_eq!(started(&farm), [1], "and made anew");
    assert_eq!(slept(&farm, 1).len(), 1);
    farm.check();
}

#[test]
fn a_print_whose_host_sleeps_past_its_time_is_finished_and_counted_and_nothing_else_begins_there() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("farm", "bracket"));
    let holder = farm.starts[0].host;
    farm.begin(holder, "p0");
    farm.settle();
    farm.hosts[holder].frozen = true;
    farm.pass(10 * HOUR);
    assert_eq!(started(&farm), [holder, 3 - holder], "another one makes it");
    farm.hosts[holder].frozen = false;
    farm.settle();
    farm.pass(MINUTE);
    assert!(farm.prints(holder, "p0"), "physical truth wins");
    farm.finish(holder, "p0");
    farm.settle();
    farm.finish(3 - holder, "p0");
    farm.settle();
    farm.ready(holder);
    farm.pass(HOUR);
    assert_eq!((farm.status(0, id), farm.starts.len()), ("done", 2));
    farm.check();
}

#[test]
fn a_host_that_wakes_up_without_its_network_hears_the_others_before_it_prints_the_next_part() {
    for heals in [true, false] {
        let mut farm = Farm::shared(&[0, 1, 1]);
        farm.machines = Machines::Wait;
        let mut bracket = job("farm", "bracket");
        bracket.sets[0].per_run = 2;
        farm.submit(0, bracket);
        farm.set("claims", "available");
        let holder = farm.starts[0].host;
        farm.begin(holder, "p0");
        farm.settle();
        farm.hosts[holder].frozen = true;
        farm.pass(10 * HOUR);
        assert_eq!(started(&farm), [holder, 3 - holder], "another one makes it");
        farm.cut_now(0, holder);
        farm.cut_now(1, 2);
        farm.hosts[holder].frozen = false;
        farm.settle();
        farm.finish(holder, "p0");
        farm.settle();
        farm.ready(holder);
        farm.pass(10_000);
        assert_eq!(farm.starts.len(), 2, "it has not listened for long enough");
        if heals {
            farm.heal(0, holder);
            farm.pass(HOUR);
            assert_eq!(farm.starts.len(), 2, "its copy was given to another one");
        } else {
            farm.pass(HOUR);
            let alone = [holder, 3 - holder, holder];
            assert_eq!(started(&farm), alone, "nobody is there to hear of");
        }
        farm.check();
    }
}

#[test]
fn a_voter_that_slept_does_not_take_its_sleep_for_the_silence_of_a_print() {
    // Asleep for hours, or frozen until a moment after it would have given the print up.
    for frozen_ms in [10 * HOUR, 30 * MINUTE + 3_000] {
        let mut farm = Farm::shared(&[0, 1, 1]);
        farm.machines = Machines::Wait;
        let id = farm.submit(0, job("farm", "bracket"));
        let holder = farm.starts[0].host;
        farm.hosts[0].frozen = true;
        farm.pass(frozen_ms);
        farm.hosts[0].frozen = false;
        // Its own clock comes first; what it was sent meanwhile lies in its sockets.
        farm.input(0, Input::Wake);
        assert_eq!(words(&farm, 0, id), 0, "{frozen_ms}");
        farm.settle();
        farm.pass(5 * HOUR);
        assert_eq!(
            (words(&farm, 0, id), farm.starts.len()),
            (0, 1),
            "{frozen_ms}"
        );
        farm.finish(holder, "p0");
        farm.settle();
        assert_eq!(farm.status(0, id), "done");
        farm.check();
    }
}

#[test]
fn a_wall_clock_that_is_a_minute_ahead_or_jumps_takes_nothing_from_anybody() {
    let at = |ms: i64| Timestamp(1_700_000_000_000_u64.saturating_add_signed(ms));
    let day = 24 * 3_600_000;
    let mut dates = Vec::new();
    // A minute ahead from the start (it stole locks elsewhere), years ahead, no battery: 1970.
    for wall in [at(61_000), at(3_650 * day), Timestamp(0)] {
        for odd in [0, 1, 2] {
            let mut farm = Farm::shared(&[0, 1, 1]);
            farm.machines = Machines::Wait;
            farm.hosts[odd].wall = Some(wall);
            let id = farm.submit(0, job("farm", "bracket"));
            assert_eq!(farm.starts.len(), 1);
            let holder = farm.starts[0].host;
            farm.begin(holder, "p0");
            farm.settle();
            farm.pass(HOUR);
            // And now it is set right, or wrong.
            for n in 0..3 {
                farm.hosts[n].wall = Some(if n == odd { at(0) } else { at(n as i64 * day) });
                farm.input(n, Input::Wake);
            }
            farm.settle();
            farm.pass(HOUR);
            assert_eq!((farm.starts.len(), words(&farm, 0, id)), (1, 0));
            assert!(
                (0..3).all(|n| slept(&farm, n).is_empty()),
                "no sleep either"
            );
            farm.finish(holder, "p0");
            farm.settle();
            assert_eq!(farm.status(0, id), "done");
            farm.check();
            dates.push(farm.node(0).history()[0].started);
        }
    }
    assert!(dates.contains(&Timestamp(0)), "it is shown as it was");
}

#[test]
fn a_paused_machine_whose_clock_stood_still_finds_out_at_the_next_print() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.machines = Machines::Wait;
    let pair = printmesh_node::NewJob {
        sets: vec![printmesh_node::NewSet::of(crate::farm::file("bracket"), 2)],
        ..job("farm", "pair")
    };
    let id = farm.submit(0, pair);
    let holder = farm.starts[0].host;
    farm.begin(holder, "p0");
    farm.settle();
    farm.hosts[holder].frozen = true;
    farm.pass(10 * HOUR);
    assert_eq!(started(&farm), [holder, 3 - holder]);
    farm.hosts[holder].behind_ms = 10 * HOUR;
    farm.hosts[holder].frozen = false;
    farm.settle();
    farm.finish(holder, "p0");
    farm.settle();
    farm.ready(holder);
    farm.pass(HOUR);
    assert_eq!(
        started(&farm),
        [holder, 3 - holder],
        "no second print begins"
    );
    assert_eq!(farm.status(0, id), "printing");
    farm.check();
}

#[test]
fn a_paused_machine_whose_clock_stood_still_starts_nothing_where_every_start_is_confirmed() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.set("confirm", "always");
    farm.machines = Machines::Wait;
    autoprint(&mut farm, 2, false);
    farm.give_job(0, job("farm", "bracket"));
    let accepted = |farm: &Farm| {
        let mut votes = farm.hosts[0]
            .keys
            .iter()
            .filter(|(key, _)| key.starts_with(b"vote/"));
        votes.any(|(_, vote)| String::from_utf8_lossy(vote).contains("\"accepted\":["))
    };
    while !accepted(&farm) {
        let act = farm.acts()[0];
        farm.act(act);
    }
    farm.hosts[1].frozen = true;
    farm.settle();
    autoprint(&mut farm, 2, true);
    farm.pass(10 * HOUR);
    assert_eq!(started(&farm), [2]);
    farm.hosts[1].behind_ms = 10 * HOUR;
    farm.hosts[1].frozen = false;
    farm.settle();
    farm.pass(HOUR);
    assert_eq!(started(&farm), [2]);
    farm.check();
}

#[test]
fn a_host_that_is_only_busy_is_not_asleep() {
    let mut farm = claimed_by_b();
    // A step of another host took four seconds.
    farm.mono_ms += 4_000;
    farm.settle();
    assert_eq!(started(&farm), [1]);
    farm.pass(HOUR);
    assert!((0..3).all(|n| slept(&farm, n).is_empty()));
    farm.check();
}
