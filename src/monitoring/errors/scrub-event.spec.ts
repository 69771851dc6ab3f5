import type { ErrorEvent } from '@sentry/node';
import { createRedactor } from '../../logging/index.js';
import { scrubEvent } from './scrub-event.js';

const key = `ck_0123456789abcdef_${'k'.repeat(43)}`;

const event: ErrorEvent = {
  type: undefined,
  event_id: 'e'.repeat(32),
  level: 'error',
  release: 'colloquy@1',
  environment: 'test',
  message: `about ${key}`,
  tags: { route: '/v1/messages', status: 500, requestId: key },
  user: { id: 'ann', ip_address: '192.0.2.1' },
  request: {
    url: 'http://h/v1/messages?token=the-token-1',
    headers: { authorization: `Bearer ${key}`, cookie: 'a=the-cookie-1' },
    data: '{"content":"what Ann wrote"}',
    cookies: { a: 'the-cookie-1' },
    query_string: 'token=the-token-1',
  },
  extra: { body: 'what Ann wrote' },
  breadcrumbs: [{ message: 'what Ann wrote' }],
  modules: { a: '1' },
  contexts: { runtime: { name: 'node' }, custom: { text: 'what Ann wrote' } },
  exception: {
    values: [
      {
        type: 'MongoServerError',
        value: 'E11000 dup key: { content: "what Ann wrote" }',
        mechanism: {
          type: 'chained',
          parent_id: 0,
          exception_id: 1,
          source: 'cause',
          data: { row: 'what Ann wrote' },
        },
        stacktrace: {
          frames: [
            {
              filename: '/app/src/x.ts',
              function: 'save',
              lineno: 3,
              in_app: true,
              vars: { content: 'what Ann wrote' },
              context_line: 'const secret = "the-token-1"',
              pre_context: ['the-token-1'],
            },
          ],
        },
      },
      { type: 'Error', value: `redis://:the-password-1@h refused the-setting-1 and ${key}` },
    ],
  },
};

describe('scrubEvent', () => {
  const scrubbed = scrubEvent(event, createRedactor(['the-setting-1']));

  it('keeps what identifies the error and its location', () => {
    expect(scrubbed).toMatchObject({
      event_id: 'e'.repeat(32),
      level: 'error',
      release: 'colloquy@1',
      environment: 'test',
      tags: { route: '/v1/messages', status: 500 },
      contexts: { runtime: { name: 'node' } },
      exception: {
        values: [
          {
            type: 'MongoServerError',
            value: 'E11000 dup key: [redacted]',
            mechanism: { type: 'chained', parent_id: 0, exception_id: 1, source: 'cause' },
            stacktrace: {
              frames: [{ filename: '/app/src/x.ts', function: 'save', lineno: 3, in_app: true }],
            },
          },
          {
            type: 'Error',
            value: 'redis://[redacted]@h refused [redacted] and ck_0123456789abcdef_[redacted]',
          },
        ],
      },
    });
  });

  it('removes secrets, contents and unknown fields', () => {
    expect(JSON.stringify(scrubbed)).not.toMatch(/k{43}|the-|Ann|ann|192\.0\.2/);
    for (const field of ['user', 'request', 'extra', 'breadcrumbs', 'modules'])
      expect(scrubbed).not.toHaveProperty(field);
  });
});
