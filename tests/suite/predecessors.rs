//! Defects that were proven in earlier shared print queues, D1 to D20: each has a test here or on a lower level, whose name
//! begins with its number. Here: what takes a whole daemon, and that none of these tests can vanish.

use std::{
    collections::BTreeMap,
    fs, io,
    net::{SocketAddr, TcpStream, UdpSocket},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use super::{
    environment::{Farm, Host, sliced},
    trust::sockets,
};

/// The defects, in the words of those who met them.
const DEFECTS: [&str; 20] = [
    "two printers, one off: the other is frozen",
    "all hosts restart: the queue is empty",
    "two hosts boot apart: two leaders, for ever",
    "a clock that is wrong steals a claim",
    "jobs vanish after reordering",
    "a claim on somebody else's job is swept away",
    "two idle printers both print",
    "deleting a job that is printed breaks its printer and the page",
    "a failed print counts as completed",
    "two files of one name: the wrong part is printed",
    "a tampered or interrupted download is printed",
    "anybody on the network lists all jobs",
    "anybody on the network runs code",
    "an order that runs out of numbers, or has two of one",
    "a change dies after one hop, or comes from a forger",
    "a call that makes another call, messages dropped, a readable key, a peer not checked",
    "looking at the next print changes it, and a change in mid-print credits the wrong set",
    "the only upgrade path fails, and its test tests another",
    "the file is only where it was edited last",
    "a reason to wait that crashes instead of being said",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// Whether a file is part of a crate: the root of one, or named by a file beside or above it that is.
fn is_compiled(path: &Path) -> bool {
    let (folder, stem) = (path.parent().unwrap(), path.file_stem().unwrap());
    let is_test_crate = folder.ends_with("tests") && folder.with_file_name("Cargo.toml").exists();
    if is_test_crate || stem == "lib" || stem == "main" {
        return true;
    }
    let above = folder.parent().unwrap();
    let (name, places) = match stem == "mod" {
        true => (folder.file_name().unwrap(), vec![above]),
        false => (stem, vec![folder, above]),
    };
    let line = format!("mod {};", name.to_str().unwrap());
    let mut near = places
        .into_iter()
        .flat_map(|place| fs::read_dir(place).unwrap().flatten())
        .map(|entry| entry.path())
        .filter(|near| near != path && near.extension().is_some_and(|end| end == "rs"));
    near.any(|near| {
        let text = fs::read_to_string(&near).unwrap();
        let names_it = text.lines().any(|found| {
            let found = found
                .trim()
                .trim_start_matches("pub ")
                .trim_start_matches("pub(crate) ");
            found == line
        });
        names_it && is_compiled(&near)
    })
}

/// Tests by the number of the defect that they are named after.
fn tests_by_number() -> BTreeMap<usize, Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["crates", "tests", "cli"] {
        sources(&root.join(folder), &mut files);
    }
    let mut tests: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (n, line) in lines.iter().enumerate() {
            let line = line.strip_prefix("async ").unwrap_or(line);
            let name = line.strip_prefix("fn d").unwrap_or_default();
            let Some((number, rest)) = name.split_once('_') else {
                continue;
            };
            let (2, Ok(number)) = (number.len(), number.parse()) else {
                continue;
            };
            let at = format!("{}: d{name}", path.display());
            let attributes: Vec<_> = lines[..n]
                .iter()
                .rev()
                .take_while(|line| line.starts_with("#["))
                .collect();
            let is_test = |line: &&&str| **line == "#[test]" || **line == "#[tokio::test]";
            assert!(attributes.iter().any(is_test), "{at}");
            assert!(
                !attributes.iter().any(|line| line.contains("ignore")),
                "{at}"
            );
            assert!(rest.len() > 20, "{at} says what a person sees");
            assert!(is_compiled(&path), "{at}");
            tests.entry(number).or_default().push(at);
        }
    }
    tests
}

#[test]
fn each_defect_of_the_predecessors_has_a_test_that_bears_its_number() {
    let tests = tests_by_number();
    for (number, what) in (1..).zip(DEFECTS) {
        assert!(tests.contains_key(&number), "no test for D{number}: {what}");
    }
    assert_eq!(
        tests.keys().copied().collect::<Vec<_>>(),
        Vec::from_iter(1..=20)
    );
}

/// A host with a queue, a job and a print under way, and where it listens.
fn printing(farm: &Farm) -> (Host, SocketAddr) {
    let a = farm.printing_host("attic", "sim://");
    a.ok(&["queue", "create", "workshop"]);
    let job = a.submit(&[&sliced("clip.gcode"), "-q", "workshop", "--name", "gearbox"]);
    a.wait_until("printing", &job);
    let status = a.json(&["daemon", "status"]);
    let address = status["addresses"][0].as_str().unwrap().parse().unwrap();
    (a, address)
}

/// What comes back to a stranger's datagrams, once the host has seen them all.
fn answers(a: &Host, to: SocketAddr, packets: &[&[u8]]) -> Vec<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for packet in packets {
        socket.send_to(packet, to).unwrap();
    }
    // Both ends of a loopback socket are in order, and joining goes through the same one.
    let other = Farm::new();
    let mut b = other.host("b");
    b.start();
    b.ok(&["join", &a.ticket("workshop")]);
    socket.set_nonblocking(true).unwrap();
    let mut found = Vec::new();
    let mut answer = [0; 4000];
    loop {
        match socket.recv(&mut answer) {
            Ok(size) => found.push(answer[..size].to_vec()),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                return found;
            }
        }
    }
}

/// All jobs of a queue could be listed and fetched over HTTP by anybody on the network.
#[test]
fn d12_no_host_listens_for_http_or_tells_a_stranger_one_name() {
    let farm = Farm::new();
    let (a, address) = printing(&farm);
    let open = sockets(a.pid());
    assert!(open.iter().any(|(table, ..)| table == "udp"), "{open:?}");
    assert!(
        !open.iter().any(|(table, ..)| table.contains("tcp")),
        "{open:?}"
    );
    let refused = TcpStream::connect(address).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    let get = b"GET / HTTP/1.1\r\nHost: attic\r\n\r\n";
    for answer in answers(
        &a,
        address,
        &[get, &[get.as_slice(), &[b' '; 1200]].concat()],
    ) {
        let text = String::from_utf8_lossy(&answer);
        let known = ["HTTP", "attic", "workshop", "gearbox", "clip"];
        assert!(!known.iter().any(|name| text.contains(name)), "{text}");
    }
}

/// Whatever came in on an open port was unpickled, which runs what it says.
#[test]
fn d13_a_pickle_is_run_by_nobody_whichever_door_it_comes_to() {
    let farm = Farm::new();
    let (a, address) = printing(&farm);
    let trace = farm.path().join("pickled");
    let pickle = format!("cos\nsystem\n(S'touch {}'\ntR.", trace.display());
    let long = format!("{pickle}{:1200}", "");
    answers(
        &a,
        address,
        &[pickle.as_bytes(), long.as_bytes(), &[0x80; 1400]],
    );
    // And the local door, which only this user can open, takes requests and nothing else.
    let mut door = UnixStream::connect(a.home.join("run/api.sock")).unwrap();
    io::Write::write_all(&mut door, pickle.as_bytes()).unwrap();
    door.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    // Shut in the sender's face, with bytes of it unread, is an answer too.
    if let Err(error) = io::Read::read_to_end(&mut door, &mut answer) {
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
    }
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
        "{answer}"
    );
    assert!(!trace.exists());
    let jobs = a.json(&["jobs", "-q", "workshop"]);
    assert_eq!(jobs["items"][0]["state"], "printing");
}
