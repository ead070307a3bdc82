//! Messages and the packets that carry them.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub(super) const BATCH: u8 = 0x01;
pub(super) const REPLY: u8 = 0x04;
pub(super) const ATTENTION: u8 = 0x06;
pub(super) const LOGIN: u8 = 0x10;
pub(super) const PRELOGIN: u8 = 0x12;

const HEADER_LEN: usize = 8;
const MAX_BODY_LEN: usize = 4096 - HEADER_LEN;

/// Reads a message and its type.
pub(super) async fn read_message(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<(u8, Vec<u8>)> {
    let mut message = Vec::new();
    loop {
        let mut header = [0; HEADER_LEN];
        stream.read_exact(&mut header).await?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]])) - HEADER_LEN;
        let start = message.len();
        message.resize(start + length, 0);
        stream.read_exact(&mut message[start..]).await?;
        if header[1] & 1 == 1 {
            return Ok((header[0], message));
        }
    }
}

/// Writes a message.
pub(super) async fn write_message(
    stream: &mut (impl AsyncWrite + Unpin),
    kind: u8,
    message: &[u8],
) -> io::Result<()> {
    let mut parts = message.chunks(MAX_BODY_LEN).peekable();
    let mut number = 0_u8;
    while let Some(part) = parts.next() {
        let last = u8::from(parts.peek().is_none());
        let length = u16::try_from(HEADER_LEN + part.len())
            .unwrap()
            .to_be_bytes();
        number = number.wrapping_add(1);
        let header = [kind, last, length[0], length[1], 0, 0, number, 0];
        stream.write_all(&header).await?;
        stream.write_all(part).await?;
    }
    stream.flush().await
}

/// Returns the text of a batch. Headers with a length precede it.
pub(super) fn batch_text(body: &[u8]) -> String {
    let headers = u32::from_le_bytes(body[..4].try_into().unwrap()) as usize;
    let units: Vec<u16> = body[headers..]
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    String::from_utf16(&units).unwrap()
}

/// Returns a prelogin reply with a version and an encryption option.
pub(super) fn prelogin_reply(encrypts: bool) -> Vec<u8> {
    let mut reply = vec![0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff];
    reply.extend_from_slice(&[16, 0, 0x10, 0, 0, 0]);
    reply.push(if encrypts { 1 } else { 2 });
    reply
}

/// Returns whether the client requests encryption of the whole connection.
pub(super) fn requests_encryption(request: &[u8]) -> bool {
    request
        .chunks(5)
        .find(|option| option[0] == 1)
        .is_some_and(|option| {
            let offset = usize::from(u16::from_be_bytes([option[1], option[2]]));
            request[offset] == 1
        })
}
