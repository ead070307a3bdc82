//! The first message of the protocol and its reply: `PRELOGIN` of MS-TDS.

#![cfg_attr(not(feature = "tls"), allow(dead_code))]

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The packet type.
const PACKET_TYPE: u8 = 0x12;

/// The length of a packet's header: type, status, two bytes of length, and four more bytes.
const HEADER_LEN: usize = 8;

// Options of the message.
const VERSION: u8 = 0;
const ENCRYPTION: u8 = 1;
const INSTANCE: u8 = 2;
const THREAD_ID: u8 = 3;
const MARS: u8 = 4;
const TERMINATOR: u8 = 0xff;

/// The value of [`ENCRYPTION`] that encrypts the whole connection.
pub(super) const ENCRYPT_ON: u8 = 1;
/// The value of [`ENCRYPTION`] without encryption, or without more than the connection already has.
pub(super) const ENCRYPT_NOT_SUP: u8 = 2;
const ENCRYPT_REQ: u8 = 3;

/// The maximum length of a reply's body. Replies of servers are much shorter.
const MAX_REPLY_LEN: usize = 4096;

/// Sends the message with the client's encryption option and reads the reply.
pub(super) async fn negotiate(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    encryption: u8,
) -> io::Result<PreloginReply> {
    stream.write_all(&request(encryption)).await?;
    stream.flush().await?;

    let mut packet = vec![0; HEADER_LEN];
    stream.read_exact(&mut packet).await?;
    let length = missing_bytes(&packet);
    if length > MAX_REPLY_LEN {
        return Err(not_a_server_error());
    }
    packet.resize(HEADER_LEN + length, 0);
    stream.read_exact(&mut packet[HEADER_LEN..]).await?;
    let encryption_offset = option_offset(&packet, ENCRYPTION).ok_or_else(not_a_server_error)?;
    Ok(PreloginReply {
        packet,
        encryption_offset,
    })
}

fn request(encryption: u8) -> Vec<u8> {
    let options: [(u8, &[u8]); 5] = [
        (VERSION, &[0; 6]),
        (ENCRYPTION, &[encryption]),
        (INSTANCE, &[0]),
        (THREAD_ID, &[0; 4]),
        (MARS, &[0]),
    ];
    let mut offset = options.len() * 5 + 1;
    let (mut index, mut data) = (Vec::new(), Vec::new());
    for (option, value) in options {
        index.push(option);
        index.extend_from_slice(&be_u16(offset));
        index.extend_from_slice(&be_u16(value.len()));
        offset += value.len();
        data.extend_from_slice(value);
    }
    index.push(TERMINATOR);
    let mut packet = vec![PACKET_TYPE, 1];
    packet.extend_from_slice(&be_u16(HEADER_LEN + index.len() + data.len()));
    packet.extend_from_slice(&[0; 4]);
    packet.extend(index);
    packet.extend(data);
    packet
}

fn not_a_server_error() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the server does not speak SQL Server's protocol",
    )
}

fn be_u16(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes()
}

/// Returns how many bytes of a packet are missing: of its header, or after the header of the length that it contains.
pub(super) fn missing_bytes(packet: &[u8]) -> usize {
    match packet.get(2..4) {
        Some(length) if packet.len() >= HEADER_LEN => {
            usize::from(u16::from_be_bytes([length[0], length[1]])).saturating_sub(packet.len())
        }
        _ => HEADER_LEN - packet.len(),
    }
}

/// Returns the offset in a packet of the one byte of an option's value.
fn option_offset(packet: &[u8], option: u8) -> Option<usize> {
    let body = packet.get(HEADER_LEN..)?;
    for entry in body.chunks(5) {
        if entry[0] == TERMINATOR {
            return None;
        }
        if entry[0] == option {
            let offset = usize::from(u16::from_be_bytes([*entry.get(1)?, *entry.get(2)?]));
            return (HEADER_LEN + offset < packet.len()).then_some(HEADER_LEN + offset);
        }
    }
    None
}

/// The server's reply.
#[derive(Debug)]
pub(super) struct PreloginReply {
    packet: Vec<u8>,
    encryption_offset: usize,
}

impl PreloginReply {
    /// Returns whether the server encrypts the connection.
    pub(super) fn encrypts(&self) -> bool {
        matches!(
            self.packet[self.encryption_offset],
            ENCRYPT_ON | ENCRYPT_REQ
        )
    }

    /// Returns the packet of the same reply without encryption.
    pub(super) fn without_encryption(mut self) -> Vec<u8> {
        self.packet[self.encryption_offset] = ENCRYPT_NOT_SUP;
        self.packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_bytes_follow_packet_length() {
        assert_eq!(missing_bytes(&[]), 8);
        assert_eq!(missing_bytes(&[PACKET_TYPE, 1, 0]), 5);
        assert_eq!(missing_bytes(&[PACKET_TYPE, 1, 0, 10, 0, 0, 0, 0]), 2);
        assert_eq!(missing_bytes(&[PACKET_TYPE, 1, 0, 9, 0, 0, 0, 0, 7]), 0);
    }

    #[tokio::test]
    async fn reply_of_other_protocol_is_reported() {
        let (mut client, mut server) = tokio::io::duplex(1024);
        let reply = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        server.write_all(reply).await.unwrap();
        let error = negotiate(&mut client, ENCRYPT_ON).await.unwrap_err();
        assert!(error.to_string().contains("protocol"), "{error}");
    }
}
