//! The link by itself, line by line.

use super::*;
use crate::marlin::reply::parse_reply;

fn link() -> Link {
    let traits = Traits {
        has_checkpoints: true,
        has_busy: true,
        can_send_empty: true,
    };
    let mut link = Link::new(traits, Timings::default());
    link.open(0);
    link
}

fn hear(link: &mut Link, line: &str) {
    link.on_reply(1, &parse_reply(line.as_bytes()));
}

#[test]
fn only_the_answer_to_a_checkpoint_proves_that_the_numbers_agree() {
    let mut link = link();
    for _ in 0..5 {
        hear(&mut link, "ok"); // a doubled one, or one of an older question
        assert!(!link.is_ready());
    }
    hear(&mut link, "ok T:20.0 /0.0");
    assert!(link.is_ready());
    assert_eq!(link.take_news(), Some(News::Synced));
}

#[test]
fn only_the_answer_to_a_checkpoint_proves_what_was_taken() {
    let mut link = link();
    hear(&mut link, "ok");
    hear(&mut link, "ok T:20.0 /0.0");
    assert!(link.send(1, "G28", false));
    hear(&mut link, "ok");
    link.prove(1);
    for _ in 0..5 {
        hear(&mut link, "ok");
        assert!(!link.is_ready());
    }
    hear(&mut link, "ok T:20.0 /0.0");
    assert!(link.is_ready());
}

fn ready() -> Link {
    let mut link = link();
    hear(&mut link, "ok");
    hear(&mut link, "ok T:20.0 /0.0");
    drop(link.take_output());
    link
}

#[test]
fn nothing_is_believed_for_long_without_proof() {
    let mut link = ready();
    for _ in 0..CHECKPOINT_EVERY {
        assert!(link.send(1, "G1 X1", false));
        hear(&mut link, "ok");
    }
    assert!(!link.is_ready());
    assert!(String::from_utf8_lossy(&link.take_output()).contains(CHECKPOINT));
}

#[test]
fn a_flood_of_requests_is_answered_once_and_in_quiet() {
    let mut link = ready();
    assert!(link.send(1, "G28", false));
    let line = link.take_output();
    for now_ms in [10, 60, 120, 180] {
        link.on_reply(now_ms, &Reply::Resend(2));
        link.on_reply(now_ms, &parse_reply(b"ok"));
        link.on_tick(now_ms + 40);
        assert!(link.take_output().is_empty());
    }
    link.on_tick(180 + Timings::default().quiet_ms);
    assert_eq!(link.take_output(), [b"\n", &line[..]].concat());
}

#[test]
fn after_silence_the_next_line_is_sent_and_never_the_same() {
    let mut link = ready();
    assert!(link.send(1, "G28", false));
    drop(link.take_output());
    link.on_tick(1 + Timings::default().ok_ms);
    assert!(link.take_output().starts_with(b"\nN3 M105*"));
}
