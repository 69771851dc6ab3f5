import { ServiceUnavailableException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createLogger } from './logger.js';
import { ProblemError } from './problem.js';
import { ProblemFilter } from './problem.filter.js';

function answerTo(error: unknown) {
  const logger = createLogger({ level: 'silent', pretty: false });
  const warn = jest.spyOn(logger, 'warn').mockImplementation();
  const logError = jest.spyOn(logger, 'error').mockImplementation();
  let body: Record<string, unknown> = {};
  const reply = {
    sent: false,
    header: () => reply,
    status: () => reply,
    send: (text: string) => {
      body = JSON.parse(text) as Record<string, unknown>;
    },
  };
  new ProblemFilter(logger).send(
    error,
    { url: '/x?y=1', id: 'r1' } as FastifyRequest,
    reply as unknown as FastifyReply,
  );
  return { body, warn, logError };
}

describe('ProblemFilter', () => {
  it('says which health check failed and why, as a warning without errorId', () => {
    const { body, warn, logError } = answerTo(
      new ServiceUnavailableException({
        status: 'error',
        info: {},
        error: { database: { status: 'down', message: 'does not answer' } },
        details: {},
      }),
    );
    expect(body).toMatchObject({ status: 503, code: 'not_ready', detail: 'database: does not answer' });
    expect(body).not.toHaveProperty('errorId');
    expect(warn).toHaveBeenCalledTimes(1);
    expect(logError).not.toHaveBeenCalled();
  });

  it.each([502, 504])('logs a responder failure with %d once, as a warning without the error', (status) => {
    const problem = { status, code: 'responder_failed', title: 'No reply', detail: 'It broke.' };
    const { body, warn, logError } = answerTo(new ProblemError(problem, { cause: new Error('refused') }));
    expect(body).toMatchObject({ status, errorId: expect.any(String) as string });
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]?.[0]).toMatchObject({ errorId: body['errorId'], cause: 'refused' });
    expect(warn.mock.calls[0]?.[0]).not.toHaveProperty('err');
    expect(logError).not.toHaveBeenCalled();
  });

  it('logs an unexpected error with its stack under the errorId, and answers without it', () => {
    const error = new Error('secret');
    const { body, logError } = answerTo(error);
    expect(body).toMatchObject({ status: 500, code: 'internal_error', instance: '/x', requestId: 'r1' });
    expect(JSON.stringify(body)).not.toContain('secret');
    expect(logError.mock.calls[0]?.[0]).toMatchObject({ err: error, errorId: body['errorId'] });
  });

  it('keeps the errorId of another 503', () => {
    const { body, logError } = answerTo(new ServiceUnavailableException('busy'));
    expect(body).toMatchObject({
      code: 'unavailable',
      detail: 'busy',
      errorId: expect.any(String) as string,
    });
    expect(logError).toHaveBeenCalledTimes(1);
  });
});
