//! Connects to a server and negotiates encryption.

use std::time::Duration;

use tiberius::SqlBrowser;
use tokio::net::TcpStream;

use super::error::TransportError;
use super::socket_probe::SocketProbe;
use super::stream::{Stream, TransportStream};
#[cfg(feature = "tls")]
use super::{prelogin, tls};
use crate::config::{ConnectConfig, DEFAULT_PORT, Encrypt};

/// The idle time before the first keepalive probe, the time between probes, and the number of unanswered probes that close the
/// connection.
const KEEPALIVE_TIME: Duration = Duration::from_secs(5);
const PROBE_INTERVAL: Duration = Duration::from_secs(2);
const MAX_PROBES: u32 = 3;

/// Opens a connection and negotiates encryption. Also returns a second handle on its socket.
pub(crate) async fn connect(
    config: &ConnectConfig,
) -> Result<(Stream, SocketProbe), TransportError> {
    let tcp = connect_tcp(config).await?;
    tcp.set_nodelay(true)?;
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(KEEPALIVE_TIME)
        .with_interval(PROBE_INTERVAL)
        .with_retries(MAX_PROBES);
    socket2::SockRef::from(&tcp).set_tcp_keepalive(&keepalive)?;
    let probe = SocketProbe::new(&tcp)?;
    let stream = match config.encrypt {
        Encrypt::Off => Stream::new(TransportStream::Plain(tcp)),
        Encrypt::On | Encrypt::Strict => encrypt(config, tcp).await?,
    };
    Ok((stream, probe))
}

async fn connect_tcp(config: &ConnectConfig) -> Result<TcpStream, TransportError> {
    match (&config.instance, config.port) {
        (Some(instance), None) => {
            let mut browser = tiberius::Config::new();
            browser.host(&config.host);
            browser.instance_name(instance);
            TcpStream::connect_named(&browser)
                .await
                .map_err(TransportError::Driver)
        }
        (_, port) => {
            let host = (config.host.as_str(), port.unwrap_or(DEFAULT_PORT));
            Ok(TcpStream::connect(host).await?)
        }
    }
}

#[cfg(feature = "tls")]
async fn encrypt(config: &ConnectConfig, mut tcp: TcpStream) -> Result<Stream, TransportError> {
    let client = tls::client_config(config)?;
    if config.encrypt == Encrypt::Strict {
        let tls = tls::strict_handshake(config, client, tcp).await?;
        let mut stream = TransportStream::Tls(Box::new(tls));
        let reply = prelogin::negotiate(&mut stream, prelogin::ENCRYPT_NOT_SUP).await?;
        return Ok(Stream::with_prelogin(stream, reply));
    }
    let reply = prelogin::negotiate(&mut tcp, prelogin::ENCRYPT_ON).await?;
    if !reply.encrypts() {
        return Err(TransportError::Tls(std::io::Error::other(
            "the server does not encrypt",
        )));
    }
    let tls = tls::framed_handshake(config, client, tcp).await?;
    let stream = TransportStream::Tls(Box::new(tls));
    Ok(Stream::with_prelogin(stream, reply))
}

#[cfg(not(feature = "tls"))]
async fn encrypt(_: &ConnectConfig, _: TcpStream) -> Result<Stream, TransportError> {
    Err(TransportError::Config(
        "this program is built without TLS; build it with the feature `tls` of lockage-sqlserver, or write encrypt=false".into(),
    ))
}
