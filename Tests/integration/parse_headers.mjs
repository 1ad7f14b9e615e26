// Prints what JSON.parse makes of headers, for comparison with the header scanner.
//
// stdin: headers, each behind its length as a big-endian 32-bit integer. stdout: a line for each,
// `null` for one that is refused, else a list of one element: the value, as JSON.
import { readFileSync, writeSync } from 'node:fs';

const input = readFileSync(0);
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lines = [];
for (let at = 0; at < input.length; ) {
  const end = at + 4 + input.readUInt32BE(at);
  let line = 'null';
  try {
    line = JSON.stringify([JSON.parse(decoder.decode(input.subarray(at + 4, end)))]);
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
  lines.push(line);
  at = end;
}
const output = Buffer.from(lines.join('\n') + '\n');
for (let at = 0; at < output.length; at += writeSync(1, output, at));
