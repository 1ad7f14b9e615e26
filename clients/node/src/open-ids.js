/**
 * What the open ids of a connection stand for.
 *
 * Ids come one after the other and most end soon, so each has a slot of its own in a ring. A `Map`
 * would be made anew every few dozen calls, and as each of its tables holds on to the next, those
 * that are garbage already keep alive, until the next full collection, all calls that ever stood in
 * them.
 */

const SLOTS = 1024;

/** @template E */
export class OpenIds {
  #ids = new Float64Array(SLOTS); // 0: free.
  /** @type {Array<E | undefined>} */
  #endpoints = new Array(SLOTS).fill(undefined);
  /** @type {Map<number, E>} Those that are open for so long that a later one needs their slot. */
  #long = new Map();

  /**
   * @param {number} id
   * @returns {E | undefined}
   */
  get(id) {
    const slot = id & (SLOTS - 1);
    return this.#ids[slot] === id ? this.#endpoints[slot] : this.#long.get(id);
  }

  /**
   * @param {number} id Above 0, and not open.
   * @param {E} endpoint
   */
  set(id, endpoint) {
    const slot = id & (SLOTS - 1);
    const before = this.#endpoints[slot];
    if (before !== undefined) this.#long.set(this.#ids[slot], before);
    this.#ids[slot] = id;
    this.#endpoints[slot] = endpoint;
  }

  /** @param {number} id */
  delete(id) {
    const slot = id & (SLOTS - 1);
    if (this.#ids[slot] === id) {
      this.#ids[slot] = 0;
      this.#endpoints[slot] = undefined;
    } else {
      this.#long.delete(id);
    }
  }

  /**
   * All that is open, in no order.
   *
   * @returns {E[]}
   */
  values() {
    const open = [...this.#long.values()];
    for (const each of this.#endpoints) if (each !== undefined) open.push(each);
    return open;
  }

  clear() {
    this.#ids.fill(0);
    this.#endpoints.fill(undefined);
    this.#long.clear();
  }
}
