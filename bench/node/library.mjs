// A pair written with @coagent/client, as its users write it; the same work as `bare.mjs`.
//
//     library.mjs host   --url unix:/path
//     library.mjs caller --url unix:/path --depth 64 --size 16 --seconds 1
//     library.mjs caller --url unix:/path --parts 20000 --seconds 1

import { Part, connect } from '../../clients/node/src/index.js';
import { Measurement, readArguments, streamsOf, workers } from './measuring.mjs';

/** @typedef {import('../../clients/node/src/index.js').Client} Client */
/** @typedef {import('./measuring.mjs').Arguments} Arguments */

/** @param {string} value */
function echo(value) {
  return value;
}

/** @param {number} parts */
async function* stream(parts) {
  for (let sent = 0; sent < parts; sent += 1) yield new Part('t');
}

/** @param {Client} client */
async function host(client) {
  await client.register('bench.echo', echo, { concurrency: 100_000 });
  await client.register('bench.stream', stream, { concurrency: 100_000 });
  console.log('ready');
}

/**
 * @param {Client} client
 * @param {Arguments} arguments_
 */
async function caller(client, arguments_) {
  const { depth, parts, size } = arguments_;
  const measurement = new Measurement(arguments_);
  if (parts > 0) {
    await streamsOf(measurement, () => streamOnce(client, parts, measurement));
  } else {
    const value = 'x'.repeat(Math.max(size - 2, 0));
    await workers(measurement, depth, () => echoOnce(client, value));
  }
  measurement.print();
  await client.close();
}

/**
 * @param {Client} client
 * @param {string} value
 */
async function echoOnce(client, value) {
  if ((await client.call('bench.echo', value)) !== value) {
    throw new Error('another content came back');
  }
}

/**
 * @param {Client} client
 * @param {number} parts
 * @param {Measurement} measurement
 */
async function streamOnce(client, parts, measurement) {
  let received = 0;
  for await (const _ of client.stream('bench.stream', parts).parts()) {
    measurement.part();
    received += 1;
  }
  if (received !== parts) throw new Error(`${received} of ${parts} parts came`);
}

const arguments_ = readArguments();
const client = await connect(arguments_.url);
if (arguments_.role === 'host') await host(client);
else await caller(client, arguments_);
