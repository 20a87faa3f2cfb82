//! Defects that were proven in earlier shared print queues, D1 to D20: each has a test here or on a lower level, whose name
//! begins with its number. Here: what takes a whole daemon, and that none of these tests can vanish.

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, TcpStream, UdpSocket},
    os::unix::net::UnixStream,
};

use super::{
    environment::{Farm, Host, sliced},
    named::tests_named,
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

/// Tests by the number of the defect that they are named after: `d07_…`.
fn tests_by_number() -> BTreeMap<usize, Vec<String>> {
    let number = |name: &str| {
        let (number, _) = name.strip_prefix('d')?.split_once('_')?;
        number.parse().ok().filter(|_| number.len() == 2)
    };
    tests_named(number)
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
