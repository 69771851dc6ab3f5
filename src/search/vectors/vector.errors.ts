/** A vector whose dimension differs from its matrix. It belongs to another model and cannot be compared. */
export class VectorDimensionError extends Error {
  constructor(what: string, given: number, expected: number) {
    super(`${what} has ${given} dimensions, expected ${expected}`);
    this.name = 'VectorDimensionError';
  }
}

/** A vector or time that contains NaN or an infinity. */
export class VectorValueError extends Error {
  constructor(what: string) {
    super(`${what} contains numbers that are not finite`);
    this.name = 'VectorValueError';
  }
}
