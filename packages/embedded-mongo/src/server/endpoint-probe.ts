import { connect } from 'node:net';

const patienceMs = 2_000;

/**
 * Errors that only come when nothing listens at an address; others, as a full backlog's, say nothing about
 * it.
 */
const nobodyListens: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTSOCK']);

/** Whether a server takes a connection where the URI points. */
export const answers = async (uri: string): Promise<boolean> => (await probe(uri)) === 'yes';

/** False only when it is certain that nothing listens where the URI points. */
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
    socket.setTimeout(patienceMs, () => finish('unclear'));
    socket.once('connect', () => finish('yes'));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      finish(nobodyListens.has(error.code) ? 'no' : 'unclear');
    });
  });
};
