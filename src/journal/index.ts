export type { Batch, JournalRecord } from './batch.js';
export type { JournalClock } from './clock.js';
export { Journal, type JournalOptions } from './journal.js';
export * from './journal.errors.js';
export { diskFs, type JournalFile, type JournalFs } from './journal-fs.js';
export type { JournalStats } from './journal-stats.js';
export type { JournalPosition } from './segment-writer.js';
