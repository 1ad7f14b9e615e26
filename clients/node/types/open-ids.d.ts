/** @template E */
export class OpenIds<E> {
    /**
     * @param {number} id
     * @returns {E | undefined}
     */
    get(id: number): E | undefined;
    /**
     * @param {number} id Above 0, and not open.
     * @param {E} endpoint
     */
    set(id: number, endpoint: E): void;
    /** @param {number} id */
    delete(id: number): void;
    /**
     * All that is open, in no order.
     *
     * @returns {E[]}
     */
    values(): E[];
    clear(): void;
    #private;
}
