/** A vector of another length than its matrix: it belongs to another model, and no score could compare the two. */
export class VectorDimensionError extends Error {
  constructor(what: string, given: number, expected: number) {
    super(`${what} has ${given} dimensions, expected ${expected}`);
    this.name = 'VectorDimensionError';
  }
}

/** A vector or a time with NaN or an infinity. */
export class VectorValueError extends Error {
  constructor(what: string) {
    super(`${what} is not made of finite numbers`);
    this.name = 'VectorValueError';
  }
}
