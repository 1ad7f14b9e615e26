/**
 * What `await using` looks for. Node has it from 20.4 on; imported before classes that define it,
 * this gives it to those before as well.
 */
if (Symbol.asyncDispose === undefined) {
  Object.defineProperty(Symbol, 'asyncDispose', { value: Symbol.for('Symbol.asyncDispose') });
}

export {};
