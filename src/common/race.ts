/**
 * Returns the result of `work`, or of `late` if the work has not settled within `ms`. The timeout does not
 * stop the work, which needs its own signal for that. Its later result or rejection is ignored.
 * @param ms milliseconds
 * @param late returns a substitute result, or throws
 */
export async function withTimeout<T, Late>(
  work: T | PromiseLike<T>,
  ms: number,
  late: () => Late,
): Promise<T | Late> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  }).then(late);
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Returns the result of `work`, or rejects as soon as `signal` is aborted, even if the work itself ignores
 * the signal.
 * @throws the signal's reason
 */
export async function untilAborted<T>(work: PromiseLike<T>, signal: AbortSignal): Promise<T> {
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([aborted, work]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
