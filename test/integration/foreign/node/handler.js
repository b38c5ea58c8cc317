// A handler for node.exe on Windows, from handlers/PROTOCOL.md and nothing else of this project: gives
// back what its client says, one client after the other. koffi calls Windows; the socket becomes one of
// Node's own (net.Socket), so it is libuv that binds it to a completion port.
'use strict';
const net = require('net');
const koffi = require('koffi');
const { TCP, constants } = process.binding('tcp_wrap'); // the one way to a net.Socket of a SOCKET

const kernel32 = koffi.load('kernel32.dll');
const ws2 = koffi.load('ws2_32.dll');
const ReadFile = kernel32.func(
  'bool __stdcall ReadFile(intptr_t file, _Out_ uint8_t *to, uint32_t size, _Out_ uint32_t *got, void *none)');
const WriteFile = kernel32.func(
  'bool __stdcall WriteFile(intptr_t file, const uint8_t *from, uint32_t size, _Out_ uint32_t *put, void *none)');
const SetHandleInformation = kernel32.func(
  'bool __stdcall SetHandleInformation(intptr_t handle, uint32_t mask, uint32_t flags)');
const WSASocketW = ws2.func(
  'uintptr_t __stdcall WSASocketW(int af, int type, int protocol, uint8_t *info, uint32_t group, uint32_t flags)');
const closesocket = ws2.func('int __stdcall closesocket(uintptr_t socket)');

const HELLO = 0x01, ACK = 0x02, NACK = 0x03, DONE = 0x04, OFFER = 0x11, CANCEL = 0x12, DRAIN = 0x13;
const NONCE = 0x0001, PID = 0x0002, CAPACITY = 0x0003, SDK = 0x8004, REASON = 0x0005, STATUS = 0x0006;
const BYTES_IN = 0x8007, BYTES_OUT = 0x8008, KIND = 0x000b, PROTOCOL_INFO = 0x0010;
const REASON_RETIRE = 1, REASON_REFUSE = 3, KIND_CONNECTION = 1;
const FROM_PROTOCOL_INFO = -1, WSA_FLAG_OVERLAPPED = 0x01, WSA_FLAG_NO_HANDLE_INHERIT = 0x80;
const HANDLE_FLAG_INHERIT = 1, INVALID_SOCKET = 0xffffffffffffffffn;

// What an OFFER may have: sizes in bytes that are right, and whether it must be there.
const NAME_SIZES = Array.from({ length: 255 }, (_, index) => index + 1);
const OFFER_FIELDS = new Map([
  [0x000a, [NAME_SIZES, true]], [KIND, [[1], true]], [0x000c, [[7, 19], false]],
  [0x000d, [[7, 19], false]], [0x000e, [[8], true]], [0x000f, [[8], true]],
  [PROTOCOL_INFO, [[628], true]], [0x8011, [[4], false]], [0x8012, [[7, 19], false]],
  [0x8013, [NAME_SIZES, false]], [0x8014, [[4], false]], [0x8015, [[4], false]],
]);

class Breach extends Error {}

function field(tag, value) {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(tag, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value]);
}

function number(tag, size, value) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return field(tag, bytes.subarray(8 - size));
}

function frame(type, connection, ...fields) {
  const body = Buffer.concat(fields);
  const header = Buffer.from('4241544e01000000' + '00'.repeat(8), 'hex');
  header.writeUInt8(type, 5);
  header.writeUInt32BE(connection, 8);
  header.writeUInt32BE(body.length, 12);
  return Buffer.concat([header, body]);
}

function readFields(body, known) {
  const fields = new Map();
  for (let at = 0; at < body.length;) {
    if (body.length - at < 4) throw new Breach('a field past the end');
    const tag = body.readUInt16BE(at), size = body.readUInt16BE(at + 2);
    at += 4;
    if (body.length - at < size) throw new Breach('a field past the end');
    const rule = known.get(tag);
    if (!rule && !(tag & 0x8000)) throw new Breach(`tag 0x${tag.toString(16)}`);
    if (rule) {
      if (fields.has(tag)) throw new Breach(`tag 0x${tag.toString(16)} twice`);
      if (!rule[0].includes(size)) throw new Breach(`tag 0x${tag.toString(16)}: ${size} bytes`);
      fields.set(tag, body.subarray(at, at + size));
    }
    at += size;
  }
  for (const [tag, rule] of known) {
    if (rule[1] && !fields.has(tag)) throw new Breach(`no tag 0x${tag.toString(16)}`);
  }
  return fields;
}

