import { BadRequestException, NotFoundException, ServiceUnavailableException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  createErrorId,
  type ErrorReporter,
  type ReportDetails,
  silentReporter,
  createLogger,
} from '../logging/index.js';
import { ProblemFilter, type ProblemTranslator } from './problem.filter.js';
import { ProblemError } from './problem.js';

function responseTo(error: unknown, translators: ProblemTranslator[] = []) {
  const report = jest.fn<string, [unknown, ReportDetails?]>(() => 'f'.repeat(32));
  const errors: ErrorReporter = { ...silentReporter, report };
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
  new ProblemFilter(logger, translators, errors).send(
    error,
    { url: '/x?y=1', id: 'r1', method: 'GET', routeOptions: { url: '/:name' } } as FastifyRequest,
    reply as unknown as FastifyReply,
  );
  return { body, warn, logError, report };
}

describe('ProblemFilter', () => {
  it('names the failed health check and the reason, as a warning without errorId', () => {
    const { body, warn, logError } = responseTo(
      new ServiceUnavailableException({
        status: 'error',
        info: {},
        error: { database: { status: 'down', message: 'does not respond' } },
        details: {},
      }),
    );
    expect(body).toMatchObject({ status: 503, code: 'not_ready', detail: 'database: does not respond' });
    expect(body).not.toHaveProperty('errorId');
    expect(warn).toHaveBeenCalledTimes(1);
    expect(logError).not.toHaveBeenCalled();
  });

  it.each([502, 504, 507])(
    'logs a responder failure with %d once, as a warning without the error',
    (status) => {
      const problem = { status, code: 'responder_failed', title: 'No reply', detail: 'It broke.' };
      const { body, warn, logError } = responseTo(new ProblemError(problem, { cause: new Error('refused') }));
      expect(body).toMatchObject({ status, errorId: expect.any(String) as string });
      expect(warn).toHaveBeenCalledTimes(1);
      expect(warn.mock.calls[0]?.[0]).toMatchObject({ errorId: body['errorId'], cause: 'refused' });
      expect(warn.mock.calls[0]?.[0]).not.toHaveProperty('err');
      expect(logError).not.toHaveBeenCalled();
    },
  );

  it('logs an unexpected error with its stack and errorId, and sends no stack to the client', () => {
    const error = new Error('secret');
    const { body, logError } = responseTo(error);
    expect(body).toMatchObject({ status: 500, code: 'internal_error', instance: '/x', requestId: 'r1' });
    expect(JSON.stringify(body)).not.toContain('secret');
    expect(logError.mock.calls[0]?.[0]).toMatchObject({ err: error, errorId: body['errorId'] });
  });

  it('keeps the errorId of another 503', () => {
    const { body, logError } = responseTo(new ServiceUnavailableException('busy'));
    expect(body).toMatchObject({
      code: 'unavailable',
      detail: 'busy',
      errorId: expect.any(String) as string,
    });
    expect(logError).toHaveBeenCalledTimes(1);
  });

  it('reports an unexpected error with the errorId of the response and the route template', () => {
    const error = new TypeError('x is undefined');
    const { body, report } = responseTo(error);
    expect(body['errorId']).toBe('f'.repeat(32));
    const tags = { route: '/:name', method: 'GET', status: 500, code: 'internal_error', requestId: 'r1' };
    expect(report.mock.calls).toEqual([[error, { level: 'error', tags }]]);
  });

  it('does not report errors below 500 and failed health checks', () => {
    const gone = new ProblemError({ status: 404, code: 'gone', title: 'Gone' });
    const check = new ServiceUnavailableException({ status: 'error', error: { db: { status: 'down' } } });
    for (const error of [new NotFoundException(), new BadRequestException('no'), gone, check])
      expect(responseTo(error).report).not.toHaveBeenCalled();
  });

  it('reports an expected failure of a dependency as a warning, throttled by code, and logs no stack', () => {
    const away = new Error('connection refused');
    const problem = { status: 503, code: 'database_unavailable', title: 'Away' };
    const { body, report, warn, logError } = responseTo(away, [() => problem]);
    expect(report.mock.calls[0]?.[1]).toMatchObject({ level: 'warning', throttle: 'database_unavailable' });
    expect(warn.mock.calls[0]?.[0]).toMatchObject({ errorId: body['errorId'], cause: 'connection refused' });
    expect(logError).not.toHaveBeenCalled();
  });
});

describe('createErrorId', () => {
  it('has the format of a report id', () => {
    expect(createErrorId()).toMatch(/^[0-9a-f]{32}$/);
    expect(createErrorId()).not.toBe(createErrorId());
  });
});
