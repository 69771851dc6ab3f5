import { spawnSync } from 'node:child_process';

const given = process.env['COLLOQUY_TEST_PROMTOOL'];

/** `describe` for suites that need promtool; `npm test` says why where there is none, and CI always has one. */
export const describeWithPromtool: jest.Describe = given === 'off' ? describe.skip : describe;

/** What `promtool ARGS` makes of `input`: its complaints, empty when there are none. */
export function promtool(args: string[], input = ''): { code: number | null; output: string } {
  const { status, stdout, stderr, error } = spawnSync(given ?? 'promtool', args, { input, encoding: 'utf8' });
  if (error) throw error;
  return { code: status, output: `${stdout}${stderr}`.trim() };
}
