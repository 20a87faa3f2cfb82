//! Two hosts that cannot reach each other at all, and a real relay that both can reach: they share a queue and print. What
//! either sends the other directly is dropped on the way.

use std::{
    fs::File,
    net::SocketAddr,
    os::fd::AsFd,
    sync::mpsc,
    thread::{self, JoinHandle},
};

use iroh_relay::server::{Access, AccessControl, ClientRequest, RelayConfig, Server, ServerConfig};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::Value;
use tokio::sync::oneshot;

use super::{
    super::environment::{Farm, Host, PATIENCE, sliced},
    net::{Net, address},
};

/// Lets everybody in, and says who came, by key.
#[derive(Debug)]
struct Book(mpsc::Sender<String>);

impl AccessControl for Book {
    async fn on_connect(&self, request: &ClientRequest) -> Access {
        self.0.send(request.endpoint_id().to_string()).ok();
        Access::Allow
    }
}

/// A relay in a network namespace, on a thread of its own, which stays there.
struct Relay {
    url: String,
    callers: mpsc::Receiver<String>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    fn start(namespace: &str, ip: &str) -> Self {
        let place = File::open(format!("/run/netns/{namespace}")).unwrap();
        let at: SocketAddr = format!("{ip}:0").parse().unwrap();
        let (ready, started) = mpsc::channel();
        let (book, callers) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            move_into_link_name_space(place.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut relay = RelayConfig::new(at);
                relay.access = std::sync::Arc::new(Book(book));
                let mut config = ServerConfig::default();
                config.relay = Some(relay);
                let server = Server::spawn(config).await.unwrap();
                ready.send(server.http_addr().unwrap()).unwrap();
                stopped.await.ok();
                server.shutdown().await.unwrap();
            });
        });
        let at = started.recv_timeout(PATIENCE).expect("the relay starts");
        Self {
            url: format!("http://{at}"),
            callers,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Waits until a host with this key calls; whoever calls before must be one of these.
    fn until_called_by(&self, key: &str, others: &[&str]) {
        loop {
            let caller = self.callers.recv_timeout(PATIENCE).expect("it calls");
            if caller == key {
                return;
            }
            assert!(others.contains(&&*caller), "{caller} was not to call");
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).ok();
        }
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn configured(host: &Host, n: usize, more: &str) {
    let ip = address(n);
    host.configure(&format!(
        "[network]\nbind = \"{ip}:0\"\ndiscovery = false\n{more}"
    ));
}

/// A member as `host` sees it.
fn member(host: &Host, name: &str) -> Value {
    let peers = host.json(&["queue", "peers", "farm"]);
    let found = peers["items"].as_array().unwrap().iter();
    found
        .clone()
        .find(|peer| peer["host"] == name)
        .unwrap()
        .clone()
}

#[test]
fn two_hosts_with_nothing_but_a_relay_between_them_share_a_queue_and_print() {
    let net = match Net::new(3) {
        Ok(net) => net,
        Err(why) => {
            eprintln!("skipped: {why}");
            return;
        }
    };
    net.drop_packets(0, 1).unwrap();
    net.drop_packets(1, 0).unwrap();
    let relay = Relay::start(&net.namespace(2), &address(2));
    let farm = Farm::new();
    let (mut a, mut b) = (farm.host("a"), farm.host("b"));
    configured(&a, 0, &format!("relay = [\"{}\"]\n", relay.url));
    configured(&b, 1, "");
    for (n, host) in [&mut a, &mut b].into_iter().enumerate() {
        host.namespace = Some(net.namespace(n));
        host.start();
    }
    b.ok(&["printer", "add", "sim", "--at", "sim://?speed=2000"]);
    a.ok(&["queue", "create", "farm"]);
    let a_key = member(&a, "a")["key"].as_str().unwrap().to_owned();
    relay.until_called_by(&a_key, &[]);

    let share = a.json(&["queue", "share", "farm", "--wan"]);
    assert_eq!(share["relays"], Value::from(vec![relay.url.clone()]));
    let ticket = share["ticket"].as_str().unwrap();
    // Without a word of a person there is no way to it.
    let problem = b.problem("join.unreachable", &["join", ticket]);
    let fix = problem["fixes"][0].to_string();
    assert!(fix.contains("--wan") && fix.contains(&relay.url), "{fix}");
    b.ok(&["join", ticket, "--wan"]);
    let b_key = member(&b, "b")["key"].as_str().unwrap().to_owned();
    relay.until_called_by(&b_key, &[&a_key]);
    for (host, other) in [(&a, "b"), (&b, "a")] {
        host.until_link("farm", other, "connected");
        assert_eq!(member(host, other)["address"], Value::Null);
    }
    // The file goes to the host whose printer takes it.
    let job = a.submit(&[&sliced("clip.gcode"), "-q", "farm"]);
    a.wait(&[&job]);

    // Both were off, and find each other again.
    a.stop();
    b.stop();
    a.start();
    b.start();
    for (host, other) in [(&a, "b"), (&b, "a")] {
        host.until_link("farm", other, "connected");
    }
    b.ok(&["printer", "ready", "sim", "-y"]);
    let job = a.submit(&[&sliced("clip.gcode"), "-q", "farm"]);
    a.wait(&[&job]);
    let used = a.json(&["daemon", "status"])["relays"][0].clone();
    assert_eq!(used["url"], relay.url);
}
