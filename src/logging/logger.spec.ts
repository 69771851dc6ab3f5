import { fastify } from 'fastify';
import { createLogger, NestLogger } from './logger.js';
import { runInContext } from './request-context.js';

const key = `ck_0123456789abcdef_${'k'.repeat(43)}`;

function captured(level = 'info') {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const logger = createLogger({ level, pretty: false, secrets: ['the-admin-key-1'], destination });
  return { logger, lines, parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('createLogger', () => {
  it('adds the id and tenant of the current request to each line', () => {
    const { logger, parsed } = captured();
    runInContext({ requestId: 'r1', tenantId: 'acme', route: '/v1/x' }, () => {
      logger.info('one');
      logger.warn({ count: 2 }, 'two');
    });
    logger.info('three');
    expect(parsed()).toEqual([
      expect.objectContaining({ level: 'info', requestId: 'r1', tenantId: 'acme', msg: 'one' }),
      expect.objectContaining({ level: 'warn', requestId: 'r1', tenantId: 'acme', count: 2, msg: 'two' }),
      expect.not.objectContaining({ requestId: expect.anything() as unknown }),
    ]);
  });

  it('writes lines of the configured level and above', () => {
    const { logger, parsed } = captured('warn');
    logger.info('no');
    logger.warn('yes');
    logger.error('yes too');
    expect(parsed().map(({ msg }) => msg)).toEqual(['yes', 'yes too']);
  });

  it('omits all secrets and contents of a request', async () => {
    const { logger, lines, parsed } = captured();
    const server = fastify();
    server.post('/v1/messages/:id', (request, reply) => {
      logger.info({ req: request, raw: request.raw, reply }, 'members');
      logger.info(request, 'the request itself');
      logger.info(request.raw, 'the raw request itself');
      logger.info({ headers: request.headers, body: request.body, url: request.url }, 'parts');
      return {};
    });
    await server.inject({
      method: 'POST',
      url: '/v1/messages/1?token=the-token-1',
      headers: { authorization: `Bearer ${key}`, cookie: 'colloquy_admin=the-cookie-1' },
      payload: { content: 'what Ann wrote' },
    });
    await server.close();
    expect(parsed()).toHaveLength(4);
    expect(parsed()[0]).toMatchObject({ req: { method: 'POST', route: '/v1/messages/:id' } });
    expect(lines.join('')).not.toMatch(/k{43}|the-token-1|the-cookie-1|Ann/);
  });

  it('omits all secrets and contents of an error, and keeps its stack', () => {
    const { logger, lines, parsed } = captured();
    const error = Object.assign(new Error(`refused ${key} at mongodb://u:the-password-1@db/x`), {
      config: { headers: { authorization: 'Bearer the-bearer-1' }, data: 'what Ann wrote' },
    });
    logger.error({ err: error, failures: [error] }, 'it failed');
    logger.error(error);
    logger.error({ cause: error, note: 'with the-admin-key-1' }, `failed for ${key}`);
    expect(parsed()).toHaveLength(3);
    expect(parsed()[0]).toMatchObject({
      err: { type: 'Error', stack: expect.stringContaining('logger.spec') as string },
    });
    expect(lines.join('')).not.toMatch(/k{43}|the-password-1|the-bearer-1|the-admin-key-1|Ann/);
  });

  it('redacts log lines of the framework as well', () => {
    const { logger, lines } = captured();
    const nest = new NestLogger(logger);
    nest.error(
      new Error(`Cast to string failed for value "what Ann wrote" (type Object)`),
      undefined,
      'SomeModule',
    );
    nest.warn({ content: 'what Ann wrote', count: 1 }, 'SomeModule');
    expect(lines.join('')).not.toContain('Ann');
    expect(lines.join('')).toContain('\\"count\\":1');
  });
});
