import { spawnSync } from 'node:child_process';

const given = process.env['COLLOQUY_TEST_PROMTOOL'];

/**
 * `describe` for suites that need promtool. Without it they are skipped, and `npm test` reports why; CI
 * always has it.
 */
export const describeWithPromtool: jest.Describe = given === 'off' ? describe.skip : describe;

/** Runs `promtool ARGS` with `input` on stdin and returns its exit code and output. */
export function promtool(args: string[], input = ''): { code: number | null; output: string } {
  const { status, stdout, stderr, error } = spawnSync(given ?? 'promtool', args, { input, encoding: 'utf8' });
  if (error) throw error;
  return { code: status, output: `${stdout}${stderr}`.trim() };
}
