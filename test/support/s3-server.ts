import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.js';

export interface S3Server {
  endpoint: string;
  accessKeyId: string;
  secretAccessKey: string;
  stop(): Promise<void>;
}

/**
 * `describe` for suites that need an S3 server. Without one they are skipped, and `npm test` reports why; CI
 * always has it.
 */
export const describeWithS3: jest.Describe =
  process.env['COLLOQUY_TEST_S3_SERVER'] === 'off' ? describe.skip : describe;

/** The versitygw program, an S3 server on a directory. */
const program = process.env['COLLOQUY_TEST_S3_SERVER'] ?? 'versitygw';

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === 'object' && address ? address.port : 0);
      });
    });
  });

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });

/** Starts a server on a free port with a new directory. */
export async function startS3(): Promise<S3Server> {
  const dir = await mkdtemp(join(tmpdir(), 'colloquy-s3-'));
  const port = await freePort();
  const accessKeyId = 'test-access-key';
  const secretAccessKey = 'test-secret-access-key';
  const child: ChildProcess = spawn(program, ['--port', `127.0.0.1:${port}`, 'posix', dir], {
    env: { PATH: process.env['PATH'], ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output += text));
  let failure: Error | undefined;
  child.once('error', (error) => (failure = error));
  child.once('exit', (code) => (failure ??= new Error(`${program} exited with ${String(code)}: ${output}`)));
  await eventually(async () => failure !== undefined || (await accepts(port)));
  if (failure) throw failure;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    accessKeyId,
    secretAccessKey,
    async stop() {
      if (child.exitCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      await rm(dir, { recursive: true, force: true });
    },
  };
}
