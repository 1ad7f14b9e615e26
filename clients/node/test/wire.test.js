/** Frames: every vector, in every split, and what is held of an unfinished one. */

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

import { Decoder, checkKinds } from '../src/wire.js';
import { randomFrom } from './support/bounded.js';
import { frame } from './support/fake-sidecar.js';

const folder = new URL('../../../proto/vectors/frames/', import.meta.url);
const vectors = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .flatMap((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')));
const CLIENTS_HEADER_BYTES_MAX = 32_768;
const FIRST_HEADER_BYTES_MAX = 8192;

function decoderFor(vector, frames) {
  const sink = (op, id, fields, bytes, start, end) => {
    const header = { ...fields, ...(op !== '' && { op }), ...(id !== 0 && { id }) };
    frames.push({ header, content_hex: bytes.toString('hex', start, end) });
  };
  const clients = vector.first ? FIRST_HEADER_BYTES_MAX : CLIENTS_HEADER_BYTES_MAX;
  const limits = vector.from === 'sidecar' ? {} : { headerBytesMax: clients };
  return new Decoder(sink, (fields) => fields, limits);
}

/** What the decoder makes of the bytes in pieces of these sizes, in a buffer that is used again. */
function read(vector, sizes) {
  const bytes = Buffer.from(vector.hex, 'hex');
  const frames = [];
  const decoder = decoderFor(vector, frames);
  const shared = Buffer.alloc(bytes.length);
  let at = 0;
  for (const size of [...sizes, bytes.length]) {
    const piece = bytes.subarray(at, at + size);
    piece.copy(shared);
    decoder.feed(shared, piece.length);
    shared.fill(0xee);
    at += size;
  }
  return { frames, decoder };
}

/** Whole, byte by byte, in two at every offset of the small ones, and by chance. */
function splitsOf(vector) {
  const size = vector.hex.length / 2;
  const splits = [[size]];
  if (size <= 4096) {
    splits.push(new Array(size).fill(1));
    for (let at = 1; at < Math.min(size, 200); at += 1) splits.push([at]);
  }
  const random = randomFrom(size * 7919 + vector.name.length);
  for (let way = 0; way < 10; way += 1) {
    splits.push(Array.from({ length: 6 }, () => 1 + random(Math.max(1, size >> 1))));
  }
  return splits;
}

/** Without what an op that is not known here may say of itself. */
function plain({ op, id, ...fields }) {
  const isId = Number.isSafeInteger(id) && id > 0;
  return { ...fields, ...(op && { op }), ...(isId && { id }) };
}

for (const vector of vectors.filter((each) => each.frames !== undefined)) {
  test(`${vector.name}: is read, with the same values however it is cut`, () => {
    const known = ({ header, content_hex }) => ({ header: plain(header), content_hex });
    for (const sizes of splitsOf(vector)) {
      const { frames, decoder } = read(vector, sizes);
      assert.equal(decoder.error, undefined);
      const wanted = vector.frames.map(known);
      for (const [index, { header, content_hex }] of frames.map(known).entries()) {
        assert.equal(content_hex, wanted[index].content_hex);
        // Of an op that is not known here nothing is kept but its name.
        for (const [key, value] of Object.entries(header)) {
          assert.deepEqual(value, wanted[index].header[key], key);
        }
        assert.equal(header.op, wanted[index].header.op);
      }
      assert.equal(frames.length, wanted.length);
      assert.equal(decoder.rest, vector.rest ?? 0);
    }
  });
}

for (const vector of vectors.filter((each) => each.field !== undefined)) {
  test(`${vector.name}: a field of the wrong kind is seen, or its value is of the kind`, () => {
    for (const sizes of splitsOf(vector)) {
      const { frames, decoder } = read(vector, sizes);
      if (decoder.error !== undefined) {
        assert.equal(decoder.error.reason, 'bad_field');
      } else {
        // Out of range, absent, or a float that JavaScript reads as an integer.
        assert.equal(frames.length, 1);
        checkKinds(frames[0].header);
      }
    }
  });
}

for (const vector of vectors.filter((each) => each.fatal !== undefined)) {
  test(`${vector.name}: bad lengths and what is no JSON are refused`, () => {
    const outcomes = new Set();
    for (const sizes of splitsOf(vector)) {
      outcomes.add(read(vector, sizes).decoder.error?.reason);
    }
    assert.equal(outcomes.size, 1, 'every split of the bytes gives the same result');
    const [outcome] = outcomes;
    if (vector.fatal !== 'bad_header') {
      const isFirst = vector.first && vector.fatal === 'content_length';
      assert.ok(outcome === vector.fatal || isFirst, `${outcome}, not ${vector.fatal}`);
    } else if (isJsonObject(vector.hex)) {
      assert.ok([undefined, 'bad_header', 'bad_field'].includes(outcome), outcome);
    } else {
      assert.equal(outcome, 'bad_header');
    }
  });
}

/** Whether JavaScript's parser takes the header of the first frame. */
function isJsonObject(hex) {
  const bytes = Buffer.from(hex, 'hex');
  const header = bytes.subarray(8, 8 + bytes.readUInt32BE(0));
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header);
    const parsed = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  } catch {
    return false;
  }
}

