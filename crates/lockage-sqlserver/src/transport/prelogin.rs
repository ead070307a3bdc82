//! The first message of the protocol and its answer: `PRELOGIN`.

#![cfg_attr(not(feature = "tls"), allow(dead_code))]

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The type of a packet that holds it.
pub(super) const PACKET: u8 = 0x12;

/// A packet's header: type, status, length in two bytes, and four more.
pub(super) const HEADER: usize = 8;

const VERSION: u8 = 0;
const ENCRYPTION: u8 = 1;
const INSTANCE: u8 = 2;
const THREAD: u8 = 3;
const MARS: u8 = 4;
const END: u8 = 0xff;

/// What is said of encryption: all is to be encrypted.
pub(super) const WANTED: u8 = 1;
/// It cannot be had, or not be had more than there is already.
pub(super) const NOT_NEEDED: u8 = 2;
const REQUIRED: u8 = 3;

/// More than any server says in its answer.
const LONGEST: usize = 4096;

/// Sends the message and reads the answer.
pub(super) async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    encryption: u8,
) -> io::Result<Answer> {
    let options: [(u8, &[u8]); 5] = [
        (VERSION, &[0; 6]),
        (ENCRYPTION, &[encryption]),
        (INSTANCE, &[0]),
        (THREAD, &[0; 4]),
        (MARS, &[0]),
    ];
    let mut offset = options.len() * 5 + 1;
    let (mut index, mut data) = (Vec::new(), Vec::new());
    for (name, value) in options {
        index.push(name);
        index.extend_from_slice(&short(offset));
        index.extend_from_slice(&short(value.len()));
        offset += value.len();
        data.extend_from_slice(value);
    }
    index.push(END);
    let mut packet = vec![PACKET, 1];
    packet.extend_from_slice(&short(HEADER + index.len() + data.len()));
    packet.extend_from_slice(&[0; 4]);
    packet.extend(index);
    packet.extend(data);
    stream.write_all(&packet).await?;
    stream.flush().await?;

    let mut packet = vec![0; HEADER];
    stream.read_exact(&mut packet).await?;
    let length = missing(&packet);
    if length > LONGEST {
        return Err(no_server());
    }
    packet.resize(HEADER + length, 0);
    stream.read_exact(&mut packet[HEADER..]).await?;
    let encryption = place_of(&packet, ENCRYPTION).ok_or_else(no_server)?;
    Ok(Answer { packet, encryption })
}

fn no_server() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "what answers there does not speak SQL Server's protocol",
    )
}

fn short(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes()
}

/// How many bytes a packet still lacks, as far as what is there of it tells.
pub(super) fn missing(packet: &[u8]) -> usize {
    match packet.get(2..4) {
        Some(length) if packet.len() >= HEADER => {
            usize::from(u16::from_be_bytes([length[0], length[1]])).saturating_sub(packet.len())
        }
        _ => HEADER - packet.len(),
    }
}

/// Where the one byte of an option stands in a packet.
fn place_of(packet: &[u8], option: u8) -> Option<usize> {
    let body = packet.get(HEADER..)?;
    for entry in body.chunks(5) {
        if entry[0] == END {
            return None;
        }
        if entry[0] == option {
            let offset = usize::from(u16::from_be_bytes([*entry.get(1)?, *entry.get(2)?]));
            return (HEADER + offset < packet.len()).then_some(HEADER + offset);
        }
    }
    None
}

/// What the server answered.
#[derive(Debug)]
pub(super) struct Answer {
    packet: Vec<u8>,
    /// The place of what it says of encryption.
    encryption: usize,
}

impl Answer {
    pub(super) fn encrypts(&self) -> bool {
        matches!(self.packet[self.encryption], WANTED | REQUIRED)
    }

    /// The same answer of a server that encrypts nothing.
    pub(super) fn without_encryption(mut self) -> Vec<u8> {
        self.packet[self.encryption] = NOT_NEEDED;
        self.packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_says_how_long_it_is() {
        assert_eq!(missing(&[]), 8);
        assert_eq!(missing(&[PACKET, 1, 0]), 5);
        assert_eq!(missing(&[PACKET, 1, 0, 10, 0, 0, 0, 0]), 2);
        assert_eq!(missing(&[PACKET, 1, 0, 9, 0, 0, 0, 0, 7]), 0);
    }

    #[tokio::test]
    async fn what_is_no_server_is_told() {
        let (mut client, mut server) = tokio::io::duplex(1024);
        let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        server.write_all(answer).await.unwrap();
        let error = exchange(&mut client, WANTED).await.unwrap_err();
        assert!(error.to_string().contains("protocol"), "{error}");
    }
}
