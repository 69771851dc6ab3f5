// The event stream from the server, which is reopened whenever it breaks.

/** @typedef {import('./types.js').HistoryColumns} HistoryColumns */
/** @typedef {import('./types.js').DashboardSample} DashboardSample */

const EVENTS = '/admin/dashboard/events';
const RETRY_MS = 3000;
/** Snapshots arrive every 2 s. */
const SILENCE_MS = 12_000;

/**
 * `live`; `silent`: connected, but nothing arrives; `lost`: retrying; `full`: too many viewers, retrying;
 * `signed-out`: not retried.
 * @typedef {'live' | 'silent' | 'lost' | 'full' | 'signed-out'} Connection
 */

/**
 * @typedef {object} Listener
 * @property {(history: HistoryColumns) => void} onHistory
 * @property {(sample: DashboardSample) => void} onSample
 * @property {(state: Connection) => void} onConnection
 */

/** Returns the status with which the server rejects the stream, because EventSource does not report it. */
async function fetchStatus() {
  const asking = new AbortController();
  try {
    const { status } = await fetch(EVENTS, {
      signal: asking.signal,
      headers: { accept: 'text/event-stream' },
    });
    return status;
  } catch {
    return undefined;
  } finally {
    asking.abort();
  }
}

/** @param {Listener} listener */
export function follow({ onHistory, onSample, onConnection }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let silence;
  const received = () => {
    clearTimeout(silence);
    silence = setTimeout(() => onConnection('silent'), SILENCE_MS);
    onConnection('live');
  };

  const open = () => {
    const source = new EventSource(EVENTS);
    const end = () => {
      source.close();
      clearTimeout(silence);
    };
    source.addEventListener('history', (event) => onHistory(JSON.parse(event.data)));
    source.addEventListener('snapshot', (event) => {
      received();
      onSample(JSON.parse(event.data));
    });
    source.addEventListener('signed-out', () => {
      end();
      onConnection('signed-out');
    });
    source.addEventListener('error', () => {
      clearTimeout(silence);
      onConnection('lost');
      // Otherwise the browser retries automatically.
      if (source.readyState === EventSource.CLOSED) void reopen();
    });
  };

  const reopen = async () => {
    const status = await fetchStatus();
    if (status === 401) {
      onConnection('signed-out');
      return;
    }
    if (status === 503) onConnection('full');
    setTimeout(open, status === 200 ? 0 : RETRY_MS);
  };

  open();
}
