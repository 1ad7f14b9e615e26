import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OpenIds } from '../src/open-ids.js';

test('what an id stands for is found until it has ended', () => {
  const open = new OpenIds();
  open.set(1, 'a');
  open.set(2, 'b');
  assert.equal(open.get(1), 'a');
  assert.equal(open.get(2), 'b');
  assert.equal(open.get(3), undefined);
  assert.equal(open.get(0), undefined);
  open.delete(1);
  open.delete(5);
  assert.equal(open.get(1), undefined);
  assert.deepEqual(open.values(), ['b']);
});

test('an id stays open however many come after it', () => {
  const open = new OpenIds();
  const long = new Map([[1, 'registration'], [1025, 'stream'], [2049, 'another']]);
  for (let id = 1; id < 9000; id += 2) {
    open.set(id, long.get(id) ?? `call ${id}`);
    assert.equal(open.get(id), long.get(id) ?? `call ${id}`);
    if (!long.has(id)) open.delete(id);
  }
  for (const [id, endpoint] of long) assert.equal(open.get(id), endpoint);
  assert.deepEqual(new Set(open.values()), new Set(long.values()));
  for (const id of long.keys()) {
    open.delete(id);
    assert.equal(open.get(id), undefined);
  }
  assert.deepEqual(open.values(), []);
});

test('ids up to the largest integer have their place', () => {
  const open = new OpenIds();
  const ids = [2 ** 31 - 1, 2 ** 31 + 1, 2 ** 32 + 1, 2 ** 53 - 1];
  for (const id of ids) open.set(id, id);
  for (const id of ids) assert.equal(open.get(id), id);
  assert.equal(open.get(2 ** 32 - 1), undefined);
  open.clear();
  for (const id of ids) assert.equal(open.get(id), undefined);
  assert.deepEqual(open.values(), []);
});
