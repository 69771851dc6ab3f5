import { connect } from 'node:net';

const timeoutMs = 2_000;

/**
 * Errors that occur only if nothing listens at an address. Others, such as that of a full backlog, are
 * inconclusive.
 */
const notListeningCodes: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTSOCK']);

/** Whether a server accepts connections at the URI. */
export const isListening = async (uri: string): Promise<boolean> => (await probe(uri)) === 'yes';

/** False only if it is certain that nothing listens at the URI. */
export const mayListen = async (uri: string): Promise<boolean> => (await probe(uri)) !== 'no';

const probe = (uri: string): Promise<'yes' | 'no' | 'unclear'> => {
  const host = uri.slice('mongodb://'.length, uri.indexOf('/?'));
  const name = decodeURIComponent(host);
  return new Promise((done) => {
    const colon = name.lastIndexOf(':');
    const socket = name.startsWith('/')
      ? connect({ path: name })
      : connect({ host: name.slice(0, colon), port: Number(name.slice(colon + 1)) });
    const finish = (found: 'yes' | 'no' | 'unclear'): void => {
      socket.destroy();
      done(found);
    };
    socket.setTimeout(timeoutMs, () => finish('unclear'));
    socket.once('connect', () => finish('yes'));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      finish(notListeningCodes.has(error.code) ? 'no' : 'unclear');
    });
  });
};