class Channel {
  constructor(text) {
    [this.in, this.out] = text.split(',').map((word) => Number(word) | 0); // extended by their sign
    for (const handle of [this.in, this.out]) SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0);
  }

  // A write that fails means the end of the channel, which the next read tells.
  write(bytes) {
    return WriteFile(this.out, bytes, bytes.length, [0], null);
  }

  readAll(size) {
    const bytes = Buffer.alloc(size), got = [0];
    for (let at = 0; at < size; at += got[0]) {
      if (!ReadFile(this.in, bytes.subarray(at), size - at, got, null) || got[0] === 0) return null;
    }
    return bytes;
  }

  // The next frame that is not to be skipped; null at the end.
  read() {
    for (;;) {
      const header = this.readAll(16);
      if (!header) return null;
      if (header.subarray(0, 5).toString('latin1') !== 'BATN\x01') throw new Breach('magic or version');
      if (header.readUInt16BE(6) !== 0) throw new Breach('flags');
      const type = header[5], size = header.readUInt32BE(12);
      if (size > 16384) throw new Breach(`length ${size}`);
      const body = this.readAll(size);
      if (!body) return null;
      if ([OFFER, CANCEL, DRAIN].includes(type)) {
        const connection = header.readUInt32BE(8);
        if ((type === DRAIN) !== (connection === 0)) throw new Breach(`connection ${connection}`);
        return { type, connection, fields: readFields(body, type === OFFER ? OFFER_FIELDS : new Map()) };
      }
      if (!(type & 0x80)) throw new Breach(`type ${type}`);
    }
  }
}

function build(fields) {
  const info = Buffer.from(fields.get(PROTOCOL_INFO)); // aligned, as every buffer of its own is
  const socket = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, info, 0,
    WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
  info.fill(0);
  fields.get(PROTOCOL_INFO).fill(0);
  if (BigInt(socket) === INVALID_SOCKET) return null;
  SetHandleInformation(socket, HANDLE_FLAG_INHERIT, 0);
  return Number(socket);
}

// Resolves when the client has been served and its socket is closed.
function serve(handle) {
  return new Promise((resolve) => {
    const client = new net.Socket({ handle, allowHalfOpen: true });
    let status = 0;
    client.on('error', (error) => {
      console.error(`client: ${error.message}`);
      status = 1;
    });
    client.on('close', () => resolve(
      { status, bytesIn: client.bytesRead, bytesOut: client.bytesWritten }));
    client.pipe(client);
  });
}

async function take(channel, offer) {
  const { fields } = offer;
  const socket = build(fields);
  if (socket === null) {
    process.exitCode = 1;
    channel.write(frame(NACK, offer.connection, number(REASON, 1, REASON_RETIRE)));
    return;
  }
  if (fields.get(KIND)[0] !== KIND_CONNECTION) {
    closesocket(socket);
    channel.write(frame(NACK, offer.connection, number(REASON, 1, REASON_REFUSE)));
    return;
  }
  const handle = new TCP(constants.SOCKET);
  const error = handle.open(socket);
  if (error) {
    closesocket(socket);
    console.error(`open: ${error}`);
    process.exitCode = 1;
    channel.write(frame(NACK, offer.connection, number(REASON, 1, REASON_RETIRE)));
    return;
  }
  if (!channel.write(frame(ACK, offer.connection))) {
    handle.close();
    return;
  }
  const { status, bytesIn, bytesOut } = await serve(handle);
  channel.write(frame(DONE, offer.connection, number(STATUS, 1, status),
    number(BYTES_IN, 8, bytesIn), number(BYTES_OUT, 8, bytesOut)));
}

async function main() {
  const { BATON_PROTOCOL, BATON_CHANNEL, BATON_NONCE } = process.env;
  for (const name of ['BATON_PROTOCOL', 'BATON_CHANNEL', 'BATON_NONCE']) delete process.env[name];
  if (!/^\d+,\d+$/.test(BATON_CHANNEL || '') || !/^[0-9a-f]{32}$/.test(BATON_NONCE || '') ||
      !(BATON_PROTOCOL || '').split(',').includes('1')) {
    throw new Error('to be started by batond, with handoff = channel');
  }
  const channel = new Channel(BATON_CHANNEL);
  channel.write(frame(HELLO, 0, field(NONCE, Buffer.from(BATON_NONCE, 'hex')),
    number(PID, 4, process.pid), number(CAPACITY, 4, 1),
    field(SDK, Buffer.from(`node ${process.version}`))));
  // One client at a time, so the channel is read only between them, and may block all else.
  for (let next; (next = channel.read()) && next.type !== DRAIN;) {
    if (next.type === OFFER) await take(channel, next);
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
