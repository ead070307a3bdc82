//! The tokens that a reply consists of.

/// Encodes a text as UTF-16 after its length in characters, which takes `length_bytes`.
fn length_prefixed(text: &str, length_bytes: usize) -> Vec<u8> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let mut out = units.len().to_le_bytes()[..length_bytes].to_vec();
    out.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    out
}

/// Returns a token with a length.
pub(super) fn envelope(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend_from_slice(&u16::try_from(body.len()).unwrap().to_le_bytes());
    out.extend_from_slice(body);
    out
}

fn message(kind: u8, number: u32, class: u8, text: &str, procedure: &str, line: u32) -> Vec<u8> {
    let mut body = number.to_le_bytes().to_vec();
    body.extend_from_slice(&[1, class]);
    body.extend(length_prefixed(text, 2));
    body.extend(length_prefixed("mock", 1));
    body.extend(length_prefixed(procedure, 1));
    body.extend_from_slice(&line.to_le_bytes());
    envelope(kind, &body)
}

/// Returns an error in a line of the batch.
pub(crate) fn error(number: u32, text: &str, line: u32) -> Vec<u8> {
    message(0xaa, number, 16, text, "", line)
}

/// Returns a message of `PRINT`.
pub(crate) fn info(text: &str) -> Vec<u8> {
    message(0xab, 0, 0, text, "", 1)
}

/// Returns the end of a reply, or of a part of it.
pub(crate) fn done(status: u16) -> Vec<u8> {
    let mut out = vec![0xfd];
    out.extend_from_slice(&status.to_le_bytes());
    out.extend_from_slice(&[0; 10]);
    out
}

/// Returns the end of a part of a reply.
pub(crate) fn more() -> Vec<u8> {
    done(1)
}

/// Returns a result set of texts.
pub(crate) fn rows<T: AsRef<str>>(rows: &[Vec<Option<T>>], columns: usize) -> Vec<u8> {
    let mut out = vec![0x81];
    out.extend_from_slice(&u16::try_from(columns).unwrap().to_le_bytes());
    for _ in 0..columns {
        out.extend_from_slice(&[0, 0, 0, 0, 9, 0, 0xe7, 0x40, 0x1f, 9, 4, 0xd0, 0, 0x34, 0]);
    }
    for row in rows {
        out.push(0xd1);
        for value in row {
            match value {
                None => out.extend_from_slice(&[0xff, 0xff]),
                Some(value) => {
                    let units: Vec<u16> = value.as_ref().encode_utf16().collect();
                    let length = u16::try_from(units.len() * 2).unwrap();
                    out.extend_from_slice(&length.to_le_bytes());
                    out.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
                }
            }
        }
    }
    out.extend(more());
    out
}

/// Returns the reply to a successful login.
pub(super) fn login_ack() -> Vec<u8> {
    let mut ack = vec![1, 0x74, 0, 0, 4];
    ack.extend(length_prefixed("Mock", 1));
    ack.extend_from_slice(&[16, 0, 0x10, 0]);
    let mut out = envelope(0xad, &ack);
    out.extend(done(0));
    out
}
