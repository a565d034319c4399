//! Protocol control messages (RTMP 1.0 §5.4): writing them. All travel on chunk stream 2 and message
//! stream 0.

use bytes::BytesMut;

use super::type_id;
use crate::chunk::{CSID_CONTROL, MessageHeader, Writer};

/// Appends a Set Chunk Size message; the new size holds for what is written after it.
pub fn set_chunk_size(writer: &mut Writer, chunk_size: u32, out: &mut BytesMut) {
    write(
        writer,
        type_id::SET_CHUNK_SIZE,
        &chunk_size.to_be_bytes(),
        out,
    );
    writer.set_chunk_size(chunk_size);
}

/// Appends an Acknowledgement: `received` is the number of bytes received so far, modulo 2^32.
pub fn acknowledgement(writer: &Writer, received: u32, out: &mut BytesMut) {
    write(
        writer,
        type_id::ACKNOWLEDGEMENT,
        &received.to_be_bytes(),
        out,
    );
}

/// Appends a Window Acknowledgement Size, in bytes.
pub fn window_ack_size(writer: &Writer, bytes: u32, out: &mut BytesMut) {
    write(writer, type_id::WINDOW_ACK_SIZE, &bytes.to_be_bytes(), out);
}

/// Appends a Set Peer Bandwidth, in bytes, of limit type 2 (dynamic).
pub fn set_peer_bandwidth(writer: &Writer, bytes: u32, out: &mut BytesMut) {
    let [a, b, c, d] = bytes.to_be_bytes();
    write(writer, type_id::SET_PEER_BANDWIDTH, &[a, b, c, d, 2], out);
}

pub(super) fn write(writer: &Writer, type_id: u8, payload: &[u8], out: &mut BytesMut) {
    let (csid, message_stream_id, timestamp, length) = (CSID_CONTROL, 0, 0, 0);
    let header = MessageHeader {
        csid,
        message_stream_id,
        timestamp,
        type_id,
        length,
    };
    writer.write(header, payload, out);
}
