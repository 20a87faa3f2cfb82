//! Files: into the store, across the network, out of the store.

use std::{
    fs,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use printmesh_net::{FetchError, FetchProgress, FileError, FileHash, FileInfo};
use tokio::sync::oneshot;

use crate::host::{Host, host, introduce};

/// Bytes that do not compress and differ in every block.
pub(crate) fn bytes(seed: u8, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new()
        .update(&[seed])
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

pub(crate) async fn add(host: &Host, contents: &[u8]) -> FileInfo {
    let path = host.dir().join("source.gcode");
    fs::write(&path, contents).unwrap();
    let info = host.net.files().add(path.clone()).await.unwrap();
    // The store has its own copy.
    fs::remove_file(path).unwrap();
    info
}

pub(crate) async fn exported(host: &Host, hash: FileHash) -> Vec<u8> {
    let target = host.dir().join("imports/a job/out.gcode");
    host.net.files().export(hash, &target).await.unwrap();
    fs::read(target).unwrap()
}

/// The data file of a blob inside the store, so that a test can damage it.
pub(crate) fn stored(host: &Host, hash: FileHash) -> PathBuf {
    host.dir().join(format!(
        "files/data/{}.data",
        data_encoding::HEXLOWER.encode(&hash)
    ))
}

pub(crate) fn flip(path: PathBuf, at: usize) {
    let mut contents = fs::read(&path).unwrap();
    contents[at] ^= 0xff;
    fs::write(path, contents).unwrap();
}

#[tokio::test]
async fn a_file_goes_in_and_comes_out() {
    let a = host(1).await;
    let files = a.net.files();
    for size in [0, 1, 1024, 20_000, 300_000] {
        let contents = bytes(1, size);
        let info = add(&a, &contents).await;
        assert_eq!(
            info,
            FileInfo {
                hash: *blake3::hash(&contents).as_bytes(),
                size: size as u64
            }
        );
        assert!(files.has(info.hash).await.unwrap());
        assert_eq!(exported(&a, info.hash).await, contents);
        let middle = files
            .read_range(info.hash, size as u64 / 2, 100)
            .await
            .unwrap();
        assert_eq!(middle, contents[size / 2..(size / 2 + 100).min(size)]);
    }
    assert!(!files.has([9; 32]).await.unwrap());
    assert!(matches!(
        files.read_range([9; 32], 0, 1).await,
        Err(FileError::Missing { .. })
    ));
    assert!(matches!(
        files.add(a.dir().join("nothing")).await,
        Err(FileError::Io { .. })
    ));
    assert!(matches!(
        files.add(a.dir().to_owned()).await,
        Err(FileError::Io { .. })
    ));
}

#[tokio::test]
async fn a_stream_is_added_up_to_its_limit() {
    let a = host(1).await;
    let contents = bytes(2, 200_000);
    let read = |contents: &[u8]| std::io::Cursor::new(contents.to_vec());
    let info = a
        .net
        .files()
        .add_stream(read(&contents), 200_000)
        .await
        .unwrap();
    assert_eq!(
        info,
        FileInfo {
            hash: *blake3::hash(&contents).as_bytes(),
            size: 200_000
        }
    );
    assert_eq!(exported(&a, info.hash).await, contents);
    let other = bytes(3, 200_001);
    let refused = a.net.files().add_stream(read(&other), 200_000).await;
    assert!(matches!(
        refused,
        Err(FileError::TooLarge { size_max: 200_000 })
    ));
    let left = fs::read_dir(a.dir().join("files/temp")).unwrap();
    assert_eq!(left.count(), 0, "nothing half imported is left");
    assert!(
        !a.net
            .files()
            .has(*blake3::hash(&other).as_bytes())
            .await
            .unwrap()
    );
}

/// A reader whose source fails in the middle, as a cut upload does.
struct Failing(u32);

impl tokio::io::AsyncRead for Failing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.0 == 0 {
            return Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()));
        }
        self.0 -= 1;
        buffer.initialize_unfilled().fill(7);
        let filled = buffer.capacity();
        buffer.set_filled(filled);
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_stream_that_fails_leaves_no_file() {
    let a = host(1).await;
    for pieces in 0..20 {
        let error = a
            .net
            .files()
            .add_stream(Failing(pieces), u64::MAX)
            .await
            .unwrap_err();
        let FileError::Io { source, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(source.kind(), std::io::ErrorKind::ConnectionReset);
    }
}

/// A process that was killed leaves what it was importing.
#[tokio::test]
async fn what_a_killed_process_was_importing_is_removed_at_the_next_start() {
    let a = host(1).await;
    let left = a.dir().join("files/temp/left");
    fs::write(&left, "half a file").unwrap();
    let _a = a.restart(1).await;
    assert!(!left.exists());
}

#[tokio::test]
async fn files_survive_a_restart() {
    let a = host(1).await;
    let (small, large) = (bytes(1, 500), bytes(2, 500_000));
    let hashes = [add(&a, &small).await.hash, add(&a, &large).await.hash];
    let a = a.restart(1).await;
    assert_eq!(exported(&a, hashes[0]).await, small);
    assert_eq!(exported(&a, hashes[1]).await, large);
}

#[tokio::test]
async fn a_fetch_reports_progress_and_delivers() {
    let (a, b) = (host(1).await, host(2).await);
    introduce(&[&a, &b]);
    let contents = bytes(1, 24_000_000);
    let file = add(&a, &contents).await;
    let mut reports: Vec<FetchProgress> = Vec::new();
    b.net
        .files()
        .fetch(file.hash, file.size, vec![a.key()], |progress| {
            reports.push(progress)
        })
        .await
        .unwrap();
    assert!(reports.is_sorted_by_key(|report| report.done));
    assert!(reports.iter().all(|report| report.total == file.size));
    assert_eq!(
        reports.last(),
        Some(&FetchProgress {
            done: file.size,
            total: file.size
        })
    );
    assert!(exported(&b, file.hash).await == contents);
    // Nobody needs to be asked again.
    b.net
        .files()
        .fetch(file.hash, file.size, vec![], |_| {})
        .await
        .unwrap();
}

#[tokio::test]
async fn a_job_of_many_files_is_fetched_although_a_host_serves_only_a_few_at_a_time() {
    let (a, b) = (host(1).await, host(2).await);
    introduce(&[&a, &b]);
    let mut files = Vec::new();
    for seed in 0..24 {
        files.push(add(&a, &bytes(seed, 40_000)).await);
    }
    let fetches = files.iter().map(|file| {
        let (store, from) = (b.net.files(), vec![a.key()]);
        async move { store.fetch(file.hash, file.size, from, |_| {}).await }
    });
    for result in futures_util::future::join_all(fetches).await {
        result.unwrap();
    }
}

/// Fetches until some of the file has come, then stops; returns how much had come by then.
async fn fetch_some(host: &Host, file: FileInfo, from: &Host) -> u64 {
    let (some_came, came) = oneshot::channel();
    let mut some_came = Some(some_came);
    let files = host.net.files();
    let fetch = files.fetch(file.hash, file.size, vec![from.key()], move |progress| {
        if progress.done > 0
            && let Some(some_came) = some_came.take()
        {
            some_came.send(progress.done).unwrap();
        }
    });
    tokio::select! {
        done = came => done.unwrap(),
        result = fetch => panic!("the fetch ended before it was interrupted: {result:?}"),
    }
}

#[tokio::test]
async fn a_fetch_goes_on_where_it_was_interrupted_also_after_a_restart() {
    let (a, b) = (host(1).await, host(2).await);
    introduce(&[&a, &b]);
    let contents = bytes(1, 48_000_000);
    let file = add(&a, &contents).await;
    let mut before = 0;
    // Each try gets a little further.
    while before < 2_000_000 {
        before = fetch_some(&b, file, &a).await;
    }
    let b = b.restart(2).await;
    introduce(&[&a, &b]);
    assert!(!b.net.files().has(file.hash).await.unwrap());
    let mut first = None;
    b.net
        .files()
        .fetch(file.hash, file.size, vec![a.key()], |progress| {
            first.get_or_insert(progress.done);
        })
        .await
        .unwrap();
    let first = first.unwrap();
    assert!(
        first > 1_000_000,
        "{before} bytes had come, but the next fetch began at {first}"
    );
    assert!(exported(&b, file.hash).await == contents);
}

#[tokio::test]
async fn the_next_provider_is_asked_when_one_fails() {
    let (a, b, empty) = (host(1).await, host(2).await, host(3).await);
    introduce(&[&a, &b, &empty]);
    let contents = bytes(1, 3_000_000);
    let file = add(&a, &contents).await;
    let nowhere = printmesh_net::PeerKey::of_secret(&[99; 32]);
    let from = vec![nowhere, empty.key(), b.key(), a.key()];
    b.net
        .files()
        .fetch(file.hash, file.size, from, |_| {})
        .await
        .unwrap();
    assert!(exported(&b, file.hash).await == contents);
}

#[tokio::test]
async fn a_provider_that_dies_is_replaced_by_the_next() {
    let (a, b, c) = (host(1).await, host(2).await, host(3).await);
    introduce(&[&a, &b, &c]);
    let contents = bytes(1, 48_000_000);
    let file = add(&a, &contents).await;
    add(&b, &contents).await;
    let dying = Arc::new(Mutex::new(Some(a.net.clone())));
    let from = vec![a.key(), b.key()];
    let mut highest = 0;
    let fetched = c.net.files().fetch(file.hash, file.size, from, |progress| {
        if progress.done > 0
            && let Some(net) = dying.lock().unwrap().take()
        {
            tokio::spawn(async move { net.shutdown().await });
        }
        assert!(
            progress.done + 1_000_000 > highest,
            "what had come is not fetched again"
        );
        highest = highest.max(progress.done);
    });
    fetched.await.unwrap();
    assert!(dying.lock().unwrap().is_none());
    assert!(exported(&c, file.hash).await == contents);
}

#[tokio::test]
async fn a_file_that_nobody_has_is_a_reason() {
    let (a, b) = (host(1).await, host(2).await);
    introduce(&[&a, &b]);
    let error = b
        .net
        .files()
        .fetch([7; 32], 100, vec![a.key(), a.key()], |_| {})
        .await
        .unwrap_err();
    let FetchError::NobodyHasIt { asked, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (asked[0].peer, asked[0].answer.as_str()),
        (a.key(), "it does not have the file")
    );
    let error = b
        .net
        .files()
        .fetch([7; 32], 100, vec![], |_| {})
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "nobody has file 0707070707: there was nobody to ask"
    );
}

