/**
 * The outcome of `work`, or that of `late` when the work has not settled within `ms`. Work that was given up
 * goes on: it needs a signal of its own to end, and what it does later, also a rejection, is ignored.
 * @param ms milliseconds
 * @param late returns what stands in for the work, or throws
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
 * The outcome of `work`, unless `signal` is aborted before: also where the work itself takes no notice of the
 * signal.
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
