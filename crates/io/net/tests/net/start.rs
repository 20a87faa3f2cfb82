//! Starting, and not starting, loudly.

use std::{
    net::{SocketAddr, UdpSocket},
    os::unix::process::CommandExt,
    process::Command,
};

use printmesh_net::{Bind, Config, StartError};
use tokio::sync::mpsc;

use crate::host::{config, host};

async fn start(config: Config) -> Result<printmesh_net::Net, StartError> {
    printmesh_net::start(config, mpsc::channel(8).0).await
}

#[tokio::test]
async fn a_taken_port_is_an_error_and_not_another_port() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let wanted = || Config {
        bind: Bind::Address(address),
        ..config(1, dir.path())
    };
    assert!(
        matches!(start(wanted()).await, Err(StartError::PortTaken { address: at }) if at == address)
    );
    let everywhere = SocketAddr::new([0, 0, 0, 0].into(), address.port());
    let wanted_everywhere = Config {
        bind: Bind::Address(everywhere),
        ..config(1, dir.path())
    };
    assert!(matches!(
        start(wanted_everywhere).await,
        Err(StartError::PortTaken { .. })
    ));

    drop(taken);
    let net = start(wanted())
        .await
        .expect("what failed has let go of the files");
    assert_eq!(net.addresses(), [address]);
    net.shutdown().await;
}

#[tokio::test]
async fn an_address_of_another_machine_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    // 198.51.100.0/24 is set aside for documentation.
    let address = "198.51.100.7:0".parse().unwrap();
    let result = start(Config {
        bind: Bind::Address(address),
        ..config(1, dir.path())
    })
    .await;
    assert!(matches!(result, Err(StartError::AddressNotHere { .. })));
}

const CHILD: &str = "PRINTMESH_TEST_PRIVILEGED_CHILD";

/// Root may have every port, so the test runs itself again as nobody.
#[test]
fn a_privileged_port_is_an_error() {
    if std::env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let dir = tempfile::tempdir().unwrap();
        let address = "127.0.0.1:80".parse().unwrap();
        let result = runtime.block_on(start(Config {
            bind: Bind::Address(address),
            ..config(1, dir.path())
        }));
        assert!(matches!(result, Err(StartError::PortPrivileged { address: at }) if at == address));
        return;
    }
    let unprivileged_from =
        std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    if unprivileged_from.is_ok_and(|port| port.trim().parse::<u16>().is_ok_and(|port| port <= 80)) {
        eprintln!("skipped: this system gives port 80 to everyone");
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "start::a_privileged_port_is_an_error"])
        .env(CHILD, "1")
        .env_remove("TMPDIR");
    if UdpSocket::bind("127.0.0.1:80").is_ok() {
        child.uid(65534).gid(65534);
    }
    match child.output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && said.contains("1 passed"),
                "{said}"
            );
        }
        Err(error) => eprintln!("skipped: cannot run as another user: {error}"),
    }
}

#[tokio::test]
async fn one_folder_of_files_has_one_owner() {
    let first = host(1).await;
    let result = start(config(2, first.dir())).await;
    assert!(matches!(result, Err(StartError::FilesLocked { .. })));
    let second = first.restart(1).await;
    second.finish().await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "in the way").unwrap();
    let result = start(config(1, &dir.path().join("file"))).await;
    assert!(matches!(result, Err(StartError::Files { .. })));
}

#[tokio::test]
async fn a_host_on_all_interfaces_names_real_addresses() {
    let dir = tempfile::tempdir().unwrap();
    let net = start(Config {
        bind: Bind::Auto,
        ..config(1, dir.path())
    })
    .await
    .unwrap();
    let addresses = net.addresses();
    assert!(!addresses.is_empty());
    assert!(
        addresses
            .iter()
            .all(|address| !address.ip().is_unspecified() && address.port() != 0),
        "{addresses:?}"
    );
    let loopbacks = addresses
        .iter()
        .filter(|address| address.ip().is_loopback())
        .count();
    assert!(
        loopbacks == 0 || loopbacks == addresses.len(),
        "{addresses:?}"
    );
    net.shutdown().await;
}
