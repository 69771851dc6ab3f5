// Helpers that other packages' benchmarks share with those of the store.
export { measure, type Measurement } from './measure.js';
export { figure, renderTable } from './table.js';
