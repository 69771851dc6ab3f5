import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { stripVTControlCharacters } from 'node:util';
import { Failure } from './report.mjs';

const forwarded = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);

/** The exit code that shells report for a process killed by a signal. @param {NodeJS.Signals} signal */
export function signalExitCode(signal) {
  return 128 + (constants.signals[signal] ?? 0);
}

/**
 * Runs a program until it exits. Meanwhile SIGINT, SIGTERM and SIGHUP are forwarded to it and do not end this
 * process: the caller receives the signal as `interrupted` and decides.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, capture?: boolean, onStart?: (pid: number) => void }}
 *   options `capture` collects stdout and stderr into `output`, without colors unless stderr is a terminal; otherwise
 *   the program writes to the streams of this process.
 * @returns {Promise<{ code: number, output: string, interrupted: NodeJS.Signals | undefined }>}
 *   `code` is 128 + n when the program was killed by signal n.
 */
export function runChild(command, args, { cwd, env, capture = false, onStart } = {}) {
  return new Promise((resolve, reject) => {
    /** @type {NodeJS.Signals | undefined} */
    let interrupted;
    /** @type {Buffer[]} */
    const chunks = [];
    // npm is a .cmd file on Windows, which only a shell can start.
    const shell = process.platform === 'win32' && command === 'npm';
    const stdio = capture ? ['ignore', 'pipe', 'pipe'] : 'inherit';
    const child = spawn(command, args, { cwd, env, stdio, shell });
    const passOn = (/** @type {NodeJS.Signals} */ signal) => {
      interrupted ??= signal;
      child.kill(signal);
    };
    for (const signal of forwarded) process.on(signal, passOn);
    const stopForwarding = () => {
      for (const signal of forwarded) process.off(signal, passOn);
    };
    child.stdout?.on('data', (chunk) => chunks.push(chunk));
    child.stderr?.on('data', (chunk) => chunks.push(chunk));
    child.on('spawn', () => child.pid !== undefined && onStart?.(child.pid));
    child.on('error', (error) => {
      stopForwarding();
      reject(new Failure(`Could not run ${command}: ${error.message}`));
    });
    child.on('close', (code, signal) => {
      stopForwarding();
      const output = Buffer.concat(chunks).toString('utf8').trim();
      resolve({
        code: signal ? signalExitCode(signal) : (code ?? 1),
        output: process.stderr.isTTY ? output : stripVTControlCharacters(output),
        interrupted,
      });
    });
  });
}
