//! The address of a server on the loopback interface, and free ports for it.

use std::net::{Ipv4Addr, TcpListener};

use lockage_testkit::TestError;

use crate::cell::PublishedImage;

/// The address of a server and its account.
pub(crate) struct Address {
    pub(crate) scheme: &'static str,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) port: u16,
    /// The database and the query of the URL.
    pub(crate) tail: String,
}

impl Address {
    pub(crate) fn new(
        scheme: &'static str,
        user: &str,
        password: &str,
        port: u16,
        tail: &str,
    ) -> Self {
        Self {
            scheme,
            user: user.to_owned(),
            password: password.to_owned(),
            port,
            tail: tail.to_owned(),
        }
    }

    /// Returns an unused address for a container of a local image.
    pub(crate) fn for_local_image(scheme: &'static str) -> Result<Self, TestError> {
        let port = free_ports(1)?[0];
        Ok(Self::new(
            scheme,
            "lockage",
            &random_password(),
            port,
            "lockage",
        ))
    }

    /// Returns an unused address for a container of a published image.
    pub(crate) fn for_published_image(
        image: &PublishedImage,
        scheme: &'static str,
    ) -> Result<Self, TestError> {
        let port = free_ports(1)?[0];
        let tail = format!("{}{}", image.database, image.query);
        Ok(Self::new(
            scheme,
            image.user,
            &random_password(),
            port,
            &tail,
        ))
    }

    pub(crate) fn url(&self) -> String {
        format!(
            "{}://{}:{}@127.0.0.1:{}/{}",
            self.scheme,
            self.user,
            self.password.replace(' ', "%20").replace('/', "%2F"),
            self.port,
            self.tail
        )
    }
}

/// Returns a password that satisfies the rules of every engine and differs from those of other servers on this machine.
pub(crate) fn random_password() -> String {
    let tail: String = std::iter::repeat_with(fastrand::alphanumeric)
        .take(20)
        .collect();
    format!("Lk7{tail}")
}

/// Returns `count` ports without a listener, below the range that operating systems use for outgoing connections.
pub(crate) fn free_ports(count: usize) -> Result<Vec<u16>, TestError> {
    let mut listeners = Vec::new();
    for _ in 0..10_000 {
        if listeners.len() == count {
            break;
        }
        let port = fastrand::u16(12_000..32_000);
        listeners.extend(TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
    }
    let ports: Vec<u16> = listeners
        .iter()
        .map(|listener| listener.local_addr().map(|address| address.port()))
        .collect::<Result<_, _>>()?;
    if ports.len() == count {
        Ok(ports)
    } else {
        Err("no free ports".into())
    }
}
