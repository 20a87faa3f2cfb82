//! Spools whose stock a Spoolman keeps, and what a printer is that is added with a profile; daemons with simulated printers.

use std::sync::LazyLock;

use printmesh_spoolman::fake::{Fake, Mischief};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::environment::{Farm, Host, sliced};

const AT: &str = "sim://?speed=20000";

/// Spoolmen live as long as the tests do.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("threads"));

fn loaded(host: &Host) -> Value {
    host.json(&["printer", "show", "sim"])["equipment"]["slots"][0].clone()
}

fn until_left(host: &Host, mg: u64) {
    host.until("the grams that are left", |host| {
        (loaded(host)["leftMg"] == mg).then_some(())
    });
}

#[test]
fn what_is_loaded_is_what_spoolman_says_and_prints_are_booked_there_once_whatever_it_does_meanwhile()
 {
    let spoolman = RUNTIME.block_on(Fake::start());
    spoolman.put(12, "PLA", Some("112233"), Some(500.0));
    let farm = Farm::new();
    let mut a = farm.printing_host("a", AT);
    a.stop();
    let url = spoolman.url();
    let network = "[network]\nbind = \"127.0.0.1:0\"\ndiscovery = false\n";
    a.configure(&format!(
        "{network}\n[spoolman]\nurl = \"{url}\"\npoll_s = 1\n"
    ));
    a.start();
    a.problem("spool.unknown", &["printer", "load", "sim", "0=spool:13"]);
    a.ok(&["printer", "load", "sim", "0=spool:12"]);
    let slot = loaded(&a);
    assert_eq!(
        (&slot["material"], &slot["color"]),
        (&"PLA".into(), &"112233".into())
    );
    assert_eq!(
        (&slot["leftMg"], &slot["spool"]),
        (&500_000.into(), &12.into())
    );

    // Somebody weighs it, or prints from it elsewhere.
    spoolman.take(12, 100.0);
    until_left(&a, 400_000);

    let file = sliced("clip.gcode");
    let clip = clip_grams(&a, &file);
    let grams = |n: u32| f64::from(n) * clip;
    let near = |used: f64, wanted: f64| (used - wanted).abs() < 0.01;
    let print = |a: &Host| a.wait(&[&a.submit(&["--queue", "local", &file])]);
    print(&a);
    a.until("it is booked", |_| {
        near(spoolman.used(12).0, 100.0 + grams(1)).then_some(())
    });

    // It hangs up: what is known is old, and what was used is told once it answers.
    let note = |a: &Host| a.json(&["printer", "show", "sim"])["spoolNote"].clone();
    spoolman.mischief(Mischief::HangUpAfter);
    print(&a);
    a.until("what is known is old", |a| note(a).as_str().map(|_| ()));
    spoolman.mischief(Mischief::None);
    a.until("it is up to date", |a| note(a).is_null().then_some(()));
    a.until("it is booked", |_| {
        near(spoolman.used(12).0, 100.0 + grams(2)).then_some(())
    });
    // It is down: the printer goes on, and what it used is told when it is back, over a restart too.
    let port = url.rsplit(':').next().unwrap().parse().unwrap();
    RUNTIME.block_on(spoolman.stop());
    print(&a);
    a.until("what is known is old", |a| {
        let shown = a.json(&["printer", "show", "sim"]);
        shown["spoolNote"]
            .as_str()?
            .contains("as it was known last")
            .then_some(())
    });
    a.problem("spoolman.down", &["printer", "load", "sim", "0=spool:12"]);
    a.kill();
    a.start();
    let spoolman = RUNTIME.block_on(Fake::start_at(port)).unwrap();
    spoolman.put(12, "PLA", Some("445566"), Some(1000.0));
    a.until("it is booked", |_| {
        near(spoolman.used(12).0, grams(1)).then_some(())
    });
    a.until("its colour", |a| {
        (loaded(a)["color"] == "445566").then_some(())
    });
    assert_eq!(spoolman.used(12).1, 1);

    // Somebody throws it away: what was known last stays.
    spoolman.throw_away(12);
    a.until("it is gone", |a| {
        let shown = a.json(&["printer", "show", "sim"]);
        shown["spoolNote"]
            .as_str()?
            .contains("no spool 12")
            .then_some(())
    });
    assert_eq!(loaded(&a)["material"], "PLA");
    a.ok(&["printer", "ready", "sim"]);
    print(&a);
}

fn clip_grams(a: &Host, file: &str) -> f64 {
    let plate = &a.json(&["file", "inspect", file])["items"][0];
    plate["plates"][0]["filamentG"]
        .as_f64()
        .expect("the file says what it takes")
}

#[test]
fn a_printer_added_with_a_profile_is_what_the_profile_says() {
    let farm = Farm::new();
    let a = farm.printing_host("a", AT);
    let add = |name: &str, profile: &str| {
        vec!["printer", "add", name, "--at", AT, "--profile", profile]
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let words = add("one", "nobody");
    a.problem(
        "profile.unknown",
        &words.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let words = add("one", "mk4s");
    a.ok(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let has = a.json(&["printer", "show", "one"])["equipment"].clone();
    assert_eq!(
        (&has["profile"], &has["model"]),
        (&"MK4S".into(), &"MK4S".into())
    );
    assert_eq!(has["nozzleUm"], 400);
    assert_eq!(has["volumeMm"], serde_json::json!([250, 210, 220]));
    assert!(has["nozzleCMax"].as_u64() > Some(200), "{has}");

    // An own profile; what a person said of this very printer stays.
    let mine = farm.path().join("mine.toml");
    let text = "[[profile]]\nname = \"Mine\"\nmodels = [\"Mine\", \"Mine2\"]\nnozzle_mm = 0.6\nbed_c_max = 90\n";
    std::fs::write(&mine, text).unwrap();
    a.ok(&["profile", "add", mine.to_str().unwrap()]);
    a.ok(&["printer", "nozzle", "sim", "0.8"]);
    a.ok(&["printer", "edit", "sim", "--profile", "mine"]);
    let has = a.json(&["printer", "show", "sim"])["equipment"].clone();
    assert_eq!(
        (&has["nozzleUm"], &has["bedCMax"]),
        (&800.into(), &90.into())
    );
    assert_eq!(has["compatible"], serde_json::json!(["Mine2"]));
    a.ok(&["profile", "remove", "Mine"]);
    a.problem("profile.unknown", &["profile", "show", "Mine"]);
}
