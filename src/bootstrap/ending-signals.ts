const ENDING_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** Ctrl-C under npm sends SIGINT twice: from the terminal, and once more from npm. */
const SAME_KEYSTROKE_MS = 1000;

/**
 * Calls `end` once, at the first SIGTERM, SIGINT or SIGHUP. Who sends another one a second or more later is out of patience: the process exits at
 * once with code 1.
 */
export function onEndingSignal(end: (signal: NodeJS.Signals) => void): void {
  let endingSince: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (endingSince === undefined) {
      endingSince = performance.now();
      end(signal);
    } else if (performance.now() - endingSince > SAME_KEYSTROKE_MS) process.exit(1);
  };
  for (const signal of ENDING_SIGNALS) process.on(signal, onSignal);
}

/** Aborted at the first signal to end, for commands that finish what they hold. */
export function untilEnding(): AbortSignal {
  const controller = new AbortController();
  onEndingSignal(() => {
    controller.abort();
  });
  return controller.signal;
}
