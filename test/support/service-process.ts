import { type ChildProcess, fork } from 'node:child_process';

export interface ServiceStart {
  /** The built entry file, for example dist/src/main.js. */
  main: string;
  /** Working directory of the process. A `.env` file in it would be read. */
  cwd: string;
  /**
   * Environment variables with settings. Of the environment of this process, only PATH and similar variables
   * are passed on.
   */
  env: Readonly<Record<string, string>>;
  args?: readonly string[];
  /** Options for Node.js, for example --import. */
  nodeOptions?: readonly string[];
  /** Path of the node binary. Default: the binary of this process. */
  execPath?: string | undefined;
}

export interface ServiceExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** The service exited before it listened. `exit` and its output show why. */
export class ServiceStartError extends Error {
  constructor(
    readonly exit: ServiceExit,
    readonly stdout: string,
    readonly stderr: string,
  ) {
    super(
      `the service exited with ${exit.signal ?? `code ${String(exit.code)}`} before it listened:\n${stdout}${stderr}`,
    );
    this.name = 'ServiceStartError';
  }
}

interface ListeningMessage {
  type: 'listening';
  url: string;
  adminApiKey?: string;
  openedInMs?: number;
}

const isListening = (message: unknown): message is ListeningMessage =>
  typeof message === 'object' && message !== null && 'type' in message && message.type === 'listening';

const inherited = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'SystemRoot'];

function environment(settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const kept = inherited.flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]]],
  );
  return { ...(Object.fromEntries(kept) as NodeJS.ProcessEnv), ...settings };
}

function spawnService({ main, cwd, env, args = [], nodeOptions = [], execPath }: ServiceStart): {
  child: ChildProcess;
  exited: Promise<ServiceExit>;
  output: { stdout: string; stderr: string };
} {
  const child = fork(main, args, {
    cwd,
    env: environment(env),
    execArgv: ['--enable-source-maps', ...nodeOptions],
    ...(execPath !== undefined && { execPath }),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const exited = new Promise<ServiceExit>((resolve) => {
    child.once('close', (code, signal) => {
      resolve({ code, signal });
    });
  });
  return { child, exited, output };
}

/** A service in its own process that has reported that it listens. */
export class ServiceProcess {
  private readonly output: { stdout: string; stderr: string };

  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
    /** Empty if the process has no keys. */
    readonly adminKey: string,
    /** Resolves when the process has exited and all of its output has been read. Never rejects. */
    readonly exited: Promise<ServiceExit>,
    output: { stdout: string; stderr: string },
    /** How long opening the store took, as reported by the process, ms. */
    readonly openedInMs?: number,
  ) {
    this.output = output;
  }

  /** Runs a program to completion. @throws Error unless it exits with code 0 */
  static async runToEnd(options: ServiceStart): Promise<void> {
    const { exited, output } = spawnService(options);
    const { code, signal } = await exited;
    if (code !== 0)
      throw new Error(
        `${options.main} exited with ${signal ?? `code ${String(code)}`}:\n${output.stdout}${output.stderr}`,
      );
  }

  /** @throws ServiceStartError if the process exits before it listens */
  static async start(options: ServiceStart): Promise<ServiceProcess> {
    const { child, exited, output } = spawnService(options);
    const listening = new Promise<ListeningMessage>((resolve) => {
      child.on('message', (message) => {
        if (isListening(message)) resolve(message);
      });
    });
    const first = await Promise.race([listening, exited]);
    if (!('type' in first)) throw new ServiceStartError(first, output.stdout, output.stderr);
    return new ServiceProcess(child, first.url, first.adminApiKey ?? '', exited, output, first.openedInMs);
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  get stdout(): string {
    return this.output.stdout;
  }

  get stderr(): string {
    return this.output.stderr;
  }

  /**
   * Sends an IPC message and resolves with the first message from the process that `isReply` accepts.
   * @throws Error if the process exits first
   */
  ask<T>(message: string, isReply: (reply: unknown) => reply is T): Promise<T> {
    return new Promise((resolve, reject) => {
      const onMessage = (reply: unknown): void => {
        if (!isReply(reply)) return;
        this.child.off('message', onMessage);
        resolve(reply);
      };
      this.child.on('message', onMessage);
      this.child.send(message, (error) => {
        if (error) reject(error);
      });
      void this.exited.then(() => {
        reject(new Error('the process exited before it replied'));
      });
    });
  }

  send(message: object): void {
    this.child.send(message);
  }

  /** Sends the signal and waits until the process has exited. */
  kill(signal: NodeJS.Signals): Promise<ServiceExit> {
    this.child.kill(signal);
    return this.exited;
  }
}
