//! What edits write, and what is read back, on one host and after a restart.

use super::*;

#[test]
fn an_unfounded_queue_says_nothing() {
    let host = Host::new(1);
    assert_eq!(host.snapshot().name, "");
    assert_eq!(host.snapshot().voters.hosts, []);
    assert!(host.snapshot().members.is_empty() && host.document.vector().0.is_empty());
}

/// Every host begins with these bytes: another hash would be another document, and none of its changes would fit.
#[test]
fn the_genesis_change_never_changes() {
    let hash = engine::genesis_hash().to_string();
    assert_eq!(
        hash,
        "889bfac9a3f3e8445e35058cf89de73e551f86923a84c6c33210f8da48e89f74"
    );
}

#[test]
fn everything_that_is_written_is_read_back_here_there_and_after_a_restart() {
    let mut hosts = farm(&[Role::Printer]);
    let mut other = hosts.pop().unwrap();
    let mut host = hosts.pop().unwrap();
    let (id, me) = (job_id(1), host.id());
    let wanted = Job {
        origin: Some(job_id(9)),
        ..job(id, me)
    };
    host.edit(|edit| edit.add_job(&wanted));
    host.edit(|edit| edit.set_my_name("attic"));
    host.edit(|edit| edit.put_printer("mk4/left", &printer()));
    host.edit(|edit| edit.put_claim(copy(id, 0), 0, &claim(me, 1, ClaimState::Claimed)));
    host.edit(|edit| {
        edit.put_claim(copy(id, 0), 0, &claim(me, 1, ClaimState::Printing));
        edit.put_run(copy(id, 0), 0, 0, &run(RunResult::Started));
    });
    host.edit(|edit| edit.put_run(copy(id, 0), 0, 0, &run(RunResult::Ok)));
    host.document.check();

    let snapshot = host.snapshot();
    assert_eq!(snapshot.name, "farm");
    assert_eq!(snapshot.voters, voters(&[me]));
    assert_eq!(snapshot.jobs[&id], wanted);
    assert_eq!(snapshot.members[&me].name, "attic");
    assert_eq!(
        snapshot.members[&me].certificate,
        certificate(me, Role::Admin)
    );
    assert_eq!(snapshot.members[&other.id()].name, other.id().fingerprint());
    let name = "mk4/left".to_owned();
    assert_eq!(snapshot.printers[&PrinterId { host: me, name }], printer());
    let claim = &snapshot.claims[&copy(id, 0)][&(0, me)];
    assert_eq!(claim.record.state, ClaimState::Printing);
    assert_eq!(claim.runs[&0], run(RunResult::Ok));

    other.pull(&host);
    assert_eq!(other.snapshot(), host.snapshot());
    let again = QueueDocument::load(queue(), host.document.author(), host.log()).unwrap();
    again.check();
    assert_eq!(again.snapshot(), host.snapshot());
    assert_eq!(again.vector(), host.document.vector());
}

#[test]
fn each_setter_sets_its_field_and_touches_its_job() {
    let mut host = farm(&[]).pop().unwrap();
    let (id, me) = (job_id(1), host.id());
    // Where a job begins to count is said once, when it is made.
    let new = Job {
        terms: Terms {
            level: 3,
            due: Some(Timestamp(1)),
            ..Terms::default()
        },
        ..job(id, me)
    };
    host.edit(|edit| edit.add_job(&new));
    assert_eq!(host.snapshot().jobs[&id], new);
    host.document.take_touched();
    let terms = Terms {
        group: "rush orders".into(),
        backburner: true,
        print_anyway: true,
        priority: Priority::High,
        due: None,
        not_before: Some(Timestamp(4)),
        color: ColorRule::Prefer,
        tags: vec!["enclosure".into()],
        level: 3,
    };
    let rank = Rank::parse("zz").unwrap();
    let state = JobState::Cancelled {
        by: me,
        at: Timestamp(7),
    };
    host.edit(|edit| {
        edit.set_job_name(id, "lid");
        edit.set_job_rank(id, &rank);
        edit.set_job_copies(id, 8);
        edit.set_job_together(id, true);
        edit.set_job_draft(id, true);
        edit.set_job_held(id, true);
        edit.set_job_printers(id, &[]);
        edit.set_job_state(id, &state);
        edit.set_per_run(id, set_id(2), 40);
        edit.set_job_retries(id, 7);
        edit.set_again(copy(id, 4), 2);
        edit.set_job_terms(id, &terms);
    });
    let mut wanted = Job {
        name: "lid".to_owned(),
        rank,
        copies: 8,
        together: true,
        draft: true,
        held: true,
        printers: Vec::new(),
        state,
        retries: Some(7),
        again: [(4, 2)].into(),
        terms,
        ..job(id, me)
    };
    wanted.sets[1].per_run = 40;
    assert_eq!(host.snapshot().jobs[&id], wanted);
    let touched = host.document.take_touched();
    assert_eq!(touched.jobs.iter().collect::<Vec<_>>(), [&id]);
    assert!(!touched.meta && touched.members.is_empty() && touched.copies.is_empty());
    assert!(host.document.take_touched().is_empty());
}

