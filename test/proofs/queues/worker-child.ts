// Processes the jobs of the probe queues in a process that can be killed. Settings come from the environment.
import { QueueWorkers } from '../../../src/queue/index.js';
import { openProbeApp } from './probe-app.js';

const names = ['DATA_DIR', 'LOG_LEVEL', 'MONGODB_URI', 'REDIS_URL'];
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => names.includes(name)));
const app = await openProbeApp(env as Record<string, string>);
await app.get(QueueWorkers).start();
process.on('SIGTERM', () => {
  void app.close().then(() => process.exit(0));
});
process.send?.({ type: 'listening', url: '' });
