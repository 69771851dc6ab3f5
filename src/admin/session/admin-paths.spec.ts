import type { FastifyRequest } from 'fastify';
import { isAdminRequest, localTarget } from './admin-paths.js';

describe('localTarget', () => {
  it.each([
    ['/admin', '/admin'],
    ['/admin/queues/queue/close?status=failed&page=2', '/admin/queues/queue/close?status=failed&page=2'],
    ['/admin/queues', '/admin/queues'],
  ])('keeps %s', (next, target) => {
    expect(localTarget(next)).toBe(target);
  });

  it.each([
    undefined,
    '',
    '/',
    '/v1/tenants',
    '/administrator',
    '/admin/login',
    '/admin/logout',
    '/admin/../v1/tenants',
    '/admin/%2e%2e/v1/tenants',
    'https://evil.example/admin',
    '//evil.example/admin',
    '/\\evil.example/admin',
    '\\\\evil.example/admin',
    '/\t/evil.example/admin',
    'javascript:alert(1)',
    'http://[',
  ])('replaces %j with the start page', (next) => {
    expect(localTarget(next)).toBe('/admin/dashboard');
  });
});

describe('isAdminRequest', () => {
  const request = (url: string, route?: string): FastifyRequest =>
    ({ url, routeOptions: { url: route } }) as unknown as FastifyRequest;

  it.each([
    ['/admin', undefined],
    ['/admin?x=1', undefined],
    ['/admin/no/such/page', undefined],
    ['/%61dmin/queues', '/admin/queues'],
  ])('accepts %s', (url, route) => {
    expect(isAdminRequest(request(url, route))).toBe(true);
  });

  it.each([
    ['/administrator', undefined],
    ['/v1/queues', '/v1/queues'],
    ['/?next=/admin', undefined],
  ])('rejects %s', (url, route) => {
    expect(isAdminRequest(request(url, route))).toBe(false);
  });
});
