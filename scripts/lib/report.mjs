/** An expected failure. Its message is sufficient for the user, so it is printed without a stack. */
export class Failure extends Error {
  /** @param {string} message @param {number} [exitCode] */
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * Prints how a command is used and ends the process, if the command line asks for it.
 *
 * @param {string} synopsis
 * @param {...string} lines what it does, and its options
 */
export function usage(synopsis, ...lines) {
  if (!process.argv.slice(2).some((arg) => arg === '--help' || arg === '-h')) return;
  console.log([`Usage: ${synopsis}`, '', ...lines].join('\n'));
  process.exit(0);
}

/** Prints progress to stderr, because stdout belongs to the program that is started. @param {string} line */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/**
 * Runs a script's main function, and handles a Failure by printing its message and exiting with its code.
 * @param {() => Promise<void>} work
 */
export async function runScript(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    say(error.message);
    process.exit(error.exitCode);
  }
}

/** @param {number} since `performance.now()` at the start @returns {string} seconds with one decimal */
export function elapsed(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
