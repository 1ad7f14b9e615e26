/**
 * @param {string} message
 * @param {unknown} [error]
 */
export function debugging(message: string, error?: unknown): void;
