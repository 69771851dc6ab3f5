import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export interface CommandEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  output: string;
  ms: number;
}

export interface RunningCommand {
  kill(): void;
  ended: Promise<CommandEnd>;
}

/** Starts a built script of this project, such as `backup`, with settings and nothing else in its environment. */
export function startCommand(
  dist: string,
  name: string,
  args: readonly string[],
  { cwd, settings }: { cwd: string; settings: Readonly<Record<string, string>> },
): RunningCommand {
  const begun = performance.now();
  const env = { PATH: '/usr/bin:/bin', NODE_ENV: 'test', ...settings };
  const child = spawn(process.execPath, [join(dist, 'scripts', `${name}.js`), ...args], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = once(child, 'close').then((args): CommandEnd => {
    const [code, signal] = args as [number | null, NodeJS.Signals | null];
    return { code, signal, output, ms: performance.now() - begun };
  });
  return { kill: () => void child.kill('SIGKILL'), ended };
}