#[test]
fn only_a_print_of_unknown_end_may_turn_out_to_be_under_way() {
    let me = farm(&[]).pop().unwrap().id();
    let printing = claim(me, 1, ClaimState::Printing);
    assert!(claim(me, 1, ClaimState::Unknown).allows(&printing));
    for state in [
        ClaimState::Finished,
        ClaimState::Failed,
        ClaimState::Released,
    ] {
        assert!(!claim(me, 1, state).allows(&printing), "{state:?}");
    }
    let started = claim(me, 1, ClaimState::Started);
    assert!(!claim(me, 1, ClaimState::Unknown).allows(&started));
}

/// The copy's claims, each the next attempt of one printer, with good runs at these positions.
fn tried(host: &mut Host, id: JobId, tries: &[(ClaimState, &[u32], [u8; 32])]) {
    let me = host.id();
    for (attempt, (state, good, spec_hash)) in (0..).zip(tries) {
        let record = ClaimRecord {
            spec_hash: *spec_hash,
            ..claim(me, 1, *state)
        };
        host.edit(|edit| {
            edit.put_claim(copy(id, 0), attempt, &record);
            for k in *good {
                let run = RunRecord {
                    set: set_id(1),
                    repetition: 0,
                    result: RunResult::Ok,
                    started: Timestamp(1),
                    ended: None,
                    note: None,
                };
                edit.put_run(copy(id, 0), attempt, *k, &run);
            }
        });
    }
}

#[test]
fn good_prints_of_tries_that_ended_count_for_the_next_one_if_they_are_of_the_same_thing() {
    let (same, edited) = ([0; 32], [9; 32]);
    let tries: &[(ClaimState, &[u32], [u8; 32])] = &[
        (ClaimState::Failed, &[0], same),
        (ClaimState::Failed, &[1], edited),
        (ClaimState::Surplus, &[2], same),
        (ClaimState::Released, &[3], same),
        (ClaimState::Printing, &[4], same),
    ];
    let good = |host: &Host, attempt| {
        let before = host
            .snapshot()
            .good_before(copy(job_id(1), 0), attempt, &same);
        before.into_keys().collect::<Vec<_>>()
    };
    let mut host = farm(&[]).pop().unwrap();
    let me = host.id();
    host.edit(|edit| edit.add_job(&job(job_id(1), me)));
    tried(&mut host, job_id(1), tries);
    assert_eq!(good(&host, 0), [0; 0]);
    assert_eq!(good(&host, 1), [0]);
    assert_eq!(good(&host, 5), [0, 3], "what is under way is not over");
    let now = host.snapshot().good_runs_of(copy(job_id(1), 0));
    assert_eq!(now.into_keys().collect::<Vec<_>>(), [0, 3, 4]);
    host.edit(|edit| edit.set_setting(Setting::OnPartial, "restart"));
    assert_eq!(good(&host, 5), [3], "a failed try counts for nothing");
    assert_eq!(good(&host, 2), [0; 0]);
}

