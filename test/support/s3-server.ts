import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
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

/** The versitygw program, an S3 server on a directory (`go install github.com/versity/versitygw/cmd/versitygw`). */
const program = process.env['COLLOQUY_TEST_S3_SERVER'] ?? 'versitygw';

const isInstalled = (): boolean => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;

/** A suite that needs an S3 server. Where there is none, it is skipped with the reason; in CI it fails. */
export function describeWithS3(name: string, suite: () => void): void {
  if (isInstalled() || process.env['CI'] === 'true') describe(name, suite);
  // eslint-disable-next-line jest/no-disabled-tests
  else describe.skip(`${name} (no S3 server: install versitygw, or set COLLOQUY_TEST_S3_SERVER)`, suite);
}

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
