import { productionWarnings } from './production-warnings.js';
import { loadSettings } from './settings.js';

const production = { NODE_ENV: 'production', ADMIN_API_KEY: 'kQ8v-2mXr7Zt_4bNw9Lc5Hy1Ds3Fg6Jp' };
const SECRETS_KEY = Buffer.alloc(32, 7).toString('base64');
const warningsOf = (env: Record<string, string>): string[] =>
  productionWarnings(loadSettings(env)).map((warning) => /^\w+/.exec(warning)?.[0] ?? '');

describe('productionWarnings', () => {
  it('has none for the defaults of production with a key for secrets', () => {
    expect(warningsOf({ ...production, SECRETS_KEY })).toEqual([]);
  });

  it.each([
    [{ SECRETS_KEY: '' }, 'SECRETS_KEY'],
    [{ WRONG_KEYS_PER_MINUTE: '0' }, 'WRONG_KEYS_PER_MINUTE'],
    [{ METRICS: 'public' }, 'METRICS'],
    [{ DOCS: 'public' }, 'DOCS'],
    [{ HTTP_RESPONDER_ALLOW_PRIVATE: 'true' }, 'HTTP_RESPONDER_ALLOW_PRIVATE'],
    [{ EMBEDDED_MONGO_PORT: '27017' }, 'EMBEDDED_MONGO_PORT'],
  ])('names the risk of %j', (env, name) => {
    expect(warningsOf({ ...production, SECRETS_KEY, ...env })).toEqual([name]);
    expect(warningsOf({ SECRETS_KEY, ...env })).toEqual([]);
  });

  it('rejects a key for secrets that is not 32 bytes, without repeating it', () => {
    expect(() => loadSettings({ SECRETS_KEY: 'too-short' })).toThrow(
      /SECRETS_KEY: must be 32 bytes as base64.*openssl rand -base64 32/,
    );
    expect(() => loadSettings({ SECRETS_KEY: 'too-short' })).not.toThrow(/too-short/);
  });
});