#[test]
fn an_edit_that_changes_nothing_writes_nothing() {
    let mut host = farm(&[]).pop().unwrap();
    let (id, me) = (job_id(1), host.id());
    host.edit(|edit| edit.add_job(&job(id, me)));
    let vector = host.document.vector();
    let name = host.snapshot().jobs[&id].name.clone();
    let nothing = host.try_edit(|edit| {
        edit.set_job_name(id, "other");
        edit.set_job_name(id, &name);
        edit.put_certificate(&certificate(me, Role::Observer));
        edit.stay();
    });
    assert_eq!(nothing, Ok(None));
    assert_eq!(host.document.vector(), vector);
}

#[test]
fn a_failed_edit_leaves_no_trace() {
    let mut host = farm(&[]).pop().unwrap();
    let (id, me) = (job_id(1), host.id());
    let before = (host.snapshot().clone(), host.document.vector());
    let check = |host: &mut Host, wanted: EditError, f: &mut dyn FnMut(&mut Edit<'_>)| {
        assert_eq!(host.try_edit(|edit| f(edit)), Err(wanted));
        assert_eq!((host.snapshot().clone(), host.document.vector()), before);
        host.document.check();
    };
    let refused = |why| EditError::Refused(why);
    check(&mut host, EditError::UnknownJob(id), &mut |edit| {
        edit.set_job_held(id, true)
    });
    check(&mut host, EditError::JobExists(id), &mut |edit| {
        edit.add_job(&job(id, me));
        edit.add_job(&job(id, me));
    });
    check(&mut host, refused(Refusal::Schema), &mut |edit| {
        edit.add_job(&Job {
            copies: 0,
            ..job(id, me)
        });
    });
    check(&mut host, refused(Refusal::Schema), &mut |edit| {
        edit.add_job(&job(id, HostId([9; 32])));
    });
    check(&mut host, refused(Refusal::Schema), &mut |edit| {
        edit.add_job(&Job {
            sets: Vec::new(),
            ..job(id, me)
        });
    });
    check(&mut host, refused(Refusal::Schema), &mut |edit| {
        edit.set_queue_name(&"x".repeat(NAME_BYTES_MAX + 1));
    });
    check(
        &mut host,
        EditError::Write(WireError::Limit("key")),
        &mut |edit| {
            edit.put_printer(&"x".repeat(KEY_BYTES_MAX), &printer());
        },
    );

    let stop = |edit: &mut Edit<'_>| {
        edit.add_job(&job(id, me));
        Err::<(), _>(EditError::UnknownJob(id))
    };
    let result = host.document.edit(Timestamp(1), &host.device, stop);
    assert_eq!(result, Err(EditError::UnknownJob(id)));
    let wrong = host.document.edit(Timestamp(1), &Device::new(77), |edit| {
        edit.set_my_name("x");
        Ok::<_, EditError>(())
    });
    assert_eq!(wrong, Err(EditError::Signer));
    assert_eq!((host.snapshot().clone(), host.document.vector()), before);
}

#[test]
fn a_host_without_a_certificate_writes_nothing_and_may_bring_its_own() {
    let admin = farm(&[]).pop().unwrap();
    let mut joiner = Host::new(5);
    let refused = joiner.try_edit(|edit| edit.set_my_name("x"));
    assert_eq!(refused, Err(EditError::Refused(Refusal::UnknownAuthor)));
    let me = joiner.id();
    joiner.edit(|edit| {
        edit.put_certificate(&certificate(me, Role::Submitter));
        edit.set_my_name("shed");
    });
    joiner.pull(&admin);
    assert_eq!(joiner.snapshot().members[&me].name, "shed");
    assert_eq!(joiner.snapshot().name, "farm");
}

#[test]
fn the_best_certificate_counts_and_a_worse_one_replaces_nothing() {
    let mut hosts = farm(&[Role::Submitter, Role::Operator]);
    let (first, second) = (hosts[1].id(), hosts[2].id());
    // Two hosts that hold the queue key promote one member at the same time.
    hosts[0].edit(|edit| edit.put_certificate(&certificate(first, Role::Admin)));
    hosts[2].edit(|edit| edit.put_certificate(&certificate(first, Role::Printer)));
    let (one, rest) = hosts.split_at_mut(1);
    rest[1].pull(&one[0]);
    one[0].pull(&rest[1]);
    for host in [&hosts[0], &hosts[2]] {
        assert_eq!(
            host.snapshot().members[&first].certificate.role,
            Role::Admin
        );
        assert_eq!(
            host.snapshot().members[&second].certificate.role,
            Role::Operator
        );
    }
    let earlier = Certificate::issue(&queue_key(), first, Role::Admin, Timestamp(0), None);
    hosts[0].edit(|edit| edit.put_certificate(&earlier));
    assert_eq!(hosts[0].snapshot().members[&first].certificate, earlier);
    let worse = hosts[0].try_edit(|edit| edit.put_certificate(&certificate(first, Role::Admin)));
    assert_eq!(worse, Ok(None));
}

