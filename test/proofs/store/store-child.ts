// Serves a store in a process that can be killed. The first argument is its directory, the second its port.
import { EmbeddedMongo } from '@colloquy/embedded-mongo';

const [dir = '', port = '0'] = process.argv.slice(2);
const begun = performance.now();
const store = await EmbeddedMongo.open({
  dir,
  port: Number(port),
  log: (level, message, details) => {
    if (level !== 'info') console.error(level, message, details ?? '');
  },
  onError: (error) => {
    throw error;
  },
});
process.send?.({ type: 'listening', url: store.uri, openedInMs: performance.now() - begun });
process.on('disconnect', () => process.exit(0));