function opsOf(...frames) {
  const ops = [];
  const decoder = new Decoder((op, id) => ops.push(`${op}${id || ''}`), (fields) => fields);
  decoder.feed(Buffer.concat(frames));
  return { ops, decoder };
}

test('frames before a bad one are read, and nothing after it', () => {
  const ping = frame({ op: 'ping' });
  const { ops, decoder } = opsOf(ping, frame('[]'), ping);
  assert.deepEqual(ops, ['ping']);
  assert.equal(decoder.error?.reason, 'bad_header');
  decoder.feed(ping);
  assert.deepEqual(ops, ['ping']);
});

test('a sink that stops the decoder gets no more of the same bytes', () => {
  const ops = [];
  const decoder = new Decoder(
    (op) => {
      ops.push(op);
      decoder.stop();
    },
    (fields) => fields,
  );
  decoder.feed(Buffer.concat([frame({ op: 'ping' }), frame({ op: 'pong' })]));
  assert.deepEqual(ops, ['ping']);
});

test('ids up to 2^53-1 are read exactly, and those above refused', () => {
  for (const id of [1, 10, 999_999_999_999_999, 1_000_000_000_000_001, 9_007_199_254_740_991]) {
    assert.deepEqual(opsOf(frame({ op: 'ok', id })).ops, [`ok${id}`]);
  }
  for (const id of ['9007199254740992', '9999999999999999', '12345678901234567', '-1', '1.5']) {
    assert.equal(opsOf(frame(`{"op":"ok","id":${id}}`)).decoder.error?.reason, 'bad_field', id);
  }
  for (const id of ['01', '1 2', '']) {
    assert.equal(opsOf(frame(`{"op":"ok","id":${id}}`)).decoder.error?.reason, 'bad_header', id);
  }
});

test('a key that would be read twice is refused', () => {
  for (const header of ['{"op":"ok","id":1,"op":"data"}', '{"op":"ok","id":1,"id":3}']) {
    assert.equal(opsOf(frame(header)).decoder.error?.reason, 'bad_header', header);
  }
  assert.equal(opsOf(frame('{"op":"ok","id":1,}')).decoder.error?.reason, 'bad_header');
});

test('what is allocated grows with what has come, not with what is announced', () => {
  const allocate = Buffer.allocUnsafeSlow;
  let most = 0;
  Buffer.allocUnsafeSlow = (size) => {
    most = Math.max(most, size);
    return allocate(size);
  };
  try {
    const lengths = Buffer.alloc(8);
    lengths.writeUInt32BE(40, 0);
    lengths.writeUInt32BE(16 * 1024 * 1024, 4);
    const decoder = new Decoder(() => {}, (fields) => fields);
    decoder.feed(lengths);
    for (let arrived = 8; arrived < 1024 * 1024; arrived += 1000) {
      decoder.feed(Buffer.alloc(1000));
      assert.ok(most <= Math.max(4096, 2 * (arrived + 1000)), `${most} of ${arrived}`);
    }
  } finally {
    Buffer.allocUnsafeSlow = allocate;
  }
});

test('a header that repeats is made once, and stays what it was', () => {
  const headers = [];
  const decoder = new Decoder((_, id, header) => headers.push(header), (fields) => fields);
  decoder.feed(frame({ op: 'data', id: 1, type: 'T', ext: { a: 1 } }));
  decoder.feed(frame({ op: 'data', id: 3, type: 'T', ext: { a: 1 } }));
  assert.equal(headers[0], headers[1]);
  assert.throws(() => {
    headers[0].ext.a = 2;
  }, TypeError);
});

test('more different headers than are remembered are read all the same', () => {
  const seen = [];
  const decoder = new Decoder((_, id, { type }) => seen.push(type), (fields) => fields);
  for (let turn = 0; turn < 2; turn += 1) {
    for (let each = 0; each < 600; each += 1) {
      decoder.feed(frame({ op: 'data', id: 1, type: `T${each}` }));
    }
  }
  assert.equal(seen.length, 1200);
  assert.ok(seen.every((type, index) => type === `T${index % 600}`));
});
