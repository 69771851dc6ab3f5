// Proofs start and kill processes many times.
jest.setTimeout(600_000);
