import type { FastifyRequest } from 'fastify';
import { isFromOwnPage } from './same-origin.js';

const request = (
  headers: Readonly<Record<string, string | undefined>>,
  host = 'admin.example:3000',
): FastifyRequest => ({ headers, host }) as unknown as FastifyRequest;

describe('isFromOwnPage', () => {
  it.each([
    ['the browser reports the same origin', { 'sec-fetch-site': 'same-origin' }, 'admin.example'],
    ['its origin is our own', { origin: 'http://admin.example:3000' }, 'admin.example:3000'],
    ['the host is written differently', { origin: 'https://admin.example:3000' }, 'ADMIN.example:3000'],
  ])('yes: %s', (_name, headers, host) => {
    expect(isFromOwnPage(request(headers, host))).toBe(true);
  });

  it.each([
    ['no header is set', {}],
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'http://admin.example:3000' }],
    ['another host of the same site', { 'sec-fetch-site': 'same-site' }],
    ['another origin', { origin: 'http://evil.example' }],
    ['another port', { origin: 'http://admin.example:3001' }],
    ['a hidden origin', { origin: 'null' }],
  ])('no: %s', (_name, headers) => {
    expect(isFromOwnPage(request(headers))).toBe(false);
  });
});
