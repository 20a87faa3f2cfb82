//! Client and server over a real unix socket, with a service that records what reaches it.
#![expect(clippy::unwrap_used, reason = "tests")]

mod fake;

use std::{
    io::Write,
    os::unix::fs::PermissionsExt,
    sync::{Arc, Mutex},
    time::Duration,
};

use fake::{Door, event, requests};
use printmesh_api::{
    client::{Client, ClientError},
    limits::UPLOAD_BYTES_MAX,
    problem::Problem,
    reply::{Done, Reply},
    request::Request,
    server::{ServeError, serve},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn every_request_arrives_as_it_was_sent() {
    let door = Door::open().await;
    for request in requests() {
        door.client.call(&request).await.unwrap();
        let arrived = door.service.calls.lock().unwrap().pop();
        assert_eq!(arrived.as_ref(), Some(&request));
    }
    door.close().await;
}

#[tokio::test]
async fn a_body_larger_than_any_request_is_refused() {
    let door = Door::open().await;
    let join = |bytes: usize| Request::QueueJoin {
        ticket: Some("p".repeat(bytes)),
        as_name: None,
        wan: false,
    };
    let most = 4 * 1024 * 1024;
    door.client.call(&join(most - 1024)).await.unwrap();
    let refused = door.client.call(&join(most + 1)).await.unwrap_err();
    let ClientError::Refused(problem) = refused else {
        panic!("{refused}");
    };
    assert_eq!(problem.code, "request.bad");
    assert_eq!(door.service.calls.lock().unwrap().len(), 1);
    door.close().await;
}

/// A predecessor's call ignored the name of its method and always made the same one (defect D16).
#[tokio::test]
async fn d16_commands_with_one_and_the_same_content_arrive_as_what_they_are() {
    let door = Door::open().await;
    let job = || "part".to_owned();
    let sent = [
        Request::JobShow { job: job() },
        Request::JobHold { job: job() },
        Request::JobRelease { job: job() },
        Request::QueueShow { queue: job() },
        Request::QueueLeave { queue: job() },
        Request::PrinterResume { printer: job() },
        Request::PrinterRemove { printer: job() },
    ];
    for request in &sent {
        door.client.call(request).await.unwrap();
    }
    let arrived = std::mem::take(&mut *door.service.calls.lock().unwrap());
    assert_eq!(arrived, sent);
    door.close().await;
}

#[tokio::test]
async fn a_reply_comes_back_whole_and_raw_json_says_its_version_and_kind() {
    let door = Door::open().await;
    let done = Reply::Done(Done {
        already: true,
        text: "ä \"quoted\"\nline".to_owned(),
    });
    door.service.answer(Ok(done.clone()));
    assert_eq!(
        door.client
            .call(&Request::DaemonStop { end_prints: false })
            .await
            .unwrap(),
        done
    );

    let raw = door.raw("GET /api/v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let raw = raw.await;
    assert!(raw.starts_with("HTTP/1.1 200"), "{raw}");
    assert!(raw.contains(r#""apiVersion":"printmesh/v1""#), "{raw}");
    assert!(raw.contains(r#""kind":"Done""#), "{raw}");
    door.close().await;
}

#[tokio::test]
async fn a_problem_comes_back_whole_and_http_says_the_same() {
    let door = Door::open().await;
    for (exit, status) in [(2, 400), (3, 404), (4, 403), (5, 409), (9, 502), (1, 500)] {
        let problem = Problem::new("job.leased", exit, "cannot cancel kmzt")
            .because("mk4-1 is printing it")
            .fix("printmesh job hold kmzt", "let it finish, start no more");
        door.service.answer(Err(problem.clone()));
        let job = "kmzt".to_owned();
        match door
            .client
            .call(&Request::JobCancel { job, stop: false })
            .await
        {
            Err(ClientError::Refused(found)) => assert_eq!(found, problem),
            other => panic!("{other:?}"),
        }
        door.service.answer(Err(problem));
        let raw = "POST /api/v1/jobs/kmzt/cancel HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let raw = door.raw(raw).await;
        assert!(raw.starts_with(&format!("HTTP/1.1 {status}")), "{raw}");
    }
    door.close().await;
}

#[tokio::test]
async fn a_web_page_is_refused_whatever_it_asks() {
    let door = Door::open().await;
    for header in [
        "host: x\r\nOrigin: http://localhost",
        "host: x\r\nreferer: http://evil.example/",
        // Without either, on a forwarded port.
        "host: localhost:8080\r\nSec-Fetch-Site: cross-site",
        "host: evil.example:8080",
        "host: 203.0.113.7",
        "host: [2001:db8::1]:80",
    ] {
        for line in ["POST /api/v1/daemon/stop", "GET /api/v1/events"] {
            let raw = format!("{line} HTTP/1.1\r\n{header}\r\nconnection: close\r\n\r\n");
            let raw = door.raw(&raw).await;
            assert!(raw.starts_with("HTTP/1.1 403"), "{raw}");
            assert!(raw.contains("request.browser"), "{raw}");
        }
    }
    assert!(door.service.calls.lock().unwrap().is_empty());
    // A script may use any name for this machine.
    for host in ["printmesh", "localhost:8080", "127.0.0.1", "[::1]:9"] {
        let raw =
            format!("GET /api/v1/nothing HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let raw = door.raw(&raw).await;
        assert!(raw.contains("request.route"), "{host}: {raw}");
    }
    door.close().await;
}

#[tokio::test]
async fn unknown_routes_and_broken_bodies_are_problems_and_reach_nobody() {
    let door = Door::open().await;
    let close = "host: x\r\nconnection: close\r\n";
    for (line, body, code) in [
        ("GET /api/v1/nothing", "", "request.route"),
        ("GET /", "", "request.route"),
        ("POST /api/v1/jobs", "{", "request.bad"),
        ("POST /api/v1/queues", r#"{"nome":"farm"}"#, "request.bad"),
        ("GET /api/v1/history?limit=many", "", "request.bad"),
        ("GET /api/v1/jobs?colour=red", "", "request.bad"),
    ] {
        let raw = format!(
            "{line} HTTP/1.1\r\n{close}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let raw = door.raw(&raw).await;
        assert!(raw.contains(code), "{line}: {raw}");
    }
    assert!(door.service.calls.lock().unwrap().is_empty());
    door.close().await;
}

#[tokio::test]
async fn a_file_arrives_in_chunks_with_its_name_and_progress() {
    let door = Door::open().await;
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let file = door.file(&content);
    let progress = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&progress);
    let name = "größe & 50% #1/lid.gcode";
    let uploaded = door
        .client
        .upload(file.path(), name, move |sent| {
            heard.lock().unwrap().push(sent);
        })
        .await
        .unwrap();
    assert_eq!(uploaded.bytes, 3_000_000);
    let uploads = door.service.uploads.lock().unwrap().clone();
    assert_eq!(uploads.len(), 1);
    assert_eq!(uploads[0].name, name);
    assert!(uploads[0].content.as_ref().unwrap() == &content);
    assert!(uploads[0].chunks > 5, "it was collected before");
    let progress = progress.lock().unwrap().clone();
    assert!(progress.is_sorted() && progress.last() == Some(&3_000_000));
    door.close().await;
}

#[tokio::test]
async fn a_sender_that_goes_away_is_an_error_in_the_stream_not_a_short_file() {
    let door = Door::open().await;
    let mut stream = UnixStream::connect(door.client.socket()).await.unwrap();
    let head =
        "PUT /api/v1/blobs?name=a.gcode HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nG28";
    stream.write_all(head.as_bytes()).await.unwrap();
    drop(stream);
    door.service.uploaded.notified().await;
    let uploads = door.service.uploads.lock().unwrap().clone();
    assert!(uploads[0].content.is_err(), "{:?}", uploads[0]);
    door.close().await;
}

#[tokio::test]
async fn a_refused_upload_says_why_although_bytes_are_left() {
    let door = Door::open().await;
    let problem = Problem::new("disk.full", 1, "no room for a.gcode");
    for bytes in [1, 1000, 300_000, 20_000_000].repeat(5) {
        let file = door.file(&vec![b'G'; bytes]);
        door.service.answer(Err(problem.clone()));
        let refused = door.client.upload(file.path(), "a.gcode", |_| ()).await;
        match refused {
            Err(ClientError::Refused(found)) => assert_eq!(found, problem),
            other => panic!("{bytes} bytes: {other:?}"),
        }
    }
    door.close().await;
}

#[tokio::test]
async fn a_file_over_the_limit_is_refused_before_it_is_sent() {
    let door = Door::open().await;
    let raw = format!(
        "PUT /api/v1/blobs?name=a HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        UPLOAD_BYTES_MAX + 1
    );
    let raw = door.raw(&raw).await;
    assert!(raw.starts_with("HTTP/1.1 413"), "{raw}");
    assert!(raw.contains("file.too-big"), "{raw}");
    assert!(door.service.uploads.lock().unwrap().is_empty());
    door.close().await;
}

#[tokio::test]
async fn events_after_the_subscription_arrive_in_order_until_the_daemon_stops() {
    let door = Door::open().await;
    let mut events = door.client.events().await.unwrap();
    for seq in 1..=3 {
        door.service.events.send(event(seq)).unwrap();
        assert_eq!(events.next().await.unwrap(), Some(event(seq)));
    }
    door.shutdown.cancel();
    assert_eq!(events.next().await.unwrap(), None);
    door.close().await;
}

#[tokio::test]
async fn a_slow_reader_is_told_that_events_are_lost() {
    let door = Door::open().await;
    let mut events = door.client.events().await.unwrap();
    // More than any buffer between us holds; the stream ends, so that reading it does too.
    for seq in 0..20_000 {
        door.service.events.send(event(seq)).unwrap();
        if seq % 1000 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let mut found = Vec::new();
    loop {
        let event = events.next().await.unwrap().unwrap();
        let (kind, seq) = (event.kind, event.seq);
        if kind == "reset" {
            found.push(kind);
        } else if seq == 19_999 {
            break;
        }
    }
    assert!(!found.is_empty(), "nothing was lost, the test is too small");
    door.close().await;
}

#[tokio::test]
async fn the_socket_is_ours_alone_and_gone_afterwards() {
    let door = Door::open().await;
    let socket = door.client.socket().to_owned();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&socket), 0o600);
    assert_eq!(mode(socket.parent().unwrap()), 0o700);
    door.close().await;
    assert!(!socket.exists());
}

#[tokio::test]
async fn no_daemon_is_its_own_error_with_the_way_out() {
    let directory = tempfile::tempdir().unwrap();
    let client = Client::new(directory.path().join("api.sock"));
    let error = client.call(&Request::Status).await.unwrap_err();
    assert!(matches!(error, ClientError::DaemonDown { .. }));
    let problem = Problem::from(error);
    assert_eq!((problem.code.as_str(), problem.exit), ("daemon.down", 6));
    assert_eq!(problem.fixes[0].command, "printmesh up");
}

#[tokio::test]
async fn a_dead_daemons_socket_is_replaced_a_living_ones_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("run/api.sock");
    std::fs::create_dir(directory.path().join("run")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(socket.exists(), "a dead daemon leaves its socket");

    let door = Door::open_in(directory).await;
    let service = Arc::clone(&door.service);
    let second = serve(&socket, service, CancellationToken::new()).await;
    assert!(matches!(second, Err(ServeError::InUse(_))), "{second:?}");
    door.client.call(&Request::Status).await.unwrap();
    door.close().await;
}

#[tokio::test]
async fn what_cannot_be_a_socket_is_said_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let door = Door::open().await;
    let serve = |path| {
        let service = Arc::clone(&door.service);
        async move { serve(path, service, CancellationToken::new()).await }
    };
    let file = directory.path().join("notes.txt");
    std::fs::write(&file, "mine").unwrap();
    assert!(matches!(serve(&file).await, Err(ServeError::NotASocket(_))));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");

    let long = directory.path().join("x".repeat(108));
    let error = serve(&long).await.unwrap_err();
    assert!(matches!(error, ServeError::PathTooLong(_)));
    assert!(error.to_string().contains("allows 107"), "{error}");
    door.close().await;
}

#[tokio::test]
async fn a_request_that_runs_when_the_daemon_stops_still_gets_its_answer() {
    let door = Door::open().await;
    let client = door.client.clone();
    door.service
        .hold
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let asked = tokio::spawn(async move {
        client
            .call(&Request::DaemonStop { end_prints: false })
            .await
    });
    door.service.called.notified().await;
    door.shutdown.cancel();
    door.service.go.notify_one();
    asked.await.unwrap().unwrap();
    tokio::time::timeout(Duration::from_secs(60), door.close())
        .await
        .unwrap();
}

impl Door {
    async fn raw(&self, request: &str) -> String {
        let mut stream = UnixStream::connect(self.client.socket()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    fn file(&self, content: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new_in(self.directory.path()).unwrap();
        file.write_all(content).unwrap();
        file
    }
}