#[tokio::test]
async fn a_file_larger_than_announced_is_not_fetched() {
    let (a, b) = (host(1).await, host(2).await);
    introduce(&[&a, &b]);
    let file = add(&a, &bytes(1, 1_000_000)).await;
    let mut reports = 0;
    let error = b
        .net
        .files()
        .fetch(file.hash, 999_999, vec![a.key()], |_| reports += 1)
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        FetchError::TooLarge {
            size: 1_000_000,
            size_max: 999_999,
            ..
        }
    ));
    assert_eq!(reports, 0);
    assert!(!b.net.files().has(file.hash).await.unwrap());
}

#[tokio::test]
async fn damaged_bytes_are_never_delivered() {
    let (a, b, c) = (host(1).await, host(2).await, host(3).await);
    introduce(&[&a, &b, &c]);
    let contents = bytes(1, 3_000_000);
    let file = add(&a, &contents).await;
    add(&b, &contents).await;
    flip(stored(&a, file.hash), 2_000_000);
    let files = c.net.files();
    let error = files
        .fetch(file.hash, file.size, vec![a.key()], |_| {})
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::NobodyHasIt { .. }), "{error}");
    assert!(!files.has(file.hash).await.unwrap());
    let target = c.dir().join("out.gcode");
    assert!(matches!(
        files.export(file.hash, &target).await,
        Err(FileError::Missing { .. })
    ));
    assert!(!target.exists());
    // What was good is kept, the rest comes from someone else.
    files
        .fetch(file.hash, file.size, vec![a.key(), b.key()], |_| {})
        .await
        .unwrap();
    assert!(exported(&c, file.hash).await == contents);
}

#[tokio::test]
async fn an_export_is_whole_or_not_there() {
    let a = host(1).await;
    let contents = bytes(1, 500_000);
    let file = add(&a, &contents).await;
    let folder = a.dir().join("imports");
    let target = folder.join("part.gcode");
    let names = || {
        fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect::<Vec<_>>()
    };
    a.net.files().export(file.hash, &target).await.unwrap();
    assert!(fs::read(&target).unwrap() == contents);
    assert_eq!(names(), ["part.gcode"]);

    // The copy is a copy: whoever edits it does not edit the store.
    fs::write(&target, "edited").unwrap();
    a.net.files().export(file.hash, &target).await.unwrap();
    assert!(fs::read(&target).unwrap() == contents);

    flip(stored(&a, file.hash), 123_456);
    fs::write(&target, "older").unwrap();
    assert!(matches!(
        a.net.files().export(file.hash, &target).await,
        Err(FileError::Damaged { .. })
    ));
    assert_eq!(fs::read(&target).unwrap(), b"older");
    assert_eq!(names(), ["part.gcode"], "nothing half done is left");
}
