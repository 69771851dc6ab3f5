const SHUTDOWN_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** Ctrl-C under npm sends SIGINT twice: once from the terminal and once from npm. */
const SAME_KEYSTROKE_MS = 1000;

/**
 * Calls `end` once, at the first SIGTERM, SIGINT or SIGHUP. Another signal more than a second later makes the
 * process exit immediately with code 1.
 */
export function onShutdownSignal(end: (signal: NodeJS.Signals) => void): void {
  let startedAt: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (startedAt === undefined) {
      startedAt = performance.now();
      end(signal);
    } else if (performance.now() - startedAt > SAME_KEYSTROKE_MS) process.exit(1);
  };
  for (const signal of SHUTDOWN_SIGNALS) process.on(signal, onSignal);
}

/**
 * Returns a signal that is aborted at the first shutdown signal, for commands that finish their current work.
 */
export function abortOnShutdownSignal(): AbortSignal {
  const controller = new AbortController();
  onShutdownSignal(() => {
    controller.abort();
  });
  return controller.signal;
}
