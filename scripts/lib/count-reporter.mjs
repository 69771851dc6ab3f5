import { writeFileSync } from 'node:fs';

/**
 * A jest reporter for scripts/test.mjs: writes the counts of a run to the JSON file given in
 * COLLOQUY_TEST_COUNTS.
 */
export default class CountReporter {
  /** @param {unknown} _contexts @param {import('@jest/reporters').AggregatedResult} results */
  onRunComplete(_contexts, results) {
    const file = process.env.COLLOQUY_TEST_COUNTS;
    if (!file) return;
    const counts = {
      passed: results.numPassedTests,
      // A suite that could not be loaded has no tests, but it is a failure.
      failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
      skipped: results.numPendingTests + results.numTodoTests,
    };
    writeFileSync(file, JSON.stringify(counts));
  }
}
