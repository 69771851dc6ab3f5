// Proofs start processes and kill them, many times over.
jest.setTimeout(600_000);