#[test]
fn a_member_leaves_and_comes_back() {
    let mut host = farm(&[]).pop().unwrap();
    let me = host.id();
    host.edit(|edit| edit.leave());
    assert!(host.snapshot().members[&me].left);
    host.edit(|edit| edit.stay());
    assert!(!host.snapshot().members[&me].left);
}

#[test]
fn runs_that_are_known_before_their_claim_show_up_with_it() {
    let mut host = farm(&[]).pop().unwrap();
    let (id, me) = (job_id(1), host.id());
    for k in [0, 1, 10, 2] {
        host.edit(|edit| edit.put_run(copy(id, 1), 3, k, &run(RunResult::Ok)));
    }
    assert!(host.snapshot().claims.is_empty());
    host.edit(|edit| edit.put_claim(copy(id, 1), 3, &claim(me, 1, ClaimState::Finished)));
    let claim = &host.snapshot().claims[&copy(id, 1)][&(3, me)];
    assert_eq!(claim.runs.keys().collect::<Vec<_>>(), [&0, &1, &2, &10]);
    host.document.check();
}

#[test]
fn a_damaged_log_is_an_error_that_names_the_entry() {
    let mut host = farm(&[Role::Printer]).remove(0);
    let me = host.id();
    for n in 0..4 {
        host.edit(|edit| edit.add_job(&job(job_id(n), me)));
    }
    let log = host.log();
    let author = host.document.author();
    let load = |log: Vec<Vec<u8>>| QueueDocument::load(queue(), author, log).map(|_| ());
    assert_eq!(load(log.clone()), Ok(()));
    for index in 0..log.len() {
        for at in (0..log[index].len()).step_by(7) {
            let mut damaged = log.clone();
            damaged[index][at] ^= 0x10;
            match load(damaged) {
                Err(
                    LoadError::Damaged { index: found, .. } | LoadError::Unfit { index: found, .. },
                ) => {
                    assert_eq!(found, index);
                }
                Ok(()) => panic!("byte {at} of entry {index} may be anything"),
                Err(LoadError::Epoch) => panic!("no entry begins an epoch"),
            }
        }
    }
    let mut gap = log.clone();
    gap.remove(2);
    assert_eq!(
        load(gap),
        Err(LoadError::Unfit {
            index: 2,
            source: Refusal::Sequence
        })
    );
    let cut = log[..3].to_vec();
    assert_eq!(load(cut), Ok(()));
}

#[test]
fn a_new_boot_goes_on_with_its_own_chain() {
    let mut host = farm(&[]).pop().unwrap();
    let log = host.log();
    host.document = QueueDocument::load(
        queue(),
        Author {
            host: host.id(),
            boot: 2,
        },
        log,
    )
    .unwrap();
    let change = host.edit(|edit| edit.set_my_name("again"));
    assert_eq!((change.chain().boot, change.seq()), (2, 1));
    let mut reader = Host::new(9);
    reader.pull(&host);
    assert_eq!(reader.snapshot(), host.snapshot());
}

#[test]
fn automerge_reads_its_own_file_of_the_document_and_finds_the_same_hashes() {
    let mut hosts = farm(&[Role::Printer, Role::Operator]);
    for n in 0..6u8 {
        let host = &mut hosts[usize::from(n % 3)];
        let me = host.id();
        host.edit(|edit| edit.add_job(&job(job_id(n), me)));
    }
    let (one, rest) = hosts.split_at_mut(1);
    for other in rest {
        one[0].pull(other);
    }
    one[0].edit(|edit| edit.set_queue_name("barn"));
    one[0].document.check_file();
}
