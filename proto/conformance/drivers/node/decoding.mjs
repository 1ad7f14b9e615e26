/** What the client's own decoder makes of bytes. */

import { Decoder } from '../../../../clients/node/src/wire.js';

/** Feeds the bytes in the pieces that the command wants. */
export function decode({ hex, split = 'whole' }) {
  const bytes = Buffer.from(hex, 'hex');
  const ways = { whole: [], bytes: new Array(bytes.length).fill(1) };
  const sizes = ways[split] ?? split;
  const frames = [];
  const sink = (op, id, fields, content, start, end) => {
    const header = { ...(op !== '' && { op }), ...(id !== 0 && { id }), ...fields };
    frames.push({ header, content_hex: content.toString('hex', start, end) });
  };
  const decoder = new Decoder(sink, (fields) => fields);
  let at = 0;
  for (const size of [...sizes, bytes.length]) {
    decoder.feed(bytes.subarray(at, at + size));
    at += size;
  }
  if (decoder.error !== undefined) return { fatal: decoder.error.reason, frames };
  return { frames, rest: decoder.rest };
}
